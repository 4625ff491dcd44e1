"""How a tool is asked for: a verb and its object, from the tool's name and its description.

"git_log", "Shows the commit logs": "show me the commit logs", "what was committed". The phrases
stand in phrases.json. Knows names and sentences: not parameters, and no whole requests.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from edgetune.generate.guess import split_words
from edgetune.invent.gazetteer import english
from edgetune_runtime.calls import Tool

PHRASES: dict[str, Any] = json.loads(
    resources.files("edgetune.generate").joinpath("phrases.json").read_text(encoding="utf-8")
)
LONGEST = 4
"""Words of an object that a description gives; longer ones are explanations."""
_STOP, _FILLER = frozenset(PHRASES["stop"]), frozenset(PHRASES["filler"])
_GROUPS: dict[str, Mapping[str, Any]] = {
    name: group for group in PHRASES["verbs"] for name in group["names"]
}
_OTHER = {"do": ["{verb} {o}"], "ask": [], "article": "the"}


@dataclass(frozen=True)
class Reading:
    """One way to see a tool: a verb and what it is done to."""

    verb: str
    object: str
    """Without its article; "" where the verb needs none, or the arguments say it."""
    tail: str = ""
    """What comes after the object: "with sizes"."""

    @property
    def plural(self) -> bool:
        """Whether there are several of the object."""
        return is_plural(self.object)


@dataclass(frozen=True)
class Wording:
    """How requests for a reading begin. "{o}" stands for an object with its article."""

    reading: Reading
    do: Sequence[str]
    ask: Sequence[str]
    head_do: Sequence[str]
    """Only with a value that stands for the object: "{h}"."""
    head_ask: Sequence[str]
    bare_do: Sequence[str]
    """Those of `do` that suit a value alone in the object's place."""
    frames: Sequence[str]
    """Whole requests: "{head}", "{from}" and "{to}" are the values of three parameters."""
    objects: Sequence[str]
    """The object with its articles; empty where there is none."""
    alone: bool = True
    """Whether a value may take the object's place, though another tool does the same."""


def wordings(tool: Tool, prefix: Sequence[str], others: Iterable[Tool] = ()) -> list[Wording]:
    """The ways to ask for `tool`, whose name begins with `prefix` as all of its toolset do."""
    theirs = [each for other in others if other is not tool for each in readings(other, prefix)]
    ours = readings(tool, prefix)
    named = {(each.verb, each.object) for each in theirs}
    kept = [each for each in ours if (each.verb, each.object) not in named]
    return [_wording(each, tool, theirs) for each in kept or ours[:1]]


def common_prefix(tools: Sequence[Tool]) -> tuple[str, ...]:
    """The words with which the names of most tools begin: "git"."""
    names = [_name_words(tool) for tool in tools]
    firsts = [words[0] for words in names if len(words) > 1]
    first = max(set(firsts), key=firsts.count, default="")
    if len(names) > 2 and firsts.count(first) > 0.7 * len(names) and first not in _GROUPS:
        return (first,)
    return ()


def readings(tool: Tool, prefix: Sequence[str]) -> list[Reading]:
    """The tool's verbs and objects: as its name has them, then as its description has."""
    words = _name_words(tool)
    full = words
    if len(words) > len(prefix) and tuple(words[: len(prefix)]) == tuple(prefix):
        words = words[len(prefix) :]
    described = _described(tool.description)
    acts = words[0] in _GROUPS or _told(words, tool.description) or len(words) > 1
    acts = acts and (is_verb(words[0]) or _told(words, tool.description) or words[1:2] == ["to"])
    found = []
    if acts:
        item, tail = _object_of(words[1:])
        if not item and described and described.object not in PHRASES["general"]:
            item = _without_general(described.object)
        found.append(Reading(words[0], item, tail))
    else:
        found += [Reading("get", each) for each in dict.fromkeys((_noun(words), _noun(full)))]
    if described and described.object and described.object not in PHRASES["general"]:
        if not acts:
            last = singular(described.object.split()[-1])
            # "git_branch", "List Git branches": the name says no more.
            same = [each for each in found if each.object.split()[-1] == last]
            found = [described, *(each for each in found if each not in same)]
        elif _GROUPS.get(described.verb, 0) is _GROUPS.get(words[0], 1):
            found.append(described)
    return list(dict.fromkeys(found))


def is_verb(word: str) -> bool:
    """Whether a name that begins with `word` tells what to do."""
    return word in _GROUPS or (word in english("verb") and word not in english("noun"))


def _told(words: Sequence[str], description: str) -> bool:
    """Whether a description begins with a name's verb: `upload_to_cloud`, "Uploads a file"."""
    told = description.lower().split()[:2]
    if len(told) < 2 or told[0] not in (words[0], f"{words[0]}s", f"{words[0]}es"):
        return False
    noun = words[0] in english("noun")
    return not noun or (told[1] not in words[1:2] and told[1] not in _STOP)


def _name_words(tool: Tool) -> list[str]:
    return split_words(tool.original or tool.name).split() or [tool.name]


def _noun(words: Sequence[str]) -> str:
    """ "diff unstaged" is "unstaged diff"."""
    if len(words) > 1 and words[-1].endswith("ed"):
        words = [words[-1], *words[:-1]]
    return " ".join(words)


