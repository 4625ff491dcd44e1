"""What a bundle must do, computed once with PEFT on the dequantized base, apart from our lowering.

    reference/logits.safetensors   <name>.ids [n], <name>.logits [steps + 1, vocab], and for an
                                   adapter <name>.plain, the base's logits for the same ids
    reference/deltas.json          adapter -> slot -> Frobenius norm of PEFT's own scale * B A
    reference/calls.json           greedy calls of the torch engine on a few held-out requests
    reference/activations.json     by how a target rounds activations, if one does: <name> -> what
                                   that does

`<name>` is an adapter's, or `base`. Nothing here reads slot tensors or graphs, so that a mistake in
those cannot hide. Comparing is `verify`'s.
"""

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from edgetune_export.grammar.order import arguments_json
from edgetune_export.progress import track
from edgetune_export.prompts.prefixes import as_tools
from edgetune_export.run import Run, RunAdapter, Sample, read_adapter, samples
from edgetune_export.verify.rounding import Rounder, Rounding, measure
from edgetune_runtime.agent import Agent
from edgetune_runtime.assets import Assets
from edgetune_runtime.calls import RESPOND_CALL, RESPOND_TOOL, Call
from edgetune_runtime.engine import Engine
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import write_bytes, write_json
from edgetune_runtime.manifest import SKILL, Target
from edgetune_runtime.options import Options
from edgetune_runtime.prompt import User, render_call, render_prompt

BASE = "base"
DECODE_STEPS = 3
"""Rows of logits after the prefill's own: enough to see a wrong position or K/V."""
SMALLEST_CONTEXT = 1024
"""Tokens that every engine's KV cache holds at least, where the base's own context does."""
CALLS = 6
"""Held-out requests whose calls are compared."""
CALL_TOKENS = 64
"""Token budget of these calls."""
JITTER = 0.15
"""Noise that must not change a reference call, in standard deviations of the logits: what engines
may differ by (`stand.LAYER_TOLERANCE`) must not decide between calls. It is uniform, and as large
as what rounding does (`Rounding.logits`) where that is more."""
JITTER_ROUNDS = 2
DIRECTORY = "reference"
_ACTIVATIONS = "activations.json"


@dataclass(frozen=True)
class Prefill:
    """Token ids and the logits after the last `len(logits)` of them."""

    ids: NDArray[np.int64]
    logits: NDArray[np.float32]

    @property
    def prompt(self) -> list[int]:
        """What is prefilled at once."""
        return self.ids[: len(self.ids) - len(self.logits) + 1].tolist()

    @property
    def decoded(self) -> list[int]:
        """What is then fed token by token."""
        return self.ids[len(self.ids) - len(self.logits) + 1 :].tolist()

    def first(self, rows: int) -> "Prefill":
        """The same prompt with the first `rows` of the logits, and the ids up to there."""
        return Prefill(self.ids[: len(self.ids) - len(self.logits) + rows], self.logits[:rows])


@dataclass(frozen=True)
class ReferenceCall:
    """What the torch engine calls, greedily, for a request, in the toolset that it picks."""

    toolset: str
    request: str
    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Reference:
    """All of `reference/`."""

    prefills: Mapping[str, Prefill]
    plain: Mapping[str, NDArray[np.float32]]
    """For each adapter the base's own logits after its ids, which its effect is told by."""
    deltas: Mapping[str, Mapping[str, float]]
    calls: tuple[ReferenceCall, ...]
    call_tokens: int
    left_out: int
    """Calls that noise as small as two engines' difference changes."""
    rounding: Mapping[str, Mapping[str, Rounding]] = field(default_factory=dict)
    """By kind (`rounding.ROUND`), for each adapter and the base; empty where no target rounds."""

    def save(self, directory: Path) -> None:
        """Write the files."""
        tensors: dict[str, NDArray[Any]] = {}
        for name, prefill in self.prefills.items():
            tensors[f"{name}.ids"] = prefill.ids
            tensors[f"{name}.logits"] = prefill.logits
        tensors |= {f"{name}.plain": logits for name, logits in self.plain.items()}
        write_bytes(directory / "logits.safetensors", save(tensors))
        write_json(directory / "deltas.json", self.deltas)
        calls = {
            "max_tokens": self.call_tokens,
            "left_out": self.left_out,
            "calls": [asdict(call) for call in self.calls],
        }
        write_json(directory / "calls.json", calls)
        if self.rounding:
            rounding = {
                kind: {name: asdict(each) for name, each in found.items()}
                for kind, found in self.rounding.items()
            }
            write_json(directory / _ACTIVATIONS, rounding)

    @classmethod
    def load(cls, directory: Path) -> "Reference":
        """Read what `save` wrote."""
        tensors = load_file(directory / "logits.safetensors")
        names = [name.removesuffix(".ids") for name in tensors if name.endswith(".ids")]
        calls = json.loads((directory / "calls.json").read_bytes())
        path = directory / _ACTIVATIONS
        rounding = json.loads(path.read_bytes()) if path.is_file() else {}
        return cls(
            {name: Prefill(tensors[f"{name}.ids"], tensors[f"{name}.logits"]) for name in names},
            {name: tensors[f"{name}.plain"] for name in names if f"{name}.plain" in tensors},
            json.loads((directory / "deltas.json").read_bytes()),
            tuple(ReferenceCall(**call) for call in calls["calls"]),
            calls["max_tokens"],
            calls["left_out"],
            {
                kind: {name: Rounding(**each) for name, each in found.items()}
                for kind, found in rounding.items()
            },
        )


