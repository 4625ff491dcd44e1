"""Records: conversations read into turns and calls, whatever format they came in.

`readers` knows the formats and `messages` what one message says; a record in the conversational
format of OpenAI and TRL is what they make of it. What a model sees of it (rendering, tokens, masks)
is not known here.

- A call is followed by its result (role `tool`) and by the next step; several calls in one message
  become one step each, each followed by its own result.
- An assistant message without a call is a step that ends in `respond`; its words are not kept.
- A leading system message is left out: the prompt's own prefix, with the tools, takes its place.
- A message whose weight is 0 teaches nothing; to the steps after it, it is history.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgetune.data.absent import without_absent
from edgetune.data.inline_tools import inline_tools
from edgetune.data.lines import numbered_lines, parse_json
from edgetune.data.messages import Message, read_message
from edgetune.data.readers import ANSWER, READERS, find_reader, shown_keys
from edgetune.data.written_calls import mentioned_tool
from edgetune.tools.schema import arguments_problem
from edgetune_export.grammar.order import arguments_json
from edgetune_runtime.calls import RESPOND, RESPOND_CALL, Call, Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import write_bytes
from edgetune_runtime.prompt import Assistant, Called, Result, Turn, User


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
    """The record in the conversational format; as it stood, where it came in that."""
    untaught: frozenset[int] = frozenset()
    """The calls that teach nothing, as indices of `turns`."""
    messages: tuple[Message, ...] = field(default=(), repr=False, compare=False)
    """What the turns were read from."""

    @property
    def calls(self) -> tuple[Call, ...]:
        """The call of each step, `respond` among them, whether it is taught or not."""
        return tuple(turn for turn in self.turns if isinstance(turn, Call))

    @property
    def taught_calls(self) -> tuple[Call, ...]:
        """The call of each step that is taught."""
        return tuple(
            turn
            for index, turn in enumerate(self.turns)
            if isinstance(turn, Call) and index not in self.untaught
        )

    @property
    def written(self) -> Counter[str]:
        """How many of its messages hold calls as text, by the form they are written in."""
        return Counter(message.written for message in self.messages if message.written)

    def steps(self, toolset: Toolset) -> list[Example]:
        """One example for each call that is taught; earlier calls and results are its turns.

        A record has the tools' public names, an example those that prompts have.
        """
        examples: list[Example] = []
        before: list[Turn] = []
        for index, turn in enumerate(self.turns):
            if isinstance(turn, Call):
                call = toolset.resolve(turn)
                if index not in self.untaught:
                    examples.append(Example(tuple(before), call))
                before.append(_turn(call, toolset))
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
    """Every record of a file, in whatever format, each valid against the schemas of `toolset`.

    Raises InputError at the first line that is not, in one sentence with its number.
    """
    records = []
    format = find_reader(path)
    for number, text in numbered_lines(path):
        try:
            records.append(read_record(number, text, format, toolset))
        except InputError as error:
            raise InputError(
                f"{path}:{number}: {error} `edgetune data check` drops such lines."
            ) from error
    if not records:
        raise InputError(f"{path}: holds no records; give a JSONL file with one a line.")
    return records


def read_record(line: int, text: str, format: str, toolset: Toolset) -> Record:
    """One object of a file of `format` as a Record of `toolset`.

    Raises InputError, without file and line, where it is malformed or does not fit the toolset.
    """
    record = fitted(parse_record(line, text, format), toolset)
    problem = record_problem(record, toolset)
    if problem:
        raise InputError(problem)
    return record


def write_jsonl(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON objects, one a line, whole or not at all."""
    write_bytes(path, jsonl(records))


def jsonl(records: Iterable[Mapping[str, Any]]) -> bytes:
    """JSON objects, one a line."""
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records).encode()


def parse_record(line: int, text: str, format: str = "messages") -> Record:
    """One object as a Record; `format` is a key of `READERS`.

    Raises InputError, without file and line, where it is malformed.
    """
    value = parse_json(text, "the line")
    if not isinstance(value, dict):
        raise InputError("the line is not a JSON object.")
    reader = READERS[format]
    if value and not reader.fits(value):
        lacking = ", ".join(f"'{key}'" for key in sorted(reader.keys) if value.get(key) is None)
        raise InputError(
            f"{lacking} is missing or empty, as the format {format} of this file has it; the "
            f"record {shown_keys(value)}."
        )
    messages = [
        message for where, said in reader.messages(value) for message in read_message(where, said)
    ]
    return _record(line, messages, value, format)