def _object_of(words: Sequence[str]) -> tuple[str, str]:
    """Object and tail: "directory with sizes"."""
    cut = next((i for i, word in enumerate(words) if word in _STOP), len(words))
    kept = [word for word in words[:cut] if word not in _FILLER]
    tail = " ".join(words[cut:]) if len(words) - cut > 1 else ""
    return " ".join(kept or words[:cut]), "" if words[cut:][:1] in (["and"], ["or"]) else tail


def _without_general(noun: str) -> str:
    """ "file contents" is about a file."""
    words = noun.split()
    while words and words[-1] in PHRASES["general"]:
        words.pop()
    return " ".join(words)


def _described(description: str) -> Reading | None:
    """ "Shows the commit logs" is the verb "show" with "commit logs"."""
    sentence = re.split(r"[.;:(\n–]|,(?= )", description.strip(), maxsplit=1)[0]
    words = re.findall(r"[\w'/-]+", sentence)
    if len(words) < 2:
        return None
    verb = _base(words[0].lower())
    if not verb:
        return None
    rest = [word if word.isupper() and len(word) > 1 else word.lower() for word in words[1:]]
    cut = next((i for i, word in enumerate(rest) if word.lower() in _STOP), len(rest))
    if rest[cut : cut + 1] == ["of"] and rest[cut - 1] in ("list", "number", "set", "view"):
        return (
            _described(" ".join([words[0], *words[cut + 2 :]])) if rest[cut - 1] == "list" else None
        )
    clause = rest[cut : cut + 1] == ["that"] and len(rest) <= LONGEST + 2
    kept = [word for word in rest[:cut] if word.lower() not in _FILLER]
    if description.strip()[len(sentence) : len(sentence) + 1] == "," and len(kept) < 2:
        return None  # "simulated, random-leveled logging"
    if clause and kept and description.strip()[len(sentence) :][:1] != ",":
        return Reading(verb, " ".join(kept), " ".join(rest[cut:]))
    return Reading(verb, " ".join(kept)) if 0 < len(kept) <= LONGEST else None


def _base(word: str) -> str:
    """The verb that a description begins with, in its plain form; "" where that is none."""
    for base in (word, word.removesuffix("s"), word.removesuffix("es"), word[:-3] + "y"):
        if base in _GROUPS or base in english("verb"):
            return base
    return ""


def _wording(reading: Reading, tool: Tool, theirs: Sequence[Reading]) -> Wording:
    group = _GROUPS.get(reading.verb, _OTHER)
    do = [each.replace("{verb}", reading.verb) for each in group["do"]]
    ask, head_ask = list(group["ask"]), list(group.get("head_ask", ()))
    head_do: list[str] = []
    frames: list[str] = []
    if reading.verb not in group.get("names", ()):
        head_ask = []
    about = {*_name_words(tool), *split_words(tool.description).split()}
    for special in PHRASES["objects"]:
        if reading.object in special["names"] and special.get("only", reading.verb) in about | {
            reading.verb
        }:
            do, ask = (
                special.get("order", do),
                special.get("ask", [] if "order" in special else ask),
            )
            head_do = special.get("do", head_do)
            frames = special.get("frames", frames)
    last = singular(reading.object.split()[-1]) if reading.object else ""
    rival = any(
        each.verb == reading.verb
        and each.object
        and singular(each.object.split()[-1]) == last
        and len(each.object) < len(reading.object)
        and each.plural == reading.plural
        for each in theirs
    )
    return Wording(
        reading,
        do,
        ask,
        head_do,
        head_ask,
        list(group.get("head", do)),
        frames,
        _with_articles(reading, group["article"]),
        not rival,
    )


def _with_articles(reading: Reading, article: str) -> list[str]:
    if not reading.object:
        return [reading.tail] if reading.tail else []
    item = f"{reading.object} {reading.tail}".strip()
    if reading.plural or reading.object.split()[-1] in PHRASES["uncountable"]:
        if article == "the" and reading.plural:
            return [f"the {item}", item, f"all {item}"]
        return [f"the {item}" if article == "the" else item]
    if article == "a":
        return [a(item), a(item), f"a new {item}" if reading.verb == "create" else a(item)]
    return [f"the {item}"] if article == "the" else [a(item), item]


def a(noun: str) -> str:
    """`noun` with the indefinite article."""
    vowel = noun[:1].lower() in "aeiou" and not re.match(r"(?i)(uni|use|eu|one\b)", noun)
    return f"an {noun}" if vowel else f"a {noun}"


def is_plural(noun: str) -> bool:
    """Whether a noun ends as those of several things do."""
    last = noun.split()[-1] if noun else ""
    return last in ("people", "children") or bool(
        len(last) > 3 and re.search(r"[^sui]s$|ies$", last) and last not in PHRASES["uncountable"]
    )


def singular(noun: str) -> str:
    """`noun` as one of several things."""
    if noun.endswith("ies"):
        return noun[:-3] + "y"
    if noun.endswith(("ches", "shes", "xes", "sses")):
        return noun[:-2]
    return noun[:-1] if is_plural(noun) and noun.endswith("s") else noun
