"""The two-stage loop: select a tool, swap the adapter, write its arguments; one step at a time.

Where there are several toolsets, the step begins by picking one of them (`routing`).

Runs on any assets (a bundle's or a training run's) and any engine. It does not execute calls and
keeps no conversation: the caller passes the turns so far.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from edgetune_runtime.adapters import AdapterPool
from edgetune_runtime.assets import Assets, ToolsetAssets
from edgetune_runtime.calls import RESPOND, Toolset
from edgetune_runtime.decode import NO_ARGUMENTS, Decoded, Selection, decode_arguments, select
from edgetune_runtime.engine import Engine
from edgetune_runtime.errors import InputError
from edgetune_runtime.prefill import Prefill
from edgetune_runtime.prompt import Turn
from edgetune_runtime.routing import open_router
from edgetune_runtime.spans import Spans
from edgetune_runtime.trie import NameTrie
from edgetune_runtime.vocabulary import Vocabulary

System = Literal["decoupled", "monolithic", "base"]
"""Which adapters serve: a selector and one per tool, one for whole calls, or none at all."""


@dataclass(frozen=True)
class Step:
    """One step of the loop; `tool` is `respond` where no tool is needed."""

    toolset: str
    tool: str
    arguments: Mapping[str, Any]
    probability: float
    """Of the tool (or of the one that was abstained from), among all names of the toolset; times
    that of the toolset, where it was picked."""
    probabilities: Mapping[str, float]
    """Of the names whose probability is known (all with `exact`)."""
    timing: Mapping[str, float]
    """`ms` in all, of which `route_ms`, `select_ms`, `arguments_ms` (without swaps) and `swap_ms`;
    and the counts `prefill_tokens`, `decode_steps`, `forced_tokens`."""
    abstained_from: str | None = None
    """The likeliest tool, where it was less probable than the agent asks for; `tool` is `respond`
    then."""
    truncated: bool = False
    """The token budget cut the arguments short."""

    def as_json(self) -> dict[str, Any]:
        """The fields of design section 9; times to a thousandth of a millisecond."""
        return {
            "toolset": self.toolset,
            "tool": self.tool,
            "arguments": dict(self.arguments),
            "probability": self.probability,
            "probabilities": dict(self.probabilities),
            "abstained_from": self.abstained_from,
            "truncated": self.truncated,
            "timing": {name: round(value, 3) for name, value in self.timing.items()},
        }


class Agent:
    """One engine driven through the two stages, its own while a conversation lasts.

    `max_tokens` bounds the tokens of the arguments, `temperature` samples them (0 is greedy;
    selection never samples), `seed` makes sampling repeatable, `exact` asks for all probabilities,
    a tool less probable than `abstain_below` is not called (the step is `respond` then),
    `max_resident` bounds the adapters in memory. Toolsets are picked by the router adapter if the
    system is decoupled and there is one, else by the bare base. Raises InputError where the assets
    lack what `system` needs.
    """

    def __init__(
        self,
        assets: Assets,
        engine: Engine,
        *,
        system: System = "decoupled",
        max_tokens: int = 256,
        temperature: float = 0.0,
        seed: int = 0,
        exact: bool = False,
        abstain_below: float = 0.0,
        max_resident: int | None = None,
    ) -> None:
        self.assets = assets
        self.engine = engine
        self.system = system
        self.max_tokens = max_tokens
        self.temperature = temperature
        self.exact = exact
        self.abstain_below = abstain_below
        self.pool = AdapterPool(engine, assets.adapters, max_resident)
        self._rng = np.random.default_rng(seed)
        self._vocabulary = Vocabulary(assets.tokenizer)
        self._router = open_router(assets, trained=system == "decoupled")
        self._tries: dict[str, NameTrie] = {}
        self._prefill = Prefill(assets, engine, self.pool)
        for toolset in assets.toolsets.values():
            self._selector(toolset)

    def step(self, turns: Sequence[Turn], toolset: str | None = None) -> Step:
        """Select a tool for the next step after `turns` and write its arguments.

        Without `toolset`, the step is routed where there are several. Raises InputError for an
        unknown toolset and where the prompt does not fit the context.
        """
        prefill = self._prefill
        prefill.swap_ms, prefill.tokens = 0.0, 0
        begin = time.perf_counter()
        route = None
        if toolset is None and self._router is not None:
            route = self.route(turns)
            toolset = route.name
        chosen = self._toolset(toolset)
        route_ms = 1000 * (time.perf_counter() - begin) - prefill.swap_ms
        sure = 1.0 if route is None else route.probability
        selection = self.select(turns, chosen.toolset.name, sure=sure)
        select_ms = 1000 * (time.perf_counter() - begin) - route_ms - prefill.swap_ms
        decoded = NO_ARGUMENTS
        if self.system == "decoupled":
            decoded = self.arguments(turns, chosen.toolset.name, selection.name)
        elif self._has_parameters(chosen, selection.name):
            # Both stages have one context: the K/V of the prompt stay, those of the name go.
            self.engine.rewind(prefill.prompt_end)
            decoded = self._decode(chosen, selection.name, turns, [])
        total = 1000 * (time.perf_counter() - begin)
        decisions = (selection, decoded) if route is None else (route, selection, decoded)
        return Step(
            chosen.toolset.name,
            selection.name,
            decoded.arguments,
            selection.probability,
            selection.probabilities,
            {
                "ms": total,
                "route_ms": route_ms,
                "select_ms": select_ms,
                "swap_ms": prefill.swap_ms,
                "arguments_ms": total - route_ms - select_ms - prefill.swap_ms,
                "prefill_tokens": prefill.tokens,
                "decode_steps": sum(decision.decode_steps for decision in decisions),
                "forced_tokens": sum(decision.forced_tokens for decision in decisions),
            },
            selection.abstained_from,
            decoded.truncated,
        )

    def toolset(self, name: str | None = None) -> Toolset:
        """The toolset of this name; the name may be left out where there is only one.

        Raises InputError for an unknown name, and for none where there are several.
        """
        return self._toolset(name).toolset

    def route(self, turns: Sequence[Turn]) -> Selection:
        """The stage before the first: which toolset serves the next step.

        Raises InputError where there is only one, or nothing to pick one with.
        """
        router = self._router
        if router is None:
            raise InputError(
                f"toolset: nothing here picks one of {sorted(self.assets.toolsets)}; say which one."
            )
        opening = router.trie.opening_ids
        prompt = self._prefill.begin(router.adapter, router.prefix, turns, opening)
        temperature = self._selection_temperature(router.adapter)
        return select(
            self.engine, router.trie, prompt=prompt, exact=self.exact, temperature=temperature
        )

    def select(
        self, turns: Sequence[Turn], toolset: str | None = None, *, sure: float = 1.0
    ) -> Selection:
        """The first stage alone: which tool comes next, `respond` where none is probable enough.

        `sure` is how probable the toolset is, where it was picked: probabilities are told times
        that.
        """
        chosen = self._toolset(toolset)
        name = chosen.toolset.name
        if name not in self._tries:
            self._tries[name] = NameTrie(
                self.assets.tokenizer, self.assets.pieces, chosen.toolset.names
            )
        selector = self._selector(chosen)
        trie = self._tries[name]
        prefix = self._selector_prefix(chosen)
        found = select(
            self.engine,
            trie,
            prompt=self._prefill.begin(selector, prefix, turns, trie.opening_ids),
            exact=self.exact,
            temperature=self._selection_temperature(selector),
        )
        found = replace(
            found,
            probability=sure * found.probability,
            probabilities={name: sure * share for name, share in found.probabilities.items()},
        )
        if found.name != RESPOND and found.probability < self.abstain_below:
            return replace(found, name=RESPOND, abstained_from=found.name)
        return found

    def arguments(self, turns: Sequence[Turn], toolset: str | None, tool: str) -> Decoded:
        """The second stage alone: the arguments of `tool`, whatever the first stage would say."""
        chosen = self._toolset(toolset)
        if tool not in chosen.toolset.names:
            raise InputError(
                f"tool '{tool}': not in toolset '{chosen.toolset.name}', which has "
                f"{list(chosen.toolset.names)}; choose one of these."
            )
        if not self._has_parameters(chosen, tool):
            return NO_ARGUMENTS
        if self.system == "decoupled":
            # A tool that no adapter was trained for is written by the base: still by its grammar.
            adapter, prefix = chosen.arguments.get(tool), chosen.prompts.arguments[tool]
        else:
            adapter, prefix = self._selector(chosen), self._selector_prefix(chosen)
        prompt = self._prefill.begin(adapter, prefix, turns, chosen.automata[tool].opening_ids)
        return self._decode(chosen, tool, turns, prompt)

    def _decode(
        self, toolset: ToolsetAssets, tool: str, turns: Sequence[Turn], prompt: Sequence[int]
    ) -> Decoded:
        return decode_arguments(
            self.engine,
            toolset.automata[tool],
            self._vocabulary,
            prompt=prompt,
            spans=Spans(turns, toolset.copied.get(tool, ())),
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            rng=self._rng,
        )

    def _selection_temperature(self, adapter: str | None) -> float:
        return 1.0 if adapter is None else self.assets.adapters[adapter].selection_temperature

    def _has_parameters(self, toolset: ToolsetAssets, tool: str) -> bool:
        return tool != RESPOND and toolset.toolset[tool].has_parameters

    def _selector_prefix(self, toolset: ToolsetAssets) -> str:
        return toolset.prompts.base if self.system == "base" else toolset.prompts.selector

    def _toolset(self, name: str | None) -> ToolsetAssets:
        toolsets = self.assets.toolsets
        if name is None and len(toolsets) == 1:
            return next(iter(toolsets.values()))
        if name is None or name not in toolsets:
            raise InputError(
                f"--toolset: found {name}, expected one of {sorted(toolsets)}; say which one."
            )
        return toolsets[name]

    def _selector(self, toolset: ToolsetAssets) -> str | None:
        """The adapter that selects among `toolset`'s tools under this system, None for the base."""
        if self.system == "base":
            return None
        found = toolset.selector if self.system == "decoupled" else toolset.monolithic
        if found is None:
            raise InputError(
                f"--system {self.system}: toolset '{toolset.toolset.name}' has no such adapter; "
                "train it or choose another system."
            )
        return found
