"""JSON Schemas as languages: nothing too much (jsonschema), nothing too little, oracles agree."""

import hashlib
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from edgetune_export.grammar.arguments import arguments_language, arguments_limits, narrowing
from edgetune_export.grammar.formats import FORMATS
from edgetune_export.grammar.limits import ROOM
from edgetune_export.grammar.order import arguments_json
from edgetune_export.grammar.regular import minimal
from edgetune_runtime.calls import Tool
from edgetune_runtime.errors import GrammarError

TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from('"\\\n\t'), max_size=5
)
KEYS = st.text('abc"é _', min_size=1, max_size=3)
QUICK = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def leaf(draw):
    """A leaf schema and a strategy of values that satisfy it."""
    kind = draw(
        st.sampled_from(["string", "integer", "number", "boolean", "null", "enum", "const"])
    )
    if kind == "string":
        least, more = draw(st.integers(0, 3)), draw(st.integers(0, 4))
        bounds = draw(st.sampled_from([{}, {"minLength": least, "maxLength": least + more}]))
        texts = TEXT.filter(lambda t: not bounds or least <= len(t) <= least + more)
        return {"type": "string", **bounds}, texts if not bounds else st.text(
            "aé😀", min_size=least, max_size=least + more
        )
    if kind == "integer":
        low, high = sorted((draw(st.integers(-200, 200)), draw(st.integers(-200, 200))))
        bounds = draw(st.sampled_from([{}, {"minimum": low}, {"minimum": low, "maximum": high}]))
        return {"type": "integer", **bounds}, st.integers(
            bounds.get("minimum", -(10**9)), bounds.get("maximum", 10**9)
        )
    if kind == "number":
        return {"type": "number"}, st.floats(-1e300, 1e300) | st.integers(-(10**9), 10**9)
    if kind == "boolean":
        return {"type": "boolean"}, st.booleans()
    if kind == "null":
        return {"type": ["null", "integer"]}, st.none() | st.integers(-9, 9)
    values = draw(st.lists(TEXT | st.integers(-99, 99) | st.booleans(), min_size=1, max_size=3))
    if kind == "const":
        return {"const": values[0]}, st.just(values[0])
    return {"enum": values}, st.sampled_from(values)


def grown(inner):
    @st.composite
    def array(draw):
        item, values = draw(inner)
        least, more = draw(st.integers(0, 2)), draw(st.integers(0, 2))
        schema = {"type": "array", "items": item, "minItems": least, "maxItems": least + more}
        return schema, st.lists(values, min_size=least, max_size=least + more)

    @st.composite
    def either(draw):
        (left, a), (right, b) = draw(inner), draw(inner)
        return {"anyOf": [left, right]}, a | b

    return array() | either() | objects(inner)


@st.composite
def objects(draw, inner):
    members = draw(st.dictionaries(KEYS, st.tuples(inner, st.booleans()), max_size=4))
    schema = {
        "type": "object",
        "properties": {key: child for key, ((child, _), _) in members.items()},
        "required": [key for key, (_, required) in members.items() if required],
        "additionalProperties": False,
    }
    parts = {key: values for key, ((_, values), required) in members.items() if required}
    optional = {key: values for key, ((_, values), required) in members.items() if not required}
    found = st.fixed_dictionaries(parts, optional=optional)
    # Nested objects stand in the schema's order too.
    return schema, found.map(lambda value: {key: value[key] for key in members if key in value})


SCHEMAS = objects(st.recursive(leaf(), grown, max_leaves=4))


def language(schema):
    return minimal(arguments_language(Tool("t", "", schema)))


def sampled(table, rng, eager=40):
    """A random word: free at first, then the shortest way to an end."""
    distance = ends(table)
    text, state = bytearray(), table.start
    while not (table.final[state] and (rng.random() < 0.5 or distance[state] == 0)):
        choices = np.flatnonzero(table.transitions[state])
        if len(text) > eager:
            nearest = min(distance[table.transitions[state, choice]] for choice in choices)
            choices = [c for c in choices if distance[table.transitions[state, c]] == nearest]
        byte = int(rng.choice(choices))
        text.append(byte)
        state = int(table.transitions[state, byte])
    return bytes(text)


