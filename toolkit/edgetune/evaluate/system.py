"""Open what is to be evaluated, by what stands at a path: a bundle, or a training run.

A bundle runs on a phone's engine; a run, which has adapters but no lowered graph, runs with torch
on the same base. Nothing heavy is imported before the kind is known.
"""

from pathlib import Path

from edgetune_runtime.agent import Agent
from edgetune_runtime.assets import Assets
from edgetune_runtime.engine import Engine
from edgetune_runtime.errors import InputError


def open_system(
    path: Path,
    engine: str | None = None,
    *,
    threads: int | None = None,
    context_length: int | None = None,
    max_resident: int | None = None,
) -> Agent:
    """An agent over the bundle or run at `path`.

    `engine` is by default the bundle's own, and torch for a run; `threads` are CPU threads;
    `context_length` is in tokens; `max_resident` is the agent's. Raises InputError where `path`
    holds neither, or the engine cannot run what stands there; BundleError where the bundle is
    damaged.
    """
    if (path / "manifest.json").is_file():
        assets, opened = _bundle(path, engine, threads, context_length)
    elif (path / "run.json").is_file():
        assets, opened = _run(path, engine, threads, context_length)
    else:
        raise InputError(
            f"{path}: found neither manifest.json (a bundle) nor run.json (a training run); give "
            "what `edgetune export` or `edgetune train` wrote."
        )
    return Agent(assets, opened, max_resident=max_resident)


def _bundle(
    path: Path, engine: str | None, threads: int | None, context_length: int | None
) -> tuple[Assets, Engine]:
    from edgetune_runtime.bundle import open_bundle
    from edgetune_runtime.engines import open_engine

    if engine == "torch":
        raise InputError(
            f"{path}: --engine torch runs a training run, but this is a bundle; leave --engine out "
            "or give the RUN that the bundle was exported from."
        )
    bundle = open_bundle(path)
    return bundle.assets, open_engine(bundle, engine, threads, context_length)


def _run(
    path: Path, engine: str | None, threads: int | None, context_length: int | None
) -> tuple[Assets, Engine]:
    if engine not in (None, "torch"):
        raise InputError(
            f"{path}: --engine {engine} runs a bundle, but this is a training run; evaluate what "
            f"`edgetune export {path} -o BUNDLE --target {engine}` writes."
        )
    import torch

    from edgetune_export.run import open_run, run_assets
    from edgetune_export.torch_engine import TorchEngine

    if threads is not None:
        torch.set_num_threads(threads)
    run = open_run(path)
    return run_assets(run), TorchEngine(run.base, context_length)
