"""A system asked record after record; one that it cannot be asked is left out, and named.

Knows neither tools nor scores. A record's steps belong together: where one is too long, the others
are left out with it.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Generic, TypeVar

from edgetune_export.progress import track
from edgetune_runtime.errors import ContextError, GrammarError, InputError
from edgetune_runtime.options import Options

Asked = TypeVar("Asked")
Given = TypeVar("Given")

TOO_LONG = "longer than the context"
NO_GRAMMAR = "with a tool that no grammar can hold"


@dataclass(frozen=True)
class LeftOut:
    """A record that is longer than the context, or has a tool to call without a grammar."""

    record: int
    """Which one, counted from 1."""
    request: str
    """What the user says in the step that could not be asked."""
    reason: str
    kind: str = TOO_LONG
    """The reason in few words: `TOO_LONG` or `NO_GRAMMAR`."""

    def as_json(self) -> dict[str, Any]:
        """The fields as one JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class Answers(Generic[Asked, Given]):
    """The steps of the records that could be asked, and what was answered."""

    steps: tuple[Asked, ...]
    given: tuple[Given, ...]
    """One for each of `steps`."""
    lengths: tuple[int, ...]
    """How many of `steps` each record gave; empty where that was not told."""
    left_out: tuple[LeftOut, ...]


def ask(
    steps: Sequence[Asked],
    lengths: Sequence[int],
    options: Options,
    answer: Callable[[Asked, Options], Given],
    request: Callable[[Asked], str],
    title: str | None,
) -> Answers[Asked, Given]:
    """What `answer` gives for every step, each sampled with a seed of its own.

    `lengths` says how many of the consecutive steps each record gave; empty, each is a record.
    `request` tells what the user says in a step. `title` shows a bar on standard error. Raises
    InputError where every record is left out.
    """
    rest = zip(steps, _seeded(options), strict=False)
    records = [list(itertools.islice(rest, length)) for length in lengths or [1] * len(steps)]
    kept: list[list[tuple[Asked, Given]]] = []
    left_out: list[LeftOut] = []
    for number, record in enumerate(track(records, title) if title else records, 1):
        answered: list[tuple[Asked, Given]] = []
        try:
            for step, seeded in record:
                answered.append((step, answer(step, seeded)))
        except (ContextError, GrammarError) as error:
            kind = TOO_LONG if isinstance(error, ContextError) else NO_GRAMMAR
            left_out.append(LeftOut(number, request(step), str(error), kind))
        else:
            kept.append(answered)
    if left_out and not kept:
        raise InputError(
            f"data: not one of its records ({len(records)}) fits: {left_out[0].reason}"
        )
    pairs = [pair for record in kept for pair in record]
    return Answers(
        tuple(step for step, _ in pairs),
        tuple(given for _, given in pairs),
        tuple(len(record) for record in kept) if lengths else (),
        tuple(left_out),
    )


def _seeded(options: Options) -> Iterator[Options]:
    """Options for one step after the other."""
    for index in itertools.count():
        yield replace(options, seed=options.seed + index)
