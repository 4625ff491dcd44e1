"""The ladder of checks that a bundle climbs: from its hashes up to the calls that it makes.

A rung is one kind of check, of the bundle or of each adapter; a bundle that is damaged or wrong
makes checks fail, it never makes this module raise. What is compared with was computed at export by
PEFT and the torch engine (`reference`), or is computed anew from a run. What an engine does is
judged in `engine` and `logits`, all else in `contents`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from edgetune_export.progress import stage
from edgetune_export.run import Run, open_run
from edgetune_export.verify.checks import Check, Verification
from edgetune_export.verify.contents import (
    judge_blob,
    judge_files,
    judge_prompts,
    judge_scale,
    judge_structure,
    open_reference,
)
from edgetune_export.verify.engine import check_base_bits, check_calls, check_slots, check_swaps
from edgetune_export.verify.logits import check_few_logits, check_logits
from edgetune_export.verify.reference import BASE, Reference
from edgetune_export.verify.stand import Stand, open_stand
from edgetune_runtime.bundle import Bundle, open_bundle, read_manifest
from edgetune_runtime.engines import has_engine
from edgetune_runtime.errors import EdgetuneError, InputError
from edgetune_runtime.manifest import ANY, GENAI, VERIFY, Target

T = TypeVar("T")


def climb(
    bundle_path: Path, engine: str | None = None, run: Path | None = None, *, sample: bool = False
) -> Verification:
    """Climb the ladder: every check in order, as far as what it stands on holds.

    `engine` None climbs it with every engine; of a target that runs on its own silicon alone the
    structure is checked. With an engine, nothing is asked for that other targets need. `run`
    computes the reference anew from that run. A `sample` asks engines for a few logits of one
    adapter alone, which an emulated NPU gives of a large base within minutes. Raises InputError
    where there is no directory at `bundle_path`, or no finished run on an int4 base at `run`;
    whatever is wrong with a bundle makes a check fail.
    """
    if not bundle_path.is_dir():
        raise InputError(f"{bundle_path}: no such directory; give what 'edgetune export' wrote.")
    opened = None if run is None else open_run(run)
    if opened is not None:
        opened.base.require_codes(f"{run}: edgetune verify")
    ladder = _Ladder(bundle_path)
    with stage("Verifying"):
        _climb(ladder, engine, opened, sample)
    return Verification(ladder.checks)


class _Ladder:
    """The checks so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checks: list[Check] = []

    @property
    def holds(self) -> bool:
        """No check has failed yet."""
        return all(check.ok for check in self.checks)

    def open(self, rung: str, judge: Callable[[], tuple[T, str]]) -> T | None:
        """A check that gives what later ones stand on (and its detail); None where it fails."""
        return self._try(rung, None, lambda: (*judge(), 0.0))

    def check(
        self, rung: str, judge: Callable[..., str], *arguments: Any, adapter: str | None = None
    ) -> None:
        """A check that only holds or fails; `judge` returns its detail."""
        self._try(rung, adapter, lambda: (True, judge(*arguments), 0.0))

    def measure(
        self, rung: str, judge: Callable[..., tuple[str, float]], *arguments: Any, adapter: str
    ) -> None:
        """A check that comes more or less near to failing; `judge` returns detail and strain."""
        self._try(rung, adapter, lambda: (True, *judge(*arguments)))

    def _try(
        self, rung: str, adapter: str | None, judge: Callable[[], tuple[T, str, float]]
    ) -> T | None:
        try:
            value, detail, strain = judge()
        except EdgetuneError as error:
            self.checks.append(Check(rung, adapter, False, str(error)))
        except Exception as error:  # noqa: BLE001 - damaged files break libraries in any way
            said = " ".join(str(error).split())  # libraries may tell it over several lines
            detail = f"{self.path}: {type(error).__name__}: {said}; export the bundle again."
            self.checks.append(Check(rung, adapter, False, detail))
        else:
            self.checks.append(Check(rung, adapter, True, detail, strain))
            return value
        return None

    def leave(self) -> None:
        """The rungs above stand on one that failed: say that they were not tried."""
        broken = next(check.name for check in self.checks if not check.ok)
        detail = f"skipped, since '{broken}' does not hold"
        self.checks.append(Check("all further checks", None, False, detail))


