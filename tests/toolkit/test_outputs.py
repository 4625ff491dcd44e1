"""No verb replaces what something else wrote, or works for an output that cannot be written."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from edgetune.cli import app, main
from edgetune.evaluate.report import is_report
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import require_replaceable

MINE = '{"mine": "a year of work"}\n'


def run(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["edgetune", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code or 0


def refusal(capsys) -> str:
    [sentence] = capsys.readouterr().err.splitlines()
    assert sentence.startswith("error: ")
    return sentence


def verbs(command=None, *path) -> Iterator[tuple[tuple[str, ...], set[str]]]:
    """Every verb with the names of its options."""
    command = command or typer.main.get_command(app)
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from verbs(inner, *path, name)
    else:
        yield path, {option for parameter in command.params for option in parameter.opts}


VERBS = dict(verbs())
FOLDERS = {
    ("demo",),
    ("train",),
    ("export",),
    ("quantize",),
    ("skill", "make"),
    ("tasks", "make"),
    ("teach",),
    ("nano", "pretrain"),
    ("data", "split"),
    ("data", "generate"),
    ("data", "import", "snips"),
}
FILE_OUTPUTS = {("golden",), ("tools", "pull"), ("data", "import", "transcript")}
FILES = [
    (verb, option)
    for verb, options in VERBS.items()
    for option in sorted({"--json", "--report", "--output"} & options)
    if option != "--output" or verb in FILE_OUTPUTS
]


def test_every_verb_with_an_output_is_tested_here():
    outputs = {verb for verb, options in VERBS.items() if "--output" in options}
    assert outputs == FOLDERS | FILE_OUTPUTS | {("data", "check")}
    assert all("--force" in VERBS[verb] for verb, _ in FILES)


@pytest.mark.parametrize(("verb", "option"), FILES, ids=lambda part: "".join(part))
def test_a_file_of_something_else_stays_and_an_impossible_place_is_told(
    monkeypatch, capsys, tmp_path, verb, option
):
    mine = tmp_path / "mine.json"
    mine.write_text(MINE)
    assert run(monkeypatch, *verb, option, mine) == 2
    assert f"{mine}: is there already" in refusal(capsys)
    assert mine.read_text() == MINE
    assert run(monkeypatch, *verb, option, mine / "result.json") == 2
    assert "result.json: cannot be written" in refusal(capsys)
    assert run(monkeypatch, *verb, option, tmp_path) == 2
    assert "is a folder, expected a file" in refusal(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.json"]


def test_the_same_verb_replaces_its_result_and_force_replaces_any(monkeypatch, tmp_path):
    result = tmp_path / "result.json"
    result.write_text("")
    for _ in range(2):  # what is empty is nobody's, then it is its own
        assert run(monkeypatch, "targets", "--json", result) == 0
        assert json.loads(result.read_text())["verb"] == "targets"
    assert run(monkeypatch, "init", "--list", "--json", result) == 2
    assert json.loads(result.read_text())["verb"] == "targets"
    assert run(monkeypatch, "init", "--list", "--json", result, "--force") == 0
    assert json.loads(result.read_text())["verb"] == "init"


def test_a_device_always_takes_a_result(monkeypatch):
    assert run(monkeypatch, "targets", "--json", "/dev/null") == 0


@pytest.fixture
def mine(tmp_path, weather_toolset) -> dict[Path, str]:
    """A folder as people have it, by hand: tools, and records beside them."""
    folder = tmp_path / "my"
    folder.mkdir()
    call = {"name": "set_alarm", "arguments": {"time": "7"}}
    lines = [
        json.dumps(
            {
                "messages": [
                    {"role": "user", "content": f"wake me at 7, {index}"},
                    {"role": "assistant", "tool_calls": [{"function": call}]},
                ]
            }
        )
        for index in range(20)
    ]
    (folder / "train.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "tools.json").write_text(json.dumps([t.as_openai() for t in weather_toolset.tools]))
    return {path: path.read_text() for path in folder.iterdir()}


def test_records_written_by_hand_stay(monkeypatch, capsys, tmp_path, mine):
    folder = tmp_path / "my"
    counts = ("--train", 6, "--dev", 1, "--test", 1)
    generate = ("data", "generate", "--tools", folder / "tools.json", "-o", folder, *counts)
    split = ("data", "split", folder / "train.jsonl", "-o", folder)
    check = ("data", "check", folder / "train.jsonl", "-o", folder / "tools.json")
    for command in (generate, split, check):
        assert run(monkeypatch, *command) == 2
        assert "is there already and holds something else" in refusal(capsys)
        assert {path: path.read_text() for path in folder.iterdir()} == mine
    assert run(monkeypatch, *generate, "--force") == 0
    assert len((folder / "train.jsonl").read_text().splitlines()) == 6


def test_tools_that_are_there_already_stay_as_they_are_written(monkeypatch, tmp_path, mine):
    folder = tmp_path / "my"
    (folder / "train.jsonl").unlink()
    command = ("data", "generate", "--tools", folder / "tools.json", "-o", folder)
    counts = ("--train", 6, "--dev", 1, "--test", 1)
    for _ in range(2):  # the same records again lose nothing
        assert run(monkeypatch, *command, *counts) == 0
        assert (folder / "tools.json").read_text() == mine[folder / "tools.json"]
    assert run(monkeypatch, *command, *counts, "--seed", "1") == 2


def test_other_tools_are_not_mixed_with_records(monkeypatch, capsys, tmp_path, mine):
    (tmp_path / "my" / "train.jsonl").unlink()
    command = ("data", "generate", "--tools", "phone_actions", "-o", tmp_path / "my")
    assert run(monkeypatch, *command, "--train", 3, "--dev", 1, "--test", 1) == 2
    assert "tools.json: is there already" in refusal(capsys)
    assert [path.name for path in (tmp_path / "my").iterdir()] == ["tools.json"]


def test_a_teacher_is_not_asked_for_records_that_would_not_be_written(
    monkeypatch, capsys, tmp_path, mine
):
    folder = tmp_path / "my"
    command = ("data", "generate", "--tools", folder / "tools.json", "-o", folder)
    nobody = ("--teacher", "http://localhost:1/v1", "--model", "none")
    assert run(monkeypatch, *command, *nobody) == 2
    assert "train.jsonl: is there already" in refusal(capsys)
    assert {path: path.read_text() for path in folder.iterdir()} == mine


def test_a_folder_of_something_else_is_never_replaced(
    monkeypatch, capsys, tmp_path, tiny_run, tiny_checkpoint
):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("toolset: {tools: phone_actions}\ndata: {generate: {train: 3, dev: 1}}\n")
    pretraining = tmp_path / "pretrain.yaml"
    pretraining.write_text("steps: 1\n")
    commands = {
        "run": ("demo", "-o", tmp_path / "out", "--fresh"),
        "bundle": ("demo", "-o", tmp_path / "out", "--fresh"),
        "train": ("train", recipe, "-o", tmp_path / "out" / "train"),
        "export": ("export", tiny_run(), "-o", tmp_path / "out" / "export"),
        "base": ("quantize", tiny_checkpoint(), "-o", tmp_path / "out" / "base"),
        "skill": ("skill", "make", "nano", "-o", tmp_path / "out" / "skill"),
        "teach": ("teach", "--tools", recipe, "-o", tmp_path / "out" / "teach"),
        "nano": ("nano", "pretrain", pretraining, "-o", tmp_path / "out" / "nano"),
    }
    capsys.readouterr()
    for place, command in commands.items():
        notes = tmp_path / "out" / place / "notes.txt"
        notes.parent.mkdir(parents=True)
        notes.write_text(MINE)
        assert run(monkeypatch, *command) == 2
        assert f"{notes.parent}: exists and is no " in refusal(capsys)
        assert [path.name for path in notes.parent.iterdir()] == ["notes.txt"]
        notes.unlink()
        notes.parent.rmdir()


def test_a_folder_that_cannot_be_made_is_told_before_the_work(monkeypatch, capsys, tmp_path):
    (tmp_path / "file").write_text(MINE)
    for command in (("demo",), ("data", "generate", "--tools", "phone_actions")):
        assert run(monkeypatch, *command, "-o", tmp_path / "file" / "out") == 2
        assert "cannot be written (Not a directory)" in refusal(capsys)


def test_the_readmes_commands_write_into_folders_of_their_own():
    text = (Path(__file__).parents[2] / "README.md").read_text()
    outputs = re.findall(r"^ +edgetune .*(?:-o|--output) (\S+)", text, re.MULTILINE)
    assert len(outputs) >= 5
    assert len(set(outputs)) == len(outputs)


def test_a_report_and_a_zip_of_something_else_stay(monkeypatch, capsys, tmp_path, tiny_run):
    (tmp_path / "report.html").write_text(MINE)
    assert run(monkeypatch, "demo", "-o", tmp_path) == 2
    assert "report.html: is there already" in refusal(capsys)
    assert not is_report(tmp_path / "report.html")
    (tmp_path / "bundle.zip").write_text(MINE)
    assert run(monkeypatch, "export", tiny_run(), "-o", tmp_path / "bundle", "--zip") == 2
    assert "bundle.zip: is there already" in refusal(capsys)
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "bundle.zip"}


def test_a_file_put_into_a_bundle_is_not_lost(monkeypatch, capsys, tmp_path, tiny_run):
    bundle = tmp_path / "bundle"
    command = ("export", tiny_run(), "-o", bundle, "--zip")
    assert run(monkeypatch, *command) == 0
    (bundle / "notes.txt").write_text(MINE)
    capsys.readouterr()
    assert run(monkeypatch, *command) == 2
    assert "notes.txt: is no file of the bundle" in refusal(capsys)
    assert (bundle / "notes.txt").read_text() == MINE
    (bundle / "notes.txt").unlink()
    assert run(monkeypatch, *command) == 0


def test_a_link_is_followed_to_what_it_names(tmp_path):
    (tmp_path / "there").write_text(MINE)
    (tmp_path / "link").symlink_to(tmp_path / "there")
    (tmp_path / "loose").symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match="link: is there already"):
        require_replaceable(tmp_path / "link", lambda _: False)
    require_replaceable(tmp_path / "loose", lambda _: False)
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(InputError, match="circle: cannot be written"):
        require_replaceable(tmp_path / "circle", lambda _: False)
    assert {path.name for path in tmp_path.iterdir()} == {"there", "link", "loose", "circle"}
