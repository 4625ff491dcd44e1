"""Invents tools: an action on an object, with parameters drawn from concepts, in many styles.

It knows nothing of requests beyond keeping, per parameter, what one needs to speak of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from edgetune.invent import lexicon as lx
from edgetune.invent.concepts import (
    CHOICES,
    CONCEPTS,
    RIVALS,
    ROLE_PAIRS,
    SWITCHES,
    Concept,
    Maker,
    RolePair,
    pick_concept,
)
from edgetune.invent.domains import ACTIONS, DOMAINS, Domain
from edgetune.invent.words import pseudo_stem
from edgetune.invent.wordy import describe_at_length

SPECIAL = ("enum", "bool")
"""Entries of a domain that are no concepts: a parameter with listed values, a boolean one."""
REPEATED = ("unknown", "quantity", "whole", *SPECIAL)
"""What a tool may have several parameters of."""
WORDY_SHARE = 0.3
"""Of the tools that are no drills, those with long descriptions."""
RIVAL_SHARE = 0.35
"""Of the tools that are no drills, those with parameters that only their values tell apart."""


@dataclass
class Field:
    """One parameter: how the schema shows it and how a request says it."""

    words: str
    schema: dict[str, Any]
    required: bool
    connectors: Sequence[str]
    kind: str
    """concept, enum, bool, list or exact."""
    make: Maker | None = None
    type: str = "string"
    before_object: bool = False
    after_verb: bool = False
    names_object: bool = False
    said: dict[bool, Sequence[str]] = field(default_factory=dict)
    pseudo_name: bool = False
    name: str = ""
    rival: str = ""
    """The concept's key where other parameters of the tool are said in the same way."""
    speak: Callable[[Random], tuple[str, Any]] | None = None
    """Of kind exact: makes what the request says, letter for letter, and the call's value."""


@dataclass
class Invented:
    """A made-up tool (OpenAI function format) with what is needed to invent requests for it."""

    tool: dict[str, Any]
    action: str
    objects: Sequence[str]
    fields: list[Field]
    pseudo: bool
    openings: Sequence[str]
    """How requests begin; "{o}" stands for an object."""

    @property
    def name(self) -> str:
        """The tool's name."""
        name: str = self.tool["function"]["name"]
        return name


def style(words: str, how: str) -> str:
    """`words` as an identifier in the naming style `how`: snake, camel, dotted, kebab or Pascal."""
    parts = "".join(c if c.isalnum() and c.isascii() else " " for c in words).split() or ["x"]
    lower = [p.lower() for p in parts]
    if how == "camel":
        return lower[0] + "".join(p.capitalize() for p in lower[1:])
    if how == "pascal":
        return "".join(p.capitalize() for p in lower)
    if how == "dotted":
        return ".".join([lower[0], "_".join(lower[1:])]) if len(lower) > 1 else lower[0]
    if how == "kebab":
        return "-".join(lower)
    return "_".join(lower)


def invent_set(rng: Random, tools: int, copy_drill: bool = False) -> list[Invented]:
    """Tools with distinct names, near misses among them."""
    made: list[Invented] = []
    names = {"respond"}
    max_fields = 7 if tools <= 2 else 5
    while len(made) < tools:
        like = rng.choice(made) if made and rng.random() < 0.45 else None
        tool = invent_tool(rng, max_fields, copy_drill, like)
        if tool.name not in names:
            names.add(tool.name)
            made.append(tool)
    return made


def invent_tool(
    rng: Random, max_fields: int = 7, copy_drill: bool = False, like: Invented | None = None
) -> Invented:
    """A made-up tool; with `like`, a near miss of that one (same action or same object)."""
    how = rng.choices(["snake", "camel", "dotted", "kebab", "pascal"], [70, 14, 7, 4, 5])[0]
    domain, action = _subject(rng, like)
    objects, keys = domain.objects, domain.concepts
    roll = rng.random()
    pseudo = roll < 0.12 or (copy_drill and roll < 0.4)
    if pseudo:
        objects = (pseudo_stem(rng, (1, 3)),)
        action = rng.choice(list(ACTIONS))
    elif roll < 0.25:
        objects = (rng.choice(lx.COUNTABLE_THINGS),)
        action = rng.choice(list(ACTIONS))
        keys = ()
    function = _head(rng, action, objects, how, like is None, copy_drill)
    fields = _fields(rng, keys, objects, max_fields, copy_drill, pseudo)
    rng.shuffle(fields)
    kept: dict[str, Field] = {}
    for item in fields:
        item.name = style(item.words, how if how not in ("dotted", "pascal") else "snake")
        kept.setdefault(item.name, item)
    fields = list(kept.values())
    if rng.random() < 0.5:
        fields.sort(key=lambda f: not f.required)
    if not copy_drill and rng.random() < WORDY_SHARE:
        describe_at_length(rng, function, fields, ACTIONS[action].verbs, objects)
    if fields or rng.random() < 0.5:
        function["parameters"] = {
            "type": "object",
            "properties": {f.name: f.schema for f in fields},
            "required": [f.name for f in fields if f.required],
        }
    openings = ACTIONS[action].openings
    tool = {"type": "function", "function": function}
    return Invented(tool, action, objects, fields, pseudo, openings)


