"""One system of a trained run asked on its int4 bundle, as the benchmarks of accuracy do it."""

from pathlib import Path

from edgetune.data.records import read_records
from edgetune.evaluate.evaluate import evaluate
from edgetune_export.bundle import write_bundle
from edgetune_export.run import open_run
from edgetune_runtime.agent import Agent
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.engines import open_engine
from edgetune_runtime.files import write_json
from edgetune_runtime.options import Options, System


def ask(run: Path, bundle: Path, system: System, data: Path, limit: int | None, kept: Path) -> None:
    """Write into `kept` what `eval` finds on the first `limit` records, unless it is there.

    The bundle is exported from `run` where there is none yet.
    """
    if kept.is_file():
        return
    if not bundle.exists():
        write_bundle(open_run(run), bundle, ["onnx"])
    opened = open_bundle(bundle)
    agent = Agent(opened.assets, open_engine(opened, "onnx"))
    ((name, served),) = opened.assets.toolsets.items()
    records = read_records(data, served.toolset)[:limit]
    examples = [step for record in records for step in record.steps(served.toolset)]
    write_json(kept, evaluate(agent, name, examples, options=Options(system=system)).as_json())
