"""The drawings of a report, as HTML and inline SVG that take their colours from the page.

Each function takes plain numbers and returns markup; what they mean is not known here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

CELL = 34
"""Side of a cell of the matrix, in px."""
LETTER = 7.1
"""Width of a letter of the matrix's labels, in px."""
PLOT = 300
"""Side of the unit square of a reliability diagram, in px."""

Tone = Literal["third", "second", "accent", "bad"]


@dataclass(frozen=True)
class Bar:
    """One labelled bar; lengths are shares of the whole width, 0 to 1."""

    label: str
    length: float
    value: str
    """The number as it is written behind the bar."""
    aside: str = ""
    tone: Tone = "third"
    whisker: tuple[float, float] | None = None
    """An interval around the bar's end."""


@dataclass(frozen=True)
class Column:
    """One bin of a reliability diagram; all shares are from 0 to 1."""

    low: float
    high: float
    told: float
    seen: float
    whisker: tuple[float, float]
    """An interval around `seen`."""
    count: int


def bars(groups: Mapping[str, Sequence[Bar]]) -> str:
    """Groups of horizontal bars under their headings, all on one scale."""
    parts = ['<div class="bars">']
    for heading, group in groups.items():
        if heading:
            parts.append(f"<h3>{escape(heading)}</h3>")
        for bar in group:
            parts.append(
                f"<span>{escape(bar.label)}</span>{_track(bar)}"
                f'<span class="value">{escape(bar.value)}</span>'
                f'<span class="aside">{escape(bar.aside)}</span>'
            )
    parts.append("</div>")
    return "\n".join(parts)


def small_bar(length: float) -> str:
    """A bar for a table's cell."""
    return f'<div class="track small"><i class="accent" style="width:{_percent(length)}"></i></div>'


def matrix(names: Sequence[str], counts: Mapping[str, Mapping[str, int]]) -> str:
    """A confusion matrix: a row for each name of `names`, right cells on the diagonal.

    A cell is the deeper in colour, the larger its share of the row.
    """
    margin = max(len(name) for name in names) * LETTER + 14
    side = CELL * len(names)
    # Labels above the columns lean by 45 degrees: they rise by 0.71 of their length.
    head = margin * 0.71 + 8
    width, height = margin + side + margin * 0.71, head + side + 4
    parts = [
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-label="Expected tools by row, selected by column">'
    ]
    for index, name in enumerate(names):
        middle = CELL * (index + 0.5)
        x, y = f"{margin + middle:.0f}", f"{head - 8:.0f}"
        parts.append(
            f'<text class="code" x="{x}" y="{y}" transform="rotate(-45 {x} {y})">'
            f"{escape(name)}</text>"
            f'<text class="code" x="{margin - 10:.0f}" y="{head + middle + 3:.0f}" '
            f'text-anchor="end">{escape(name)}</text>'
        )
    for row, expected in enumerate(names):
        of = sum(counts.get(expected, {}).values())
        for column, selected in enumerate(names):
            count = counts.get(expected, {}).get(selected, 0)
            left, top = margin + CELL * column, head + CELL * row
            parts.append(_cell(left, top, count, count / of if of else 0.0, expected, selected))
    parts.append("</svg>")
    return "\n".join(parts)


def reliability(columns: Sequence[Column]) -> str:
    """A reliability diagram: a column as high as what was seen, a stroke where it should end.

    The dashed diagonal is where told and seen are the same; counts stand below the columns.
    """
    left, top, below = 44, 14, 46
    width, height = left + PLOT + 14, top + PLOT + below
    foot = top + PLOT
    parts = [
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        'aria-label="Accuracy by told probability">',
        f'<rect class="cell" x="{left}" y="{top}" width="{PLOT}" height="{PLOT}"/>',
    ]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(
            f'<text class="soft" x="{left - 8}" y="{foot - PLOT * tick + 4:.0f}" '
            f'text-anchor="end">{tick:g}</text>'
        )
    for column in columns:
        x, wide = left + PLOT * column.low, PLOT * (column.high - column.low)
        middle = x + wide / 2
        low, high = (foot - PLOT * end for end in column.whisker)
        told, seen = foot - PLOT * column.told, foot - PLOT * column.seen
        title = (
            f"told {column.told:.3f}, right {column.seen:.3f} "
            f"({column.whisker[0]:.2f} to {column.whisker[1]:.2f}), n = {column.count}"
        )
        parts.append(
            f"<g><title>{escape(title)}</title>"
            f'<rect class="right" x="{x + 1:.1f}" y="{seen:.1f}" width="{wide - 2:.1f}" '
            f'height="{foot - seen:.1f}"/>'
            f'<line class="soft" x1="{middle:.1f}" x2="{middle:.1f}" y1="{low:.1f}" '
            f'y2="{high:.1f}"/>'
            f'<line class="told" x1="{x + 1:.1f}" x2="{x + wide - 1:.1f}" y1="{told:.1f}" '
            f'y2="{told:.1f}"/>'
            f'<text x="{middle:.1f}" y="{foot + 16}" text-anchor="middle">{column.count}</text>'
            "</g>"
        )
    parts.append(
        f'<line class="ideal" x1="{left}" x2="{left + PLOT}" y1="{foot}" y2="{top}"/>'
        f'<text class="soft" x="{left + PLOT / 2}" y="{foot + 38}" text-anchor="middle">'
        "told probability, 0 to 1, and the number of examples</text></svg>"
    )
    return "\n".join(parts)


def _cell(left: float, top: float, count: int, share: float, expected: str, selected: str) -> str:
    box = f'x="{left:.1f}" y="{top:.1f}" width="{CELL - 2}" height="{CELL - 2}" rx="3"'
    ground = f'<rect class="cell" {box}/>'
    if not count:
        return ground
    kind = "right" if expected == selected else "wrong"
    # Even a single mistake among hundreds must be seen.
    depth = 0.25 + 0.75 * share
    shade = f'<rect class="{kind}" {box} opacity="{depth:.2f}"/>'
    title = escape(f"{expected} answered with {selected}: {count} ({share:.1%})")
    ink = "on" if depth > 0.6 else ""
    number = (
        f'<text class="{ink}" x="{left + CELL / 2 - 1:.1f}" y="{top + CELL / 2 + 3:.1f}" '
        f'text-anchor="middle">{count}</text>'
    )
    return f"<g><title>{title}</title>{ground}{shade}{number}</g>"


def _track(bar: Bar) -> str:
    whisker = ""
    if bar.whisker:
        low, high = bar.whisker
        whisker = f'<u style="left:{_percent(low)};width:{_percent(high - low)}"></u>'
    return (
        f'<div class="track"><i class="{bar.tone}" style="width:{_percent(bar.length)}"></i>'
        f"{whisker}</div>"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"
