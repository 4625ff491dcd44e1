"""Names as token paths: each found along its own tokens, none hidden behind another."""

import pytest

from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import call_opening
from edgetune_runtime.trie import Branch, NameTrie

NAMES = ("set_alarm", "set_alarm_label", "set", "cancel_alarms", "respond")


def leaves(node, path=()):
    if isinstance(node, str):
        yield node, path
        return
    for token, child in node.children.items():
        yield from leaves(child, (*node.prefix, token))


def test_every_name_is_reached_along_its_canonical_tokens(tokenizer, pieces):
    trie = NameTrie(tokenizer, pieces, NAMES)
    found = dict(leaves(trie.root))
    assert sorted(found) == sorted(NAMES)
    for name, path in found.items():
        ids = tokenizer.encode(call_opening(pieces, name), add_special_tokens=False).ids
        assert ids[: len(trie.opening_ids) + len(path)] == [*trie.opening_ids, *path]


def test_the_opening_starts_with_the_invocation(tokenizer, pieces):
    trie = NameTrie(tokenizer, pieces, NAMES)
    assert trie.opening_ids[0] == tokenizer.token_to_id("<tool_call>")


def test_every_branching_point_has_a_choice(tokenizer, pieces):
    waiting = [NameTrie(tokenizer, pieces, NAMES).root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Branch):
            assert len(node.children) > 1
            waiting += node.children.values()


def test_a_single_name_needs_no_choice(tokenizer, pieces):
    assert NameTrie(tokenizer, pieces, ("respond",)).root == "respond"


def test_no_name_at_all_is_refused(tokenizer, pieces):
    with pytest.raises(InputError, match="no tool"):
        NameTrie(tokenizer, pieces, ())
