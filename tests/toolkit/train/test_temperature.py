"""Calibration: the temperature that data was drawn with is found, and few mistakes prove little."""

import json

import numpy as np
import pytest

from edgetune.data.records import Example, read_records
from edgetune.train import temperature as module
from edgetune.train.interrupt import Interrupted
from edgetune.train.temperature import Choice, calibrate, choices_towards, fit_temperature, loss
from edgetune_export.run import open_run
from edgetune_runtime.prompt import User
from edgetune_runtime.trie import Branch, NameTrie


def drawn(count: int, temperature: float, seed: int = 0) -> list[Choice]:
    """Choices whose right one falls as the softmax of the logits divided by `temperature` says."""
    rng = np.random.default_rng(seed)
    choices = []
    for _ in range(count):
        logits = 4 * rng.standard_normal(5)
        # The largest after Gumbel noise is a sample of the softmax.
        right = int(np.argmax(logits / temperature + rng.gumbel(size=5)))
        choices.append(Choice(logits, right))
    return choices


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_behind_the_data_is_found(temperature):
    choices = drawn(3000, temperature)
    found = fit_temperature(choices)
    assert found == pytest.approx(temperature, rel=0.08)
    assert loss(choices, found) <= min(loss(choices, each * found) for each in (0.9, 1.1)) + 0.1


def test_few_choices_move_it_less_than_many():
    few, many = fit_temperature(drawn(20, 3.0)), fit_temperature(drawn(500, 3.0))
    assert 1.0 < few < many < 3.5
    assert fit_temperature([]) == 1.0


def test_a_selector_without_a_mistake_is_not_made_certain():
    choices = [Choice(np.array([0.0, 3.0]), 1)] * 100
    assert 0.3 < fit_temperature(choices) < 1.0


def test_the_loss_is_that_of_the_softmax():
    choices = [Choice(np.log([0.7, 0.3]), 0), Choice(np.log([0.5, 0.25, 0.25]), 2)]
    assert loss(choices) == pytest.approx(-np.log(0.7) - np.log(0.25))
    root = np.sqrt([0.5, 0.25, 0.25])
    assert loss(choices[1:], 2.0) == pytest.approx(-np.log(root[2] / root.sum()))


TRIE = NameTrie(
    names=("a", "bx", "by"),
    opening_ids=(),
    branches=(
        Branch(prefix=(), children={1: "a", 2: 1}),
        Branch(prefix=(2,), children={3: "bx", 4: "by"}),
    ),
)
"""`a`, or `b` behind which `x` and `y` divide."""


def test_choices_stand_on_the_way_to_the_right_name_alone():
    probabilities = {"a": 0.5, "by": 0.4, "bx": 0.1}
    (first,) = choices_towards(TRIE, probabilities, "a")
    assert (np.exp(first.logits), first.right) == (pytest.approx([0.5, 0.5]), 0)
    top, below = choices_towards(TRIE, probabilities, "bx")
    assert (top.right, below.right) == (1, 0)
    assert np.exp(-loss([top, below])) == pytest.approx(0.1)


def test_a_name_that_is_all_but_impossible_still_has_a_logit():
    (choice, _) = choices_towards(TRIE, {"a": 1.0, "by": 0.0, "bx": 0.0}, "bx")
    assert np.isfinite(choice.logits).all()


@pytest.fixture
def run(tiny_run, tmp_path):
    """A finished run without temperatures, as one from before there were any, and its records."""
    path = tmp_path / "run"
    path.mkdir()
    for each in tiny_run().iterdir():
        (path / each.name).symlink_to(each)
    about = json.loads((path / "run.json").read_text())
    for entry in about["adapters"]:
        entry.pop("selection_temperature", None)
    (path / "run.json").unlink()
    (path / "run.json").write_text(json.dumps(about))
    toolset = open_run(path).toolsets["home"]
    records = read_records(path / "data" / "train.jsonl", toolset)
    return path, [step for record in records for step in record.steps(toolset)]


def temperatures(path) -> dict[str, float]:
    return {each.name: each.selection_temperature for each in open_run(path).adapters}


def test_what_selects_gets_a_temperature_once(run, monkeypatch):
    path, dev = run
    assert set(temperatures(path).values()) == {1.0}
    calibrate(path, {"home": dev * 10}, lambda: False)
    found = temperatures(path)
    assert 1.0 not in (found["home.selector"], found["home.monolithic"])
    assert {found[name] for name in found if ".arguments" in name} == {1.0}
    monkeypatch.setattr(module, "fit_temperature", None)
    calibrate(path, {"home": dev}, lambda: False)
    assert temperatures(path) == found


def test_a_dev_example_that_is_longer_than_the_context_is_passed_over(run, capsys):
    path, dev = run
    endless = Example((User("again and " * 2000),), dev[0].call)
    calibrate(path, {"home": [endless, *dev]}, lambda: False)
    assert "from 3 dev examples" in capsys.readouterr().err


def test_many_dev_examples_are_thinned_out(run, monkeypatch):
    path, dev = run
    seen = []
    monkeypatch.setattr(module, "EXAMPLES", 2)
    monkeypatch.setattr(module, "track", lambda asked, _: seen.append(len(asked)) or asked)
    calibrate(path, {"home": dev}, lambda: False)
    assert seen == [2, 2]  # the first and the last of three


def test_without_dev_records_and_once_stopped_nothing_is_written(run):
    path, dev = run
    before = (path / "run.json").read_text()
    calibrate(path, {"home": []}, lambda: False)
    with pytest.raises(Interrupted):
        calibrate(path, {"home": dev}, lambda: True)
    assert (path / "run.json").read_text() == before
