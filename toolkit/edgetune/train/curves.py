"""The curves of a run as one PNG: training loss, dev loss and dev exact match of each adapter."""

import io
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

_COLUMNS = 3
_CELL = (4.2, 2.8)
"""Inches of one adapter's axes."""


def draw_curves(adapters: Mapping[str, Mapping[str, Any]]) -> bytes:
    """One pair of axes for each adapter; `adapters` as in `metrics.json`. Returns a PNG."""
    columns = min(_COLUMNS, len(adapters))
    rows = -(-len(adapters) // columns)
    # A Figure of its own draws with Agg, whatever display there is, and leaves pyplot alone.
    figure = Figure(figsize=(_CELL[0] * columns, _CELL[1] * rows), layout="constrained")
    cells = figure.subplots(rows, columns, squeeze=False).flatten()
    for axes, (name, metrics) in zip(cells, adapters.items(), strict=False):
        _draw(axes, name, metrics)
    for axes in cells[len(adapters) :]:
        axes.set_axis_off()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _draw(axes: Axes, name: str, metrics: Mapping[str, Any]) -> None:
    curve, dev = metrics["curve"], metrics["dev_curve"]
    axes.plot(*_columns(curve, "loss"), color="#9ab7d3", linewidth=1, label="train loss")
    if dev:
        axes.plot(*_columns(dev, "loss"), color="#1f4e79", marker="o", markersize=3, label="dev")
        right = axes.twinx()
        right.plot(*_columns(dev, "exact_match"), color="#b5541c", marker="s", markersize=3)
        right.set_ylim(0, 1.02)
        right.tick_params(labelsize=7, colors="#b5541c")
        right.set_ylabel("dev exact match", fontsize=7, color="#b5541c")
    axes.set_yscale("log")
    axes.set_title(name, fontsize=8)
    axes.tick_params(labelsize=7)
    axes.set_xlabel("step", fontsize=7)
    axes.set_ylabel("loss, nats a token", fontsize=7)
    axes.legend(fontsize=6, frameon=False)


def _columns(points: list[dict[str, float]], key: str) -> tuple[list[float], list[float]]:
    return [point["step"] for point in points], [point[key] for point in points]
