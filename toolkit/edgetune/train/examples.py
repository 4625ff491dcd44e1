"""From records to what each adapter is trained on: token ids, and which of them carry loss.

The text comes from the one renderer and is encoded whole, as the runtime's opening of a call
expects it. Nothing here knows of batches, adapters' weights or files.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetune.data.records import Example
from edgetune.train.masks import Span, loss_spans, token_mask
from edgetune_runtime.calls import RESPOND, RESPOND_TOOL, Call, Toolset
from edgetune_runtime.manifest import Role
from edgetune_runtime.prompt import Pieces, ToolsetPrompts, render_call, render_prompt


@dataclass(frozen=True)
class Tokens:
    """One training example."""

    ids: NDArray[np.int32]
    """`[tokens]`, cut after the last one that carries loss: what follows teaches nothing."""
    loss: NDArray[np.bool_]
    """`[tokens]`, true where the model learns to write this token."""
    invocation: int
    """Where the call begins: the tokens before it are the prompt."""


@dataclass(frozen=True)
class AdapterData:
    """An adapter to be trained, with its examples."""

    name: str
    """`<toolset>.selector`, `<toolset>.arguments[.<tool>]` or `<toolset>.monolithic`."""
    role: Role
    tool: str | None
    """None for an arguments adapter: the common one, from which those of the tools start."""
    train: tuple[Tokens, ...]
    dev: tuple[Tokens, ...]
    dropped: int
    """Examples of `train` and `dev` that were longer than the limit."""
    sha256: str
    """Hash of the token ids and masks of `train`."""

    @property
    def is_common(self) -> bool:
        """Whether the arguments adapters of the tools start from this one."""
        return self.role == "arguments" and self.tool is None


Encoder = Callable[[Sequence[str]], list[tuple[NDArray[np.int32], list[Span]]]]
"""Texts to token ids and the characters `(start, end)` of each token."""


def adapters_data(
    tokenizer: Any,
    pieces: Pieces,
    prompts: ToolsetPrompts,
    toolset: Toolset,
    train: Sequence[Example],
    dev: Sequence[Example],
    *,
    common: bool = False,
    monolithic: bool = True,
    max_length: int = 2048,
) -> list[AdapterData]:
    """Every adapter of a toolset with its examples, in the order in which they are trained.

    The selector (and the monolithic baseline) see every step, the arguments adapters those of
    their tool, the `common` one those of all tools. A tool without parameters, or without a step in
    `train`, has no adapter.
    `tokenizer` is a fast Hugging Face tokenizer. `max_length` is in tokens.
    """
    encode = _encoder(tokenizer)

    def data(name: str, role: Role, tool: str | None = None) -> AdapterData:
        prefix = prompts.selector if tool is None else prompts.arguments[tool]
        sides: list[tuple[Tokens, ...]] = []
        dropped = 0
        for examples in (train, dev):
            mine = [example for example in examples if tool in (None, example.call.tool)]
            tokens = tokenize(encode, pieces, prefix, toolset, mine, role)
            kept = tuple(item for item in tokens if len(item.ids) <= max_length)
            dropped += len(tokens) - len(kept)
            sides.append(kept)
        full_name = f"{toolset.name}.{name}"
        return AdapterData(full_name, role, tool, sides[0], sides[1], dropped, _sha256(sides[0]))

    called = {example.call.tool for example in train}
    arguments = [
        data(f"arguments.{tool.name}", "arguments", tool.name)
        for tool in toolset.tools
        if tool.has_parameters and tool.name in called
    ]
    wanted = [data("selector", "selector")]
    if common and arguments:
        wanted.append(_together(f"{toolset.name}.arguments", arguments))
    wanted += arguments
    if monolithic:
        wanted.append(data("monolithic", "monolithic"))
    return wanted


def _together(name: str, adapters: Sequence[AdapterData]) -> AdapterData:
    """The examples of several arguments adapters as those of one."""
    train = tuple(example for adapter in adapters for example in adapter.train)
    dev = tuple(example for adapter in adapters for example in adapter.dev)
    return AdapterData(name, "arguments", None, train, dev, 0, _sha256(train))


def tokenize(
    encode: Encoder,
    pieces: Pieces,
    prefix: str,
    toolset: Toolset,
    examples: Sequence[Example],
    role: Role,
) -> list[Tokens]:
    """Render, encode and mask `examples` after the static prompt `prefix`."""
    texts: list[str] = []
    prompts: list[int] = []
    spans: list[list[Span]] = []
    for example in examples:
        tool = RESPOND_TOOL if example.call.tool == RESPOND else toolset[example.call.tool]
        prompt = render_prompt(pieces, prefix, example.turns)
        call = Call(tool.name, example.call.arguments)
        texts.append(prompt + render_call(pieces, tool, call))
        prompts.append(len(prompt))
        # A step without a call has no arguments to be learnt: `respond` is the selector's alone.
        learnt: Role = "selector" if tool.name == RESPOND else role
        spans.append(
            [
                (len(prompt) + start, len(prompt) + end)
                for start, end in loss_spans(pieces, tool, call, learnt)
            ]
        )
    tokens = []
    for (ids, offsets), prompt_end, wanted in zip(encode(texts), prompts, spans, strict=True):
        loss = token_mask(offsets, wanted)
        length = int(np.flatnonzero(loss)[-1]) + 1
        invocation = sum(end <= prompt_end for _, end in offsets)
        tokens.append(Tokens(ids[:length], loss[:length], invocation))
    return tokens


def _encoder(tokenizer: Any) -> Encoder:
    def encode(texts: Sequence[str]) -> list[tuple[NDArray[np.int32], list[Span]]]:
        if not texts:
            return []
        encoded = tokenizer(
            list(texts), add_special_tokens=False, return_offsets_mapping=True, truncation=False
        )
        return [
            (np.asarray(ids, dtype=np.int32), offsets)
            for ids, offsets in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
        ]

    return encode


def _sha256(examples: Sequence[Tokens]) -> str:
    digest = hashlib.sha256()
    for example in examples:
        digest.update(len(example.ids).to_bytes(4, "little"))
        digest.update(example.ids.astype("<i4").tobytes())
        digest.update(example.loss.tobytes())
    return digest.hexdigest()
