"""A bundle brought to a phone: what it lacks there is pushed, checked there, and renamed whole.

Everything that changes the phone is a `Step`, and all of them are made before the first is done: so
what a dry run shows is what is done. The protocol with the app is told in docs/phone.md.
"""

import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from rich.progress import TimeRemainingColumn

from edgetune.phone import app
from edgetune.phone.adb import Adb
from edgetune.phone.plan import Plan, below, make_plan, needed_files
from edgetune.phone.refusals import AGAIN
from edgetune.phone.survey import HASHES, parse_hashes, read_held, read_phone
from edgetune_export.progress import Bar, stage
from edgetune_runtime.bundle import Bundle
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import inside
from edgetune_runtime.manifest import FileEntry, Target

_START = (
    f'said=$(am start -n {app.ACTIVITY} 2>&1); echo "$said"; case $said in *Error*) exit 1 ;; esac'
)
"""Starts the app, or brings it to the front with a new intent. Some `am` always exit with 0."""

_START_ANEW = (
    f"{_START}; n=0; while [ ! -d {app.FILES} ]; do "
    "n=$((n + 1)); [ $n -le 20 ] || exit 1; sleep 0.5; done"
)
"""Starts the app for the first time, and waits ten seconds at most until its folder is there."""


@dataclass(frozen=True)
class Step:
    """One command."""

    command: tuple[str, ...]
    doing: str
    """What for, in the sentence of an error."""
    pushes: FileEntry | None = None
    checks: bool = False
    """It tells hashes, which are to be those of the bundle."""


def sideload(
    adb: Adb, bundle: Bundle, target: Target, apk: Path | None = None, *, dry_run: bool = False
) -> dict[str, Any]:
    """Bring what the engine of `target` needs of `bundle` to the phone, and start the app there.

    `apk` is installed first. With `dry_run` the phone is asked but not changed. Gives phone,
    destination, the files and which of them were pushed, sizes in bytes, the time in seconds and
    the commands. Raises BundleError where a file of the bundle is not as its manifest says, and
    InputError, which says what to do, where the phone cannot take it or goes away: what came until
    then is not pushed again.
    """
    begin = time.monotonic()
    needed = needed_files(bundle, target)
    phone = read_phone(adb)
    phone.require_fit(apk_given=apk is not None)
    with stage("Looking at what the phone has"):
        there = parse_hashes(adb.shell(HASHES, "reading what it has"))
    plan = make_plan(app.folder_name(bundle.manifest.name), needed, there, read_held(adb))
    if plan.push_bytes > phone.free_bytes:
        raise InputError(
            f"{adb.serial}: has {phone.free_bytes / 1e6:.1f} MB free, expected "
            f"{plan.push_bytes / 1e6:.1f} MB for what is to be pushed; free some there and {AGAIN}."
        )
    steps = list(make_steps(adb, bundle.path, plan, phone.has_folder, apk))
    if not dry_run:
        _carry_out(adb, plan, steps)
    missing = {entry.path for entry in plan.missing}
    return {
        "bundle": str(bundle.path),
        "engine": target.name,
        "serial": adb.serial,
        "device": phone.as_json(),
        "destination": app.arrived(plan.name),
        "dry_run": dry_run,
        "files": [
            {
                "path": entry.path,
                "bytes": entry.bytes,
                "sha256": entry.sha256,
                "pushed": entry.path in missing,
            }
            for entry in needed
        ],
        "pushed_bytes": plan.push_bytes,
        "kept_bytes": sum(entry.bytes for entry in needed) - plan.push_bytes,
        "seconds": time.monotonic() - begin,
        "commands": [shlex.join(step.command) for step in steps],
    }


def make_steps(
    adb: Adb, bundle: Path, plan: Plan, has_folder: bool, apk: Path | None
) -> Iterator[Step]:
    """The commands that carry out `plan`; `has_folder` tells whether the app was opened once."""

    def shell(script: str, doing: str, *, checks: bool = False) -> Step:
        return Step(adb.command("shell", script), doing, checks=checks)

    if apk is not None:
        yield Step(adb.command("install", "-r", str(apk)), "installing the app")
    if not has_folder:
        yield shell(_START_ANEW, "opening the app, whose folder is not there yet")
    if not plan.arrived:
        yield shell(_preparation(plan), "making folders")
        for entry in plan.missing:
            source, place = str(inside(bundle, entry.path)), _place(plan, entry.path)
            yield Step(adb.command("push", source, place), f"pushing {entry.path}", entry)
        yield shell(HASHES, "checking what was pushed", checks=True)
        yield shell(_arrival(plan), "renaming what was pushed")
    yield shell(_START, "starting the app")


def _place(plan: Plan, path: str) -> str:
    return f"{app.incoming(plan.name)}/{path}"


def _preparation(plan: Plan) -> str:
    """Opens the bundle that came earlier, removes what is not wanted, makes the folders."""
    coming, came = app.incoming(plan.name), app.arrived(plan.name)
    commands = []
    if plan.reopened:  # no file lies in `incoming`, but folders may
        commands += [["rm", "-rf", coming], ["mkdir", "-p", _parent(coming)], ["mv", came, coming]]
    if plan.stale:
        commands.append(["rm", "-f", *(_place(plan, path) for path in plan.stale)])
    folders = sorted({_parent(_place(plan, entry.path)) for entry in plan.wanted})
    commands.append(["mkdir", "-p", *folders])
    return " && ".join(map(shlex.join, commands))


def _arrival(plan: Plan) -> str:
    """Makes what came take the place of what came earlier, by one rename."""
    coming, came = app.incoming(plan.name), app.arrived(plan.name)
    commands = [["mkdir", "-p", _parent(came)], ["rm", "-rf", came], ["mv", coming, came]]
    return " && ".join(map(shlex.join, commands))


def _parent(path: str) -> str:
    return str(PurePosixPath(path).parent)


def _carry_out(adb: Adb, plan: Plan, steps: Sequence[Step]) -> None:
    """Do the steps, under a bar that counts what was pushed."""
    unit, size = ("MB", 1e6) if plan.push_bytes >= 1e7 else ("kB", 1e3)
    with Bar(TimeRemainingColumn()) as bar:
        task = bar.add_task(f"Pushing, {unit}", total=plan.push_bytes / size or None, note="")
        for step in steps:
            bar.update(task, note=step.doing)
            said = adb.run(step.command, step.doing)
            if step.checks:
                _check(adb.serial, plan, parse_hashes(said))
            if step.pushes:
                bar.advance(task, step.pushes.bytes / size)


def _check(serial: str, plan: Plan, there: Mapping[str, str]) -> None:
    """Raise InputError where what lies there is not what is to lie there, file by file."""
    found = below(app.incoming(plan.name), there)
    other = [entry.path for entry in plan.wanted if found.get(entry.path) != entry.sha256]
    if other:
        raise InputError(
            f"{serial}: {other[0]} is another there than here (SHA-256 differs); try another "
            f"cable and {AGAIN}."
        )
