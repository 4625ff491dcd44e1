"""A record that is longer than the context is left out and named; the others are scored."""

import json
import sys

import pytest

from edgetune.cli import main
from edgetune.evaluate.asking import ask
from edgetune.evaluate.evaluate import evaluate
from edgetune.evaluate.table import result_view
from edgetune_runtime.errors import ContextError, InputError
from edgetune_runtime.options import Options


def run(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["edgetune", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code or 0


def words(step: str, options: Options) -> str:
    if len(step) > 5:
        raise ContextError("context: too long")
    return f"{step} {options.seed}"


def test_a_record_goes_with_all_its_steps_and_the_others_keep_their_seeds():
    found = ask(["a", "b", "c", "longer", "d"], [1, 3, 1], Options(seed=7), words, str, None)
    assert found.steps == ("a", "d")
    assert found.given == ("a 7", "d 11")
    assert found.lengths == (1, 1)
    [left_out] = found.left_out
    assert (left_out.record, left_out.request) == (2, "longer")


def test_steps_without_lengths_are_records_of_their_own():
    found = ask(["a", "longer", "b"], (), Options(), words, str, None)
    assert (found.steps, found.lengths) == (("a", "b"), ())


def test_records_none_of_which_fits_are_refused():
    with pytest.raises(InputError, match=r"not one of its records \(2\) fits: context: too long"):
        ask(["longer", "longest"], (), Options(), words, str, None)


def test_the_table_names_what_was_left_out(agent, examples, monkeypatch):
    answer = agent.step

    def step(turns, *rest):
        if "wake" in turns[-1].text:
            raise ContextError("context: too long")
        return answer(turns, *rest)

    monkeypatch.setattr(agent, "step", step)
    found = evaluate(agent, "home", examples, progress=False)
    assert found.score.n == len(found.examples) == 3
    assert "1 records: record 3 ('wake me at 7')" in str(result_view(found).renderables[-1])


@pytest.fixture
def data(tmp_path):
    """Three records, the second of which is long."""
    call = {"function": {"name": "set_alarm", "arguments": {"time": "7"}}}
    lines = [
        json.dumps(
            {
                "messages": [
                    {"role": "user", "content": text},
                    {"role": "assistant", "tool_calls": [call]},
                ]
            }
        )
        for text in ("wake me", "wake me " * 300, "up at 7")
    ]
    (tmp_path / "data.jsonl").write_text("\n".join(lines))
    return tmp_path / "data.jsonl"


@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_one_long_record_does_not_end_an_evaluation(
    monkeypatch, capsys, tmp_path, tiny_run, tiny_bundle, data, kind
):
    path, result = tiny_run() if kind == "run" else tiny_bundle, tmp_path / "result.json"
    report = tmp_path / "report.html"
    command = ("eval", path, "--data", data, "--stage", "selection", "--json", result)
    for _ in range(2):  # its own results may be replaced
        assert run(monkeypatch, *command, "--report", report) == 0
    assert "longer than the context: 1 records" in report.read_text()
    found = json.loads(result.read_text())
    assert found["n"] == len(found["examples"]) == 2
    [left_out] = found["left_out"]
    assert left_out["record"] == 2
    assert left_out["reason"].startswith("context: ")
    assert "record 2" in "".join(capsys.readouterr().out.split("\n"))


def test_the_context_can_be_asked_for(monkeypatch, capsys, tmp_path, tiny_run, tiny_bundle, data):
    for path in (tiny_run(), tiny_bundle):
        command = ("eval", path, "--data", data, "--stage", "selection", "--json", "-")
        assert run(monkeypatch, *command, "--context", 32) == 2
        assert "not one of its records (3) fits: context: " in capsys.readouterr().err
        assert run(monkeypatch, *command, "--context", 4000) == 2
        assert "--context 4000: this base" in capsys.readouterr().err
    assert run(monkeypatch, "run", tiny_bundle, "hello", "--context", 16) == 2
    assert "the engine was opened for 16" in capsys.readouterr().err
    assert run(monkeypatch, "profile", tiny_bundle, "--context", 800, "--json", "-") == 0
    small = json.loads(capsys.readouterr().out)["base"]["kv_bytes"]
    assert run(monkeypatch, "profile", tiny_bundle, "--json", "-") == 0
    assert small < json.loads(capsys.readouterr().out)["base"]["kv_bytes"]
