"""Chat templates, rendered by jinja2 as transformers renders them, but without transformers.

The settings, filters and functions are those that its `apply_chat_template` gives a template (a
test over the templates of the bases that we name proves equality). Templates come with a
checkpoint: they run sandboxed. This module knows Jinja, nothing of tools, turns or tokens.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import Node
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError
from jinja2.utils import Namespace

Message = dict[str, Any]
"""One message of a conversation, as templates take it: `role`, `content`, `tool_calls`."""

TODAY = datetime(2025, 1, 1)
"""What day it always is: a prompt that was trained must not change from day to day."""

OPTIONS = {
    "enable_thinking": False,
    "tools_in_user_message": False,
    "date_string": "1 January 2025",
}
"""What known templates may be told: no reasoning, tools in the system message, and a fixed date."""


def render_template(
    source: str,
    messages: Sequence[Message],
    tools: Sequence[Mapping[str, Any]] | None = None,
    *,
    generate: bool = False,
    special_tokens: Mapping[str, str] | None = None,
) -> str:
    """What the template `source` makes of `messages`, with `tools` in the OpenAI format.

    `special_tokens` are those that a template may name: `bos_token`, `eos_token`… `generate` adds
    the generation prompt. Raises jinja2.TemplateError, or whatever a template raises over a message
    that it was not written for.
    """
    return _compiled(source).render(
        **{**(special_tokens or {}), **OPTIONS},
        messages=list(messages),
        tools=list(tools) if tools else None,
        documents=None,
        add_generation_prompt=generate,
    )


def check_template(source: str) -> None:
    """Raises jinja2.TemplateSyntaxError, which has a `lineno`, where `source` is no template."""
    _compiled(source)


@lru_cache(maxsize=16)
def _compiled(source: str) -> jinja2.Template:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = TODAY.strftime
    environment.globals["dict"] = _Dict()
    environment.globals["namespace"] = _namespace
    return environment.from_string(source)


class _Generation(Extension):
    """`{% generation %}` marks what the assistant says, for training masks; its text stands."""

    tags = {"generation"}  # noqa: RUF012 - jinja2's own

    def parse(self, parser: Parser) -> list[Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class _Dict:
    """`dict`, without the methods by which a template could change what it was given."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict(*args, **kwargs)

    def fromkeys(self, keys: Iterable[Any], value: Any = None) -> dict[Any, Any]:
        """As Python's own."""
        return dict.fromkeys(keys, value)


class _Namespace(Namespace):
    """`namespace`, without names that lead into Python's insides."""

    def __setitem__(self, name: str, value: Any) -> None:
        _check_attribute(name)
        super().__setitem__(name, value)


def _namespace(*args: Any, **kwargs: Any) -> Namespace:
    for name in dict(*args, **kwargs):
        _check_attribute(name)
    return _Namespace(*args, **kwargs)


def _check_attribute(name: Any) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"a namespace cannot hold {name!r}: rename the attribute")


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as it is: Jinja's own filter escapes what HTML would misread."""
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _raise(message: str) -> None:
    raise jinja2.TemplateError(message)
