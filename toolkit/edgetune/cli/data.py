"""`edgetune data`: check, split, generate and import records."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from edgetune.cli.agent_options import ApproveOption, PolicyOption
from edgetune.cli.options import (
    ForceOption,
    JsonOption,
    JsonTarget,
    file_option,
    give,
    stdout,
)
from edgetune.cli.tools import EnvOption, servers_of
from edgetune_runtime.errors import InputError

if TYPE_CHECKING:
    from edgetune.agents.policy import Approve

app = typer.Typer(no_args_is_help=True, help="Check, split, generate and import records.")

ToolsOption = Annotated[
    str | None,
    typer.Option(
        "--tools",
        metavar="FILE|NAME",
        help="A tools.json or a built-in toolset [beside the data, or in its records].",
    ),
]


@app.command("check")
def check(
    data: Annotated[Path, typer.Argument(metavar="FILE", help="Records.")],
    tools: ToolsOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the records that are kept."),
    ] = None,
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Validate every record against the tools' schemas; exit code 1 where one is dropped.

    Records of OpenAI, TRL, ShareGPT, Hermes, xLAM and Glaive are read, as JSONL or a JSON array, in
    gzip or not; those that are kept are written in the conversational format of OpenAI and TRL.

    Example: `edgetune data check my/train.jsonl --tools my/tools.json -o my/checked.jsonl`
    """
    from edgetune.data.check import check_records, write_checked
    from edgetune.data.find_tools import find_tools

    report = check_records(data, find_tools(data, tools))
    result = report.as_json()
    give(result, json_target, lambda: _show_check(result))
    if output is not None:
        # Last, for it refuses to write nothing: the reasons are told by then.
        write_checked(report, output, force=force)
    if report.dropped:
        raise typer.Exit(1)