def _climb(ladder: _Ladder, engine: str | None, run: Run | None, sample: bool) -> None:
    """Every rung in order, as far as what it stands on holds."""
    path = ladder.path
    manifest = ladder.open("manifest", lambda: (read_manifest(path), "as its digest says"))
    if manifest is None:
        return ladder.leave()
    runnable = [target.name for target in manifest.targets if has_engine(target)]
    if engine is not None and engine not in runnable:
        raise InputError(
            f"--engine {engine}: {path} has {runnable} to be run here; choose one of these or "
            "export with that target."
        )
    # All of these are tried, so that what is wrong is named as closely as can be.
    needed = {entry.needed_by for entry in manifest.files}
    if engine is not None:
        needed = {ANY, engine, *((VERIFY,) if run is None else ())}
    ladder.check("files", judge_files, path, manifest, needed)
    genai = GENAI in needed
    for adapter in manifest.adapters:
        ladder.check("blob", judge_blob, path, manifest, adapter, genai, adapter=adapter.name)
    if not ladder.holds:
        return ladder.leave()
    bundle = ladder.open("contents", lambda: (open_bundle(path, check=False), "all can be read"))
    if bundle is None:
        return ladder.leave()
    ladder.check("prompts", judge_prompts, bundle)
    wanted = ladder.open("reference", partial(open_reference, bundle, run))
    if wanted is None:
        return ladder.leave()
    for adapter in manifest.adapters:
        ladder.check("scale", judge_scale, path, adapter, wanted, adapter=adapter.name)
    for target in manifest.targets:
        if engine is None and not has_engine(target):
            ladder.check(f"{target.name}: structure", judge_structure, bundle, target)
    for target in manifest.targets:
        if target.name in (runnable if engine is None else [engine]):
            for name, chosen in _chips(target).items():
                alone = manifest.model_copy(update={"targets": (chosen,)})
                judged = partial(_open, replace(bundle, manifest=alone), target.name, wanted)
                stand = ladder.open(f"engine: {name}", judged)
                if stand is not None and sample:
                    first = next(iter(stand.handles))
                    few = f"{name}: logits of a sample"
                    ladder.measure(few, check_few_logits, stand, first, adapter=first)
                elif stand is not None:
                    _climb_engine(ladder, stand, name)
    return None


def _chips(target: Target) -> Mapping[str, Target]:
    """What an engine runs of `target`, by the engine's name; of what was compiled for several chips
    the graphs of each, by that and the chip's."""
    chips = str(target.options.get("socs", "")).split(",")
    if len(chips) < 2:
        return {target.name: target}
    model = PurePosixPath(target.model)
    return {
        f"{target.name} {chip}": target.model_copy(
            update={"model": str(model.parent.with_name(chip) / model.name)}
        )
        for chip in chips
    }


def _climb_engine(ladder: _Ladder, stand: Stand, engine: str) -> None:
    """What one engine, called `engine`, makes of the bundle."""
    ladder.check(f"{engine}: no adapter is the base, bit for bit", check_base_bits, stand)
    for name in stand.handles:
        ladder.measure(f"{engine}: slots", check_slots, stand, name, adapter=name)
    ladder.check(f"{engine}: a swap there and back is bit-identical", check_swaps, stand)
    for name in (BASE, *stand.handles):
        ladder.measure(f"{engine}: logits", check_logits, stand, name, adapter=name)
    ladder.check(f"{engine}: calls", check_calls, stand)


def _open(bundle: Bundle, engine: str, wanted: Reference) -> tuple[Stand, str]:
    stand = open_stand(bundle, engine, wanted)
    return stand, f"a context of {stand.engine.context_length} tokens"
