"""`edgetune tools`: toolsets pulled from MCP servers, and compared with a bundle."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgetune.cli.options import (
    BundleArgument,
    ForceOption,
    JsonOption,
    file_option,
    give,
    stdout,
)
from edgetune_runtime.errors import InputError

if TYPE_CHECKING:
    from edgetune.tools.servers import Server

app = typer.Typer(no_args_is_help=True, help="Pull tools from MCP servers, compare with a bundle.")


def _is_pulled(path: Path) -> bool:
    from edgetune.tools.pull import is_pulled

    return is_pulled(path)


McpOption = Annotated[
    list[str],
    typer.Option(
        "--mcp",
        metavar="SERVER",
        help="A command in quotes, an http address, or a JSON file with `mcpServers`; repeatable.",
    ),
]
EnvOption = Annotated[
    list[str],
    typer.Option(
        "--env",
        metavar="KEY",
        help="A variable that commands get, beside PATH, HOME and such; repeatable.",
    ),
]


def servers_of(given: list[str], keys: list[str]) -> "list[Server]":
    """The servers of `--mcp` and `--env`."""
    from edgetune.tools.servers import parse_servers

    return [server for text in given for server in parse_servers(text, keys)]


@app.command("pull")
def pull(
    mcp: McpOption,
    output: Annotated[
        Path, file_option(_is_pulled, "--output", "-o", help="The tools file to write.")
    ],
    env: EnvOption = [],  # noqa: B006 - typer copies it
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Write the tools of MCP servers into a tools file, one toolset a server.

    Names that prompts cannot have are made safe and mapped back; annotations are kept; marks of
    chat templates in descriptions are broken. Needs `edgetune[mcp]`.

    Example: `edgetune tools pull --mcp "npx -y @modelcontextprotocol/server-filesystem DIR"
    -o tools.json`

    Example: `edgetune tools pull --mcp https://example.org/mcp -o tools.json`

    Example: `edgetune tools pull --mcp mcp.json --env GITHUB_TOKEN -o tools.json`
    """
    from edgetune.tools.pull import pull as ask
    from edgetune.tools.pull import write_offers

    offers = [ask(server) for server in servers_of(mcp, env)]
    write_offers(output, offers)
    toolsets = [
        {
            "name": each.toolset.name,
            "tools": [tool.public_name for tool in each.toolset.tools],
            "renamed": {tool.original: tool.name for tool in each.toolset.tools if tool.original},
            "left_out": dict(each.left_out),
            "neutralised": list(each.neutralised),
        }
        for each in offers
    ]
    result = {"output": str(output), "toolsets": toolsets}
    give(result, json_target, lambda: _show(result))


def _show(result: dict[str, Any]) -> None:
    from rich.markup import escape

    for each in result["toolsets"]:
        stdout.print(f"{each['name']}: {len(each['tools'])} tools", highlight=False)
        for original, name in each["renamed"].items():
            stdout.print(escape(f"  {original} is called {name} in prompts"), highlight=False)
        for name in each["neutralised"]:
            stdout.print(escape(f"  {name}: its words held marks, which were broken"))
        for name, why in each["left_out"].items():
            stdout.print(escape(f"  left out {name}: {why}"))
    print(f"written: {result['output']}")


@app.command("diff")
def diff(
    bundle: BundleArgument,
    mcp: McpOption = [],  # noqa: B006 - typer copies it
    tools: Annotated[
        Path | None,
        typer.Option("--tools", metavar="FILE", help="A tools file, instead of servers."),
    ] = None,
    env: EnvOption = [],  # noqa: B006
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Tell what changed between a bundle's tools and a server's; exit code 1 where anything did.

    With it, the adapters that are to be trained anew: those whose prompt shows other tools, or that
    may write other arguments.

    Example: `edgetune tools diff bundles/files --mcp "npx -y
    @modelcontextprotocol/server-filesystem DIR"`

    Example: `edgetune tools diff bundles/files --tools tools.json`
    """
    from edgetune.tools.diff import compare
    from edgetune.tools.pull import pull as ask
    from edgetune.tools.reader import read_all_tools
    from edgetune_runtime.bundle import open_bundle

    if bool(mcp) == (tools is not None):
        raise InputError("--mcp, --tools: expected one of them; say what to compare with.")
    served = open_bundle(bundle, check=False).assets.toolsets
    offered = [ask(server).toolset for server in servers_of(mcp, env)]
    if tools is not None:
        offered = read_all_tools(tools)
    found = compare(served, offered)
    same = all(each.same for each in found)
    result = {"bundle": str(bundle), "ok": same, "toolsets": [each.as_json() for each in found]}
    give(result, json_target, lambda: _show_diff(result))
    if not same:
        raise typer.Exit(1)


def _show_diff(result: dict[str, Any]) -> None:
    for each in result["toolsets"]:
        if each["offered"] is None:
            print(f"{each['toolset']}: nothing that is offered has any of its tools")
            continue
        about = "the same tools" if each["same"] else f"compared with {each['offered']}"
        print(f"{each['toolset']}: {about}")
        for kind in ("added", "removed"):
            for name in each[kind]:
                print(f"  {kind}: {name}")
        for name, what in each["changed"].items():
            print(f"  changed: {name} ({', '.join(what)})")
        if each["train"]:
            print(f"  to be trained anew: {', '.join(each['train'])}")