def ends(table):
    """Fewest bytes from each state to a final one."""
    distance = np.full(len(table.final), 10**6)
    distance[table.final] = 0
    while True:
        onward = np.where(table.transitions, distance[table.transitions], 10**6)
        nearer = np.minimum(distance, 1 + onward.min(axis=1))
        if (nearer == distance).all():
            return distance
        distance = nearer


@given(SCHEMAS, st.integers(0, 2**32 - 1))
@QUICK
def test_whatever_is_accepted_parses_and_validates(pair, seed):
    schema, _ = pair
    table, rng = language(schema), np.random.default_rng(seed)
    check = Draft202012Validator(schema)
    for _ in range(5):
        text = sampled(table, rng).decode()
        value = json.loads(text)
        check.validate(value)
        assert list(value) == [key for key in schema["properties"] if key in value]


@given(SCHEMAS.flatmap(lambda pair: st.tuples(st.just(pair[0]), pair[1])))
@QUICK
def test_every_valid_object_in_schema_order_is_accepted(pair):
    schema, value = pair
    tool = Tool("t", "", schema)
    assert language(schema).accepts(arguments_json(tool, value).encode())


def of(**properties):
    return {"type": "object", "properties": properties, "required": list(properties)}


TREE = {
    "type": "object",
    "properties": {"v": {"type": "integer"}, "next": {"$ref": "#/$defs/tree"}},
}

UUID = "01234567-89ab-cdef-0123-456789abcdef"

