"""`edgetune targets`: what a base can be lowered to, and what that takes."""

from typing import Any

from edgetune.cli.options import ForceOption, JsonOption, give, stdout


def targets(json_target: JsonOption = None, force: ForceOption = False) -> None:
    """List every target, the packages it needs, whether they are here, and what was verified.

    Example: `edgetune targets`
    """
    from edgetune_export.lowering.targets import TARGETS

    found = [
        {
            "target": name,
            "runs_on": lowering.silicon,
            "needs": list(lowering.packages),
            "missing": lowering.missing,
            "verified": lowering.verified,
        }
        for name, lowering in TARGETS.items()
    ]
    give({"targets": found}, json_target, lambda: _show(found))


def _show(found: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table("target", "runs on", "needs", "here", "verified")
    for entry in found:
        missing = ", ".join(entry["missing"])
        here = f"[red]missing: {missing}[/]" if missing else "[green]yes[/]"
        needs = ", ".join(entry["needs"])
        table.add_row(entry["target"], entry["runs_on"], needs, here, entry["verified"])
    stdout.print(table)
