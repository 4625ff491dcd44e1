"""Everything but the engine that an agent needs to serve tools: of a run, a server, a request.

The one place where prompts, names and grammars of a toolset are put together. Needs a tokenizer, a
chat template and the tools, neither torch nor transformers: a program that meets an MCP server's
tools, or those of an OpenAI request, can serve them with the bare base a moment later. Which
adapters serve a toolset is not known here (`run`, `bundle`).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tokenizers import Tokenizer

from edgetune_export.grammar.compile import compile_grammar
from edgetune_export.grammar.token_bytes import read_vocabulary
from edgetune_export.progress import track
from edgetune_export.prompts.names import name_trie
from edgetune_export.prompts.prefixes import reply_prefix, router_prompts, toolset_prompts
from edgetune_export.prompts.template import Template
from edgetune_export.tool_formats import parse_tools
from edgetune_export.tool_names import with_safe_names
from edgetune_runtime.assets import Assets, RouterAssets, ToolsetAssets
from edgetune_runtime.automaton import Automaton
from edgetune_runtime.calls import Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import Pieces, ToolsShown
from edgetune_runtime.toolsets import make_toolset
from edgetune_runtime.vocabulary import Vocabulary


def make_assets(
    template: Template,
    toolsets: Collection[Toolset],
    *,
    end_tokens: Sequence[int] = (),
    tools_shown: ToolsShown = "full",
    shared: bool = False,
    lazy: bool = False,
) -> Assets:
    """Assets without adapters, for the bare base that `template` belongs to.

    `end_tokens` end what it writes in words; `tools_shown` and `shared` are `toolset_prompts`'s; a
    grammar is compiled at once, or with `lazy` when it is first asked for. Raises InputError for
    two toolsets of one name and for names that the tokenizer cannot tell apart, GrammarError for a
    schema that no grammar can hold.
    """
    names = [toolset.name for toolset in toolsets]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two toolsets are named '{name}'; rename one.")
    vocabulary = read_vocabulary(template.tokenizer)
    return Assets(
        template.tokenizer,
        vocabulary,
        template.pieces,
        reply_prefix(template),
        {
            toolset.name: toolset_assets(
                template, vocabulary, toolset, tools_shown, shared=shared, lazy=lazy
            )
            for toolset in toolsets
        },
        {},
        tuple(end_tokens),
        _router_assets(template, toolsets, tools_shown) if len(toolsets) > 1 else None,
    )


def toolset_assets(
    template: Template,
    vocabulary: Vocabulary,
    toolset: Toolset,
    tools_shown: ToolsShown = "full",
    *,
    shared: bool = False,
    lazy: bool = False,
) -> ToolsetAssets:
    """One toolset as an agent serves it with the bare base; the rest is as in `make_assets`."""
    grammars: Mapping[str, Automaton] = _Grammars(template, vocabulary, toolset)
    if not lazy:
        grammars = dict(track(grammars.items(), f"Compiling the grammars of {toolset.name}"))
    return ToolsetAssets(
        toolset,
        toolset_prompts(template, toolset, tools_shown, shared=shared),
        name_trie(template.tokenizer, template.pieces, toolset.names),
        grammars,
    )


def read_toolset(name: str, tools: Any, description: str = "") -> Toolset:
    """The toolset of an OpenAI request's `tools`, of an MCP server's answer to `tools/list`, or of
    any other of the known formats (`tool_formats`), each under a safe name (`tool_names`).

    Raises InputError, naming the entry, for anything else.
    """
    parsed = with_safe_names(parse_tools(tools, name))
    return make_toolset(name, parsed, description, where=name)


def _router_assets(
    template: Template, toolsets: Iterable[Toolset], tools_shown: ToolsShown
) -> RouterAssets:
    names = [toolset.name for toolset in toolsets]
    return RouterAssets(
        router_prompts(template, toolsets, tools_shown),
        name_trie(template.tokenizer, template.pieces, names),
        None,
    )


class _Grammars(Mapping[str, Automaton]):
    """Grammars of a toolset's tools, each compiled when it is first asked for."""

    def __init__(self, template: Template, vocabulary: Vocabulary, toolset: Toolset) -> None:
        self._pieces: Pieces = template.pieces
        self._tokenizer: Tokenizer = template.tokenizer
        self._vocabulary = vocabulary
        self._tools = {tool.name: tool for tool in toolset.tools if tool.has_parameters}
        self._compiled: dict[str, Automaton] = {}

    def __getitem__(self, name: str) -> Automaton:
        if name not in self._compiled:
            self._compiled[name] = compile_grammar(
                self._tools[name], self._pieces, self._tokenizer, self._vocabulary
            )
        return self._compiled[name]

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def __iter__(self) -> Iterator[str]:
        return iter(self._tools)

    def __len__(self) -> int:
        return len(self._tools)
