"""A bundle whose graphs for NPUs are those before compilation, and golden vectors of it.

    python android_demo/uncompiled.py BUNDLE RUN FOLDER

writes `FOLDER/bundle`, which is BUNDLE (an export of RUN) with a target `qnn` for one chip, and
`FOLDER/golden.json` (`edgetune golden`'s format, docs/bundle.md): what Python's loop of fixed
shapes says on the CPU, to which the Kotlin one is held. No compiler is needed. Run it with the
release of ONNX Runtime that the Kotlin side has.
"""

import shutil
import sys
from pathlib import Path

import onnx
import onnxruntime as ort

from edgetune_export.golden import Amounts, golden_text, make_golden
from edgetune_export.listing import write_manifest
from edgetune_export.lowering.qnn import CHUNK, CONTEXT_LENGTH
from edgetune_export.lowering.static_graph import embedding_graph, static_graph
from edgetune_export.run import open_run
from edgetune_export.weights.base import Base
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.manifest import Target
from edgetune_runtime.qnn_engine import DECODE, EMBEDDING, PREFILL, QnnEngine

CHIP = "sm8650"
FEW = Amounts(texts=0, walks=0, steps=30)


def main(source: Path, run: Path, folder: Path) -> None:
    bundle = folder / "bundle"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, bundle)
    manifest = open_bundle(bundle).manifest
    target = _write_graphs(open_run(run).base, bundle, max(each.rank for each in manifest.adapters))
    targets = (*(each for each in manifest.targets if each.name != "qnn"), target)
    write_manifest(bundle, manifest.model_copy(update={"targets": targets}))
    golden = make_golden(open_bundle(bundle), _on_cpu(bundle, target), seed=1, amounts=FEW)
    (folder / "golden.json").write_text(golden_text(golden), encoding="utf-8")


def _write_graphs(base: Base, bundle: Path, rank: int) -> Target:
    """What `edgetune_export.lowering.qnn` writes, left as it is."""
    context = min(CONTEXT_LENGTH, base.shape.context_length)
    folder = bundle / "qnn" / CHIP
    folder.mkdir(parents=True)
    onnx.save(embedding_graph(base), folder.with_name(EMBEDDING))
    for file, length in ((PREFILL, CHUNK), (DECODE, 1)):
        onnx.save(static_graph(base, length, context, rank), folder / file)
    return Target(
        name="qnn",
        model=f"qnn/{CHIP}/{DECODE}",
        context_length=context,
        options={"socs": CHIP, "chunk": CHUNK, "max_rank": rank},
    )


def _on_cpu(bundle: Path, target: Target) -> QnnEngine:
    decode = bundle / target.model
    return QnnEngine(
        decode.parent.with_name(EMBEDDING),
        decode.with_name(PREFILL),
        decode,
        context_length=target.context_length,
        vocab_size=open_bundle(bundle).manifest.base.vocab_size,
        provider=_one_thread,
    )


def _one_thread(options: ort.SessionOptions) -> None:
    options.intra_op_num_threads = 1


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
