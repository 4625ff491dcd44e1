"""`edgetune sideload`: a bundle brought to a phone at the end of a cable, and the app started."""

from pathlib import Path
from typing import Annotated, Any

import typer

from edgetune.cli.options import (
    BundleArgument,
    EngineOption,
    ForceOption,
    JsonOption,
    SerialOption,
    give,
    stdout,
)


def sideload(
    bundle: BundleArgument,
    engine: EngineOption = None,
    serial: SerialOption = None,
    apk: Annotated[
        Path | None, typer.Option("--apk", metavar="FILE", help="Install this app first.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only look at the phone, and show what would be run."),
    ] = False,
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Push what a phone lacks of a bundle, check it there, and start the app.

    Example: `edgetune sideload bundles/phone --engine onnx --apk edgetune.apk`

    Needs Android's `adb`. Where the cable is pulled, the same command goes on afterwards.
    """
    from edgetune.phone.adb import open_device
    from edgetune.phone.sideload import sideload as bring
    from edgetune_runtime.bundle import open_bundle
    from edgetune_runtime.engines import find_target
    from edgetune_runtime.errors import InputError

    if apk is not None and not apk.is_file():
        raise InputError(f"--apk {apk}: no file is here; give the APK that was built.")
    opened = open_bundle(bundle)
    target = find_target(opened, engine)
    result = bring(open_device(serial), opened, target, apk, dry_run=dry_run)
    give(result, json_target, lambda: _show(result))


def _show(result: dict[str, Any]) -> None:
    from rich.markup import escape

    device, files = result["device"], result["files"]
    pushed = sum(file["pushed"] for file in files)
    mb, all_mb = (
        number / 1e6
        for number in (result["pushed_bytes"], result["pushed_bytes"] + result["kept_bytes"])
    )
    if result["dry_run"]:
        for command in result["commands"]:
            stdout.print(escape(command), soft_wrap=True, highlight=False)
    verb = "would push" if result["dry_run"] else "pushed"
    took = "" if result["dry_run"] else f" in {result['seconds']:.1f} s"
    name = escape(f"{device['model']} ({result['serial']})")
    stdout.print(
        f"{name}, Android {escape(device['android'])}, {device['abi']}: {verb} {pushed} of "
        f"{len(files)} files, {mb:.1f} of {all_mb:.1f} MB{took}",
        highlight=False,
    )
    if not result["dry_run"]:
        stdout.print(f"the app is started, to take it in from {escape(result['destination'])}")