def _subject(rng: Random, like: Invented | None) -> tuple[Domain, str]:
    domain = rng.choice(DOMAINS)
    action = rng.choice(domain.actions)
    if like is None:
        return domain, action
    if rng.random() < 0.5 and not like.pseudo:
        domain = rng.choice([d for d in DOMAINS if set(d.objects) & set(like.objects)] or DOMAINS)
        others = [a for a in domain.actions if a != like.action]
        return domain, rng.choice(others or [a for a in ACTIONS if a != like.action])
    domain = rng.choice(
        [d for d in DOMAINS if like.action in d.actions and d.objects != like.objects] or DOMAINS
    )
    return domain, like.action if like.action in domain.actions else rng.choice(domain.actions)


def _head(
    rng: Random, action: str, objects: Sequence[str], how: str, free: bool, copy_drill: bool
) -> dict[str, Any]:
    """Name and description of a tool; with `free`, rarely a name that means nothing."""
    names, verbs = ACTIONS[action].names, ACTIONS[action].verbs
    subject = rng.choice(objects)
    words = f"{rng.choice(names)} {rng.choice([subject, rng.choice(objects)])}"
    shape = rng.random()
    if shape < 0.12:
        words = f"{subject} {rng.choice(names)}"
    elif shape < 0.17:
        words = f"{pseudo_stem(rng, (1, 2))} {words}"
    elif shape < 0.2:
        words = subject if len(subject) > 2 else words
    function: dict[str, Any] = {"name": style(words, how)}
    if free and rng.random() < 0.06 and not copy_drill:
        function["name"] = style(pseudo_stem(rng, (2, 4)), how)
    verb = rng.choice(verbs)
    plain = rng.choice(
        [
            f"{verb} a {subject}",
            f"{verb} {subject}",
            f"{verb} the {subject}",
            f"Use this to {verb.lower()} {subject}",
            f"{verb} {rng.choice(objects)} or {rng.choice(objects)}",
            f"{subject.capitalize()}: {verb.lower()}",
        ]
    )
    if rng.random() < 0.92:
        tail = rng.choice(["for the user", "by name", "online", "in the app", "on the phone"])
        function["description"] = plain + rng.choice([".", "", ".", f" {tail}."])
    return function


def _fields(
    rng: Random,
    keys: Sequence[str],
    objects: Sequence[str],
    max_fields: int,
    copy_drill: bool,
    pseudo: bool,
) -> list[Field]:
    pool = [k for k in keys if k not in SPECIAL]
    special = [k for k in keys if k in SPECIAL]
    count = min(max_fields, rng.choices(range(8), [4, 17, 25, 22, 15, 9, 5, 3])[0])
    if copy_drill:
        count = rng.randint(1, 2)
    fields: list[Field] = []
    if not copy_drill and not pseudo and rng.random() < RIVAL_SHARE:
        fields = _rivals(rng, keys, objects)
        count = max(count, rng.randint(len(fields), max_fields))
    taken = {item.rival for item in fields}
    paired = False
    while len(fields) < count:
        roll = rng.random()
        if copy_drill and roll < 0.65:
            entry = "unknown"
        elif roll < 0.1:
            entry = rng.choice(["enum", "bool", "enum"])
        elif pool and not pseudo and roll < 0.82:
            entry = rng.choice(pool)
        elif special and roll < 0.9:
            entry = rng.choice(special)
        else:
            entry = pick_concept(rng).key
        if entry in taken and entry not in REPEATED:
            if roll < 0.5:
                pool = [k for k in pool if k not in taken]
            continue
        if entry in SPECIAL and copy_drill:
            continue
        made = _field(rng, entry, objects, copy_drill)
        fields.append(made)
        taken.add(entry)
        pairs = [p for p in ROLE_PAIRS if entry in p.fits]
        if pairs and not paired and rng.random() < 0.22 and len(fields) < count and not copy_drill:
            pair = rng.choice(pairs)
            twin = _field(rng, entry, objects, False)
            _tell_apart(rng, pair, made, twin)
            fields.append(twin)
            paired = True
    return fields


