"""Results as tables for people: one system in detail, or several side by side.

Only shows what `evaluate` counted; HTML is `report`'s.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from edgetune.evaluate.compare import Comparison
from edgetune.evaluate.evaluate import EvalResult
from edgetune.evaluate.routed import RoutedResult
from edgetune.evaluate.score import Score


def result_view(result: EvalResult) -> RenderableType:
    """One result: its figures, a row per tool, and what is wrong with arguments."""
    score = result.score
    tools = Table("tool", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in ("n", "selection", "arguments", "call"):
        tools.add_column(column, justify="right")
    tools.add_column("most often taken for")
    for name, row in score.per_tool.items():
        tools.add_row(
            name,
            str(row.n),
            share_text(row.selection_accuracy),
            share_text(row.arguments_exact_match),
            share_text(row.call_exact_match),
            f"{row.confused_with} ({row.confused})" if row.confused_with else "",
        )
    views: list[RenderableType] = [systems_view([result])]
    if score.per_tool:
        views += ["", tools]
    if result.abstain_below:
        withheld = sum(outcome.abstained_from is not None for outcome in result.outcomes)
        views.append(
            f"\nabstained in {withheld} of {score.n}: no tool had {result.abstain_below:g} or more"
        )
    if whole := result.trajectories:
        share, n = whole["trajectory_exact_match"], whole["trajectories_n"]
        views.append(f"\nall steps right: {share_text(share)} of {n} records with several")
    if any(score.argument_errors.values()):
        errors = ", ".join(
            f"{count} {kind.replace('_', ' ')}" for kind, count in score.argument_errors.items()
        )
        views.append(f"\nwrong arguments, given the right tool: {errors}")
    for kind, left_out in result.left_out_by_kind.items():
        first = "; ".join(
            f"record {each.record} ({escape(each.request[:60])!r})" for each in left_out[:5]
        )
        more = ", …" if len(left_out) > 5 else ""
        views.append(f"\nleft out, {kind}: {len(left_out)} records: {first}{more}")
    return Group(*views)


def systems_view(results: Sequence[EvalResult]) -> RenderableType:
    """Several systems over the same examples, side by side, with the number of wrong calls."""
    first = results[0]
    table = Table(
        "system",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        title=f"{first.toolset}: {first.score.n} examples on {first.engine}",
        title_justify="left",
        caption="in brackets: 95 % interval; ECE: expected calibration error of the selection's "
        "probabilities; wrong: calls; ms: median of a call",
        caption_justify="left",
    )
    routed = [result for result in results if isinstance(result, RoutedResult)]
    columns = ("selection", "ECE", "arguments", "call", "wrong", "valid", "ms")
    for column in ("routing", *columns) if routed else columns:
        # Where a row does not fit, an interval goes below its figure in one piece.
        whole = len("(0.00–0.00)") if column in ("selection", "arguments", "call") else None
        table.add_column(column, justify="right", min_width=whole)
    for result in results:
        score, believed = result.score, result.reliability
        routing = [share_text(result.routing_accuracy)] if isinstance(result, RoutedResult) else []
        table.add_row(
            result.system,
            *routing,
            _headline(score, "selection_accuracy"),
            share_text(None if believed is None else believed.expected_calibration_error),
            _headline(score, "arguments_exact_match"),
            _headline(score, "call_exact_match"),
            _wrong_calls(result),
            share_text(score.schema_valid),
            f"{result.timing['ms']:.0f}",
        )
    return table


def bfcl_view(found: Mapping[str, Any]) -> RenderableType:
    """The base on a file of the Berkeley leaderboard, with the first calls that are not right."""
    n = found["n"]
    figures = {
        "selection": "selection_accuracy",
        "whole calls, by the leaderboard's rules": "bfcl_score",
    }
    lines = [
        "{}: {:.3f} ({:.2f} to {:.2f})".format(name, found[key], *found["intervals"][key])
        for name, key in figures.items()
    ]
    table = Table("case", "not right because", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for entry in found["wrong"][:10]:
        table.add_row(entry["id"], escape(entry["problem"]))
    return Group(f"{n} cases, the base on {found['engine']}", *lines, "", table)


def comparison_view(comparison: Comparison, first: str, second: str) -> RenderableType:
    """Two results side by side: what each alone has wrong, and whether that is chance."""
    title = f"A: {first}   B: {second}   ({comparison.n} examples)"
    table = Table(
        "",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        title=title,
        title_justify="left",
        caption="in brackets: 95 % interval; p: exact McNemar test",
        caption_justify="left",
    )
    for column in ("A", "B", "B - A", "wrong in A alone", "in B alone", "p"):
        width = len("+0.000 (+0.000…+0.000)") if column == "B - A" else None
        table.add_column(column, justify="right", min_width=width)
    for name, figure in comparison.figures.items():
        table.add_row(
            name.replace("_", " "),
            f"{figure.first:.3f}",
            f"{figure.second:.3f}",
            f"{figure.second - figure.first:+.3f} [dim]({figure.low:+.3f}…{figure.high:+.3f})[/]",
            str(figure.first_alone_wrong),
            str(figure.second_alone_wrong),
            f"{figure.p:.2g}",
        )
    if comparison.same_calls is None:
        return table
    same = f"the same call for {comparison.same_calls:.3f} of the examples"
    if comparison.probability_difference is not None:
        same += f", probabilities at most {comparison.probability_difference:.2g} apart"
    return Group(table, same)


def share_text(share: float | None) -> str:
    """`0.925`; `-` where it was not measured."""
    return "-" if share is None else f"{share:.3f}"


def _headline(score: Score, figure: str) -> str:
    """A figure with its 95 % interval."""
    text = share_text(getattr(score, figure))
    if figure not in score.intervals:
        return text
    low, high = score.intervals[figure]
    return f"{text} [dim]({low:.2f}–{high:.2f})[/]"


def _wrong_calls(result: EvalResult) -> str:
    if result.score.call_exact_match is None:
        return "-"
    return str(sum(outcome.call_right is False for outcome in result.outcomes))
