"""Asks for a tool: which of its parameters a request says, and what people add around it.

Each split has openings and connectors of its own. `sentences` puts the words in order; `wording`
knows the verbs and objects, `about` the parameters.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from edgetune.generate.guess import split_words, switch_phrases
from edgetune.generate.kinds import known_switch, role_of
from edgetune.generate.sentences import Asked, sentence
from edgetune.generate.spoken import about_parameter, plain_schema
from edgetune.generate.tool_values import Spoken
from edgetune.generate.wording import PHRASES, Wording, common_prefix, wordings
from edgetune.invent import lexicon as lx
from edgetune.invent.requests import Request
from edgetune.invent.tools import Invented
from edgetune_runtime.calls import Tool

QUOTED_SHARE = 0.12
"""Of the texts, those that a request puts in quotes."""
OPTIONAL = {True: (38, 42, 17, 3, 0), False: (6, 26, 32, 24, 12)}
"""Weights of none to four optional parameters, with required ones beside them and without."""


_UNSAID = (
    "cursor",
    "token",
    "nonce",
    "checksum",
    "signature",
    "hash",
    "uuid",
    "metadata",
    "offset",
)
"""Names of what a request hardly says where it need not."""


@dataclass(frozen=True)
class Askable:
    """A tool with what is needed to ask for it."""

    name: str
    wordings: Sequence[Wording]
    asked: Sequence[Asked]
    openers: Sequence[str]
    closers: Sequence[str]


def askable(
    tool: Tool, split: str, others: Sequence[Tool] = (), *, checked: bool = True
) -> Askable:
    """`tool`, which is one of `others`, in the turns of phrase of `split`.

    Where only the words of its requests are wanted, its values need not be `checked`.
    """
    required = tool.parameters.get("required", ())
    asked = [_asked(tool, name, name in required, split, checked) for name in tool.properties]
    found = [
        replace(
            each,
            do=held_out(each.do, split),
            ask=held_out(each.ask, split),
            head_ask=held_out(each.head_ask, split),
            head_do=held_out(each.head_do, split),
            bare_do=held_out(each.bare_do, split),
            frames=held_out(each.frames, split),
        )
        for each in wordings(tool, common_prefix(others), others)
    ]
    openers, closers = (held_out(PHRASES[key], split) for key in ("openers", "closers"))
    return Askable(tool.name, found, asked, openers, closers)


def held_out(options: Sequence[str], split: str) -> Sequence[str]:
    """Those of `options` that belong to `split`: every fifth to dev and test, the rest to train."""
    distinct = list(dict.fromkeys(options))
    if len(distinct) < 5:
        return distinct
    return [
        option for index, option in enumerate(distinct) if (index % 5 == 4) != (split == "train")
    ]


def _asked(tool: Tool, name: str, required: bool, split: str, checked: bool) -> Asked:
    schema = plain_schema(tool.properties[name], tool.parameters)
    words = split_words(name) or name
    about = about_parameter(tool, name, checked=checked)
    about = replace(about, connectors=held_out(about.connectors, split))
    said: Mapping[bool, Sequence[str]] = {}
    if schema.get("type") == "boolean" and "enum" not in schema and "const" not in schema:
        ways = known_switch(words) or switch_phrases(words)
        said = {state: held_out(each, split) for state, each in ways.items()}
    return Asked(name, words, required, about, said, schema.get("default"))


def words_for(rng: Random, invented: Invented, split: str) -> str:
    """What a request for a made-up tool says."""
    function = invented.tool["function"]
    tool = Tool(invented.name, function.get("description", ""), function.get("parameters", {}))
    return ask(rng, askable(tool, split, checked=False)).text


def ask(rng: Random, tool: Askable, said: Mapping[str, Spoken] | None = None) -> Request:
    """A request for `tool` with its call; the parameters in `said` have these values."""
    lower = rng.random() < 0.3
    chosen = _chosen(rng, tool.asked, said or {})
    values: dict[str, Spoken] = {}
    for each in chosen:
        values[each.name] = (said or {}).get(each.name) or spoken(rng, each, lower)
        if role_of(each.words) == "to":
            known = [value for name, (_, value) in values.items() if name != each.name]
            while values[each.name][1] in known and each.name not in (said or {}):
                known.pop()  # to the same as from; tried once for each
                values[each.name] = spoken(rng, each, lower)
    _put_in_order(chosen, values)
    wording = tool.wordings[0 if rng.random() < 0.6 else rng.randrange(len(tool.wordings))]
    text, plain = sentence(rng, wording, chosen, values)
    text = _around(rng, text, tool, plain)
    starts = any(text.startswith(str(each)) for each, _ in values.values() if each)
    if not lower and rng.random() < 0.6 and not starts:
        text = text[:1].upper() + text[1:]
    arguments = {each.name: values[each.name][1] for each in tool.asked if each.name in values}
    return Request(" ".join(text.split()), tool.name, arguments)


def _put_in_order(chosen: Sequence[Asked], values: dict[str, Spoken]) -> None:
    """What starts on a day ends on a later one."""
    dated = [each for each in chosen if "%Y" in each.about.key and role_of(each.words)]
    if len(dated) == 2:
        first, last = sorted(dated, key=lambda each: role_of(each.words) != "from")
        if str(values[first.name][1]) > str(values[last.name][1]):
            values[first.name], values[last.name] = values[last.name], values[first.name]


def _chosen(rng: Random, asked: Sequence[Asked], said: Mapping[str, Spoken]) -> list[Asked]:
    """The required ones, those in `said`, and a few others, in the schema's order."""
    fixed = [each for each in asked if each.required or each.name in said]
    free = [each for each in asked if each not in fixed]
    wanted = rng.choices(range(5), OPTIONAL[bool(fixed)])[0]
    kept = list(fixed)
    for each in rng.sample(free, len(free)):
        if len(kept) - len(fixed) >= wanted:
            break
        alone = each.about.alone and any(each.about.alone == other.about.alone for other in kept)
        hidden = each.words.split()[-1] in _UNSAID
        likely = 0.05 if hidden else 1 if each.about.sayable else 0.4
        if not alone and rng.random() < likely:
            kept.append(each)
    return [each for each in asked if each in kept]


