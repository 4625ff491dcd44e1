"""`edgetune teach`: from a server's address, or a tools file, to a verified bundle."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgetune.cli.options import ForceOption, JsonOption, give, stdout
from edgetune.cli.tools import EnvOption, servers_of
from edgetune_runtime.errors import InputError

if TYPE_CHECKING:
    from edgetune.teach import Taught


def teach(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="BUNDLE", help="What to make.")],
    mcp: Annotated[
        list[str],
        typer.Option(
            "--mcp",
            metavar="SERVER",
            help="A command in quotes, an http address, or a JSON file with `mcpServers`; "
            "repeatable.",
        ),
    ] = [],  # noqa: B006 - typer copies it
    tools: Annotated[
        Path | None, typer.Option("--tools", metavar="FILE", help="A tools file, not servers.")
    ] = None,
    env: EnvOption = [],  # noqa: B006
    base: Annotated[
        str, typer.Option(metavar="NAME", help="What a recipe's `base.model` may be.")
    ] = "smollm2-135m",
    skill: Annotated[
        str | None,
        typer.Option(metavar="SKILL", help="A tool skill for other tools, as a recipe names it."),
    ] = None,
    per_tool: Annotated[
        int | None,
        typer.Option(
            min=1, show_default=False, help="Requests that are generated for each tool [300]."
        ),
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where tools, recipe and run go [runs/NAME]."),
    ] = None,
    target: Annotated[
        str, typer.Option(metavar="TARGET", help="What to lower to; `edgetune targets` tells.")
    ] = "onnx",
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Teach a base the tools of MCP servers, or of a file, and put them into a bundle.

    Example: `edgetune teach --mcp "npx -y @modelcontextprotocol/server-filesystem DIR"
    -o bundles/files`, then `edgetune chat bundles/files --mcp …`

    Pulls the tools, generates requests, trains, exports, verifies, and shows how requests that were
    kept back are answered. Say the same again to go on after Ctrl-C. Each step can be had alone:
    `tools pull`, `data generate`, `train`, `export`, `verify`, `eval`.
    """
    if bool(mcp) == (tools is not None):
        raise InputError("teach: give --mcp or --tools, one of both.")
    from edgetune_export.lowering.targets import TARGETS
    from edgetune_runtime.bundle import DIGEST, MANIFEST
    from edgetune_runtime.errors import unknown
    from edgetune_runtime.files import require_own_directory

    if target not in TARGETS:
        raise unknown("--target", target, TARGETS)
    require_own_directory(output, (MANIFEST, DIGEST), "bundle")
    place = work or Path("runs") / output.resolve().name
    content = _offered(mcp, env) if mcp else _given(tools)
    _keep(place / "tools.json", content)
    from edgetune.teach import teach as teach_tools

    taught = teach_tools(
        place,
        output,
        base=base,
        skill=skill,
        per_tool=per_tool,
        target=target,
        force=force,
    )
    give(taught.as_json(), json_target, lambda: _show(taught, mcp))
    if not taught.verification.ok:
        raise typer.Exit(1)


def _offered(mcp: list[str], env: list[str]) -> bytes:
    """The tools file of what the servers offer."""
    from edgetune.tools.pull import offers_json, pull

    offers = [pull(server) for server in servers_of(mcp, env)]
    for offer in offers:
        for name, why in offer.left_out.items():
            stdout.print(f"left out {name}: {why}", markup=False, highlight=False)
    return json.dumps(offers_json(offers), ensure_ascii=False, indent=2).encode()


def _given(tools: Path | None) -> bytes:
    """The tools of a file under their toolset's name, so that a copy elsewhere means the same."""
    from edgetune.tools.reader import read_all_tools
    from edgetune_runtime.toolsets import dump_toolsets

    assert tools is not None
    found = dump_toolsets(read_all_tools(tools))
    return json.dumps(found, ensure_ascii=False, indent=2).encode()


def _keep(path: Path, content: bytes) -> None:
    """Write the tools, or find the same there."""
    from edgetune_runtime.files import write_bytes

    if path.exists() and path.read_bytes() != content:
        raise InputError(
            f"{path}: holds other tools than those now; choose another --work, or grow that run "
            "(`edgetune train --from`)."
        )
    write_bytes(path, content)


def _show(taught: "Taught", mcp: list[str]) -> None:
    from edgetune.cli import verify as verify_view
    from edgetune.evaluate.table import result_view

    verify_view.show(taught.verification, stdout)
    for result in taught.results:
        stdout.print(result_view(result))
    servers = "".join(f' --mcp "{server}"' for server in mcp)
    stdout.print(
        f"Try it: edgetune {'chat' if mcp else 'run'} {taught.bundle}"
        + (servers or ' "a request"'),
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
