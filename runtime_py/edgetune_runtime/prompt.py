"""The one renderer: from a request (or a longer conversation) and a call to the text a model reads.

Training, evaluation and the phone all build their text from the same pieces. The pieces are cut
from the base model's own chat template when a run starts (`edgetune_export.prompts`) and travel in
the bundle as `prompts.json`. This module knows neither Jinja nor the tokenizer: it joins strings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from edgetune_runtime.calls import RESPOND

ToolsShown = Literal["full", "compact", "names", "none"]
"""How much of the tools stands in a prompt (design: `prompt.tools`)."""


class Pieces(BaseModel):
    """The strings around every part of a conversation, cut from the base's chat template."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user: tuple[str, str]
    """What stands before and after the text of a user turn."""
    assistant: tuple[str, str]
    """Before and after an assistant turn; the first is the generation prompt."""
    result: tuple[str, str]
    """Before and after the result of a tool."""
    call_open: str
    """From the invocation to the tool's name: `<tool_call>\\n{"name": "`."""
    call_middle: str
    """From the tool's name to its arguments: `", "arguments": `."""
    call_close: str
    """What closes the call after the arguments: `}\\n</tool_call>`."""
    earlier: str | None = None
    """What stands before an earlier call, where that is not the generation prompt (a template that
    opens and closes an empty reasoning block only where it generates)."""
    words: str | None = None
    """What stands before earlier words of the assistant, where that is not what stands before an
    earlier call."""


class ToolsetPrompts(BaseModel):
    """The static prefixes (system message and tools) of one toolset, one for each stage.

    `shared`: all adapters read the selector's, whose K/V then serve them all (`alora`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tools_shown: ToolsShown
    shared: bool = False
    base: str
    """Prefix for the untouched base: the full list of tools."""
    selector: str
    """Prefix for the selector and for the monolithic adapter."""
    arguments: dict[str, str]
    """Prefix for each tool's arguments adapter: that tool alone, unless `shared`."""


class RouterPrompts(BaseModel):
    """The static prefixes of routing, in which toolsets stand as tools do in a toolset's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str
    """Prefix for the untouched base: every toolset's name and description."""
    adapter: str
    """Prefix for the router adapter, with as much of the toolsets as adapters see of tools."""


class Prompts(BaseModel):
    """`prompts.json`: everything a runtime needs to render text for this bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pieces: Pieces
    reply: str
    """Prefix for the bare base where it answers in words: no tools, the template's own system
    message."""
    toolsets: dict[str, ToolsetPrompts]
    router: RouterPrompts | None = None
    """None where there is one toolset."""


@dataclass(frozen=True)
class User:
    """A turn of the user."""

    text: str


@dataclass(frozen=True)
class Assistant:
    """Words of the assistant, said where no tool was needed.

    To whoever selects the next tool the turn stands as the call of `respond` that it followed from,
    which is what selectors are trained on; the bare base, answering in words, sees the words.
    """

    text: str = ""


@dataclass(frozen=True)
class Called:
    """A call made in an earlier step, its arguments as the JSON text that was written."""

    tool: str
    arguments: str


@dataclass(frozen=True)
class Result:
    """What a tool gave back."""

    text: str


Turn = User | Assistant | Called | Result

NO_ARGUMENTS = "{}"
"""The arguments of a call that has none."""


def render_call(pieces: Pieces, tool: str, arguments: str) -> str:
    """The text of a whole call, from the invocation to its close; `arguments` is JSON text."""
    return call_opening(pieces, tool) + arguments + pieces.call_close


def call_opening(pieces: Pieces, name: str) -> str:
    """The text of a call from the invocation to where the arguments begin."""
    return pieces.call_open + name + pieces.call_middle


def render_prompt(
    pieces: Pieces, prefix: str, turns: Sequence[Turn], *, words: bool = False
) -> str:
    """Static prefix, the turns so far, the generation prompt: everything before the next call.

    With `words`, everything before a reply in words: the assistant's earlier words are then told as
    they were said (see `Assistant`).
    """
    said = "".join(_render_turn(pieces, turn, words) for turn in turns)
    return prefix + said + pieces.assistant[0]


def _render_turn(pieces: Pieces, turn: Turn, words: bool) -> str:
    before_call = pieces.assistant[0] if pieces.earlier is None else pieces.earlier
    match turn:
        case User(text):
            return pieces.user[0] + text + pieces.user[1]
        case Assistant(text) if words:
            before = before_call if pieces.words is None else pieces.words
            return before + text + pieces.assistant[1]
        case Assistant():
            return before_call + render_call(pieces, RESPOND, NO_ARGUMENTS) + pieces.assistant[1]
        case Called(tool, arguments):
            return before_call + render_call(pieces, tool, arguments) + pieces.assistant[1]
        case Result(text):
            return pieces.result[0] + text + pieces.result[1]
