"""Languages of JSON leaves against Python's own json and re."""

import json
import re
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgetune_export.grammar.json_numbers import integer, number
from edgetune_export.grammar.json_text import string, string_except
from edgetune_export.grammar.patterns import string_matching
from edgetune_export.grammar.regular import minimal

TEXT = st.text(
    st.one_of(
        st.characters(exclude_categories=("Cs", "Cc")), st.sampled_from('"\\\n\t\rüé東😀\x80/')
    ),
    max_size=8,
)
ANY_STRING = minimal(string())


def dumped(value):
    return json.dumps(value, ensure_ascii=False).encode()


@given(TEXT)
@settings(max_examples=200, deadline=None)
def test_string_accepts_what_json_writes(text):
    assert ANY_STRING.accepts(dumped(text))


@given(st.binary(max_size=6))
@settings(max_examples=300, deadline=None)
def test_string_accepts_only_whole_utf8_and_json(content):
    text = b'"' + content + b'"'
    if ANY_STRING.accepts(text):
        assert dumped(json.loads(text.decode())) == text


@pytest.mark.parametrize(
    "bad", [b'"\xed\xa0\x80"', b'"\xc0\xaf"', b'"\xf4\x90\x80\x80"', b'"\x00"']
)
def test_string_refuses_surrogates_overlong_and_control_bytes(bad):
    assert not ANY_STRING.accepts(bad)


@given(TEXT, st.integers(0, 5), st.integers(0, 5))
@settings(max_examples=100, deadline=None)
def test_string_length_counts_characters(text, least, more):
    accepted = minimal(string(least, least + more)).accepts(dumped(text))
    assert accepted == (least <= len(text) <= least + more)


MATCHERS = {
    pattern: minimal(string_matching(pattern))
    for pattern in (
        "^[a-z]+$", "b", "^a|b$", r"\d{2}:\d{2}", r"^\$[0-9]+$", r"a\|b|^c$", "^[^é]$",
        "^(?:ab|cd)*$", "^(?!b)[ab]+$", r"^(?=.*\d)[a1]+$",
    )
}  # fmt: skip


@pytest.mark.parametrize("pattern", MATCHERS)
@given(text=st.text("ab1|$:cdé0\n", max_size=6))
@settings(max_examples=150, deadline=None)
def test_pattern_matches_anywhere_as_re_does(pattern, text):
    # Python's `$` also matches before a final newline, a JSON Schema's does not.
    matched = re.search(pattern[:-1] + r"\Z" if pattern[-1] == "$" else pattern, text)
    assert MATCHERS[pattern].accepts(dumped(text)) == bool(matched)


def test_pattern_and_length_both_hold():
    table = minimal(string_matching("^a+$", 2, 3))
    assert [n for n in range(6) if table.accepts(b'"' + b"a" * n + b'"')] == [2, 3]


@pytest.mark.parametrize("pattern", [r"(a)\1", r"a\b", "(?<!a)b", "(", "[z-a]"])
def test_unsupported_pattern_is_refused(pattern):
    with pytest.raises(ValueError, match="not supported"):
        string_matching(pattern)


@given(st.text("abc", max_size=4))
def test_excluded_words_alone_are_refused(text):
    assert EXCEPT.accepts(dumped(text)) == (text not in ("a", "ab", "cc"))


EXCEPT = minimal(string_except(["a", "ab", "cc"]))


@given(st.integers(-500, 500), st.integers(0, 700), st.integers(-1500, 1500))
@settings(max_examples=200, deadline=None)
def test_integer_range_is_exact(least, width, value):
    accepted = minimal(integer(least, least + width)).accepts(str(value).encode())
    assert accepted == (least <= value <= least + width)


def test_integers_are_bounded_and_have_one_text():
    table = minimal(integer())
    for text in (b"0", b"-7", b"9223372036854775807"):
        assert table.accepts(text)
    for text in (b"-0", b"007", b"1.0", b"9223372036854775808", b""):
        assert not table.accepts(text)


@given(st.floats(-1e307, 1e307))
@settings(max_examples=300, deadline=None)
def test_number_accepts_what_json_writes(value):
    assert NUMBER.accepts(dumped(value)), value


NUMBER = minimal(number())


@given(
    st.decimals(-20, 20, places=2),
    st.decimals(0, 30, places=2),
    st.booleans(),
    st.booleans(),
    st.decimals(-25, 55, places=3),
)
@settings(max_examples=80, deadline=None)
def test_number_range_is_exact(least, width, above, below, value):
    most = least + width
    table = minimal(number(least, most, above, below))
    inside = (least < value if above else least <= value) and (
        value < most if below else value <= most
    )
    texts = {f"{value:f}", f"{value.normalize():f}"} - {"-0", "-0.000"}
    for text in texts:
        if value == 0 and text.startswith("-"):
            continue
        assert table.accepts(text.encode()) == inside, text


def test_half_open_number_range():
    table = minimal(number(Decimal("0.5"), None))
    assert table.accepts(b"0.5")
    assert table.accepts(b"123456.789")
    assert not table.accepts(b"0.49")
    assert not table.accepts(b"-1")
