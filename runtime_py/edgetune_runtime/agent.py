"""The two-stage loop: select a tool, swap the adapter, write its arguments; one step at a time.

Where there are several toolsets, the step begins by picking one of them. Runs on any assets (a
bundle's, a training run's, those of tools met a minute ago) and any engine. It does not execute
calls and keeps no conversation (`conversation`): the caller passes the turns so far.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgetune_runtime.adapters import AdapterPool
from edgetune_runtime.assets import Assets, RouterAssets, ToolsetAssets
from edgetune_runtime.calls import RESPOND, Toolset
from edgetune_runtime.decode import (
    NOTHING_DECODED,
    Decoded,
    Selection,
    decode_arguments,
    select,
    write_words,
)
from edgetune_runtime.engine import Engine
from edgetune_runtime.errors import InputError
from edgetune_runtime.options import DEFAULTS, Options
from edgetune_runtime.prefill import Prefill
from edgetune_runtime.prompt import NO_ARGUMENTS, Called, Turn
from edgetune_runtime.spans import Spans


@dataclass(frozen=True)
class Step:
    """One step of the loop; `tool` is `respond` where no tool is needed.

    Tools are told by their public names: as their server calls them.
    """

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
    """The likeliest tool, where it was less probable than the options ask for; `tool` is `respond`
    then."""
    truncated: bool = False
    """The token budget cut the arguments short."""
    text: str = NO_ARGUMENTS
    """The JSON text of `arguments` as the model wrote it."""

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

    It lives as long as the process: what differs from request to request are the `Options` of each
    call. A toolset is named, where it is one of the assets', or given as assets of its own; where
    none is named and there are several, a step picks one by the router adapter, if the system is
    decoupled and there is one, else by the bare base. `max_resident` bounds the adapters in memory.

    Each method raises InputError for an unknown toolset, for a system whose adapters the assets
    lack, and (ContextError) where the prompt does not fit the context.
    """

    def __init__(self, assets: Assets, engine: Engine, *, max_resident: int | None = None) -> None:
        self.assets = assets
        self.engine = engine
        self.pool = AdapterPool(engine, assets.adapters, max_resident)
        self._prefill = Prefill(assets, engine, self.pool)

    def step(
        self,
        turns: Sequence[Turn],
        toolset: str | ToolsetAssets | None = None,
        options: Options = DEFAULTS,
    ) -> Step:
        """Select a tool for the next step after `turns` and write its arguments."""
        prefill = self._prefill
        prefill.swap_ms, prefill.tokens = 0.0, 0
        begin = time.perf_counter()
        route = None
        if toolset is None and self._routes:
            route = self.route(turns, options)
            toolset = route.name
        chosen = self._toolset(toolset)
        route_ms = 1000 * (time.perf_counter() - begin) - prefill.swap_ms
        sure = 1.0 if route is None else route.probability
        selection = self.select(turns, chosen, options, sure=sure)
        select_ms = 1000 * (time.perf_counter() - begin) - route_ms - prefill.swap_ms
        decoded = NOTHING_DECODED
        if options.system == "decoupled":
            decoded = self.arguments(turns, chosen, selection.name, options)
        elif selection.name in chosen.automata:
            # Both stages have one context: the K/V of the prompt stay, those of the name go.
            self.engine.rewind(prefill.prompt_end)
            decoded = self._decode(chosen, selection.name, turns, [], options)
        total = 1000 * (time.perf_counter() - begin)
        public = chosen.toolset.public_name
        decisions = (selection, decoded) if route is None else (route, selection, decoded)
        return Step(
            chosen.toolset.name,
            public(selection.name),
            decoded.arguments,
            selection.probability,
            {public(name): share for name, share in selection.probabilities.items()},
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
            selection.abstained_from and public(selection.abstained_from),
            decoded.truncated,
            decoded.text,
        )

    def toolset(self, name: str | None = None) -> Toolset:
        """The toolset of this name; the name may be left out where there is only one."""
        return self._toolset(name).toolset

    def route(self, turns: Sequence[Turn], options: Options = DEFAULTS) -> Selection:
        """The stage before the first: which toolset serves the next step.

        Raises InputError where there is only one, or nothing to pick one with.
        """
        router = self.assets.router
        if router is None or not self._routes:
            raise InputError(
                f"toolset: nothing here picks one of {sorted(self.assets.toolsets)}; say which one."
            )
        trained = router.adapter if options.system == "decoupled" else None
        prefix = router.prompts.base if trained is None else router.prompts.adapter
        adapter = self._skill() if options.system == "skill" else trained
        return self._pick(router, adapter, prefix, turns, options)

    def select(
        self,
        turns: Sequence[Turn],
        toolset: str | ToolsetAssets | None = None,
        options: Options = DEFAULTS,
        *,
        sure: float = 1.0,
    ) -> Selection:
        """The first stage alone: which tool comes next, `respond` where none is probable enough.

        `sure` is how probable the toolset is, where it was picked: probabilities are told times
        that.
        """
        chosen = self._toolset(toolset)
        adapter, prefix = self._selector(chosen, options), self._selector_prefix(chosen, options)
        found = self._pick(chosen, adapter, prefix, turns, options)
        found = replace(
            found,
            probability=sure * found.probability,
            probabilities={name: sure * share for name, share in found.probabilities.items()},
        )
        if found.name != RESPOND and found.probability < options.abstain_below:
            return replace(found, name=RESPOND, abstained_from=found.name)
        return found

    def arguments(
        self,
        turns: Sequence[Turn],
        toolset: str | ToolsetAssets | None,
        tool: str,
        options: Options = DEFAULTS,
    ) -> Decoded:
        """The second stage alone: the arguments of `tool`, whatever the first stage would say."""
        chosen = self._toolset(toolset)
        if tool != RESPOND and tool not in chosen.toolset:
            raise InputError(
                f"tool '{tool}': not in toolset '{chosen.toolset.name}', which has "
                f"{list(chosen.toolset.public.names)}; choose one of these."
            )
        tool = tool if tool == RESPOND else chosen.toolset[tool].name
        if tool not in chosen.automata:
            return NOTHING_DECODED
        if options.system == "decoupled":
            # A tool that no adapter was trained for is written by the base, with the skill where
            # there is one: still by its grammar.
            adapter, prefix = chosen.arguments.get(tool), chosen.prompts.arguments[tool]
            if adapter is None and self.assets.skill is not None:
                adapter, prefix = self.assets.skill, chosen.prompts.base
        else:
            adapter = self._selector(chosen, options)
            prefix = self._selector_prefix(chosen, options)
        shown = self._shown(turns, chosen)
        prompt = self._prefill.begin(adapter, prefix, shown, chosen.automata[tool].opening_ids)
        return self._decode(chosen, tool, turns, prompt, options)

    def reply(self, turns: Sequence[Turn], options: Options = DEFAULTS) -> Iterator[str]:
        """What the bare base says after `turns`, in words and piece by piece as they appear."""
        prompt = self._prefill.begin(None, self.assets.reply, self._shown(turns), words=True)
        return write_words(
            self.engine,
            self.assets.vocabulary,
            prompt=prompt,
            end_tokens=self.assets.end_tokens,
            max_tokens=options.max_reply_tokens,
            temperature=options.temperature,
            rng=np.random.default_rng(options.seed),
        )

    def _pick(
        self,
        among: ToolsetAssets | RouterAssets,
        adapter: str | None,
        prefix: str,
        turns: Sequence[Turn],
        options: Options,
    ) -> Selection:
        """The name in the trie of `among` that `adapter` finds likeliest."""
        shown = self._shown(turns, among)
        calibrated = 1.0 if adapter is None else self.assets.adapters[adapter].selection_temperature
        return select(
            self.engine,
            among.trie,
            prompt=self._prefill.begin(adapter, prefix, shown, among.trie.opening_ids),
            exact=options.exact,
            temperature=calibrated,
        )

    def _shown(
        self, turns: Sequence[Turn], among: ToolsetAssets | RouterAssets | None = None
    ) -> list[Turn]:
        """`turns` in which earlier calls have the names that prompts have for their tools."""
        toolsets = [each.toolset for each in self.assets.toolsets.values()]
        if isinstance(among, ToolsetAssets):
            toolsets.append(among.toolset)  # last, since its names count where two differ
        names = {tool.original: tool.name for each in toolsets for tool in each.tools}
        return [
            replace(turn, tool=names.get(turn.tool, turn.tool))
            if isinstance(turn, Called)
            else turn
            for turn in turns
        ]

    def _decode(
        self,
        toolset: ToolsetAssets,
        tool: str,
        turns: Sequence[Turn],
        prompt: Sequence[int],
        options: Options,
    ) -> Decoded:
        return decode_arguments(
            self.engine,
            toolset.automata[tool],
            self.assets.vocabulary,
            prompt=prompt,
            spans=Spans(turns, toolset.copied.get(tool, ())),
            max_tokens=options.max_tokens,
            temperature=options.temperature,
            rng=np.random.default_rng(options.seed),
        )

    @property
    def _routes(self) -> bool:
        return self.assets.router is not None and len(self.assets.toolsets) > 1

    def _toolset(self, toolset: str | ToolsetAssets | None) -> ToolsetAssets:
        if isinstance(toolset, ToolsetAssets):
            return toolset
        toolsets = self.assets.toolsets
        if toolset is None and len(toolsets) == 1:
            return next(iter(toolsets.values()))
        if toolset is None or toolset not in toolsets:
            raise InputError(
                f"--toolset: found {toolset}, expected one of {sorted(toolsets)}; say which one."
            )
        return toolsets[toolset]

    def _selector_prefix(self, toolset: ToolsetAssets, options: Options) -> str:
        prompts = toolset.prompts
        return prompts.base if options.system in ("base", "skill") else prompts.selector

    def _selector(self, toolset: ToolsetAssets, options: Options) -> str | None:
        """The adapter that selects among `toolset`'s tools, None for the bare base."""
        if options.system == "base":
            return None
        if options.system == "skill":
            return self._skill()
        found = toolset.selector if options.system == "decoupled" else toolset.monolithic
        if found is None:
            raise InputError(
                f"--system {options.system}: toolset '{toolset.toolset.name}' has no such adapter; "
                "train it or choose another system."
            )
        return found

    def _skill(self) -> str:
        """The adapter that serves any tools."""
        if self.assets.skill is None:
            raise InputError(
                "--system skill: there is no tool skill here; give the recipe one ('skill'), train "
                "and export again, or choose another system."
            )
        return self.assets.skill
