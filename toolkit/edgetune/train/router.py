"""What the router adapter is trained on: every step of every toolset, labelled with the toolset.

To the renderer and the loss mask a toolset is a tool of that name without parameters.
Nothing here knows how an adapter is trained.
"""

from collections.abc import Sequence

from edgetune.data.records import Example
from edgetune.train.examples import AdapterData, Tokens, encoder, kept, tokenize
from edgetune_export.prompts.prefixes import as_tools
from edgetune_export.prompts.template import Template
from edgetune_runtime.calls import Call, Toolset
from edgetune_runtime.prompt import RouterPrompts

ROUTER = "router"
"""Name and role of the adapter; those of toolsets have a dot in their names."""

Steps = Sequence[tuple[Toolset, Sequence[Example]]]
"""The steps of each toolset."""


def router_data(
    template: Template,
    prompts: RouterPrompts,
    train: Steps,
    dev: Steps,
    *,
    max_length: int = 2048,
) -> AdapterData:
    """The router with its examples; `max_length` is in tokens.

    A step that ends in `respond` belongs to its toolset, too, whose selector has learnt to say so.
    """
    routes = Toolset(ROUTER, "", as_tools(toolset for toolset, _ in train))
    encode = encoder(template.tokenizer)

    def tokens(steps: Steps) -> list[Tokens]:
        labelled = [
            Example(example.turns, Call(toolset.name))
            for toolset, examples in steps
            for example in examples
        ]
        return tokenize(encode, template.pieces, prompts.adapter, routes, labelled, "selector")

    return kept(ROUTER, "router", None, None, tokens(train), tokens(dev), max_length)
