"""Comparing two results: only examples that one alone has wrong count."""

import json
from dataclasses import replace

import pytest

from edgetune.cli import main
from edgetune.evaluate.compare import Result, compare, read_result
from edgetune.evaluate.evaluate import EvalResult
from edgetune.evaluate.score import Outcome, score
from edgetune.evaluate.table import comparison_view
from edgetune_runtime.errors import InputError


@pytest.fixture
def result(weather_toolset, examples):
    """A result over many examples, of which the named ones have wrong arguments."""

    def make(*args, **options):
        return Result.model_validate(written(*args, **options))

    def written(wrong=(), others=(), count=40, system="decoupled"):
        asked = tuple(replace(examples[0]) for _ in range(count))
        outcomes = []
        for index, example in enumerate(asked):
            right = dict(example.call.arguments)
            given = {"city": "Rome"} if index in wrong else right
            given = {"city": "Paris"} if index in others else given
            outcomes.append(Outcome(example.call, "get_weather", given, given))
        return EvalResult(
            system=system,
            engine="onnx",
            toolset="home",
            stage="all",
            examples=asked,
            outcomes=tuple(outcomes),
            costs=({"ms": 1.0},),
            score=score(weather_toolset, outcomes),
        ).as_json()

    make.written = written
    return make


def test_what_one_alone_has_wrong_is_counted_and_tested(result):
    first, second = result(wrong=range(12)), result(wrong=(10, 11, 12, 13))
    found = compare(first, second).figures["call_exact_match"]
    assert (found.first_alone_wrong, found.second_alone_wrong) == (10, 2)
    assert found.p == pytest.approx(2 * (1 + 12 + 66) / 2**12)
    assert found.second - found.first == pytest.approx(8 / 40)
    assert 0 < found.low < 8 / 40 < found.high < 0.4
    assert compare(first, second).figures["arguments_exact_match"].p == found.p
    swapped = compare(second, first).figures["call_exact_match"]
    assert (swapped.p, swapped.first_alone_wrong) == (found.p, 2)


def test_equal_results_do_not_differ(result):
    found = compare(result(wrong=(1, 2)), result(wrong=(1, 2)))
    assert found.same_calls == 1.0
    figure = found.figures["call_exact_match"]
    assert (figure.p, figure.low, figure.high) == (1.0, 0.0, 0.0)


def test_calls_are_the_same_where_both_are_right_or_wrong_alike(result):
    first, second = result(wrong=(0, 1, 2, 3)), result(wrong=(2, 3, 4), others=(3,))
    assert compare(first, second).same_calls == pytest.approx(1 - 4 / 40)


def test_a_stage_that_was_not_run_is_left_out(weather_toolset, examples, result):
    unmeasured = {"call_exact_match": None, "selection_accuracy": None}
    first = result().model_copy(update=unmeasured)
    found = compare(first, result(wrong=(3,)))
    assert list(found.figures) == ["arguments_exact_match"]
    assert found.same_calls is None


def test_other_examples_are_refused(result):
    with pytest.raises(InputError, match="same records"):
        compare(result(), result(count=41))


def test_a_result_goes_through_its_file(result, tmp_path):
    path = tmp_path / "one.json"
    path.write_text(json.dumps(result.written(wrong=(5,))))
    assert read_result(path) == result(wrong=(5,))


def test_the_verb_compares_two_files(result, tmp_path, monkeypatch, capsys):
    files = [tmp_path / "one.json", tmp_path / "other.json"]
    for file, wrong in zip(files, [(5, 6), (6,)], strict=True):
        file.write_text(json.dumps(result.written(wrong=wrong)))
    monkeypatch.setattr("sys.argv", ["edgetune", "compare", *map(str, files), "--json", "-"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    figure = json.loads(capsys.readouterr().out)["figures"]["call_exact_match"]
    assert (figure["first_alone_wrong"], figure["second_alone_wrong"]) == (1, 0)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read"),
        ("{", "no result"),
        ("[]", "no result"),
        ('{"n": 3}', "arguments_n"),
    ],
)
def test_what_is_no_result_is_named(content, says, tmp_path):
    path = tmp_path / "one.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=says):
        read_result(path)


def test_people_see_both_figures_and_the_test(result):
    from rich.console import Console

    console = Console(width=120)
    found = compare(result(wrong=range(12)), result(wrong=(10, 11, 12, 13)))
    with console.capture() as capture:
        console.print(comparison_view(found, "monolithic on onnx", "decoupled on onnx"))
    text = capture.get()
    assert "A: monolithic on onnx" in text
    assert all(part in text for part in ("0.700", "0.900", "+0.200", "0.039", "same call for 0.70"))


def test_the_wrong_ones_tell_what_they_are_wrong_at(result):
    examples = result(wrong=(7,)).examples
    assert examples[7].wrong == ["arguments_exact_match", "call_exact_match"]
    assert not any(entry.wrong for entry in examples[:7])


def test_probabilities_are_compared_where_both_have_them(result):
    first, second = result.written(), result.written()
    assert compare(result(), result()).probability_difference is None
    for entry in (*first["examples"], *second["examples"]):
        entry["probability"] = 0.5
    second["examples"][3]["probability"] = 0.75
    found = compare(Result.model_validate(first), Result.model_validate(second))
    assert found.probability_difference == 0.25
