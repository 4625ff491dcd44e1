"""A trie as data: read back as it was written, and refused where walking it would go astray."""

import json

import pytest
from pydantic import ValidationError

from edgetune_export.prompts.names import name_trie
from edgetune_runtime.trie import NameTrie, shared_length

NAMES = ("set_alarm", "set_alarm_label", "set", "cancel_alarms", "respond")


@pytest.fixture
def trie(tokenizer, pieces):
    return name_trie(tokenizer, pieces, NAMES)


def test_a_trie_survives_json(trie):
    assert NameTrie.model_validate_json(trie.model_dump_json()) == trie


def change(trie, branch, child):
    """The trie's JSON with `child` in place of a child of branch number `branch`."""
    value = json.loads(trie.model_dump_json())
    token = next(iter(value["branches"][branch]["children"]))
    value["branches"][branch]["children"][token] = child
    return json.dumps(value)


@pytest.mark.parametrize(("branch", "child"), [(0, 0), (0, 99), (1, 0), (0, "another"), (0, -1)])
def test_a_trie_that_leads_astray_is_refused(trie, branch, child):
    with pytest.raises(ValidationError, match="lead"):
        NameTrie.model_validate_json(change(trie, branch, child))


@pytest.mark.parametrize(
    ("place", "ids", "says"),
    [("prefix", [], "does not go on"), ("opening_ids", [-1], "greater than or equal to 0")],
)
def test_a_trie_whose_tokens_do_not_follow_each_other_is_refused(trie, place, ids, says):
    value = json.loads(trie.model_dump_json())
    (value if place == "opening_ids" else value["branches"][1])[place] = ids
    with pytest.raises(ValidationError, match=says):
        NameTrie.model_validate_json(json.dumps(value))


def test_a_trie_without_a_branch_has_one_name():
    with pytest.raises(ValidationError, match="no branch"):
        NameTrie(names=("a", "b"), opening_ids=(1,), branches=())


def test_what_paths_share_ends_where_one_ends():
    assert shared_length([(1, 2, 3), (1, 2), (1, 2, 4)]) == 2
    assert shared_length([]) == 0
