"""The last part of a selector's training is on what it confuses, and resumes like the rest."""

import json
from functools import partial

import numpy as np
import pytest
import torch

from edgetune.settings import AdapterSettings, HardNegatives, TrainSettings
from edgetune.train import hard
from edgetune.train.adapter import Job, adapted, train_adapter
from edgetune.train.batches import BatchSize, plan_steps
from edgetune.train.examples import AdapterData, Tokens
from edgetune.train.hard import HardTail, confusions
from edgetune.train.interrupt import Interrupted
from edgetune.train.passes import loss_logits
from edgetune_runtime.errors import InputError

CPU = torch.device("cpu")

NAMES = ((11, 12, 13), (11, 14), (15, 16, 13))
"""Three tools: two begin alike."""


@pytest.fixture
def forward(model):
    return partial(loss_logits, model, precision="float32")


def examples(count: int) -> tuple[Tokens, ...]:
    generator = np.random.default_rng(1)
    made = []
    for index in range(count):
        name = NAMES[index % len(NAMES)]
        ids = [*generator.integers(20, 300, 6 + index % 4), *name]
        learnt = np.arange(len(ids)) >= len(ids) - len(name)
        made.append(Tokens(np.asarray(ids, dtype=np.int32), learnt))
    return tuple(made)


def name(example: Tokens) -> tuple[int, ...]:
    return tuple(example.ids[example.loss].tolist())


@pytest.fixture
def job() -> Job:
    data = AdapterData("home.selector", "selector", None, examples(24), examples(6), 0, "sha")
    lengths = [len(example.ids) for example in data.train]
    plan = plan_steps(lengths, BatchSize(4), 0, examples=48)
    settings = TrainSettings(learning_rate=5e-3, evaluations=1)
    return Job(data, AdapterSettings(rank=4, alpha=8.0), settings, plan)


@pytest.fixture
def tail(tmp_path, job):
    def make(epochs=0.5, share=0.5, name="mined.json"):
        settings = HardNegatives(epochs=epochs, share=share)
        return HardTail(settings, job, tmp_path / name)

    return make


def probabilities(model, example: Tokens) -> np.ndarray:
    """Of each of NAMES after the example's prompt, token by token, among these names alone."""
    prompt = example.ids[~example.loss].tolist()
    weights = []
    for tokens in NAMES:
        ids = torch.tensor([prompt + list(tokens)])
        with torch.inference_mode():
            logs = model(input_ids=ids).logits[0].log_softmax(-1)
        weights.append(
            sum(float(logs[len(prompt) + at - 1, token]) for at, token in enumerate(tokens))
        )
    exact = np.exp(weights)
    return exact / exact.sum()


def test_confusions_are_the_least_sure_each_with_one_of_the_likeliest_other_tool(model, forward):
    given = examples(12)
    found = confusions(forward, CPU, given, 4)
    assert 0 < len(found) <= 4
    for each in found:
        exact = probabilities(model, given[each.index])
        own = NAMES.index(name(given[each.index]))
        assert each.probability == pytest.approx(exact[own], abs=1e-3)
        exact[own] = -1
        assert name(given[each.counterpart]) == NAMES[int(exact.argmax())]
    assert len({each.counterpart for each in found}) == len(found)


def test_an_example_that_is_sure_is_no_confusion(forward, monkeypatch):
    one_tool = [example for example in examples(12) if name(example) == NAMES[0]]
    assert confusions(forward, CPU, one_tool, 5) == []
    monkeypatch.setattr(hard, "NEAR", 0.0)
    assert confusions(forward, CPU, examples(12), 5) == []


def test_only_the_last_part_is_planned_anew_in_steps_of_the_same_size(forward, job, tail):
    last = tail(epochs=0.5, share=0.5)
    plan = last.plan(forward, CPU)
    assert last.start == len(job.plan) - 3  # half of 24 examples, in steps of 4
    assert plan[: last.start] == job.plan[: last.start]
    assert [len(step) for step in plan] == [len(step) for step in job.plan]
    changed = [
        new
        for step, planned in zip(plan, job.plan, strict=True)
        for new, old in zip(step, planned, strict=True)
        if new != old
    ]
    mined = json.loads((last._path).read_text())["confusions"]
    allowed = {each[key] for each in mined for key in ("index", "counterpart")}
    assert 0 < len(changed) <= 6
    assert set(changed) <= allowed


def test_what_was_mined_is_written_down_and_not_mined_again(forward, tail, monkeypatch):
    first = tail().plan(forward, CPU)
    monkeypatch.setattr(hard, "confusions", None)
    assert tail().plan(forward, CPU) == first


def test_a_damaged_file_is_named(forward, tail, tmp_path):
    (tmp_path / "mined.json").write_text("{")
    with pytest.raises(InputError, match=r"mined\.json: cannot be read"):
        tail().plan(forward, CPU)


def test_a_part_as_long_as_the_whole_training_is_refused(tail):
    with pytest.raises(InputError, match=r"selector\.hard_negatives\.epochs: 2' contradicts"):
        tail(epochs=2)


@pytest.mark.parametrize("stopped_at", [5, 10])
def test_it_resumes_before_and_within_the_last_part(model, job, tail, tmp_path, stopped_at):
    def weights(state, last, **options):
        with adapted(model, job, "tiny") as peft_model:
            train_adapter(peft_model, job, "float32", tmp_path / state, tail=last, **options)
            return [p.detach().clone() for p in peft_model.parameters() if p.requires_grad]

    expected = weights("whole", tail(name="whole.json"))
    calls = iter(range(1, 100))
    with pytest.raises(Interrupted):
        weights("parts", tail(name="parts.json"), stop=lambda: next(calls) == stopped_at)
    assert (tmp_path / "parts.json").exists() == (stopped_at > 9)
    found = weights("parts", tail(name="parts.json"))
    assert all(torch.equal(one, other) for one, other in zip(expected, found, strict=True))
    without = weights("without", None)
    assert not all(torch.equal(one, other) for one, other in zip(expected, without, strict=True))