def fitted(record: Record, toolset: Toolset) -> Record:
    """`record` without the nulls in its calls that stand for absent arguments of `toolset`."""
    messages = []
    for message in record.messages:
        calls = tuple(
            (call_id, replace(call, arguments=without_absent(toolset[call.tool], call.arguments)))
            if call.tool in toolset
            else (call_id, call)
            for call_id, call in message.calls
        )
        messages.append(message if calls == message.calls else message.with_calls(calls))
    if all(new is old for new, old in zip(messages, record.messages, strict=True)):
        return record
    return _record(record.line, messages, record.source)


def _record(
    line: int, messages: list[Message], value: Mapping[str, Any], format: str = "messages"
) -> Record:
    """The turns of `messages`; `value`, of `format`, is what they came in."""
    pairs = tuple(_turns(messages))
    turns = tuple(turn for turn, _ in pairs)
    if not any(isinstance(turn, Call) for turn in turns):
        raise InputError("no message is of the role 'assistant', so there is nothing to learn.")
    if not any(learnt and isinstance(turn, Call) for turn, learnt in pairs):
        raise InputError("every message of the assistant has the weight 0, so nothing is learnt.")
    if not isinstance(turns[0], User):
        raise InputError("the first message is not of the role 'user'.")
    untaught = frozenset(
        index for index, (turn, learnt) in enumerate(pairs) if isinstance(turn, Call) and not learnt
    )
    return Record(line, turns, _source(value, messages, format), untaught, tuple(messages))


def _source(value: Mapping[str, Any], messages: list[Message], format: str) -> Mapping[str, Any]:
    """A record of `format` in the conversational one; the same object where it is in that."""
    said = [message.source for message in messages]
    if format != "messages":
        tools = inline_tools(value, format)
        kept = {key: value[key] for key in ("toolset",) if value.get(key) is not None}
        return {"messages": said, **({"tools": tools} if tools else {}), **kept}
    if value.get("functions") and not value.get("tools"):
        rest = {k: v for k, v in value.items() if k not in ("functions", "function_call")}
        return {**rest, "messages": said, "tools": inline_tools(value, format)}
    return value if said == value["messages"] else {**value, "messages": said}


def record_problem(record: Record, toolset: Toolset) -> str | None:
    """Why a record does not fit the toolset, as one sentence; None where it does."""
    for call in record.calls:
        if call == RESPOND_CALL:
            continue
        if call.tool not in toolset:
            if call.tool == RESPOND:
                return f"'{RESPOND}' takes no arguments."
            return f"'{call.tool}' is no tool of '{toolset.name}', expected one of " + (
                ", ".join(toolset.public.names) + "."
            )
        problem = arguments_problem(toolset[call.tool], call.arguments)
        if problem:
            return problem
    for message in record.messages:
        if message.role == "assistant" and not message.calls and message.learnt:
            seen = mentioned_tool(message.content or "", toolset.public.names[:-1])
            if seen:
                return (
                    f"{message.where} has no call, but its words hold what looks like one "
                    f"({seen!r:.60}); write it in 'tool_calls', or the words without it."
                )
    return None


def _turns(messages: Iterable[Message]) -> Iterator[tuple[User | Call | Result, bool]]:
    """Each turn, and whether it is taught."""
    waiting: list[tuple[str | None, Call, bool]] = []
    for index, message in enumerate(messages):
        if message.role == "tool":
            _, call, learnt = _answered(waiting, message.answers, message.where)
            yield call, learnt
            yield Result(message.content or ""), False
            continue
        yield from ((call, learnt) for _, call, learnt in waiting)
        waiting = []
        if message.role == "user":
            yield User(message.content or ""), False
        elif message.role == "assistant":
            waiting = [(call_id, call, message.learnt) for call_id, call in message.calls]
            if not waiting:
                yield RESPOND_CALL, message.learnt
        elif index > 0:
            raise InputError(
                f"{message.where} has the role 'system', expected user, assistant or tool, or "
                "system as the first."
            )
    yield from ((call, learnt) for _, call, learnt in waiting)


def _answered(
    waiting: list[tuple[str | None, Call, bool]], call_id: str | None, where: str
) -> tuple[str | None, Call, bool]:
    if not waiting:
        raise InputError(f"{where} is a tool's result but no call waits for one.")
    ids = [known for known, _, _ in waiting]
    if call_id is None or not any(ids):
        return waiting.pop(0)
    if call_id not in ids:
        raise InputError(f"{where}.tool_call_id is {call_id!r}, which no call before it has.")
    return waiting.pop(ids.index(call_id))
