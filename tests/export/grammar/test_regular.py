"""Regular languages of bytes: what an expression accepts, and that its automaton is minimal."""

import pytest

from edgetune_export.grammar.regular import (
    NOTHING,
    Either,
    Graph,
    Literal,
    Members,
    OneOf,
    Repeat,
    Sequence,
    minimal,
)
from edgetune_export.grammar.tables import disjoint, restarted

A, B, C = Literal(b"a"), Literal(b"b"), Literal(b"c")


def words(node, alphabet=b"abc,", longest=5):
    """Every word of the language up to a length."""
    table = minimal(node)
    found, layer = set(), [(b"", table.start)]
    for _ in range(longest + 1):
        found |= {text for text, state in layer if state and table.final[state]}
        layer = [
            (text + bytes([byte]), int(table.transitions[state, byte]))
            for text, state in layer
            for byte in alphabet
            if state and table.transitions[state, byte]
        ]
    return found


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (Sequence((A, B)), {b"ab"}),
        (Either((A, Literal(b"bc"))), {b"a", b"bc"}),
        (Repeat(A, 1, 3), {b"a", b"aa", b"aaa"}),
        (Repeat(A, 0, 2, b","), {b"", b"a", b"a,a"}),
        (Repeat(A, 2, None, b","), {b"a,a", b"a,a,a"}),
        (Sequence((Repeat(A, 0, None), B)), {b"b", b"ab", b"aab", b"aaab", b"aaaab"}),
        (Either((Repeat(A, 2, 2), Repeat(B, 0, 1))), {b"", b"aa", b"b"}),
        (OneOf(((0x61, 0x62),)), {b"a", b"b"}),
        (NOTHING, set()),
        (Either((A, Sequence((B, NOTHING)))), {b"a"}),
        (Graph((((A, 1),), ((B, 0), (C, 1))), frozenset({1})), {b"a", b"ac", b"acc", b"aba",
         b"accc", b"abac", b"acba", b"acccc", b"abacc", b"acbac", b"accba", b"ababa"}),
    ],
)  # fmt: skip
def test_expression_accepts_exactly_its_words(node, expected):
    assert words(node) == expected


def test_members_keep_order_and_drop_only_optional_ones():
    node = Members(((A, False), (B, True), (C, False)), None, b",")
    assert words(node) == {b"b", b"a,b", b"b,c", b"a,b,c"}


def test_members_may_all_be_absent_or_be_followed_by_others():
    assert words(Members(((A, False), (B, False)), None, b",")) == {b"", b"a", b"b", b"a,b"}
    assert words(Members(((A, False),), B, b","), longest=4) == {b"", b"a", b"b", b"a,b", b"b,b"}
    assert b"a,b,b" in words(Members(((A, True),), B, b","))


def test_automaton_of_optional_members_is_linear_in_their_number():
    def states(count):
        members = tuple((Literal(b"%02d" % n), False) for n in range(count))
        return len(minimal(Members(members, None, b",")).final)

    assert states(40) - states(20) == pytest.approx(2 * (states(20) - states(10)), rel=0.3)


def test_same_futures_are_one_state():
    table = minimal(Either((Literal(b"xend"), Literal(b"yend"))))
    assert len(table.final) == 1 + 5


def test_states_that_cannot_finish_are_dead():
    table = minimal(Either((Literal(b"a"), Sequence((Literal(b"b"), NOTHING)))))
    assert table.walk(b"b") == 0
    assert table.accepts(b"a")


def test_disjoint_languages_share_no_word():
    assert disjoint(minimal(Repeat(A, 1, 2)), minimal(Repeat(A, 3, None)))
    assert not disjoint(minimal(Repeat(A, 1, 3)), minimal(Repeat(A, 3, None)))


def test_restarted_automaton_forgets_what_came_before():
    table = minimal(Literal(b"head:rest"))
    rest = restarted(table, table.walk(b"head:"))
    assert rest.accepts(b"rest")
    assert len(rest.final) == 1 + 5
