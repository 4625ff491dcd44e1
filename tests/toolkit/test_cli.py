"""The command line: bad input is one sentence on standard error, with exit code 2."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import pytest

import edgetune.data
import edgetune.tools.reader
import edgetune.tools.schema
from edgetune import cli
from edgetune.cli import main
from edgetune_export.lowering import targets


def run(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["edgetune", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code or 0


def test_a_missing_file_is_one_sentence(monkeypatch, capsys, tmp_path):
    assert run(monkeypatch, "train", tmp_path / "none.yaml", "--output", tmp_path / "run") == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"error: {tmp_path / 'none.yaml'}: cannot be read")
    assert (len(printed.err.splitlines()), printed.out) == (1, "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("train",), "Missing argument 'CONFIG'; `edgetune train --help` shows what there is."),
        (("run", "x", "y", "z"), "Got unexpected extra argument(s) (z); `edgetune run --help`"),
        (("bogus",), "No such command 'bogus'; `edgetune --help`"),
        (
            ("data", "check", "--none"),
            "No such option: --none (Possible options: ",
        ),
        (("data", "check", "--tools"), "Option '--tools' requires an argument; `edgetune"),
    ],
)
def test_a_wrong_option_is_one_sentence(monkeypatch, capsys, arguments, sentence):
    assert run(monkeypatch, *arguments) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"error: {sentence}")
    assert (len(printed.err.splitlines()), printed.out) == (1, "")


def test_the_demo_tells_the_bases_that_it_has_recipes_for(monkeypatch, capsys, tmp_path):
    assert run(monkeypatch, "demo", "--base", "gpt-7", "-o", tmp_path / "demo") == 2
    assert "--base gpt-7: unknown, expected one of nano, " in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()


def test_a_group_alone_shows_its_verbs(monkeypatch, capsys):
    assert run(monkeypatch, "data") == 2
    printed = capsys.readouterr()
    assert "generate" in printed.out
    assert printed.err == ""


def test_the_version_is_that_of_the_package(monkeypatch, capsys):
    assert run(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"edgetune {version('edgetune')}\n"


def test_what_people_wrote_is_no_markup(monkeypatch, capsys, tmp_path):
    call = {"name": "change_setting", "arguments": {"setting": "[/INST] wifi", "state": "on"}}
    messages = [
        {"role": "user", "content": "wifi on"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"type": "function", "function": call}],
        },
    ]
    data = tmp_path / "records.jsonl"
    data.write_text(json.dumps({"messages": messages}) + "\n")
    assert run(monkeypatch, "data", "check", data, "--tools", "phone_actions") == 1
    assert "[/INST] wifi" in "".join(capsys.readouterr().out.split("\n"))
    assert run(monkeypatch, "data", "check", data, "--tools", "[red]none") == 2
    assert "[red]none" in capsys.readouterr().err


def test_what_is_piped_is_neither_wrapped_nor_cut(tiny_bundle, tmp_path):
    bundle = shutil.copytree(tiny_bundle, tmp_path / "a-long-name" / ("b" * 100) / "home")
    (bundle / "onnx" / "model.onnx.data").write_bytes(b"other")
    program = "from edgetune.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "verify", str(bundle)], capture_output=True, text=True
    )
    assert done.returncode == 1, done.stderr
    [line] = [line for line in done.stdout.splitlines() if "model.onnx.data" in line]
    assert f"{bundle / 'onnx' / 'model.onnx.data'}: has 5 bytes where the manifest says" in line
    assert line.rstrip(" │").endswith("copy or export the bundle again.")


def test_no_verb_makes_a_console_of_its_own():
    for file in Path(cli.__file__).parent.rglob("*.py"):
        assert not re.search(r"\bConsole\(", file.read_text()), f"{file}: print to options.stdout"


def test_verify_shows_a_line_a_rung_and_in_full_what_does_not_hold(
    monkeypatch, capsys, tiny_bundle, tmp_path
):
    def lines(*arguments) -> list[str]:
        code = run(monkeypatch, "verify", *arguments)
        *shown, last = capsys.readouterr().out.splitlines()
        assert last.startswith("not ok: " if code else "ok: ")
        assert code in (0, 1)
        return shown

    whole = lines(tiny_bundle)
    [logits] = [line for line in whole if "onnx: logits" in line]
    assert "5 of 5" in logits
    assert "at worst, " in logits
    assert [line for line in lines(tiny_bundle, "--all") if "onnx: logits: home.selector" in line]
    assert len(whole) < len(lines(tiny_bundle, "--all"))

    bundle = shutil.copytree(tiny_bundle, tmp_path / "home")
    blob = bundle / "adapters" / "home.selector.safetensors"
    blob.write_bytes(b"no blob")
    broken = lines(bundle)
    assert any("not ok │ 3 of 4" in line for line in broken if "blob" in line)
    [why] = [line for line in broken if line.startswith("not ok blob: home.selector: ")]
    assert str(blob) in why


def test_a_package_that_is_not_installed_is_named(monkeypatch, capsys, tmp_path):
    for name in [name for name in sys.modules if name.startswith("edgetune.data")]:
        monkeypatch.delitem(sys.modules, name)
    # Importing anew sets the package's attributes anew: afterwards they are to be the old ones.
    monkeypatch.setattr(edgetune, "data", edgetune.data)
    monkeypatch.setattr(edgetune.tools, "schema", edgetune.tools.schema)
    monkeypatch.setattr(edgetune.tools, "reader", edgetune.tools.reader)
    monkeypatch.delitem(sys.modules, "edgetune.tools.schema", raising=False)
    monkeypatch.delitem(sys.modules, "edgetune.tools.reader", raising=False)
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    assert run(monkeypatch, "data", "check", tmp_path / "x.jsonl", "--tools", "phone_actions") == 2
    assert "package 'jsonschema'" in capsys.readouterr().err


def test_targets_say_what_they_need_and_whether_it_is_here(monkeypatch, capsys):
    assert run(monkeypatch, "targets", "--json", "-") == 0
    found = {entry["target"]: entry for entry in json.loads(capsys.readouterr().out)["targets"]}
    assert set(found) == set(targets.TARGETS)
    assert found["onnx"]["missing"] == []
    monkeypatch.setattr(targets, "find_spec", lambda name: None)
    assert run(monkeypatch, "targets") == 0
    assert "missing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("target", "option"),
    [
        ("executorch", ("--int8-activations",)),
        ("executorch", ("--genai",)),
        ("onnx", ("--soc", "sm8650")),
    ],
)
def test_an_option_of_another_target_is_refused(monkeypatch, capsys, tmp_path, target, option):
    command = ("export", tmp_path, "-o", tmp_path / "bundle", "--target", target)
    assert run(monkeypatch, *command, *option) == 2
    assert f"{option[0]}: is for --target" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["eval", "bfcl"])
def test_an_evaluation_asks_for_what_it_evaluates_and_for_data(monkeypatch, capsys, verb, tmp_path):
    assert run(monkeypatch, verb, tmp_path) == 2
    assert "--data" in capsys.readouterr().err
    assert run(monkeypatch, verb, "--data", "x.jsonl") == 2
    assert "BUNDLE|RUN" in capsys.readouterr().err


def test_a_result_that_is_not_there_is_named(monkeypatch, capsys, tmp_path):
    assert run(monkeypatch, "compare", tmp_path / "a.json", tmp_path / "b.json") == 2
    assert "a.json: cannot be read" in capsys.readouterr().err


def test_abstaining_contradicts_a_stage_without_a_selection(monkeypatch, capsys, tmp_path):
    command = ("eval", tmp_path, "--data", "x.jsonl", "--abstain-below", 0.5)
    assert run(monkeypatch, *command, "--stage", "arguments") == 2
    assert "--abstain-below contradicts --stage arguments" in capsys.readouterr().err


@pytest.mark.parametrize("ctrl_c", [signal.default_int_handler, signal.SIG_IGN])
def test_a_process_that_is_asked_to_end_tidies_up(monkeypatch, tmp_path, ctrl_c):
    def verb(**_given):
        with tempfile.TemporaryDirectory(dir=tmp_path):
            os.kill(os.getpid(), signal.SIGTERM)
            pytest.fail("went on")

    monkeypatch.setattr(cli, "app", verb)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    signal.signal(signal.SIGINT, ctrl_c)
    try:
        with pytest.raises(KeyboardInterrupt):
            main()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("verb", [("run", "{}", "hello"), ("eval", "{}", "--data", "x.jsonl")])
def test_a_negative_seed_is_refused(monkeypatch, capsys, tmp_path, verb):
    arguments = [part.format(tmp_path) for part in verb]
    assert run(monkeypatch, *arguments, "--seed", "-1") == 2
    assert "--seed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "verb",
    [("run", "{}", "hello"), ("eval", "{}", "--data", "x"), ("bfcl", "{}"), ("profile", "{}")],
)
def test_more_threads_than_cores_are_refused(monkeypatch, capsys, tmp_path, verb):
    arguments = [part.format(tmp_path) for part in verb]
    assert run(monkeypatch, *arguments, "--threads", 4096) == 2
    [sentence] = capsys.readouterr().err.splitlines()
    assert "--threads 4096: more threads than this machine has cores" in sentence


def test_more_threads_than_cores_in_a_recipe_are_refused(monkeypatch, capsys, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    data = "toolset: {tools: phone_actions}\ndata: {generate: {train: 3, dev: 1}}\n"
    recipe.write_text(data + "machine: {threads: 4096}\n")
    assert run(monkeypatch, "train", recipe, "-o", tmp_path / "run") == 2
    assert "machine.threads 4096: more threads than" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.yaml"]


def test_a_bad_record_is_named_in_the_users_own_file(monkeypatch, capsys, tmp_path):
    records = tmp_path / "mine.jsonl"
    call = {"function": {"name": "set_timer", "arguments": {"duration": 5}}}
    asked = {"role": "user", "content": "five minutes"}
    answer = {"role": "assistant", "tool_calls": [call]}
    records.write_text("\n" + json.dumps({"messages": [asked, answer]}))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("toolset: {tools: phone_actions}\ndata: {train: mine.jsonl}\n")
    assert run(monkeypatch, "train", recipe, "-o", tmp_path / "run") == 2
    [sentence] = capsys.readouterr().err.splitlines()
    assert f"{records}:2: " in sentence
    assert {path.name for path in tmp_path.iterdir()} == {"mine.jsonl", "recipe.yaml"}


def test_a_request_that_is_no_utf8_is_one_sentence(monkeypatch, capsys, tmp_path):
    assert run(monkeypatch, "run", tmp_path, "Z\udcfcrich") == 2
    assert "REQUEST: found bytes that are no UTF-8" in capsys.readouterr().err


def test_an_empty_request_is_refused(monkeypatch, capsys, tmp_path):
    assert run(monkeypatch, "run", tmp_path, "  ") == 2
    assert "REQUEST: found nothing" in capsys.readouterr().err


def test_the_bare_base_answers_in_words_where_no_tool_is_needed(monkeypatch, capsys, tiny_bundle):
    always = ("run", tiny_bundle, "hello", "--reply", "--abstain-below", "1", "--threads", "1")
    assert run(monkeypatch, *always, "--json", "-") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["steps"][0]["tool"] == "respond"
    assert isinstance(told["reply"], str)
    assert run(monkeypatch, *always) == 0
    assert told["reply"] in capsys.readouterr().out
    assert run(monkeypatch, "run", tiny_bundle, "hello", "--threads", "1", "--json", "-") == 0
    assert "reply" not in json.loads(capsys.readouterr().out)


def test_what_a_disk_refuses_is_one_sentence(monkeypatch, capsys, tmp_path):
    def refused(_path):
        raise PermissionError(13, "Permission denied", str(tmp_path / "locked.yaml"))

    monkeypatch.setattr("edgetune.config.read_config", refused)
    assert run(monkeypatch, "train", tmp_path / "locked.yaml") == 2
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: {tmp_path / 'locked.yaml'}: cannot be read or written")
