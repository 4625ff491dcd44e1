"""The plan of a run's steps follows from lengths, settings and seed alone."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from edgetune.train.batches import BatchSize, collate, plan_all, plan_steps
from edgetune.train.examples import Tokens

LENGTHS = [(7 * index) % 23 + 3 for index in range(50)]


def drawn(plan):
    return Counter(index for step in plan for index in step)


@pytest.mark.parametrize("size", [BatchSize(8), BatchSize(tokens=60)])
def test_two_epochs_show_every_example_twice(size):
    plan = plan_steps(LENGTHS, size, seed=1, examples=100)
    assert set(drawn(plan).values()) == {2}
    assert sum(drawn(plan).values()) == 100


def test_a_part_of_an_epoch_draws_as_many_examples_as_asked_for():
    plan = plan_steps(LENGTHS, BatchSize(8), seed=1, examples=75)
    assert sum(drawn(plan).values()) == 75
    assert set(drawn(plan).values()) == {1, 2}


def test_steps_are_counted_exactly():
    assert len(plan_steps(LENGTHS, BatchSize(8), seed=1, steps=3)) == 3
    assert len(plan_steps(LENGTHS, BatchSize(8), seed=1, steps=40)) == 40


def test_the_same_seed_gives_the_same_plan_and_another_one_another():
    plans = [plan_steps(LENGTHS, BatchSize(8), seed, examples=100) for seed in (3, 3, 4)]
    assert plans[0] == plans[1] != plans[2]
    assert plans[0][:7] != plans[0][7:14]  # each pass in a new order


@given(st.lists(st.integers(1, 90), min_size=1, max_size=60), st.integers(1, 200))
def test_padded_batches_stay_within_their_tokens(lengths, tokens):
    for step in plan_steps(lengths, BatchSize(tokens=tokens), seed=0, examples=len(lengths)):
        longest = max(lengths[index] for index in step)
        assert len(step) == 1 or len(step) * longest <= tokens


def test_measuring_visits_every_example_once():
    assert set(drawn(plan_all(LENGTHS, BatchSize(tokens=64))).values()) == {1}


def test_a_batch_predicts_each_token_with_loss_from_the_position_before_it():
    def tokens(ids, loss):
        return Tokens(np.array(ids, dtype=np.int32), np.array(loss, dtype=np.bool_))

    batch = collate([tokens([5, 6, 7], [0, 0, 1]), tokens([8, 9, 10, 11], [0, 1, 0, 1])])
    assert batch.ids.tolist() == [[5, 6, 7, 0], [8, 9, 10, 11]]
    assert batch.rows.tolist() == [0, 1, 1]
    assert batch.columns.tolist() == [1, 0, 2]
    assert batch.targets.tolist() == [7, 9, 11]
    assert batch.ids.dtype == torch.int64
