"""Records: JSONL in the TRL conversational format, read into turns and calls.

One JSON object a line with `messages`, and `tools` inline or in a file beside it. `arguments` may
be an object or a JSON string. What a model sees of it (rendering, tokens, masks) is not known here.

- A call is followed by its result (role `tool`) and by the next step; several calls in one message
  become one step each, each followed by its own result.
- An assistant message without a call is a step that ends in `respond`; its words are not kept.
- A leading system message is left out: the prompt's own prefix, with the tools, takes its place.
"""

import json
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from edgetune.tools.schema import arguments_problem
from edgetune_export.grammar.order import arguments_json
from edgetune_runtime.calls import RESPOND, RESPOND_CALL, Call, Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import write_bytes
from edgetune_runtime.prompt import Assistant, Called, Result, Turn, User

ANSWER = "I can't do that with the tools I have, but I am happy to talk about it."
"""What the assistant says where it calls no tool; no adapter learns these words."""


@dataclass(frozen=True)
class Example:
    """One step of a conversation: what came before it, and the call that is right."""

    turns: tuple[Turn, ...]
    call: Call


@dataclass(frozen=True)
class Record:
    """One conversation: user turns, calls and results in the order in which they happened."""

    line: int
    """Line of the file that it came from, counted from 1."""
    turns: tuple[User | Call | Result, ...]
    source: Mapping[str, Any] = field(repr=False, compare=False)
    """The JSON object as it stood."""

    @property
    def calls(self) -> tuple[Call, ...]:
        """The call of each step, `respond` among them."""
        return tuple(turn for turn in self.turns if isinstance(turn, Call))

    def steps(self, toolset: Toolset) -> list[Example]:
        """One example for each call; earlier calls and results are among its turns."""
        examples: list[Example] = []
        before: list[Turn] = []
        for turn in self.turns:
            if isinstance(turn, Call):
                examples.append(Example(tuple(before), turn))
                before.append(_turn(turn, toolset))
            else:
                before.append(turn)
        return examples


def _turn(call: Call, toolset: Toolset) -> Turn:
    """An earlier step as the prompt of a later one has it."""
    if call.tool == RESPOND:
        return Assistant()
    return Called(call.tool, arguments_json(toolset[call.tool], call.arguments))


def as_source(text: str, call: Call) -> dict[str, Any]:
    """A request and its call as a record in the conversational format."""
    user = {"role": "user", "content": text}
    if call.tool == RESPOND:
        return {"messages": [user, {"role": "assistant", "content": ANSWER}]}
    function = {"name": call.tool, "arguments": dict(call.arguments)}
    calls = [{"type": "function", "function": function}]
    return {"messages": [user, {"role": "assistant", "content": None, "tool_calls": calls}]}


def read_records(path: Path, toolset: Toolset) -> list[Record]:
    """Every record of a JSONL file, each valid against the schemas of `toolset`.

    Raises InputError at the first line that is not, in one sentence with its number.
    """
    records = []
    for number, text in numbered_lines(path):
        try:
            record = parse_record(number, text)
            problem = record_problem(record, toolset)
            if problem:
                raise InputError(problem)
        except InputError as error:
            raise InputError(
                f"{path}:{number}: {error} `edgetune data check` drops such lines."
            ) from error
        records.append(record)
    if not records:
        raise InputError(f"{path}: holds no records; give a JSONL file with one a line.")
    return records


