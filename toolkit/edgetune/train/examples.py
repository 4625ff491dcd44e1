"""From records to what each adapter is trained on: token ids, and which of them carry loss.

The text comes from the one renderer and is encoded whole, as the runtime's opening of a call
expects it. Nothing here knows of batches, adapters' weights or files.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from edgetune.data.records import Example
from edgetune.train.loss_masks import Span, loss_spans, token_mask
from edgetune.train.masked_names import Masked
from edgetune_export.grammar.order import arguments_json
from edgetune_export.prompts.template import Template
from edgetune_runtime.calls import RESPOND, RESPOND_TOOL, Toolset
from edgetune_runtime.manifest import Role
from edgetune_runtime.prompt import Pieces, ToolsetPrompts, render_call, render_prompt


@dataclass(frozen=True)
class Tokens:
    """One training example."""

    ids: NDArray[np.int32]
    """`[tokens]`, cut after the last one that carries loss: what follows teaches nothing."""
    loss: NDArray[np.bool_]
    """`[tokens]`, true where the model learns to write this token."""
    name: str = ""
    """What is called: a tool, or of a router's example a toolset."""


@dataclass(frozen=True)
class AdapterData:
    """An adapter to be trained, with its examples."""

    name: str
    """`<toolset>.selector`, `<toolset>.arguments[.<tool>]`, `<toolset>.monolithic`, or `router`."""
    role: Role
    tool: str | None
    """None for an arguments adapter: the common one, from which those of the tools start."""
    train: tuple[Tokens, ...]
    dev: tuple[Tokens, ...]
    dropped: int
    """Examples of `train` and `dev` that were longer than the limit."""
    sha256: str
    """Hash of the token ids and masks of `train`."""
    toolset: str | None = None
    """None for the router, which picks among them."""

    @property
    def is_common(self) -> bool:
        """Whether the arguments adapters of the tools start from this one."""
        return self.role == "arguments" and self.tool is None


Encoder = Callable[[Sequence[str]], list[tuple[NDArray[np.int32], list[Span]]]]
"""Texts to token ids and the characters `(start, end)` of each token."""


def adapters_data(
    template: Template,
    prompts: ToolsetPrompts,
    toolset: Toolset,
    train: Sequence[Example],
    dev: Sequence[Example],
    *,
    masked: Mapping[int, Masked] | None = None,
    common: bool = False,
    monolithic: bool = True,
    max_length: int = 2048,
) -> list[AdapterData]:
    """Every adapter of a toolset with its examples, in the order in which they are trained.

    The selector (and the monolithic baseline) see every step, the arguments adapters those of
    their tool, the `common` one those of all tools. A tool without parameters, or without a step in
    `train`, has no adapter. `masked` holds, by index, the examples of `train` that are shown
    under other names. `max_length` is in tokens.
    """
    encode, pieces = encoder(template.tokenizer), template.pieces

    def data(name: str, role: Role, tool: str | None = None) -> AdapterData:
        prefix = prompts.selector if tool is None else prompts.arguments[tool]

        def tokens(
            examples: Sequence[Example], others: Mapping[int, Masked] | None = None
        ) -> list[Tokens]:
            mine = [
                index for index, example in enumerate(examples) if tool in (None, example.call.tool)
            ]
            shown = [examples[index] for index in mine]
            found = tokenize(encode, pieces, prefix, toolset, shown, role)
            for place, index in enumerate(mine):
                if others and index in others:
                    other = _masked(encode, pieces, others[index], tool, role)
                    found[place] = replace(other, name=found[place].name)
            return found

        full_name = f"{toolset.name}.{name}"
        both = tokens(train, masked), tokens(dev)
        return kept(full_name, role, toolset.name, tool, *both, max_length)

    called = {example.call.tool for example in train}
    arguments = [
        data(f"arguments.{tool.name}", "arguments", tool.name)
        for tool in toolset.tools
        if tool.has_parameters and tool.name in called
    ]
    wanted = [data("selector", "selector")]
    if common and arguments:
        wanted.append(_together(toolset.name, arguments))
    wanted += arguments
    if monolithic:
        wanted.append(data("monolithic", "monolithic"))
    return wanted


def _masked(
    encode: Encoder, pieces: Pieces, masked: Masked, tool: str | None, role: Role
) -> Tokens:
    """One example under other names; an arguments adapter sees its own `tool` under its other."""
    prompts, example = masked.prompts, masked.example
    prefix = prompts.selector if tool is None else prompts.arguments[example.call.tool]
    [tokens] = tokenize(encode, pieces, prefix, masked.toolset, [example], role)
    return tokens


def kept(
    name: str,
    role: Role,
    toolset: str | None,
    tool: str | None,
    train: Sequence[Tokens],
    dev: Sequence[Tokens],
    max_length: int,
) -> AdapterData:
    """An adapter with those of its examples that have at most `max_length` tokens."""
    short, short_dev = (
        tuple(item for item in side if len(item.ids) <= max_length) for side in (train, dev)
    )
    dropped = len(train) - len(short) + len(dev) - len(short_dev)
    return AdapterData(name, role, tool, short, short_dev, dropped, _sha256(short), toolset)


def _together(toolset: str, adapters: Sequence[AdapterData]) -> AdapterData:
    """The examples of several arguments adapters as those of one."""
    train = tuple(example for adapter in adapters for example in adapter.train)
    dev = tuple(example for adapter in adapters for example in adapter.dev)
    name = f"{toolset}.arguments"
    return AdapterData(name, "arguments", None, train, dev, 0, _sha256(train), toolset)


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
    spans: list[list[Span]] = []
    for example in examples:
        tool = RESPOND_TOOL if example.call.tool == RESPOND else toolset[example.call.tool]
        prompt = render_prompt(pieces, prefix, example.turns)
        arguments = arguments_json(tool, example.call.arguments)
        texts.append(prompt + render_call(pieces, tool.name, arguments))
        # A step without a call has no arguments to be learnt: `respond` is the selector's alone.
        learnt: Role = "selector" if tool.name == RESPOND else role
        spans.append(
            [
                (len(prompt) + start, len(prompt) + end)
                for start, end in loss_spans(pieces, tool.name, arguments, learnt)
            ]
        )
    tokens = []
    for example, (ids, offsets), wanted in zip(examples, encode(texts), spans, strict=True):
        loss = token_mask(offsets, wanted)
        length = int(np.flatnonzero(loss)[-1]) + 1
        tokens.append(Tokens(ids[:length], loss[:length], example.call.tool))
    return tokens


def encoder(tokenizer: Tokenizer) -> Encoder:
    """Encodes with `tokenizer`, without any token that it would add."""

    def encode(texts: Sequence[str]) -> list[tuple[NDArray[np.int32], list[Span]]]:
        return [
            (np.asarray(encoded.ids, dtype=np.int32), encoded.offsets)
            for encoded in tokenizer.encode_batch(list(texts), add_special_tokens=False)
        ]

    return encode


def _sha256(examples: Sequence[Tokens]) -> str:
    digest = hashlib.sha256()
    for example in examples:
        digest.update(len(example.ids).to_bytes(4, "little"))
        digest.update(example.ids.astype("<i4").tobytes())
        digest.update(example.loss.tobytes())
    return digest.hexdigest()
