"""A base's chat template with its tokenizer, cut once into the pieces that prompts are joined from.

From here on nobody runs Jinja again. A base whose template knows no tools (or cannot be cut) gets
the Hermes format inside its own turns, or inside ChatML where it has no template at all. This
module knows nothing of training or bundles, and needs neither torch nor transformers.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from tokenizers import Tokenizer

from edgetune_export.prompts.cut import NAME, Uncuttable, cut
from edgetune_export.prompts.jinja import Message, render_template
from edgetune_export.prompts.messages import HERMES_SYSTEM, as_hermes, messages_of
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import sha256_bytes
from edgetune_runtime.prompt import (
    Pieces,
    Turn,
    User,
    call_opening,
    render_call,
    render_prompt,
)

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""Plain turns for a base that has no chat template."""

_SPECIAL = tuple(f"{use}_token" for use in ("bos", "eos", "unk", "sep", "pad", "cls", "mask"))
"""Tokens that a template may name."""


class Template:
    """The chat template and the tokenizer of the base `name`.

    `source` is the template's text, None where the base has none; `special_tokens` are those that
    it may name. Raises InputError where not even the fallback can be cut, or where a call does not
    begin at a token boundary.
    """

    def __init__(
        self,
        name: str,
        tokenizer: Tokenizer,
        source: str | None,
        special_tokens: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.tokenizer = tokenizer
        """Without padding and truncation."""
        self._source = source or CHATML
        self._special_tokens = dict(special_tokens or {})
        self.native = False
        """Whether the template itself shows tools and calls, in a shape that can be cut."""
        self.pieces = self._cut(has_own=bool(source))
        own = self._source if self.native else self._source + HERMES_SYSTEM
        self.sha256 = sha256_bytes(own.encode())
        """Hash of the text that prompts are rendered with."""
        self._check_boundary()

    @classmethod
    def read(cls, directory: Path) -> "Template":
        """That of a directory with `tokenizer.json` and, where it has them, `tokenizer_config.json`
        and `chat_template.jinja`: a base, a bundle, or a checkpoint as it is downloaded.

        Raises InputError for files that are missing or cannot be read.
        """
        path = directory / "tokenizer.json"
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises nothing more special
            raise InputError(
                f"{path}: cannot be read as a tokenizer ({error}); give a base that has one."
            ) from error
        about = _config(directory / "tokenizer_config.json")
        # Older checkpoints have a file of their own for these.
        marks = _config(directory / "special_tokens_map.json") | about
        named = {key: _text(marks.get(key)) for key in _SPECIAL}
        special = {key: text for key, text in named.items() if text is not None}
        return cls(str(directory), _unpadded(tokenizer), _source(directory, about), special)

    @classmethod
    def of(cls, tokenizer: Any) -> "Template":
        """That of a fast Hugging Face tokenizer."""
        found = tokenizer.chat_template
        source = _chosen(found, tokenizer.name_or_path) if isinstance(found, Mapping) else found
        own = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        return cls(tokenizer.name_or_path, _unpadded(own), source, tokenizer.special_tokens_map)

    def render(
        self,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] | None = None,
        *,
        generate: bool = False,
    ) -> str:
        """What the template makes of `messages`; with the Hermes format inside where not native."""
        return self._render(self.native, messages, tools, generate)

    def conversation(
        self,
        turns: Sequence[Turn],
        tools: Sequence[Mapping[str, Any]] | None = None,
        *,
        words: bool = False,
    ) -> str:
        """A conversation and the generation prompt: the oracle for `render_prompt`."""
        return self.render(messages_of(turns, words=words), tools, generate=True)

    def ids(self, text: str) -> list[int]:
        """The token ids of `text`, without any that the tokenizer would add."""
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def _render(
        self,
        native: bool,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] | None,
        generate: bool,
    ) -> str:
        if not native:
            messages, tools = as_hermes(messages, tools), None
        return render_template(
            self._source,
            messages,
            tools,
            generate=generate,
            special_tokens=self._special_tokens,
        )

    def _cut(self, has_own: bool) -> Pieces:
        """The pieces of the native form where it can be cut, else of the Hermes format."""
        if has_own:
            try:
                pieces = self._cut_as(native=True)
            except Uncuttable:
                pass
            else:
                self.native = True
                return pieces
        try:
            return self._cut_as(native=False)
        except Uncuttable as reason:
            raise InputError(
                f"{self.name}: the chat template cannot be used: {reason}; give the tokenizer a "
                "template with plain user and assistant turns."
            ) from reason

    def _cut_as(self, native: bool) -> Pieces:
        """Pieces of the native form, or of the Hermes format. Raises Uncuttable."""

        def rendered(
            *messages: Message, tools: Sequence[Any] | None = None, generate: bool = False
        ) -> str:
            try:
                return self._render(native, messages, tools, generate)
            except (TemplateError, TypeError) as error:
                raise Uncuttable(f"the template refuses a conversation ({error})") from error

        return cut(rendered)

    def _check_boundary(self) -> None:
        """Raise InputError unless a call's tokens are the same alone and after its prompt."""
        prompt = render_prompt(self.pieces, "", [User("Hello there.")])
        call = render_call(self.pieces, NAME, '{"text": "hello"}')
        if self.ids(prompt) + self.ids(call) != self.ids(prompt + call):
            raise InputError(
                f"{self.name}: the tokenizer joins the end of the prompt ({prompt[-20:]!r}) with "
                f"the opening of a call ({call_opening(self.pieces, '')[:20]!r}); use a chat "
                "template whose call begins with a token of its own."
            )


# --- files ---------------------------------------------------------------------------------------


def _unpadded(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def _config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{path}: cannot be read as a JSON object ({error}); get the base again."
        ) from error


def _source(directory: Path, about: Mapping[str, Any]) -> str | None:
    """The text of the template: in files of its own, or in the tokenizer's configuration."""
    file = directory / "chat_template.jinja"
    if file.is_file():
        named = {"default": file.read_text(encoding="utf-8")}
        for other in sorted((directory / "additional_chat_templates").glob("*.jinja")):
            named[other.stem] = other.read_text(encoding="utf-8")
        return _chosen(named, str(directory))
    found = about.get("chat_template")
    if isinstance(found, list):
        try:
            found = {each["name"]: each["template"] for each in found}
        except (KeyError, TypeError) as error:
            raise InputError(
                f"{directory / 'tokenizer_config.json'}: 'chat_template' is a list, in which "
                f"each entry needs a name and a template ({error!r}); correct it."
            ) from error
        return _chosen(found, str(directory))
    return found if isinstance(found, str) else None


def _chosen(named: Mapping[str, str], name: str) -> str:
    """Of several templates the one for tools, else the default one."""
    for use in ("tool_use", "default"):
        if use in named:
            return named[use]
    raise InputError(
        f"{name}: its chat templates are for {sorted(named)}; name one of them 'default' or "
        "'tool_use'."
    )


def _text(token: Any) -> str | None:
    """A special token in a tokenizer's configuration: a text, or an object that holds it."""
    found = token.get("content") if isinstance(token, Mapping) else token
    return found if isinstance(found, str) else None