def rounds_activations(target: Target) -> str | None:
    """By what share of a token the target's kernels round activations to int8 (`rounding.ROUND`);
    None where they do not."""
    if target.options.get("activations") == "int8":
        return "token"
    return "block" if target.options.get("accuracy_level") == 4 else None


def compute_reference(run: Run, assets: Assets, targets: Sequence[Target]) -> Reference:
    """The reference of a run for a bundle with `targets`. `assets` are the run's own, which its
    calls are made with.

    Needs the base's dequantized weights in memory once, as float32.
    """
    import torch

    model = run.base.model()
    kinds = {kind for target in targets if (kind := rounds_activations(target))}
    rounders = {kind: Rounder(model, kind) for kind in sorted(kinds)}
    prefills, plain, deltas = {}, {}, {}
    rounding: dict[str, dict[str, Rounding]] = {kind: {} for kind in rounders}
    with torch.no_grad():
        ids, count = _sample_ids(run, assets, None)
        prefills[BASE] = Prefill(ids, _logits(model, ids, count))
        for kind, rounder in rounders.items():
            draws = rounder.draws(partial(_logits, model, ids, count))
            rounding[kind][BASE] = measure(prefills[BASE].logits, draws)
        for adapter in track(run.adapters, "Computing the reference"):
            name = adapter.name
            ids, count = _sample_ids(run, assets, adapter)
            plain[name] = _logits(model, ids, count)
            compute = partial(_logits, model, ids, count)
            plain_draws = {kind: rounder.draws(compute) for kind, rounder in rounders.items()}
            peft = _with_peft(model, adapter)
            logits = _logits(peft, ids, count)
            prefills[name], deltas[name] = Prefill(ids, logits), _delta_norms(run, peft)
            for kind, rounder in rounders.items():
                draws = rounder.draws(partial(_logits, peft, ids, count))
                rounding[kind][name] = measure(logits, draws, plain[name], plain_draws[kind])
            model = peft.unload()
    del model
    moved = max((each.logits for found in rounding.values() for each in found.values()), default=0)
    calls, tokens, left_out = _calls(run, assets, max(JITTER, moved * 3**0.5))
    return Reference(prefills, plain, deltas, tuple(calls), tokens, left_out, rounding)


def _with_peft(model: Any, adapter: RunAdapter) -> Any:
    """`model` with an adapter, as PEFT puts it on."""
    from peft import PeftModel

    with warnings.catch_warnings():
        # PEFT asks transformers for something by its old name, each time.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        return PeftModel.from_pretrained(model, str(adapter.directory)).eval()


def _delta_norms(run: Run, peft: Any) -> dict[str, float]:
    """How much the adapter changes each slot's weight, as PEFT computes it."""
    modules = dict(peft.base_model.model.named_modules())
    return {
        # In float64: float32 sums of millions of squares are off in the fourth digit.
        slot: float(modules[module].get_delta_weight("default").double().norm())
        for slot, module in run.base.slot_modules.items()
        if hasattr(modules[module], "get_delta_weight")
    }


def _logits(model: Any, ids: NDArray[np.int64], count: int) -> NDArray[np.float32]:
    """`[count, vocab]` after the last `count` ids, in one pass without a cache."""
    import torch

    output = model(input_ids=torch.from_numpy(ids)[None], logits_to_keep=count, use_cache=False)
    return output.logits[0].float().numpy()


