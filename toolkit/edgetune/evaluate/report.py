"""A report in one HTML file: accuracy, mistakes, sizes, swap times, curves and calls in full.

Everything is inside the file (no script, no remote resource), so that it can be mailed or kept. It
shows what it is given and leaves out what it is not given; it measures nothing.
"""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from edgetune.evaluate import charts
from edgetune.evaluate.charts import Bar, Column, Tone
from edgetune.evaluate.evaluate import EvalResult
from edgetune.evaluate.intervals import share_interval
from edgetune.evaluate.samples import right_calls, wrong_calls
from edgetune.evaluate.score import ERROR_KINDS
from edgetune_runtime.files import write_bytes

_GENERATOR = b'<meta name="generator" content="edgetune">'

FIGURES = {
    "call_exact_match": "Whole calls exact",
    "selection_accuracy": "Right tool",
    "arguments_exact_match": "Arguments exact, given the right tool",
}


def write_report(
    path: Path,
    results: Sequence[EvalResult],
    *,
    sizes: Mapping[str, int] | None = None,
    profile: Mapping[str, Any] | None = None,
    curves: Path | None = None,
    calls: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write a report to `path`, whole or not at all.

    `results` are systems over the same examples, the best last: that one is shown in detail.
    `sizes` maps parts of the bundle to bytes; `profile` is
    what `edgetune profile` measured (design section 9); `curves` a PNG of the training curves;
    `calls` are `{request, tool, arguments, probability?}` to show in full (left out: some right
    ones of the last result).
    """
    detailed = results[-1]
    title = f"{detailed.toolset}: how well it is called"
    sections = [
        f"<header><h1>{escape(title)}</h1></header>",
        _headline(detailed, profile),
        _accuracy(results),
        _per_tool(detailed),
        _confusion(detailed),
        _argument_errors(detailed),
        _reliability(detailed),
        _sizes(sizes or {}),
        _speed(profile),
        _curves(curves),
        right_calls(detailed, calls),
        wrong_calls(detailed),
    ]
    page = Template(files("edgetune.evaluate").joinpath("page.html").read_text("utf-8"))
    body = "\n".join(section for section in sections if section)
    write_bytes(path, page.substitute(title=escape(title), body=body).encode())


def is_report(path: Path) -> bool:
    """Whether the file at `path` was written by `write_report`."""
    with path.open("rb") as file:
        return _GENERATOR in file.read(1000)


def _headline(result: EvalResult, profile: Mapping[str, Any] | None) -> str:
    cards = []
    for name, meaning in FIGURES.items():
        share = getattr(result.score, name)
        if share is not None:
            low, high = result.score.intervals[name]
            cards.append((f"{share:.1%}", f"{meaning.lower()} ({low:.1%} to {high:.1%})"))
    if result.score.schema_valid is not None:
        cards.append((f"{result.score.schema_valid:.1%}", "of calls satisfy their schema"))
    if profile and profile["adapters"]:
        warm = max(adapter["warm_swap_ms"] for adapter in profile["adapters"])
        cards.append((f"{warm:.2g} ms", "to swap a loaded adapter, at the most"))
    cards.append((f"{result.timing['ms']:.0f} ms", "a call, median"))
    figures = "".join(
        f'<div class="figure"><b>{value}</b><span>{meaning}</span></div>'
        for value, meaning in cards
    )
    return f'<section class="figures">{figures}</section>'


def _accuracy(results: Sequence[EvalResult]) -> str:
    groups: dict[str, list[Bar]] = {}
    for name, heading in FIGURES.items():
        for index, result in enumerate(results):
            share = getattr(result.score, name)
            if share is None:
                continue
            n = result.score.arguments_n if name.startswith("arguments") else result.score.n
            wrong = round((1 - share) * n)
            groups.setdefault(heading, []).append(
                Bar(
                    label=result.system,
                    length=share,
                    value=f"{share:.3f}",
                    aside=f"{wrong} of {n} wrong",
                    tone=_tone(index, len(results)),
                    whisker=result.score.intervals[name],
                )
            )
    left_out = "".join(
        f" Left out, {kind}: {len(records)} records."
        for kind, records in results[-1].left_out_by_kind.items()
    )
    return _section(
        "Accuracy",
        f"{results[-1].score.n} examples of "
        f"<code>{escape(results[-1].toolset)}</code>, on {escape(results[-1].engine)}. "
        "The line across a bar's end, and what stands in brackets above, is the 95&thinsp;% "
        f"interval (a bootstrap over the examples).{left_out}",
        charts.bars(groups),
    )


def _tone(index: int, systems: int) -> Tone:
    """The last system stands out, the one before it less so."""
    tones: tuple[Tone, ...] = ("third", "second", "accent")
    return tones[max(0, len(tones) - systems + index)]


def _per_tool(result: EvalResult) -> str:
    if not result.score.per_tool:
        return ""
    rows = [
        [
            escape(name),
            str(row.n),
            _share(row.selection_accuracy),
            _share(row.arguments_exact_match),
            _share(row.call_exact_match),
            charts.small_bar(row.call_exact_match) if row.call_exact_match is not None else "",
            f"<code>{escape(row.confused_with)}</code> ({row.confused})"
            if row.confused_with
            else "",
        ]
        for name, row in result.score.per_tool.items()
    ]
    heads = ["tool", "n", "selection", "arguments", "call", "", "most often taken for"]
    return _section(
        "Tool by tool",
        f"The {escape(result.system)} system. Arguments are scored with the right tool given.",
        _table(heads, rows, numbers=(1, 2, 3, 4)),
    )


def _confusion(result: EvalResult) -> str:
    counts = result.score.confusion
    if not counts:
        return ""
    selected = {name for row in counts.values() for name in row}
    known = list(dict.fromkeys([*result.score.per_tool, *sorted(selected)]))
    return _section(
        "Which tool was taken for which",
        "A row is the tool that was right, a column the one that was selected; mistakes are red.",
        f'<div class="scroll">{charts.matrix(known, counts)}</div>',
    )


def _argument_errors(result: EvalResult) -> str:
    if not result.score.arguments_n:
        return ""
    rows = [
        [escape(name), *(str(row.argument_errors[kind] or "") for kind in ERROR_KINDS)]
        for name, row in result.score.per_tool.items()
        if any(row.argument_errors.values())
    ]
    rows.append(["in all", *(str(result.score.argument_errors[kind]) for kind in ERROR_KINDS)])
    heads = ["tool", *(kind.replace("_", " ") for kind in ERROR_KINDS)]
    return _section(
        "What is wrong with arguments",
        f"Single arguments, with the right tool given, over {result.score.arguments_n} calls. "
        "Truncated: the token budget ended the call.",
        _table(heads, rows, numbers=range(1, len(heads))),
    )


def _reliability(result: EvalResult) -> str:
    believed = result.reliability
    if believed is None:
        return ""
    columns = [
        Column(
            each.low,
            each.high,
            each.probability,
            each.accuracy,
            share_interval(each.accuracy, each.n),
            each.n,
        )
        for each in believed.bins
    ]
    rows = [
        [f"{each.threshold:g}", f"{each.answered:.3f}", _share(each.accuracy)]
        for each in believed.coverage
    ]
    table = _table(["abstain below", "answered", "right tool, of these"], rows, numbers=(0, 1, 2))
    return _section(
        "How far a probability can be believed",
        "How often the likeliest tool is right (columns, with 95&thinsp;% intervals) where the "
        "selector is so sure of it (strokes). The mean distance, the expected calibration error, "
        f"is {believed.expected_calibration_error:.3f}. Beside it, what a threshold "
        "(<code>--abstain-below</code>) buys.",
        f'<div class="pair"><div class="scroll">{charts.reliability(columns)}</div>{table}</div>',
    )


def _sizes(sizes: Mapping[str, int]) -> str:
    if not sizes:
        return ""
    largest = max(sizes.values())
    rows = [
        [escape(part), _bytes(size), charts.small_bar(size / largest)]
        for part, size in sizes.items()
    ]
    rows.append(["in all", _bytes(sum(sizes.values())), ""])
    return _section(
        "Sizes", "What a phone has to hold.", _table(["part", "size", ""], rows, numbers=(1,))
    )


def _speed(profile: Mapping[str, Any] | None) -> str:
    if not profile:
        return ""
    rows = [
        [
            escape(adapter["name"]),
            str(adapter["rank"]),
            _bytes(adapter["blob_bytes"]),
            f"{adapter['cold_swap_ms']:.2f}",
            f"{adapter['warm_swap_ms']:.3f}",
        ]
        for adapter in profile["adapters"]
    ]
    base, decode, call = profile["base"], profile["decode_tokens_per_s"], profile["call"]
    facts = {
        "base": f"loaded in {base['load_ms']:.0f} ms, {_bytes(base['rss_bytes'])} resident, "
        f"KV cache {_bytes(base['kv_bytes'])}",
        "prefill": f"{profile['prefill_tokens_per_s']:.0f} tokens/s",
        "decode": f"{decode['base']:.0f} tokens/s without an adapter"
        + (f", {decode['adapter']:.0f} with one" if decode["adapter"] else ""),
        "a call": f"{call['prefill_tokens']} tokens prefilled, {call['decode_steps']} decoded, "
        f"{call['forced_tokens']} forced by the grammar, {call['ms']:.0f} ms",
    }
    heads = ["adapter", "rank", "blob", "cold swap, ms", "warm swap, ms"]
    return _section(
        "Swaps and speed",
        "Cold: read, prepared and bound. Warm: bound again. The base is never loaded twice.",
        _table(heads, rows, numbers=(1, 2, 3, 4)) + _definitions(facts),
    )


def _curves(curves: Path | None) -> str:
    if curves is None:
        return ""
    data = base64.b64encode(curves.read_bytes()).decode()
    image = f'<img class="plot" alt="Training curves" src="data:image/png;base64,{data}">'
    return _section("Training", "Loss of each adapter over its steps.", image)


def _section(heading: str, note: str, content: str) -> str:
    explained = f'<p class="note">{note}</p>' if note else ""
    return f"<section><h2>{heading}</h2>{explained}{content}</section>"


def _definitions(facts: Mapping[str, str]) -> str:
    rows = "".join(
        f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>" for key, value in facts.items()
    )
    return f'<dl class="facts">{rows}</dl>'


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int]) -> str:
    """A table of markup; the first column names the row, those in `numbers` align right."""

    def cell(tag: str, index: int, content: str) -> str:
        kind = "number" if index in numbers else "name" if index == 0 and tag == "td" else ""
        return f'<{tag} class="{kind}">{content}</{tag}>' if kind else f"<{tag}>{content}</{tag}>"

    def line(tag: str, cells: Sequence[str]) -> str:
        return "<tr>" + "".join(cell(tag, *numbered) for numbered in enumerate(cells)) + "</tr>"

    body = "".join(line("td", row) for row in rows)
    return (
        f'<div class="scroll"><table><thead>{line("th", heads)}</thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.3f}"


def _bytes(size: int) -> str:
    return f"{size / 1e6:.2f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
