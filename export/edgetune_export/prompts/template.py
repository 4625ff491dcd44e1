"""A base's chat template with its tokenizer, cut once into the pieces that prompts are joined from.

From here on nobody runs Jinja again. A base whose template knows no tools (or cannot be cut) gets
the Hermes format inside its own turns, or inside ChatML where it has no template at all; where it
has no system role, or puts that into the user's turn, the user's first turn lists the tools. This
module knows nothing of training or bundles, and needs neither torch nor transformers.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import TemplateSyntaxError
from tokenizers import Tokenizer

from edgetune_export.prompts.cut import NAME, Uncuttable, cut
from edgetune_export.prompts.jinja import Message, check_template, render_template
from edgetune_export.prompts.messages import HERMES_SYSTEM, UNDERSTOOD, as_hermes, messages_of
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


@dataclass(frozen=True)
class _Form:
    """A way to tell tools, calls and results to a template."""

    native: bool = False
    """As the template itself shows them; else in the Hermes format."""
    system: bool = True
    """Hermes: a system message lists the tools; else the user's first turn does."""
    lenient: bool = False
    """As `cut` has it."""


_NATIVE = _Form(native=True)
_HERMES = (_Form(), _Form(lenient=True), _Form(system=False, lenient=True))
"""What is tried in turn where the native form cannot be cut."""


class Template:
    """The chat template and the tokenizer of the base `name`.

    `source` is the template's text, None where the base has none; `special_tokens` are those that
    it may name. Raises InputError where it is no Jinja, where not even a fallback can be cut, or
    where a call does not begin at a token boundary.
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
        self.special_tokens = dict(special_tokens or {})
        """Those that the template may name, by their use (`bos_token`)."""
        self._check_syntax()
        self._form, self.pieces = self._cut(has_own=bool(source))
        own = self._source
        if not self.native:
            own += HERMES_SYSTEM if self._form.system else HERMES_SYSTEM + UNDERSTOOD
        self.sha256 = sha256_bytes(own.encode())
        """Hash of the text that prompts are rendered with."""
        self._check_boundary()

    @property
    def native(self) -> bool:
        """Whether the template itself shows tools and calls, in a shape that can be cut."""
        return self._form.native

    @property
    def alternating(self) -> bool:
        """Whether roles may have to alternate: the template may refuse a user behind a result."""
        return self._form.lenient

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
        """What the template makes of `messages`; with the Hermes format inside where not native.

        Raises InputError where the template raises anything.
        """
        try:
            return self._render(self._form, messages, tools, generate)
        except Exception as error:
            raise InputError(
                f"{self.name}: the chat template refuses a conversation or its tools "
                f"({_told(error)}); correct it, or take one with plain user and assistant turns."
            ) from error

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
        form: _Form,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] | None,
        generate: bool,
    ) -> str:
        if not form.native:
            messages, tools = as_hermes(messages, tools, system=form.system), None
        return render_template(
            self._source,
            messages,
            tools,
            generate=generate,
            special_tokens=self.special_tokens,
        )

    def _check_syntax(self) -> None:
        try:
            check_template(self._source)
        except Exception as error:  # deep nesting ends in a RecursionError
            line = f"line {error.lineno} of " if isinstance(error, TemplateSyntaxError) else ""
            raise InputError(
                f"{self.name}: {line}the chat template is no valid Jinja ({_told(error)}); correct "
                "it, or get the base again."
            ) from error

    def _cut(self, has_own: bool) -> tuple[_Form, Pieces]:
        """The native form where it can be cut, else the Hermes format; with its pieces."""
        for form in (_NATIVE, *_HERMES) if has_own else _HERMES:
            try:
                return form, self._cut_as(form)
            except Uncuttable as reason:
                why = reason
        raise InputError(
            f"{self.name}: the chat template cannot be used: {why}; give the tokenizer a "
            "template with plain user and assistant turns."
        ) from why

    def _cut_as(self, form: _Form) -> Pieces:
        """Pieces of a form. Raises Uncuttable."""

        def rendered(
            *messages: Message, tools: Sequence[Any] | None = None, generate: bool = False
        ) -> str:
            try:
                return self._render(form, messages, tools, generate)
            except Exception as error:  # a template is a program: it raises whatever it wants
                raise Uncuttable(f"the template refuses a conversation ({_told(error)})") from error

        return cut(rendered, lenient=form.lenient)

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
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(
            f"{path}: cannot be read as a JSON object ({error}); get the base again."
        ) from error


def _source(directory: Path, about: Mapping[str, Any]) -> str | None:
    """The text of the template: in files of its own, or in the tokenizer's configuration."""
    file = directory / "chat_template.jinja"
    if file.is_file():
        named = {"default": _read(file)}
        for other in sorted((directory / "additional_chat_templates").glob("*.jinja")):
            named[other.stem] = _read(other)
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
    if found is not None and not isinstance(found, str):
        raise InputError(
            f"{directory / 'tokenizer_config.json'}: 'chat_template' is {found!r:.80}, a text or a "
            "list of templates was expected; correct it."
        )
    return found


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except ValueError as error:
        raise InputError(f"{file}: is no UTF-8 text ({error}); get the base again.") from error


def _chosen(named: Mapping[str, str], name: str) -> str:
    """Of several templates the one for tools, else the default one."""
    for use in ("tool_use", "default"):
        if use in named:
            return named[use]
    raise InputError(
        f"{name}: its chat templates are for {sorted(named)}; name one of them 'default' or "
        "'tool_use'."
    )


def _told(error: Exception) -> str:
    """What an error says, on one line; its kind where that says too little."""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}" if isinstance(error, KeyError) else said or repr(error)


def _text(token: Any) -> str | None:
    """A special token in a tokenizer's configuration: a text, or an object that holds it."""
    found = token.get("content") if isinstance(token, Mapping) else token
    return found if isinstance(found, str) else None
