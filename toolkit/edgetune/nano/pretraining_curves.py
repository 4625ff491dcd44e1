"""The curves of a pretraining, from its metrics.jsonl, as a PNG."""

import json
from pathlib import Path


def plot_curves(output: Path) -> None:
    """Draw `output/curves.png`: the loss, and accuracies on held-out tools."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    rows = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4))
    train = [r for r in rows if "loss" in r]
    left.plot([r["step"] for r in train], [r["loss"] for r in train], linewidth=0.8)
    left.set(xlabel="step", ylabel="weighted loss", yscale="log", title="training loss")
    for key in ("name", "value", "pseudo", "arguments"):
        points = [(r["step"], r[f"{key}_accuracy"]) for r in rows if f"{key}_accuracy" in r]
        right.plot([p[0] for p in points], [p[1] for p in points], label=key)
    right.set(xlabel="step", ylim=(0, 1), title="held-out tools, wholly right")
    right.legend()
    figure.tight_layout()
    figure.savefig(output / "curves.part.png", dpi=110)
    plt.close(figure)
    (output / "curves.part.png").replace(output / "curves.png")