def write_jsonl(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON objects, one a line, whole or not at all."""
    write_bytes(
        path,
        "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode(),
    )


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file that are not blank, with their numbers from 1."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if number == 1:
                    line = line.removeprefix(BOM_UTF8)
                if line.strip():
                    # Bytes that are no UTF-8 must spoil their own line alone.
                    yield number, line.decode("utf-8", errors="surrogateescape").strip()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); give a JSONL file of records."
        ) from error


def parse_record(line: int, text: str) -> Record:
    """One line as a Record. Raises InputError, without file and line, where it is malformed."""
    value = _json(text, "the line")
    if not isinstance(value, dict):
        raise InputError("the line is not a JSON object.")
    messages = value.get("messages")
    if not isinstance(messages, list) or not messages:
        raise InputError("'messages' is missing or empty, expected a list of messages.")
    turns = tuple(_turns(messages))
    if not any(isinstance(turn, Call) for turn in turns):
        raise InputError("no message is of the role 'assistant', so there is nothing to learn.")
    if not isinstance(turns[0], User):
        raise InputError("the first message is not of the role 'user'.")
    return Record(line, turns, value)


def record_problem(record: Record, toolset: Toolset) -> str | None:
    """Why a record does not fit the toolset, as one sentence; None where it does."""
    for call in record.calls:
        if call.tool == RESPOND:
            if call.arguments:
                return f"'{RESPOND}' takes no arguments."
            continue
        if call.tool not in toolset.names:
            return f"'{call.tool}' is no tool of '{toolset.name}', expected one of " + (
                ", ".join(toolset.names) + "."
            )
        problem = arguments_problem(toolset[call.tool], call.arguments)
        if problem:
            return problem
    return None


def _turns(messages: list[Any]) -> Iterator[User | Call | Result]:
    waiting: list[tuple[str | None, Call]] = []
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise InputError(f"{where} is no object with a 'role'.")
        role = message["role"]
        if role == "tool":
            call = _answered(waiting, message.get("tool_call_id"), where)
            yield call
            yield Result(_content(message, where))
            continue
        yield from (call for _, call in waiting)
        waiting = []
        if role == "user":
            yield User(_content(message, where))
        elif role == "assistant":
            waiting = _calls(message, where)
            if not waiting:
                _content(message, where)
                yield RESPOND_CALL
        elif role not in ("system", "developer") or index > 0:
            raise InputError(
                f"{where} has the role '{role}', expected user, assistant or tool, or system as "
                "the first."
            )
    yield from (call for _, call in waiting)


def _answered(waiting: list[tuple[str | None, Call]], call_id: Any, where: str) -> Call:
    if not waiting:
        raise InputError(f"{where} is a tool's result but no call waits for one.")
    ids = [known for known, _ in waiting]
    if call_id is None or not any(ids):
        return waiting.pop(0)[1]
    if call_id not in ids:
        raise InputError(f"{where}.tool_call_id is {call_id!r}, which no call before it has.")
    return waiting.pop(ids.index(call_id))[1]


def _calls(message: Mapping[str, Any], where: str) -> list[tuple[str | None, Call]]:
    entries = message.get("tool_calls")
    for key in ("function_call", "tool_call"):
        if message.get(key):
            raise InputError(f"{where} has the key '{key}', expected a list 'tool_calls'.")
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise InputError(f"{where}.tool_calls is not a list.")
    return [_call(entry, f"{where}.tool_calls[{index}]") for index, entry in enumerate(entries)]


def _call(entry: Any, where: str) -> tuple[str | None, Call]:
    function = entry.get("function", entry) if isinstance(entry, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise InputError(f"{where} has no function with a 'name'.")
    if "arguments" not in function:
        raise InputError(f"{where} has no 'arguments', expected an object or its JSON text.")
    arguments = function["arguments"]
    if isinstance(arguments, str):
        arguments = _json(arguments, f"{where}: the text of 'arguments'")
    if not isinstance(arguments, dict):
        raise InputError(f"{where}: 'arguments' is not an object.")
    return entry.get("id"), Call(function["name"], arguments)


def _content(message: Mapping[str, Any], where: str) -> str:
    content = message.get("content")
    if isinstance(content, list) and all(
        isinstance(part, dict) and isinstance(part.get("text"), str) for part in content
    ):
        content = "".join(part["text"] for part in content)
    if message["role"] == "tool" and not isinstance(content, str):
        return json.dumps(content, ensure_ascii=False)
    if not isinstance(content, str) or (message["role"] == "user" and not content.strip()):
        raise InputError(f"{where}.content is {content!r:.60}, expected a text.")
    return content


def _json(text: str, what: str) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no JSON")

    try:
        text.encode()  # a byte that is no UTF-8 was kept as a lone surrogate
        value = json.loads(text, parse_constant=refuse)
        json.dumps(value, ensure_ascii=False).encode()  # "\\ud800" is JSON, but no text
    except UnicodeEncodeError:
        raise InputError(f"{what} is not UTF-8.") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what} is not JSON ({error}).") from error
    return value
