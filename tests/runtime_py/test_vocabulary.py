"""What a vocabulary promises: a grammar's walk is exact, and a file gives it back as it was."""

import numpy as np
import pytest
from safetensors.numpy import save

from edgetune_runtime.errors import BundleError
from edgetune_runtime.vocabulary import Vocabulary

OBJECT = r'\{"city": "[a-zA-Z ]{0,9}"(, "days": [1-9][0-9]?)?\}'


def test_a_vocabulary_survives_its_file(vocabulary, tmp_path):
    vocabulary.save(tmp_path / "vocabulary.safetensors")
    found = Vocabulary.load(tmp_path / "vocabulary.safetensors")
    assert [found[token] for token in range(len(found))] == [
        vocabulary[token] for token in range(len(vocabulary))
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        save({"bytes": np.zeros(3, np.uint8)}),
        save({"bytes": np.zeros(3, np.uint8), "lengths": np.array([1, 1], np.uint32)}),
        save({"bytes": np.zeros(3, np.uint8), "lengths": np.array([1, 2], np.int32)}),
        save({"bytes": np.zeros((1, 3), np.uint8), "lengths": np.array([1, 2], np.uint32)}),
    ],
)
def test_a_damaged_file_is_refused(content, tmp_path):
    (tmp_path / "vocabulary.safetensors").write_bytes(content)
    with pytest.raises(BundleError, match="vocabulary"):
        Vocabulary.load(tmp_path / "vocabulary.safetensors")


def test_all_tokens_at_once_go_where_each_goes_alone(vocabulary, regex_automaton):
    automaton = regex_automaton(OBJECT)
    for state in range(len(automaton.done)):
        alone = [
            automaton.walk(state, vocabulary[token]) if vocabulary[token] else 0
            for token in range(len(vocabulary))
        ]
        assert vocabulary.advance(automaton, state).tolist() == alone


def test_moves_are_the_tokens_that_stay_alive(vocabulary, regex_automaton):
    automaton = regex_automaton(OBJECT)
    reached = vocabulary.advance(automaton, automaton.start)
    moves = vocabulary.moves(automaton, automaton.start)
    assert moves.ids.tolist() == np.flatnonzero(reached).tolist()
    assert (reached[moves.ids] == moves.states).all()
    assert vocabulary.moves(automaton, automaton.start) is moves
