"""What is known of a finished adapter and of a run, for `metrics.json`, the report and programs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgetune.train.adapter import Job, Trained


def adapter_metrics(job: Job, trained: Trained) -> dict[str, Any]:
    """An adapter's entry in `metrics.json`."""
    progress = trained.progress
    return {
        "origin": "continued" if job.continued else "new",
        "role": job.data.role,
        "tool": job.data.tool,
        "rank": job.adapter.rank,
        "examples": len(job.data.train),
        "examples_seen": sum(len(step) for step in job.plan),
        "dropped": job.data.dropped,
        "steps": progress.step,
        "kept_step": trained.kept_step,
        "tokens": progress.tokens,
        "seconds": round(progress.seconds, 3),
        "tokens_per_s": round(progress.tokens / max(progress.seconds, 1e-9), 1),
        "train_loss": progress.curve[-1][1],
        "dev": None if trained.dev is None else trained.dev.as_json(),
        "curve": [
            {"step": step, "loss": loss, "learning_rate": rate}
            for step, loss, rate in progress.curve
        ],
        "dev_curve": [{"step": step, **metrics} for step, metrics in progress.dev_curve],
    }


def is_kept(metrics: Mapping[str, Any]) -> bool:
    """Whether an adapter with these `adapter_metrics` is an earlier run's, untouched."""
    return metrics.get("origin") == "kept"


@dataclass(frozen=True)
class RunSummary:
    """A finished run."""

    output: Path
    base: str
    weights_sha256: str
    device: str
    precision: str
    adapters: dict[str, dict[str, Any]]
    """Adapter name to its `adapter_metrics`, with `origin` kept for one of an earlier run."""
    grown_from: str | None = None
    """The earlier run, where this one grew from one."""

    @property
    def seconds(self) -> float:
        """Time that the adapters took, in all; one that was kept took none here."""
        return sum(each["seconds"] for each in self.adapters.values() if not is_kept(each))

    def as_json(self) -> dict[str, Any]:
        """The summary without the curves, which stand in `metrics.json`."""
        curves = ("curve", "dev_curve")
        return {
            "output": str(self.output),
            "base": {"name": self.base, "weights_sha256": self.weights_sha256},
            "device": self.device,
            "precision": self.precision,
            "seconds": round(self.seconds, 3),
            "complete": True,
            **({"grown_from": self.grown_from} if self.grown_from else {}),
            "adapters": {
                name: {key: value for key, value in adapter.items() if key not in curves}
                for name, adapter in self.adapters.items()
            },
        }
