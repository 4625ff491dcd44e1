"""A float checkpoint made a base by one method, and what that costs it: figures before and after.

Measured on the bare base, without adapters: how likely it finds the calls of held-out records, and
how many of them it makes itself. What training makes good again is another question
(`benchmarks/quantization.py`).
"""

import math
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from edgetune.bases.fetch import open_name
from edgetune.bases.table import EMBEDDED
from edgetune.data.records import Example
from edgetune.evaluate.evaluate import evaluate
from edgetune.train.examples import adapters_data
from edgetune.train.passes import loss_logits, measure
from edgetune.train.quantizer_calibration import calibration_ids
from edgetune_export.lowering.targets import refusals
from edgetune_export.progress import stage
from edgetune_export.prompts.prefixes import toolset_prompts
from edgetune_export.run import Run, run_assets
from edgetune_export.torch_engine import TorchEngine
from edgetune_export.weights.base import WEIGHTS, Base, Calibration, load_base
from edgetune_export.weights.checkpoint import open_checkpoint
from edgetune_export.weights.quantize import dequantize
from edgetune_export.weights.quantizers import FLOAT
from edgetune_runtime.agent import Agent
from edgetune_runtime.calls import Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import existing_parent, require_own_directory
from edgetune_runtime.options import Options

MAX_LENGTH = 2048
"""The most tokens of an example; longer ones are left out."""


@dataclass(frozen=True)
class Quality:
    """How a bare base does on held-out records, behind the full list of tools."""

    perplexity: float
    """Of the tokens of the calls (name, arguments, close), given the prompt and those before."""
    tokens: int
    """How many those are."""
    n: int
    """Steps of records that the base was to answer, under constrained decoding."""
    selection_accuracy: float | None
    arguments_exact_match: float | None
    call_exact_match: float | None


@dataclass(frozen=True)
class Quantization:
    """A quantized base, and what it was before."""

    base: Base
    weight_error: float
    """Root mean square of what rounding changed, over that of the weights that were rounded."""
    before: Quality | None
    """Of the float checkpoint; None where there were no records to measure on."""
    after: Quality | None

    def as_json(self) -> dict[str, Any]:
        """One JSON object."""
        return {
            "base": str(self.base.directory),
            "name": self.base.name,
            "method": self.base.method,
            "weights_sha256": self.base.weights_sha256,
            "weight_error": self.weight_error,
            "float": self.before and asdict(self.before),
            "int4": self.after and asdict(self.after),
        }


@dataclass(frozen=True)
class Records:
    """Records of a toolset, step by step."""

    toolset: Toolset
    examples: Sequence[Example]


def quantize_checkpoint(
    checkpoint: str,
    output: Path,
    method: str,
    *,
    calibrate_on: Records | None = None,
    held_out: Records | None = None,
) -> Quantization:
    """Make the base `output` of `checkpoint` (a directory, a GGUF file, a hub id or a short name).

    A quantizer that reads texts, and no other, needs `calibrate_on`. Raises InputError for a
    `checkpoint` that is a base already or that no target takes, an `output` that is something else,
    and whatever is wrong with checkpoint or records. `output` is written whole or not at all, after
    the float checkpoint was measured: records that cannot be measured on leave nothing.
    """
    if checkpoint == EMBEDDED:
        raise InputError(
            f"{EMBEDDED}: is a base already, the embedded one; give the float checkpoint that it "
            "was made of (checkpoints/nano in a checkout)."
        )
    if (Path(checkpoint) / "base.json").is_file():
        raise InputError(
            f"{checkpoint}: is a base already, made by {Base(Path(checkpoint)).method}; give the "
            "float checkpoint that it was made of."
        )
    require_own_directory(output, ("base.json", WEIGHTS), "base")
    calibration: Calibration | None = None
    if calibrate_on is not None:
        calibration = partial(
            calibration_ids,
            records=[(calibrate_on.toolset, calibrate_on.examples)],
            shown="full",
            max_length=MAX_LENGTH,
        )
    source = open_checkpoint(*open_name(checkpoint, None))
    refusals(source)
    with tempfile.TemporaryDirectory(dir=existing_parent(output), prefix=".float.") as place:
        beside = Path(place)
        whole = load_base(source, beside / "base", name=checkpoint, method=FLOAT)
        before = None if held_out is None else quality(whole, held_out)
        base = load_base(source, output, name=checkpoint, method=method, calibration=calibration)
        after = None if held_out is None else quality(base, held_out)
        return Quantization(base, weight_error(whole, base), before, after)


def quality(base: Base, records: Records) -> Quality:
    """How the bare `base` does on `records`, in float32 on the CPU.

    Raises InputError where none of them is short enough, or a tool's schema has no grammar.
    """
    template, toolset = base.template, records.toolset
    longest = min(MAX_LENGTH, base.shape.context_length)
    calls = adapters_data(
        template,
        toolset_prompts(template, toolset, "full"),
        toolset,
        [],
        records.examples,
        max_length=longest,
    )[-1].dev
    if not calls:
        raise InputError(
            f"{toolset.name}: behind all its tools, none of the {len(records.examples)} examples "
            f"has at most {longest} tokens; measure with fewer tools, or leave --data out."
        )
    with stage(f"Perplexity of {base.name}, {base.method}"):
        logits = partial(loss_logits, base.model(), precision="float32")
        metrics = measure(logits, calls, torch.device("cpu"))
    bare = Run(base.directory, {}, base, {toolset.name: toolset}, (), {})
    agent = Agent(run_assets(bare), TorchEngine(base))
    score = evaluate(agent, toolset.name, records.examples, options=Options(system="base")).score
    return Quality(
        perplexity=math.exp(metrics.loss),
        tokens=sum(int(call.loss.sum()) for call in calls),
        n=score.n,
        selection_accuracy=score.selection_accuracy,
        arguments_exact_match=score.arguments_exact_match,
        call_exact_match=score.call_exact_match,
    )


def weight_error(whole: Base, base: Base) -> float:
    """Root mean square of what `base` has otherwise than the float base `whole`, over that of the
    weights, of all matrices together."""
    quantized = base.quantized()
    error = size = 0.0
    for name, weight in whole.tensors():
        if name in quantized:
            error += (dequantize(quantized[name]) - weight).square().sum().item()
            size += weight.square().sum().item()
    return math.sqrt(error / size)