def spoken(rng: Random, asked: Asked, lower: bool = False) -> Spoken:
    """A value of the parameter; in lower case where that means the same."""
    if asked.said:
        usual = asked.default if isinstance(asked.default, bool) else False
        switch = usual if rng.random() < 0.2 else not usual
        return rng.choice(asked.said[switch]), switch
    assert asked.about.make is not None
    text, value = asked.about.make(rng)
    if lower and not asked.about.exact:
        text = text.lower()
        if isinstance(value, str):
            value = value.lower()
        elif isinstance(value, list):
            value = [each.lower() if isinstance(each, str) else each for each in value]
    if text and text == value and not re.search(r"[\"'\d:]", text[:1] + text[-1:]):
        mark = rng.choice('""\'') if rng.random() < QUOTED_SHARE else ""
        text = f"{mark}{text}{mark}"
    return text, value


def _around(rng: Random, text: str, tool: Askable, plain: bool) -> str:
    """`text` with what people add: "can you", a thank you, a full stop."""
    if plain and rng.random() < 0.45:
        opener = rng.choice(tool.openers)
        asks = "can you" in opener or "could you" in opener or opener.startswith("would")
        text = opener.replace("{x}", text)
        if asks and rng.random() < 0.5:
            return text + "?"
    elif rng.random() < 0.04:
        text = f"{rng.choice(lx.DISTRACTORS)}, {text}"
    if plain and rng.random() < 0.12:
        text += rng.choice(tool.closers)
    if not plain and rng.random() < 0.5 and re.match(r"(?:what|how|where|who|is|are|do)\b", text):
        return text + "?"
    return text + (rng.choice((".", ".", "!")) if rng.random() < 0.22 else "")
