"""An automaton is data: written and read back without change, and refused where it is damaged."""

import dataclasses

import numpy as np
import pytest

from edgetune_runtime.automaton import DEAD, Automaton
from edgetune_runtime.errors import BundleError

OBJECT = r'\{"city": "[a-z]{0,5}"\}'


@pytest.fixture
def automaton(regex_automaton) -> Automaton:
    return regex_automaton(OBJECT, pending=" ", opening_ids=(2, 7))


def test_walk_accepts_the_language_and_nothing_else(automaton):
    after = automaton.walk(automaton.start, b' {"city": "oslo"}')
    assert automaton.done[after]
    assert automaton.done[automaton.walk(after, b"}")]
    assert not automaton.done[automaton.walk(automaton.start, b' {"city": "oslo"')]
    assert automaton.walk(automaton.start, b'{"city"') == DEAD
    assert automaton.walk(automaton.start, b' {"city": "stavanger"') == DEAD


def test_save_and_load_keep_everything(automaton, tmp_path):
    automaton.save(tmp_path / "a.safetensors")
    loaded = Automaton.load(tmp_path / "a.safetensors")
    for field in dataclasses.fields(Automaton):
        before, after = getattr(automaton, field.name), getattr(loaded, field.name)
        assert np.array_equal(before, after), field.name
        assert type(before) is type(after), field.name
    loaded.save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_a_truncated_or_missing_grammar_is_refused_by_name(automaton, tmp_path):
    file = tmp_path / "grammar.safetensors"
    with pytest.raises(BundleError, match=r"grammar\.safetensors"):
        Automaton.load(file)
    automaton.save(file)
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(BundleError, match=r"grammar\.safetensors"):
        Automaton.load(file)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("transitions", np.full((4, 256), 9, np.uint16)),
        ("transitions", np.zeros((0, 256), np.uint16)),
        ("byte_class", np.zeros(255, np.uint8)),
        ("done", np.zeros(3, bool)),
        ("distance", np.zeros(2, np.uint32)),
        ("forced_ids", np.zeros(999, np.uint32)),
        ("start", 60_000),
    ],
)
def test_a_grammar_that_could_not_be_walked_is_refused(automaton, tmp_path, field, value):
    file = tmp_path / "grammar.safetensors"
    dataclasses.replace(automaton, **{field: value}).save(file)
    with pytest.raises(BundleError, match="not a valid grammar"):
        Automaton.load(file)
