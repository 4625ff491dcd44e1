"""A larger model behind any OpenAI-compatible endpoint, and what asking it has cost.

The key comes from OPENAI_API_KEY and is written nowhere.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import openai
from openai.types.chat import ChatCompletion, ChatCompletionMessage

from edgetune_runtime.errors import InputError

RETRIES = 4
"""Of a call that fails in a way that may pass, with pauses that double."""


@dataclass
class Usage:
    """What the teacher was asked and how much of it was of use."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    requests: int = 0
    refused: int = 0
    """Records that broke a schema, or were there already, or whose calls failed."""

    def add(self, answer: Any) -> None:
        """Count an answer of the endpoint."""
        self.requests += 1
        if answer.usage is not None:
            self.prompt_tokens += answer.usage.prompt_tokens or 0
            self.completion_tokens += answer.usage.completion_tokens or 0

    @property
    def tokens(self) -> int:
        """All of them."""
        return self.prompt_tokens + self.completion_tokens


class Teacher:
    """A model at an address. Raises InputError for what is no address."""

    def __init__(self, url: str, model: str) -> None:
        key = os.environ.get("OPENAI_API_KEY") or "none"
        try:
            self._client = openai.OpenAI(base_url=url, api_key=key, max_retries=RETRIES)
        except Exception as error:  # whatever the client's library makes of an address
            raise InputError(f"{url}: is no address ({error}); check --teacher.") from error
        self.url = url
        self.model = model
        self.usage = Usage()

    def ask(self, prompt: str) -> str:
        """What the model writes, a JSON object, when it is told `prompt`."""
        said = [{"role": "user", "content": prompt}]
        return self.answer(said, response_format={"type": "json_object"}).content or ""

    def answer(self, messages: Iterable[Mapping[str, Any]], **how: Any) -> ChatCompletionMessage:
        """The model's message after `messages`; an empty one where it has none.

        Raises InputError where the endpoint cannot be reached, refuses, or speaks otherwise.
        """
        url = self._client.base_url
        try:
            answer = self._client.chat.completions.create(
                model=self.model,
                messages=list(messages),  # type: ignore[arg-type]
                temperature=1.0,
                **how,
            )
        except openai.APIConnectionError as error:
            raise InputError(f"{url}: cannot be reached ({error}); check --teacher.") from error
        except openai.APIStatusError as error:
            raise InputError(
                f"{url}: refuses with status {error.status_code} ({_short(error.message)}); check "
                "--teacher, --model and OPENAI_API_KEY."
            ) from error
        if not isinstance(answer, ChatCompletion):
            raise InputError(
                f"{url}: answers with something else than the protocol's JSON "
                f"({_short(str(answer))}); check --teacher, which mostly ends in /v1."
            )
        self.usage.add(answer)
        if not answer.choices:
            return ChatCompletionMessage(role="assistant", content="")
        return answer.choices[0].message


def _short(message: str) -> str:
    return message if len(message) < 120 else message[:117] + "..."
