"""`edgetune export`: from a training run to a bundle for the phone."""

from pathlib import Path
from typing import Annotated, Any

import typer

from edgetune.cli.options import ForceOption, JsonOption, give, name_option, stdout
from edgetune_export.lowering.chips import CHIPS, DEFAULT_CHIPS
from edgetune_export.lowering.targets import TARGETS
from edgetune_runtime.blob_types import BLOB_TYPES, DEFAULT_BLOB_TYPE, HALF_BLOB_TYPE


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished `edgetune train` run.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="BUNDLE", help="The bundle to write.")
    ],
    target: Annotated[
        list[str] | None,
        name_option(
            "--target",
            TARGETS,
            "Lower to this [onnx]; may be repeated; `edgetune targets` says what it takes.",
        ),
    ] = None,
    soc: Annotated[
        list[str] | None,
        name_option(
            "--soc",
            CHIPS,
            f"For qnn: compile for this chip [{', '.join(DEFAULT_CHIPS)}]; may be repeated.",
        ),
    ] = None,
    int8_activations: Annotated[
        bool | None,
        typer.Option(
            "--int8-activations/--no-int8-activations",
            help="For onnx: round activations to int8, which decodes faster and less exactly "
            "[of a base above 50 million parameters].",
        ),
    ] = None,
    genai: Annotated[
        bool,
        typer.Option(
            "--genai",
            help="For onnx: also write adapters as stock onnxruntime-genai takes them.",
        ),
    ] = False,
    merge: Annotated[
        str | None,
        typer.Option(metavar="ADAPTER", help="Also write one model with this adapter merged in."),
    ] = None,
    blob_type: Annotated[
        str | None,
        name_option(
            "--blob-type",
            BLOB_TYPES,
            f"Type of the blobs [{DEFAULT_BLOB_TYPE}; {HALF_BLOB_TYPE} for a base above 50 million "
            "parameters, widened once when loaded].",
        ),
    ] = None,
    zip_file: Annotated[
        bool, typer.Option("--zip", help="Also write BUNDLE.zip, to copy to a phone.")
    ] = False,
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Make the device artifacts: one int4 base, a delta blob for each adapter, grammars, prompts.

    Example: `edgetune export runs/phone_actions -o bundles/phone --target onnx`
    """
    from edgetune_export.bundle import write_bundle
    from edgetune_export.run import open_run
    from edgetune_runtime.bundle import open_bundle
    from edgetune_runtime.errors import InputError

    targets = target or ["onnx"]
    if soc and "qnn" not in targets:
        raise InputError("--soc: is for --target qnn, which was not asked for; add it.")
    for option, given in (
        ("--int8-activations", int8_activations is not None),
        ("--genai", genai),
    ):
        if given and "onnx" not in targets:
            raise InputError(f"{option}: is for --target onnx, which was not asked for.")
    written = output.resolve()  # "." is another folder afterwards
    write_bundle(
        open_run(run),
        output,
        targets,
        merge=merge,
        blob_type=blob_type,
        socs=soc or DEFAULT_CHIPS,
        int8_activations=int8_activations,
        genai=genai,
        zip=zip_file,
        force=force,
    )
    manifest = open_bundle(written, check=False).manifest
    result = {
        "bundle": str(output),
        "targets": targets,
        "adapters": len(manifest.adapters),
        "bytes": sum(file.bytes for file in manifest.files),
        "files": [file.model_dump() for file in manifest.files],
    }
    give(result, json_target, lambda: _show(result))


def _show(result: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    sizes: dict[str, tuple[int, int]] = {}
    for file in result["files"]:
        part = file["path"].split("/")[0] if "/" in file["path"] else "(top level)"
        count, size = sizes.get(part, (0, 0))
        sizes[part] = (count + 1, size + file["bytes"])
    table = Table("part", title=escape(result["bundle"]), title_justify="left")
    table.add_column("files", justify="right")
    table.add_column("MB", justify="right")
    for part, (count, size) in sorted(sizes.items()):
        table.add_row(part, str(count), f"{size / 1e6:.2f}")
    table.add_row("in all", str(len(result["files"])), f"{result['bytes'] / 1e6:.2f}")
    stdout.print(table)
