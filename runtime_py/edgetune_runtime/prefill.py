"""Bringing the KV cache to a prompt, with what it holds or once held of it put to use.

A static prefix is kept in a snapshot for each adapter; an activated LoRA leaves what stands before
its invocation to the bare base, whose K/V then serve every adapter. This module knows nothing of
tools, grammars or decoding.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from edgetune_runtime.adapters import AdapterPool
from edgetune_runtime.assets import Assets
from edgetune_runtime.engine import Engine
from edgetune_runtime.invocation import invocation_place
from edgetune_runtime.prompt import Turn, render_prompt

_PREFIX_TOKENS = 16
"""A static prefix shorter than this is prefilled anew: cheaper than keeping a snapshot."""

_KEPT_PREFIXES = 32
"""How many prefixes' ids, and snapshots, are kept at the most."""

_KEPT_BYTES = 256 * 2**20
"""What the kept snapshots may take: each holds the K/V of one prefix under one adapter."""


class Prefill:
    """The prompts of one agent in the KV cache of its engine."""

    def __init__(self, assets: Assets, engine: Engine, pool: AdapterPool) -> None:
        self._assets = assets
        self._engine = engine
        self._pool = pool
        self._prefixes: OrderedDict[str, tuple[int, ...]] = OrderedDict()
        self._snapshots: OrderedDict[tuple[str, tuple[int, ...]], Any] = OrderedDict()
        self._base_read: tuple[int, ...] = ()
        self.swap_ms = 0.0
        """Time that activating adapters took, until it is set to zero."""
        self.tokens = 0
        """Tokens that were prefilled, or are still to be fed, until it is set to zero."""
        self.prompt_end = 0
        """Where the last prompt ends in the KV cache."""

    def begin(
        self,
        adapter: str | None,
        prefix: str,
        turns: Sequence[Turn],
        opening: Sequence[int] = (),
        *,
        words: bool = False,
    ) -> list[int]:
        """Bring the KV cache to the beginning of the prompt and bind `adapter`.

        `opening` are the ids with which the call goes on behind the prompt; `words` is
        `render_prompt`'s. Returns the prompt's ids that are still to be fed: with an activated LoRA
        those from its invocation on.
        """
        text = render_prompt(self._assets.pieces, prefix, turns, words=words)
        ids = tuple(self._encode(text))
        self.prompt_end = len(ids)
        invocation = self._assets.adapters[adapter].invocation if adapter else ()
        if invocation:
            place = invocation_place([*ids, *opening], invocation)
            self._read_by_base(prefix, ids[:place])
            unread = ids[place:]
            self.tokens += len(unread)
            self.swap_ms += self._pool.activate(adapter)
        else:
            self._base_read = ()
            self.swap_ms += self._pool.activate(adapter)
            unread = self._after_static(adapter, prefix, ids)
        return list(unread)

    def _read_by_base(self, prefix: str, ids: tuple[int, ...]) -> None:
        """Make the KV cache hold `ids` as the bare base reads them.

        What it read last is kept where `ids` begin with it: the whole prompt at the second stage of
        a step, the conversation so far at the next step.
        """
        known = len(self._base_read)
        if not known or ids[:known] != self._base_read or self._engine.position < known:
            self._base_read = ()  # whatever fails below, the cache no longer holds it
            self.swap_ms += self._pool.activate(None)
            unread = self._after_static(None, prefix, ids)
        else:
            self._engine.rewind(known)
            unread = ids[known:]
            self.tokens += len(unread)
            if unread:
                self.swap_ms += self._pool.activate(None)
        if unread:
            self._engine.forward(unread)
        self._base_read = ids

    def _after_static(
        self, adapter: str | None, prefix: str, ids: tuple[int, ...]
    ) -> tuple[int, ...]:
        """Make the KV cache hold the static prefix of `ids` alone; the ids after it.

        The prefix is prefilled once for each adapter and then restored from a snapshot, always cut
        at the same place, so that a call does not depend on the calls before it.
        """
        static = self._prefix_ids(prefix)
        self._engine.rewind(0)
        if len(static) >= _PREFIX_TOKENS and ids[: len(static)] == static:
            self._restore(adapter, static)
            ids = ids[len(static) :]
        self.tokens += len(ids)
        return ids

    def _restore(self, adapter: str | None, static: tuple[int, ...]) -> None:
        """Make the KV cache hold `static` under `adapter`, from its snapshot where there is one."""
        key = (self._assets.adapters[adapter].sha256 if adapter else "", static)
        if key in self._snapshots:
            self.tokens += self._engine.restore(self._snapshots[key])
        else:
            self._engine.forward(static)
            self.tokens += len(static)
            self._snapshots[key] = self._engine.snapshot()
            self._forget()
        self._snapshots.move_to_end(key)

    def _forget(self) -> None:
        """Drop the snapshots that were used longest ago, as far as all are too many, or too large.

        Tools that come with a request bring prefixes that may never come again.
        """
        token_bytes = self._engine.kv_bytes() / self._engine.context_length
        held = sum(len(static) for _, static in self._snapshots)
        while len(self._snapshots) > 1 and (
            len(self._snapshots) > _KEPT_PREFIXES or held * token_bytes > _KEPT_BYTES
        ):
            (_, static), _ = self._snapshots.popitem(last=False)
            held -= len(static)

    def _prefix_ids(self, prefix: str) -> tuple[int, ...]:
        if prefix not in self._prefixes:
            self._prefixes[prefix] = tuple(self._encode(prefix))
            if len(self._prefixes) > _KEPT_PREFIXES:
                self._prefixes.popitem(last=False)
        self._prefixes.move_to_end(prefix)
        return self._prefixes[prefix]

    def _encode(self, text: str) -> list[int]:
        return self._assets.tokenizer.encode(text, add_special_tokens=False).ids