def _sample_ids(
    run: Run, assets: Assets, adapter: RunAdapter | None
) -> tuple[NDArray[np.int64], int]:
    """A held-out request and the beginning of its call as `adapter` reads them, and how many rows
    of logits to keep."""
    name = adapter.toolset if adapter and adapter.toolset else next(iter(assets.toolsets))
    toolset = assets.toolsets[name]
    wanted = adapter.tool if adapter else None
    tool = toolset.toolset[wanted] if wanted else RESPOND_TOOL
    fitting = (s for s in samples(run, toolset.toolset) if wanted is None or s.tool.name == wanted)
    full = False
    if adapter is None or adapter.role == SKILL:
        prefix, full = toolset.prompts.base, True
    elif adapter.role == "router" and assets.router is not None:
        prefix = assets.router.prompts.adapter
        (tool,) = as_tools([toolset.toolset])
        fitting = (Sample(s.request, tool, Call(tool.name)) for s in fitting)
    elif adapter.tool:
        prefix = toolset.prompts.arguments[adapter.tool]
    else:
        prefix = toolset.prompts.selector
    steps = DECODE_STEPS
    if adapter is not None:
        # PEFT runs the bare base where it does not find the whole invocation of an activated LoRA.
        steps = max(steps, len(read_adapter(run, adapter).invocation) + 1)
    limit = run.base.shape.context_length
    # Training leaves out records that are too long, so they are no reason not to export.
    for sample in chain(fitting, [Sample("Hello.", tool, RESPOND_CALL)]):
        prompt = _encode(assets, render_prompt(assets.pieces, prefix, [User(sample.request)]))
        if full:
            # Nor are more tools than the base can read, or an engine's KV cache can hold.
            prompt = prompt[-(min(limit, SMALLEST_CONTEXT) - steps) :]
        if len(prompt) + steps <= limit:
            arguments = arguments_json(sample.tool, sample.call.arguments)
            call = _encode(assets, render_call(assets.pieces, sample.tool.name, arguments))
            return np.array([*prompt, *call[:steps]], np.int64), steps + 1
    raise InputError(
        f"{run.path}: the shortest prompt, of {len(prompt)} tokens, does not fit the base's "
        f"context of {limit}; show less of the tools ('prompt.tools')."
    )


def _encode(assets: Assets, text: str) -> list[int]:
    return assets.tokenizer.encode(text, add_special_tokens=False).ids


def _calls(run: Run, assets: Assets, jitter: float) -> tuple[list[ReferenceCall], int, int]:
    """Calls of the decoupled adapters that `jitter` does not change, their budget, and how many it
    does."""
    from edgetune_export.torch_engine import TorchEngine

    served = [t for t in assets.toolsets.values() if t.selector is not None]
    shortest = [int(a.distance[a.start]) for t in served for a in t.automata.values()]
    tokens = max(CALL_TOKENS, *shortest, 0)
    chosen = [
        sample.request
        for toolset in served
        for sample in islice(_spread(run, toolset.toolset), CALLS)
    ]
    engine = TorchEngine(run.base)
    engines: list[Engine] = [engine, *(_Jittered(engine, jitter, n) for n in range(JITTER_ROUNDS))]
    rounds = []
    for each in track(engines if chosen else [], "Making reference calls"):
        agent = Agent(assets, each)
        rounds.append([_call(agent, request, Options(max_tokens=tokens)) for request in chosen])
    made = [
        (request, first, others)
        for request, (first, *others) in zip(chosen, zip(*rounds, strict=True), strict=True)
        if first is not None
    ]
    kept = [
        ReferenceCall(first[0], request, first[1], first[2])
        for request, first, others in made
        if all(other == first for other in others)
    ]
    return kept, tokens, len(made) - len(kept)


def _call(agent: Agent, request: str, options: Options) -> tuple[str, str, dict[str, Any]] | None:
    """Toolset, tool and arguments; None for a request that the base's context does not hold."""
    try:
        step = agent.step([User(request)], options=options)
    except InputError:
        return None
    return step.toolset, step.tool, dict(step.arguments)


def _spread(run: Run, toolset: Any) -> Iterator[Sample]:
    """Samples with a different tool each, as long as there are some, then the others."""
    seen: set[str] = set()
    others = []
    for sample in islice(samples(run, toolset), 200):
        if sample.tool.name in seen:
            others.append(sample)
        else:
            seen.add(sample.tool.name)
            yield sample
    yield from others


class _Jittered:
    """An engine whose logits carry noise, the same at every run."""

    def __init__(self, engine: Engine, jitter: float, seed: int) -> None:
        self._engine = engine
        self._jitter = jitter
        self._rng = np.random.default_rng(seed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def forward(self, ids: Sequence[int]) -> NDArray[np.float32]:
        logits = self._engine.forward(ids)
        noise = self._rng.uniform(-1, 1, logits.shape).astype(np.float32)
        return logits + self._jitter * logits.std() * noise
