"""Golden vectors: this runtime does as they say, and each kind tells where it does not."""

import copy
import json
from pathlib import Path

import pytest

from edgetune.cli import main
from edgetune_export.golden import Amounts, golden_text, make_golden
from edgetune_export.golden_check import as_turn, check_golden
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.engines import open_engine
from edgetune_runtime.errors import InputError

NANO = Path(__file__).with_name("golden_nano.json")
"""Of the embedded base with the phone tools: `edgetune golden` wrote it."""


@pytest.fixture(scope="module")
def bundle(tiny_bundle):
    return open_bundle(tiny_bundle)


@pytest.fixture(scope="module")
def engine(bundle):
    return open_engine(bundle, threads=1)


@pytest.fixture(scope="module")
def golden(bundle, engine):
    """As another language reads it: out of a file."""
    return json.loads(golden_text(make_golden(bundle, engine)))


def test_this_runtime_does_as_the_vectors_say(golden, bundle, engine):
    assert check_golden(golden, bundle, engine) == []
    counts = {key: len(value) for key, value in golden.items() if isinstance(value, list)}
    assert counts == {
        "tokens": 40,
        "prompts": 16,
        "masks": 2,
        "selections": 12,
        "steps": 12,
        "replies": 2,
    }


def test_the_same_seed_gives_the_same_vectors(golden, bundle, engine):
    assert make_golden(bundle, engine) == golden
    other = make_golden(bundle, engine, seed=1)
    assert other["tokens"] != golden["tokens"]
    assert other["masks"] != golden["masks"]


def test_as_many_vectors_as_are_asked_for(bundle, engine):
    more = Amounts(texts=30, tools=None, walks=3, requests=("a", "b", "c"), steps=5)
    found = make_golden(bundle, engine, amounts=more)
    counts = {key: len(value) for key, value in found.items() if isinstance(value, list)}
    assert counts == {
        "tokens": 50,
        "prompts": 42,
        "masks": 6,
        "selections": 21,
        "steps": 6,
        "replies": 2,
    }
    assert check_golden(found, bundle, engine) == []


CHANGES = {
    "tokens": lambda entry: entry["ids"].append(1),
    "prompts": lambda entry: entry["ids"].pop(),
    "masks": lambda entry: entry["walk"][1].update(crc32=0),
    "selections": lambda entry: entry["probabilities"].update(get_weather=0.999),
    "steps": lambda entry: entry["step"].update(arguments='{"no": 1}'),
    "replies": lambda entry: entry.update(text="Hm."),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_what_differs_is_told(golden, bundle, engine, kind):
    changed = copy.deepcopy(golden)
    CHANGES[kind](changed[kind][3 if kind == "tokens" else 0])
    (problem,) = check_golden(changed, bundle, engine)
    assert problem.startswith(f"{kind}: ")


def test_a_step_has_the_tokens_that_its_tools_need(bundle, engine, monkeypatch):
    monkeypatch.setattr("edgetune_export.golden.CALL_TOKENS", 1)
    short = json.loads(golden_text(make_golden(bundle, engine)))
    assert {entry["max_tokens"] > 1 for entry in short["steps"]} == {True}
    assert check_golden(short, bundle, engine) == []


def test_vectors_of_another_version_or_bundle_are_refused(golden, bundle):
    with pytest.raises(InputError, match="version 99"):
        check_golden({**golden, "version": 99}, bundle, None)
    other = {**golden, "bundle": {"manifest_sha256": "0" * 64}}
    with pytest.raises(InputError, match="is not the bundle"):
        check_golden(other, bundle, None)
    for damaged in ({"version": 1}, {**golden, "bundle": None}, {**golden, "masks": {}}):
        with pytest.raises(InputError, match="golden vectors: expected"):
            check_golden(damaged, bundle, None)
    with pytest.raises(InputError, match="entry is damaged"):
        check_golden({**golden, "tokens": [{"text": "hi"}]}, bundle, None)
    with pytest.raises(InputError, match="found 'shouted'"):
        as_turn({"shouted": "hi"})


def test_masks_are_what_each_token_does_alone(golden, bundle):
    """The oracle walks the automaton byte by byte, for every token of the vocabulary."""
    import zlib

    import numpy as np

    vocabulary = bundle.assets.vocabulary
    for entry in golden["masks"]:
        automaton = bundle.assets.toolsets[entry["toolset"]].automata[entry["tool"]]
        for step in entry["walk"][::5]:
            ids = [
                token
                for token in range(len(vocabulary))
                if vocabulary[token] and automaton.walk(step["state"], vocabulary[token])
            ]
            assert len(ids) == step["allowed"]
            assert zlib.crc32(np.array(ids, "<i4").tobytes()) == step["crc32"]


@pytest.mark.slow
def test_the_embedded_base_does_as_its_vectors_say(nano_bundle):
    """Written once and kept: whatever changes them changes what adapters were trained on."""
    opened = open_bundle(nano_bundle)
    golden = json.loads(NANO.read_text(encoding="utf-8"))
    golden["bundle"]["manifest_sha256"] = (nano_bundle / "manifest.sha256").read_text().split()[0]
    assert check_golden(golden, opened, open_engine(opened, threads=1)) == []


def test_the_command_writes_and_checks(tiny_bundle, tmp_path, monkeypatch, capsys):
    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["edgetune", "golden", str(tiny_bundle), *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0

    path = tmp_path / "golden.json"
    assert run("-o", str(path)) == 0
    assert run("--check", str(path)) == 0
    assert run("-o", str(path)) == 0  # its own file may be written again
    value = json.loads(path.read_text())
    value["steps"][0]["step"]["tool"] = "another"
    path.write_text(json.dumps(value))
    capsys.readouterr()
    assert run("--check", str(path), "--json", "-") == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False
    mine = tmp_path / "mine.json"
    for notes in ('{"my": "notes"}', '{"bundle": 3}'):
        mine.write_text(notes)
        assert run("-o", str(mine)) == 2
        assert mine.read_text() == notes
    assert run() == 2
    assert run("--check", str(tmp_path / "none.json")) == 2
