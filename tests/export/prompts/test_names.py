"""Names as token paths: each found along its own tokens, none hidden behind another."""

import pytest

from edgetune_export.prompts.names import name_trie
from edgetune_export.prompts.template import Template
from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import call_opening

NAMES = ("set_alarm", "set_alarm_label", "set", "cancel_alarms", "respond")


@pytest.fixture(scope="module")
def template(tiny_checkpoint):
    return Template.read(tiny_checkpoint("qwen2"))


@pytest.fixture(scope="module")
def trie(template):
    return name_trie(template.tokenizer, template.pieces, NAMES)


def leaves(trie, node, path=()):
    if isinstance(node, str):
        yield node, path
        return
    branch = trie.branches[node]
    for token, child in branch.children.items():
        yield from leaves(trie, child, (*branch.prefix, token))


def test_every_name_is_reached_along_its_canonical_tokens(template, trie):
    found = dict(leaves(trie, 0))
    assert sorted(found) == sorted(NAMES)
    for name, path in found.items():
        ids = template.ids(call_opening(template.pieces, name))
        assert ids[: len(trie.opening_ids) + len(path)] == [*trie.opening_ids, *path]


def test_the_opening_starts_with_the_invocation(template, trie):
    assert trie.opening_ids[0] == template.tokenizer.token_to_id("<tool_call>")


def test_every_branching_point_has_a_choice(trie):
    assert all(len(branch.children) > 1 for branch in trie.branches)


def test_a_single_name_needs_no_choice(template):
    trie = name_trie(template.tokenizer, template.pieces, ("respond",))
    assert (trie.names, trie.branches) == (("respond",), ())


def test_no_name_at_all_is_refused(template):
    with pytest.raises(InputError, match="no tool"):
        name_trie(template.tokenizer, template.pieces, ())