@app.command("split")
def split(
    data: Annotated[Path, typer.Argument(metavar="FILE", help="Records, as JSONL.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where the parts are written.")
    ],
    tools: ToolsOption = None,
    dev: Annotated[float, typer.Option(help="Share of the dev part.")] = 0.1,
    test: Annotated[float, typer.Option(help="Share of the test part.")] = 0.1,
    seed: Annotated[int, typer.Option(help="Seed of the shuffle.")] = 0,
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Split records into train, dev and test parts in which each tool has its share.

    The tools go into a tools.json beside the parts, also where they stood in the records.

    Example: `edgetune data split my/checked.jsonl -o my/parts --seed 1`
    """
    from edgetune.data.find_tools import find_tools
    from edgetune.data.records import read_records
    from edgetune.data.split import split_records, write_split

    fractions = {"train": 1 - dev - test, "dev": dev, "test": test}
    toolset = find_tools(data, tools)
    records = read_records(data, toolset)
    parts = split_records(records, seed=seed, fractions=fractions)
    write_split(parts, toolset, output, force=force)
    counts = {name: len(part) for name, part in parts.items()}
    _give_counts({"output": str(output), "records": counts}, json_target)


@app.command("generate")
def generate(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where the records are written.")
    ],
    tools: Annotated[
        str | None,
        typer.Option(
            "--tools",
            metavar="FILE|NAME",
            help="A tools.json, or the built-in toolset phone_actions.",
        ),
    ] = None,
    train: Annotated[int, typer.Option(min=1, help="Records to train on.")] = 3000,
    dev: Annotated[int, typer.Option(min=1, help="Records to watch training with.")] = 300,
    test: Annotated[int, typer.Option(min=1, help="Records that training never sees.")] = 500,
    seed: Annotated[int, typer.Option(help="Seed of the generator.")] = 0,
    trajectories: Annotated[
        float,
        typer.Option(min=0.0, max=0.5, help="Share of the records that take two calls in turn."),
    ] = 0.0,
    teacher: Annotated[
        str | None,
        typer.Option(
            "--teacher", metavar="URL", help="An OpenAI-compatible endpoint that writes them."
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="The teacher's model.")
    ] = None,
    mcp: Annotated[
        str | None,
        typer.Option(
            "--mcp",
            metavar="SERVER",
            help="Have the teacher's calls executed there: a command in quotes, an http address, "
            "or a JSON file with `mcpServers`.",
        ),
    ] = None,
    env: EnvOption = [],  # noqa: B006 - typer copies it
    approve: ApproveOption = None,
    policy: PolicyOption = None,
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Write requests with their calls for any tools: offline, from their schemas alone.

    With a teacher, a larger model writes them (needs `edgetune[teacher]`; its key is taken from
    OPENAI_API_KEY). With a server, too, it serves each request by calls that are really executed,
    of tools that may run without a yes, and what is kept are whole trajectories with results and
    reply. A run that was stopped goes on with the same command.

    Example: `edgetune data generate --tools my/tools.json -o data/mine --train 3000`

    Example: `edgetune data generate --tools my/tools.json -o data/steps --trajectories 0.2`

    Example: `edgetune data generate --tools my/tools.json -o data/taught --train 500 --teacher
    http://localhost:8000/v1 --model qwen3-32b`

    Example: `edgetune data generate --mcp "npx -y @modelcontextprotocol/server-filesystem DIR"
    -o data/files --train 200 --teacher http://localhost:8000/v1 --model qwen3-32b --approve never`
    """
    counts = {"train": train, "dev": dev, "test": test}
    result: dict[str, Any] = {"output": str(output), "records": counts}
    if (teacher is None) != (model is None):
        raise InputError("--teacher and --model belong together: give both, or neither.")
    if teacher is not None and trajectories:
        raise InputError(
            "--teacher and --trajectories contradict each other: a teacher writes records of one "
            "call, or with --mcp of as many as it takes; leave one of them out."
        )
    if (tools is None) == (mcp is None):
        raise InputError("give the tools by --tools, or by --mcp a server that executes calls.")
    if mcp is not None and teacher is None:
        raise InputError(
            "--mcp executes the calls of a teacher: give --teacher and --model, too; for records "
            "from schemas alone `edgetune tools pull` writes a file for --tools."
        )
    if mcp is None and (env or approve or policy):
        raise InputError("--env, --approve and --policy belong to --mcp: leave them out.")
    if teacher is None or model is None:
        from edgetune.generate.write import generate_records

        assert tools is not None
        generate_records(tools, output, counts, seed, trajectories, force=force)
    elif tools is not None:
        from edgetune.generate.teacher import generate_with_teacher
        from edgetune.tools.reader import read_tools

        toolset = read_tools(tools)
        usage = generate_with_teacher(toolset, output, counts, teacher, model, force=force)
        result["teacher"] = asdict(usage)
    else:
        from edgetune.agents.policy import policy_of
        from edgetune.generate.executed import generate_executed

        servers = servers_of([str(mcp)], env)
        if len(servers) != 1:
            raise InputError(
                f"--mcp: {mcp} has {len(servers)} servers, one is expected: records are of one "
                "toolset; name one."
            )
        allowed = policy_of(policy, cast("Approve | None", approve))
        usage = generate_executed(servers[0], output, counts, teacher, model, allowed, force=force)
        result["teacher"] = asdict(usage)
    _give_counts(result, json_target)


import_app = typer.Typer(no_args_is_help=True, help="Import public data sets, and transcripts.")
app.add_typer(import_app, name="import")


@import_app.command("snips")
def import_snips(
    directory: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="`2017-06-custom-intent-engines` of nlu-benchmark."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where the records are written.")
    ],
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Convert the public SNIPS requests (CC0) to tools.json, train.jsonl and dev.jsonl.

    Example: `edgetune data import snips nlu-benchmark/2017-06-custom-intent-engines -o data/snips`
    """
    from edgetune.data.snips import import_snips as convert

    result = convert(directory, output, force=force).as_json()
    counts = {"train": result["train"], "dev": result["dev"]}
    _give_counts({**result, "records": counts}, json_target)


@import_app.command("transcript")
def import_transcript(
    transcript: Annotated[
        Path, typer.Argument(metavar="FILE", help="What `--transcript` of `run` or `chat` wrote.")
    ],
    output: Annotated[
        Path, file_option(lambda _: False, "--output", "-o", help="The records to write.")
    ],
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Make records of what an agent did; calls that failed or were refused teach nothing.

    Read them before you train on them: what the agent did need not be right.

    Example: `edgetune data import transcript chat.jsonl -o records.jsonl`
    """
    from edgetune.data.transcripts import import_transcript as convert

    result = asdict(convert(transcript, output))
    give(result, json_target, lambda: _show_imported(result))


def _show_imported(result: dict[str, Any]) -> None:
    print(
        f"{result['output']}: {result['records']} records with {result['calls']} calls, "
        f"{result['untaught']} of which teach nothing; {result['left_out']} conversations left out"
    )


def _give_counts(result: dict[str, Any], target: JsonTarget | None) -> None:
    give(result, target, lambda: _show_counts(result))


def _show_counts(result: dict[str, Any]) -> None:
    listed = ", ".join(f"{count} {name}" for name, count in result["records"].items())
    print(f"{result['output']}: {listed} records")
    if usage := result.get("teacher"):
        print(
            f"{usage['requests']} answers of the teacher, {usage['refused']} records refused, "
            f"{usage['prompt_tokens']} + {usage['completion_tokens']} tokens"
        )


def _show_check(result: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    if result["dropped"]:
        table = Table("line", "dropped because", title="Dropped", title_justify="left")
        for entry in result["dropped"]:
            table.add_row(str(entry["line"]), escape(entry["reason"]))
        stdout.print(table)
    for entry in result["duplicates"]:
        stdout.print(f"line {entry['line']} repeats line {entry['first']}")
    counts = Table("tool", title="Kept", title_justify="left")
    counts.add_column("calls", justify="right")
    for name, count in result["per_tool"].items():
        counts.add_row(name, str(count))
    stdout.print(counts)
    from edgetune.data.readers import READERS

    format = result["format"]
    stdout.print(escape(f"format: {format} ({READERS[format].about})"))
    if result["written"]:
        forms = ", ".join(f"{count} {form}" for form, count in result["written"].items())
        stdout.print(escape(f"calls written as text, read as calls: {forms}"))
    if result["untaught"]:
        stdout.print(f"steps of weight 0, which teach nothing: {result['untaught']}")
    stdout.print(
        f"{escape(result['path'])}: {result['lines']} records, {result['kept']} kept, "
        f"{len(result['dropped'])} dropped, {len(result['duplicates'])} duplicates"
    )