def _rivals(rng: Random, keys: Sequence[str], objects: Sequence[str]) -> list[Field]:
    """Two to four parameters that only their values tell apart, mostly such as suit the domain."""
    suited = [rivals for rivals in RIVALS if rivals.names.keys() & set(keys)]
    rivals = rng.choice(suited if suited and rng.random() < 0.8 else RIVALS)
    chosen = rng.sample(list(rivals.names), min(len(rivals.names), rng.randint(2, 4)))
    fields = []
    for key in chosen:
        item = _field(rng, key, objects, False)
        item.rival, item.required, item.kind = key, rng.random() < 0.1, "concept"
        item.pseudo_name = item.before_object = item.names_object = False
        item.words, item.connectors = rng.choice(rivals.names[key]), rivals.connectors
        item.schema = {"type": "string"}
        if rng.random() < 0.5 and CONCEPTS[key].descriptions:
            item.schema["description"] = rng.choice(CONCEPTS[key].descriptions)
        fields.append(item)
    return fields


def _tell_apart(rng: Random, pair: RolePair, first: Field, second: Field) -> None:
    """Makes two fields of one concept the two roles of `pair`."""
    for role, item in enumerate((first, second)):
        item.connectors, item.words, item.pseudo_name = (
            (pair.connectors[role],),
            pair.names[role],
            False,
        )
        item.before_object = item.after_verb = item.names_object = False
        item.schema.pop("description", None)
        if rng.random() < 0.6:
            item.schema["description"] = pair.descriptions[role]
        item.schema["type"], item.type, item.kind = first.schema["type"], first.type, first.kind
        if "items" in first.schema:
            item.schema["items"] = first.schema["items"]


def _field(rng: Random, entry: str, objects: Sequence[str], copy_drill: bool) -> Field:
    if entry == "enum":
        return _enum_field(rng)
    if entry == "bool":
        return _bool_field(rng)
    return _concept_field(rng, CONCEPTS[entry], objects, copy_drill)


def _enum_field(rng: Random) -> Field:
    choice = rng.choice(CHOICES)
    connectors = choice.connectors
    options = rng.sample(choice.values, min(len(choice.values), rng.randint(2, 6)))
    if rng.random() < 0.15:
        made = [pseudo_stem(rng, (1, 2)) for _ in range(rng.randint(2, 5))]
        options = list(dict.fromkeys(made))
        connectors = ("as {v}", "{v}", "in {v} mode", "with {v}", "set to {v}")
    words = rng.choice(choice.names)
    schema: dict[str, Any] = {"type": "string", "enum": options}
    if rng.random() < 0.4:
        schema["description"] = rng.choice(
            [words, f"the {words}", f"which {words}", f"{words} to use"]
        )
    required = rng.random() < 0.35
    return Field(words, schema, required, connectors, "enum", make=lambda r: r.choice(options))


def _bool_field(rng: Random) -> Field:
    switch = rng.choice(SWITCHES)
    words = rng.choice(switch.names)
    schema: dict[str, Any] = {"type": "boolean"}
    if rng.random() < 0.6:
        schema["description"] = rng.choice(switch.descriptions)
    said = {True: switch.yes, False: switch.no}
    return Field(words, schema, rng.random() < 0.15, (), "bool", type="boolean", said=said)


def _concept_field(
    rng: Random, concept: Concept, objects: Sequence[str], copy_drill: bool
) -> Field:
    words = rng.choice(concept.names)
    pseudo = concept.key == "unknown" or rng.random() < 0.04
    if pseudo:
        if rng.random() < 0.8:
            words = pseudo_stem(rng, (1, 3))
        else:
            words = f"{pseudo_stem(rng, (1, 2))} {rng.choice(['name', 'id', 'code', 'type'])}"
    elif rng.random() < 0.1:
        words = f"{rng.choice(objects)} {words}"
    kind, type_ = "concept", concept.type
    if type_ == "integer" and rng.random() < 0.12:
        type_ = rng.choice(["number", "string"])
    schema: dict[str, Any] = {"type": type_}
    if type_ == "string" and concept.after_verb and rng.random() < 0.03 and not copy_drill:
        kind = "list"
        schema = {"type": "array", "items": {"type": "string"}}
    if concept.descriptions and rng.random() < 0.6:
        schema["description"] = rng.choice(concept.descriptions)
    elif pseudo and rng.random() < 0.4:
        schema["description"] = rng.choice(
            [f"the {words}", f"name of the {words}", f"which {words}", "a word", "as given"]
        )
    return Field(
        words,
        schema,
        required=rng.random() < 0.45,
        connectors=concept.connectors,
        kind=kind,
        make=concept.make,
        type=type_,
        before_object=concept.before_object,
        after_verb=concept.after_verb,
        names_object=concept.names_object and not pseudo,
        pseudo_name=pseudo,
    )