ACCEPTED = [
    (of(a={"type": "string", "pattern": "^[A-Z]{2}$"}), {"a": "NO"}, {"a": "no"}),
    (of(a={"type": "string", "format": "date"}), {"a": "2026-02-28"}, {"a": "2026-02-30"}),
    (of(a={"type": "string", "format": "time"}), {"a": "07:30:00Z"}, {"a": "7:30"}),
    (of(a={"type": "string", "format": "date-time"}), {"a": "2026-11-20T14:00:00Z"}, {"a": "now"}),
    (of(a={"type": "string", "format": "email"}), {"a": "a.b@c.org"}, {"a": "a.b"}),
    (of(a={"type": "string", "format": "ipv4"}), {"a": "192.168.0.1"}, {"a": "300.1.1.1"}),
    (of(a={"type": "string", "format": "uri"}), {"a": "https://a.org/b?c=d#e"}, {"a": 'x:"'}),
    (of(a={"type": "string", "format": "uuid"}), {"a": UUID}, {"a": "0"}),
    (of(a={"type": "string", "format": "colour"}), {"a": "any"}, {"a": 1}),
    (of(a={"type": "number", "exclusiveMinimum": 0, "maximum": 1}), {"a": 0.25}, {"a": 0}),
    (of(a={"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 10}), {"a": 9}, {"a": 10}),
    (of(a={"type": "integer", "minimum": 0.5}), {"a": 1}, {"a": 0}),
    (of(a={"type": "array"}), {"a": [1, "x", {"b": None}]}, {"a": {}}),
    (of(a={"type": "object"}), {"a": {"any": {"x": 1}}}, {"a": []}),
    (of(a={}), {"a": {"any": [True, 1.5]}}, None),
    (of(a={"enum": ["x", 1, None]}), {"a": None}, {"a": "y"}),
    (of(a={"type": "string", "enum": ["x", 1]}), {"a": "x"}, {"a": 1}),
    (of(a={"allOf": [{"type": "integer"}, {"minimum": 3}]}), {"a": 3}, {"a": 2}),
    (of(a={"oneOf": [{"type": "string"}, {"type": "integer"}]}), {"a": 3}, {"a": None}),
    (of(a={"prefixItems": [{"type": "integer"}, {"const": "x"}], "minItems": 1, "type": "array"}),
     {"a": [1, "x"]}, {"a": ["x"]}),
    ({**of(a={"$ref": "#/$defs/tree"}), "$defs": {"tree": TREE}},
     {"a": {"v": 1, "next": {"next": {}}}}, {"a": {"v": "x"}}),
    ({**of(a={"type": "integer"}), "additionalProperties": {"type": "integer"}},
     {"a": 1, "more": 2}, {"a": 1, "more": "x"}),
    ({"type": "object", "required": ["b"]}, {"b": [1]}, {}),
    (of(a={"type": "string", "format": "date"}), {"a": "2024-02-29"}, {"a": "2023-02-29"}),
    (of(a={"type": "string", "format": "date"}), {"a": "2000-02-29"}, {"a": "1900-02-29"}),
    (of(a={"type": "string", "anyOf": [{"format": "email"}, {"format": "ipv4"}]}),
     {"a": "a@b.c"}, {"a": "x"}),
    ({**of(a={"type": "string"}, b={"$ref": "#/properties/a", "enum": ["x", 1]})},
     {"a": "", "b": "x"}, {"a": "", "b": 1}),
    ({"type": "object", "anyOf": [of(city={"type": "string"})]}, {"city": "Oslo"}, {}),
    (of(a={"type": "string", "pattern": "^\\S+$"}), {"a": "aé"}, {"a": "a\u2003b"}),
    (of(a={"type": "string", "pattern": "^[\\s\\S]$"}), {"a": "\u2003"}, {"a": ""}),
    (of(a={"type": "string", "pattern": "^[^\\s,]+$"}), {"a": "aé"}, {"a": "a\u00a0b"}),
    (of(a={"type": "string", "pattern": "^\\D\\W$"}), {"a": "a-"}, {"a": "٣-"}),
    (of(a={"type": "string", "pattern": "^[^\\s,]+$"}), {"a": "ab"}, {"a": "a\x85b"}),
    (of(a={"type": "string", "pattern": "^[^\\w\\s]+$"}), {"a": "-]^"}, {"a": "é"}),
    (of(a={"type": "string", "pattern": "^[^\\d,]+$"}), {"a": "ab"}, {"a": "٣"}),
    (of(a={"type": "string", "pattern": "^[a-z0-9_-]+$", "minLength": 1, "maxLength": 255}),
     {"a": "a-1"}, {"a": ""}),
    (of(a={"type": "object", "properties": {}}), {"a": {}}, {"a": {"x": 1}}),
    (of(a={"anyOf": [{"type": "string"}, {"type": "null"}]}, b={"$ref": "#/properties/a/anyOf/0"}),
     {"a": None, "b": "x"}, {"a": "x", "b": None}),
    ({**of(a={"$ref": "#/$defs/a%20b"}), "$defs": {"a b": {"const": 1}}}, {"a": 1}, {"a": 2}),
    ({**of(a={"allOf": [{"$ref": "#/$defs/x"}, of(y={"type": "integer"})], "x-order": 1}),
      "$defs": {"x": {**of(x={"type": "integer"}), "x-order": 2}}},
     {"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}),
    (of(a={"type": "object", "propertyNames": {"type": "string"},
           "additionalProperties": {"type": "integer"}, "example": {"b": 1}}),
     {"a": {"b": 1}}, {"a": {"b": "x"}}),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "good", "bad"), ACCEPTED)
def test_keyword_is_held_to(schema, good, bad):
    table, check = language(schema), Draft202012Validator(schema)
    check.validate(good)
    assert table.accepts(json.dumps(good, ensure_ascii=False).encode())
    assert bad is None or not table.accepts(json.dumps(bad, ensure_ascii=False).encode())
    rng = np.random.default_rng(0)
    for _ in range(20):
        check.validate(json.loads(sampled(table, rng)))


def objects_of(**keywords):
    return of(a={"type": "object", **keywords})


KEYWORDS = [
    # What is no keyword says nothing.
    (of(a={"type": "string", "enumDescriptions": ["x"], "markdownDescription": "**a**"}),
     [{"a": "x"}], [{"a": 1}]),
    # Strings
    (of(a={"type": "string", "format": "date", "pattern": "^2026-"}),
     [{"a": "2026-02-28"}], [{"a": "2025-02-28"}]),
    (of(a={"type": "string", "pattern": "^(?=.{1,4}$)[a-z]+(?:-[a-z]+)*$"}),
     [{"a": "a-b"}], [{"a": "ab-cd"}, {"a": "a-"}]),
    (of(a={"type": "string", "pattern": "^(?!^[-+.]*$)[+-]?0*\\d*\\.?\\d*$"}),
     [{"a": "12.50"}], [{"a": "."}, {"a": "x"}]),
    (of(a={"type": "string", "pattern": "^(?=.*[A-Z])(?=.*\\d).{3,}$"}),
     [{"a": "aB3"}], [{"a": "ab3"}, {"a": "B3"}]),
    (of(a={"type": "string", "pattern": "^a(?!b)"}), [{"a": "ac"}, {"a": "a"}], [{"a": "ab"}]),
    (of(a={"type": "string", "pattern": "^(?P<head>[a-z])\\u00e9$"}),
     [{"a": "aé"}], [{"a": "a"}]),
    (of(a={"type": "string", "pattern": "^a.b$"}), [{"a": "a-b"}], [{"a": "a\nb"}]),
    (of(a={"type": "string", "not": {"enum": ["x", "y"]}}), [{"a": "xy"}], [{"a": "x"}]),
    (of(a={"type": "string", "not": {"pattern": "^x$"}}), [{"a": "xy"}], [{"a": "x\n"}]),
    (of(a={"type": "string", "not": {"pattern": "^x"}}), [{"a": "a"}], [{"a": "xy"}]),
    # Numbers
    (of(a={"type": "integer", "multipleOf": 15, "minimum": -31}),
     [{"a": 45}, {"a": -30}, {"a": 0}], [{"a": 44}, {"a": -45}]),
    (of(a={"type": "integer", "multipleOf": 1000}), [{"a": 7000}], [{"a": 700}]),
    (of(a={"type": "number", "multipleOf": 0.25}), [{"a": 0.75}, {"a": -3}], [{"a": 0.1}]),
    (of(a={"allOf": [{"type": "integer", "multipleOf": 4}, {"multipleOf": 6, "maximum": 30}]}),
     [{"a": 24}], [{"a": 6}, {"a": 36}]),
    # Lists
    (of(a={"type": "array", "items": {"enum": ["x", "y", 1]}, "uniqueItems": True, "minItems": 1}),
     [{"a": ["y", "x"]}, {"a": [1, "x", "y"]}], [{"a": ["x", "x"]}, {"a": []}]),
    (of(a={"type": "array", "items": {"type": "boolean"}, "uniqueItems": True}),
     [{"a": [True, False]}], [{"a": [True, True]}]),
    (of(a={"type": "array", "items": {"enum": [f"label-{n:02d}" for n in range(40)]},
           "uniqueItems": True, "maxItems": 5}),
     [{"a": ["label-00", "label-07"]}], [{"a": ["label-00", "label-00"]}]),
    (of(a={"type": "array", "items": {"type": "string"}, "uniqueItems": True, "maxItems": 1}),
     [{"a": ["x"]}], [{"a": ["x", "x"]}]),
    (of(a={"type": "array", "items": {"type": "integer"}, "contains": {"minimum": 5}}),
     [{"a": [1, 7, 2]}], [{"a": [1]}, {"a": []}]),
    (of(a={"type": "array", "items": {"type": "integer"}, "contains": {"const": 5},
           "minContains": 2, "maxItems": 3}), [{"a": [5, 1, 5]}], [{"a": [5, 1]}]),
    (of(a={"type": "array", "prefixItems": [{"type": "integer"}], "items": {"const": "x"}}),
     [{"a": []}, {"a": [1, "x", "x"]}], [{"a": [1, 2]}, {"a": ["x"]}]),
    # Objects
    (objects_of(propertyNames={"pattern": "^x-"}, additionalProperties={"type": "integer"}),
     [{"a": {"x-b": 1}}, {"a": {}}], [{"a": {"b": 1}}]),
    (objects_of(additionalProperties={"type": "integer"}, minProperties=1, maxProperties=2),
     [{"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}], [{"a": {}}, {"a": {"b": 1, "c": 1, "d": 1}}]),
    (objects_of(properties={"b": {"const": 1}, "c": {"const": 1}, "d": {"const": 1}},
                minProperties=2, additionalProperties=False),
     [{"a": {"b": 1, "d": 1}}], [{"a": {"b": 1}}]),
    (objects_of(patternProperties={"^x-": {"type": "integer"}}, additionalProperties=False),
     [{"a": {"x-b": 1}}], [{"a": {"b": 1}}, {"a": {"x-b": "s"}}]),
    (objects_of(properties={"x-b": {"minimum": 3}}, patternProperties={"^x-": {"type": "integer"}},
                additionalProperties={"type": "string"}),
     [{"a": {"x-b": 3, "c": "s"}}], [{"a": {"x-b": 2}}, {"a": {"x-b": 3.5}}, {"a": {"c": 1}}]),
    (objects_of(properties={"b": {"const": 1}, "c": {"const": 1}}, dependentRequired={"b": ["c"]},
                additionalProperties=False),
     [{"a": {"b": 1, "c": 1}}, {"a": {"c": 1}}], [{"a": {"b": 1}}]),
    (objects_of(properties={"b": {"const": 1}, "c": {"type": "integer"}},
                dependentSchemas={"b": {"properties": {"c": {"minimum": 5}}, "required": ["c"]}},
                additionalProperties=False),
     [{"a": {"b": 1, "c": 5}}, {"a": {"c": 1}}], [{"a": {"b": 1, "c": 1}}]),
    (objects_of(properties={"kind": {"enum": ["x", "y"]}, "n": {"type": "integer"}},
                required=["kind", "n"], additionalProperties=False,
                **{"if": {"properties": {"kind": {"const": "x"}}},
                   "then": {"properties": {"n": {"maximum": 0}}}}),
     [{"a": {"kind": "x", "n": 0}}, {"a": {"kind": "y", "n": 3}}], [{"a": {"kind": "x", "n": 3}}]),
    # Combined
    (of(a={"anyOf": [{"not": {}}, {"type": "string"}]}), [{"a": "x"}], [{"a": 1}]),
    (of(a={"type": "string", "anyOf": [{"maxLength": 2}, {"const": "long"}]}),
     [{"a": "ab"}, {"a": "long"}], [{"a": "abc"}]),
    (objects_of(properties={"b": {"type": "string"}, "c": {"type": "integer"}},
                additionalProperties=False, anyOf=[{"properties": {"b": {"enum": ["x"]}},
                "required": ["b"]}, {"required": ["c"]}]),
     [{"a": {"b": "x"}}, {"a": {"b": "z", "c": 1}}], [{"a": {"b": "z"}}]),
    (objects_of(properties={"b": {"const": 1}, "c": {"const": 1}}, additionalProperties=False,
                oneOf=[{"required": ["b"]}, {"required": ["c"]}]),
     [{"a": {"b": 1}}, {"a": {"c": 1}}], [{"a": {"b": 1, "c": 1}}, {"a": {}}]),
    (of(a={"oneOf": [{"type": "number", "maximum": 5}, {"type": "number", "minimum": 3}]}),
     [{"a": 1}, {"a": 9}], [{"a": 4}]),
    (of(a={"not": {"type": "string"}}), [{"a": 1}, {"a": None}], [{"a": "x"}]),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "goods", "bads"), KEYWORDS)
def test_keywords_that_need_more_than_one_language_are_held_to(schema, goods, bads):
    table, check = language(schema), Draft202012Validator(schema)
    for good in goods:
        check.validate(good)
        assert table.accepts(json.dumps(good, ensure_ascii=False).encode()), good
    for bad in bads:
        assert not check.is_valid(bad)
        assert not table.accepts(json.dumps(bad, ensure_ascii=False).encode()), bad
    rng = np.random.default_rng(0)
    for _ in range(60):
        value = json.loads(sampled(table, rng))
        assert check.is_valid(value), value


PARTS = st.sampled_from(
    [schema["properties"]["a"] for schema, _, _ in KEYWORDS if "format" not in str(schema)]
)


@st.composite
def combined(draw):
    """Two or three schemas, put together in one of the ways that JSON Schema knows."""
    one, two, three = draw(PARTS), draw(PARTS), draw(PARTS)
    return draw(
        st.sampled_from(
            [
                {"allOf": [one, two]},
                {"oneOf": [one, two]},
                {"allOf": [one, {"not": two}]},
                {**one, "anyOf": [two, three]},
                {"if": one, "then": two, "else": three},
            ]
        )
    )


@given(combined(), st.integers(0, 2**32 - 1))
@QUICK
def test_whatever_combined_schemas_accept_is_valid_or_they_are_refused(part, seed):
    schema = of(a=part)
    try:
        table = language(schema)
    except GrammarError:
        return
    check, rng = Draft202012Validator(schema), np.random.default_rng(seed)
    for _ in range(5 if table.start else 0):
        value = json.loads(sampled(table, rng))
        assert check.is_valid(value), value


def test_older_drafts_mean_the_same():
    table = language(
        of(
            a={"type": "array", "items": [{"type": "integer"}], "additionalItems": False},
            b={"type": "integer", "minimum": 3, "exclusiveMinimum": True},
            c={"dependencies": {"x": ["y"]}, **of(x={"const": 1}, y={"const": 1}), "required": []},
        )
    )
    assert table.accepts(b'{"a": [1], "b": 4, "c": {"y": 1}}')
    for bad in (
        b'[1, 2], "b": 4, "c": {}}',
        b'[], "b": 3, "c": {}}',
        b'[], "b": 4, "c": {"x": 1}}',
    ):
        assert not table.accepts(b'{"a": ' + bad)


def test_classes_of_letters_and_named_groups_are_read():
    table = language(of(a={"type": "string", "pattern": "^(?<first>\\p{Lu})[\\p{L} '-]*$"}))
    assert table.accepts('{"a": "Zoë O\'Hara"}'.encode())
    assert not table.accepts('{"a": "zoë"}'.encode())
    assert not table.accepts(b'{"a": "Z9"}')


def test_counters_within_counters_are_held_to_less():
    text = {"type": "string", "maxLength": 10_000}
    nested = {
        "type": "array",
        "maxItems": 100,
        "items": {"type": "object", "properties": {"p": text}},
    }
    tool = Tool("t", "", of(name={"type": "string", "maxLength": 100}, formats=nested))
    limits = arguments_limits(tool)
    assert limits.string >= 100
    assert 1 < limits.items < 32
    table = arguments_language(tool)
    assert len(table.final) <= ROOM
    assert table.accepts(b'{"name": "' + b"x" * 100 + b'", "formats": [{"p": "abc"}, {}]}')


def test_a_schema_within_itself_is_held_to_less_where_its_copies_multiply():
    binary = {
        "type": "array",
        "minItems": 2,
        "maxItems": 2,
        "items": {"$ref": "#/$defs/expr"},
    }
    names = ("add", "sub", "mul", "div", "pow", "mod", "min", "max", "eq", "ne", "lt", "le")
    calls = [{"type": "object", "properties": {name: binary}, "required": [name]} for name in names]
    expr = {"anyOf": [{"type": "number"}, {"type": "string"}, *calls]}
    tool = Tool("t", "", {**of(a={"$ref": "#/$defs/expr"}), "$defs": {"expr": expr}})
    assert arguments_limits(tool).within < 3
    table = arguments_language(tool)
    assert table.accepts(b'{"a": {"add": [1, "x"]}}')
    assert not table.accepts(b'{"a": {"add": [1]}}')
    assert "references inside of themselves" in str(narrowing(tool))


def test_a_long_list_of_constants_is_held_to_nothing():
    codes = [hashlib.sha256(bytes([a, b])).hexdigest()[:20] for a in range(4) for b in range(120)]
    tool = Tool("t", "", of(a={"enum": codes}))
    assert len(arguments_language(tool).final) > ROOM
    assert narrowing(tool) is None


def test_what_is_refused_by_one_of_two_is_in_exactly_one():
    kept = {"not": {"required": ["error"]}, "type": "object", "properties": {"a": {"const": 1}}}
    other = {"type": "object", "properties": {"error": False}}
    with pytest.raises(GrammarError, match="oneOf"):
        language(of(v={"oneOf": [kept, other]}))


def test_additional_keys_never_repeat_a_declared_one():
    table = language({**of(a={"type": "integer"}), "additionalProperties": True})
    assert not table.accepts(b'{"a": 1, "a": "x"}')
    assert table.accepts(b'{"a": 1, "aa": "x"}')


@pytest.mark.parametrize(
    ("field", "schema", "what"),
    [
        ("parameters.a", {"not": {"format": "email"}}, "'not' with 'format'"),
        ("parameters.a", {"type": "array", "uniqueItems": True}, "'uniqueItems'"),
        ("parameters.a", {"type": "string", "pattern": r"(.)\1"}, "not supported"),
        ("parameters.a", {"$ref": "other.json#/x"}, "outside the schema"),
        ("parameters.a", {"$ref": "#/$defs/none"}, "not there"),
        ("parameters.a", {"oneOf": [{"type": "number"}, {"multipleOf": 2}]}, "oneOf"),
        ("parameters.a", {"type": "string", "enum": [1]}, "lists no value"),
        ("parameters.a", {"type": "money"}, "money"),
        ("parameters.a[]", {"type": "array", "items": {"if": {"format": "x"}, "then": {}}}, "'if'"),
        ("parameters.a", {"$dynamicRef": "#a"}, "'$dynamicRef'"),
        ("parameters.a", {"type": "array", "contains": {}, "maxContains": 2}, "'maxContains'"),
        ("parameters.a", {"type": "integer", "multipleOf": 1001}, "multipleOf 1001"),
        (
            "parameters.a",
            {"allOf": [{**of(x={}), "additionalProperties": False}, of(y={})]},
            "closes itself",
        ),
        ("parameters.a", {"type": "string", "pattern": "^(?<=a)b$"}, "lookbehind"),
        ("parameters.a", {"type": "string", "pattern": "^(?:a(?=b))*$"}, "is repeated"),
        ("parameters.a", {"type": "string", "pattern": "a\\b"}, "it has \\b"),
        ("parameters.a", {"$ref": "#place"}, "the anchor '#place'"),
    ],
)
def test_what_cannot_be_compiled_is_named(field, schema, what):
    with pytest.raises(GrammarError) as caught:
        language(of(a=schema))
    assert f"tool 't', {field}: " in str(caught.value)
    assert what in str(caught.value)


def test_references_that_multiply_are_refused_soon():
    letters = "abcdef"
    knot = {
        key: of(**{other: {"$ref": f"#/$defs/{other}"} for other in letters}) for key in letters
    }
    with pytest.raises(GrammarError, match="more than 5000 parts"):
        language({**of(a={"$ref": "#/$defs/a"}), "$defs": knot})


def test_empty_language_has_no_start():
    assert language(of(a=False)).start == 0


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_compiles_to_something(form):
    assert language(of(a={"type": "string", "format": form})).start


ORACLE_SCHEMAS = [
    of(city={"type": "string", "maxLength": 8}, days={"type": "integer"}),
    {**of(a={"enum": ["x", "é"]}, b={"type": "boolean"}), "required": ["b"]},
    of(a={"type": "array", "items": {"type": "number"}, "maxItems": 2}),
    of(a={"anyOf": [{"type": "null"}, of(x={"type": "integer", "minimum": 3, "maximum": 40})]}),
    of(a={"type": "string", "pattern": "^[a-c]{1,3}:\\d+$"}),
]


@pytest.mark.parametrize("schema", ORACLE_SCHEMAS)
def test_llguidance_accepts_what_we_accept(schema):
    import llguidance

    schema = {**schema, "additionalProperties": False}
    settings = {"item_separator": ", ", "key_separator": ": ", "whitespace_flexible": False}
    grammar = llguidance.LLMatcher.grammar_from_json_schema(schema, defaults=settings)
    tokenizer = llguidance.LLTokenizer("byte")
    table, rng = language(schema), np.random.default_rng(0)
    for _ in range(30):
        matcher = llguidance.LLMatcher(tokenizer, grammar)
        text = sampled(table, rng)
        assert matcher.consume_tokens(tokenizer.tokenize_bytes(text)), text
        assert matcher.is_accepting(), text
