"""Which adapters of a run are done: what `run.json` and `metrics.json` say of each.

An adapter stands in both files as soon as its own are written, so that a run which is stopped goes
on with the next one. Knows nothing of how adapters are trained.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from edgetune.train.adapter import Job
from edgetune.train.task import Metrics
from edgetune_export.run import WEIGHTS
from edgetune_export.run_record import AdapterRecord, read_run_record, write_run_record
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import write_json


def finished(output: Path, jobs: Sequence[Job]) -> dict[str, Metrics]:
    """The metrics of the adapters that are done already, by name.

    Raises InputError where one was trained on other examples than its job has.
    """
    listed = {
        entry.name: entry
        for entry in read_run_record(output).adapters
        if (output / "adapters" / entry.name / WEIGHTS).is_file()
    }
    if not listed:
        return {}
    metrics = read_metrics(output)
    for job in jobs:
        entry = listed.get(job.data.name)
        if entry is not None and entry.data_sha256 != job.data.sha256:
            raise InputError(
                f"{output}: its adapter {job.data.name} was trained on other examples than today's "
                "(the tokenizer or edgetune itself have changed since); choose another --output."
            )
    return {name: metrics[name] for name in listed}


def read_metrics(run: Path) -> dict[str, Metrics]:
    """What `metrics.json` says of each adapter. Raises InputError where it cannot be read."""
    path = run / "metrics.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8"))["adapters"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read as JSON ({error}); choose another --output, or remove that "
            "run to train afresh."
        ) from error


def entry_of(job: Job) -> AdapterRecord:
    """What `run.json` says of the adapter of `job` when it is trained."""
    return AdapterRecord(
        name=job.data.name,
        role=job.data.role,
        toolset=job.data.toolset,
        tool=job.data.tool,
        directory=f"adapters/{job.data.name}",
        rank=job.adapter.rank,
        data_sha256=job.data.sha256,
        examples=len(job.data.train),
        steps=len(job.plan),
        origin="continued" if job.continued else None,
        start_base_sha256=job.start_base_sha256,
    )


def add_adapter(output: Path, entry: AdapterRecord, metrics: Metrics, names: Sequence[str]) -> None:
    """Write down that an adapter is done; `names` are all the run's, in their order.

    Metrics first, since `run.json` is what is believed.
    """
    path, record = output / "metrics.json", read_run_record(output)
    found = {**(read_metrics(output) if path.exists() else {}), entry.name: metrics}
    write_json(path, {"adapters": {name: found[name] for name in names if name in found}})
    entries = {each.name: each for each in (*record.adapters, entry)}
    adapters = tuple(entries[name] for name in names if name in entries)
    write_run_record(output, record.model_copy(update={"adapters": adapters}))
