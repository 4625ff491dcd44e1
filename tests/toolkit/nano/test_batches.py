"""Groups and batches: what is learnt where, and who sees whom."""

from pathlib import Path

import numpy as np
import pytest

from edgetune.invent.records import RESPOND
from edgetune.invent.requests import Request
from edgetune.nano import batches as bt

TOOL = {
    "type": "function",
    "function": {
        "name": "play_song",
        "parameters": {
            "type": "object",
            "properties": {"song": {"type": "string"}, "count": {"type": "integer"}},
        },
    },
}
ASKED = [
    Request('play "Zarkon blü" twice', "play_song", {"song": "Zarkon blü", "count": 2}),
    Request("how are you", "respond", {}),
]


@pytest.fixture(scope="module")
def maker(tokenizer_file: Path) -> bt.GroupMaker:
    return bt.GroupMaker(tokenizer_file)


def text_of(maker: bt.GroupMaker, group: bt.Group, kind: int, branch: int) -> str:
    chosen = group.ids[(group.kinds == kind) & (group.branches == branch)]
    text: str = maker.tokenizer.decode(chosen.tolist(), skip_special_tokens=False)
    return text


def test_kinds_cover_request_name_and_values(maker: bt.GroupMaker) -> None:
    group = maker.encode([TOOL, RESPOND], ASKED, "full", pseudo=False)
    assert text_of(maker, group, bt.REQUEST, 1) == ASKED[0].text + "<|im_end|>"
    assert text_of(maker, group, bt.NAME, 1) == "play_song"
    assert text_of(maker, group, bt.NAME, 2) == "respond"
    assert "Zarkon blü" in text_of(maker, group, bt.VALUE, 1)
    assert text_of(maker, group, bt.VALUE, 1).endswith("2")
    assert text_of(maker, group, bt.VALUE, 2) == ""
    assert text_of(maker, group, bt.STRUCTURE, 1).endswith("</tool_call><|im_end|>")
    assert (group.kinds[group.branches == 0] == bt.CONTEXT).all()


def test_all_of_a_call_from_its_name_on_is_learnt(maker: bt.GroupMaker) -> None:
    group = maker.encode([TOOL, RESPOND], ASKED[:1], "full", pseudo=False)
    chosen = group.ids[np.isin(group.kinds, (bt.NAME, bt.STRUCTURE, bt.VALUE))]
    assert maker.tokenizer.decode(chosen.tolist(), skip_special_tokens=False) == (
        'play_song", "arguments": {"song": "Zarkon blü", "count": 2}}\n</tool_call><|im_end|>'
    )


def test_without_tools_neither_name_nor_keys_are_learnt(maker: bt.GroupMaker) -> None:
    group = maker.encode(None, ASKED[:1], "none", pseudo=False)
    assert text_of(maker, group, bt.NAME, 1) == ""
    assert "song" not in text_of(maker, group, bt.STRUCTURE, 1)
    assert "Zarkon blü" in text_of(maker, group, bt.VALUE, 1)
    assert (group.branches == 1).all()


def test_made_up_words_of_a_drill_are_no_language_to_learn(maker: bt.GroupMaker) -> None:
    group = maker.encode([TOOL], ASKED[:1], "full", pseudo=True)
    assert text_of(maker, group, bt.REQUEST, 1) == ""
    assert "Zarkon blü" in text_of(maker, group, bt.PSEUDO, 1)


def test_every_branch_goes_on_from_the_prefix(maker: bt.GroupMaker) -> None:
    group = maker.encode([TOOL, RESPOND], ASKED, "full", pseudo=False)
    shared = int((group.branches == 0).sum())
    for branch in (1, 2):
        positions = group.positions[group.branches == branch]
        assert positions.tolist() == list(range(shared, shared + len(positions)))


def test_a_branch_reads_as_the_record_alone_would(maker: bt.GroupMaker) -> None:
    both = maker.encode([TOOL, RESPOND], ASKED, "full", pseudo=False)
    alone = maker.encode([TOOL, RESPOND], ASKED[1:], "full", pseudo=False)
    seen = (both.branches == 0) | (both.branches == 2)
    assert both.ids[seen].tolist() == alone.ids.tolist()
    assert both.positions[seen].tolist() == alone.positions.tolist()


def test_groups_and_chunks_depend_on_seed_and_number_alone(maker: bt.GroupMaker) -> None:
    first, again = maker.group(1, 5, easy=False), maker.group(1, 5, easy=False)
    assert first.ids.tolist() == again.ids.tolist()
    one, two = (bt.make_chunk(maker, 1, 3, steps=4, tokens=1500, easy=0.3) for _ in range(2))
    assert all(np.array_equal(a.ids, b.ids) for a, b in zip(one, two, strict=True))
    other = bt.make_chunk(maker, 1, 4, steps=4, tokens=1500, easy=0.3)
    assert any(not np.array_equal(a.ids, b.ids) for a, b in zip(one, other, strict=True))


def test_chunks_have_the_steps_and_the_tokens_asked_for(maker: bt.GroupMaker) -> None:
    chunk = bt.make_chunk(maker, 1, 0, steps=6, tokens=3000, easy=0.2)
    assert len(chunk) == 6
    for batch in chunk:
        assert batch.ids.shape == batch.kinds.shape == batch.branches.shape
        assert 1000 < (batch.branches < 255).sum() < 5000
        assert (batch.kinds[batch.branches == 255] == bt.CONTEXT).all()


def test_every_kind_of_prompt_is_encoded(maker: bt.GroupMaker) -> None:
    for index in range(150):
        group = maker.group(2, index, easy=index % 3 == 0)
        assert (group.kinds >= bt.NAME).any()
        assert len(group.ids) == len(group.positions)
