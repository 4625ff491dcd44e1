"""`edgetune quantize`: the base that it writes, what it reports of it, and what it refuses."""

import json
import sys
from pathlib import Path

import pytest

from edgetune.cli import main
from edgetune.nano.ship import PACKAGE_BASE
from edgetune.quantization import weight_error
from edgetune_export.weights.base import Base, load_base
from edgetune_runtime.toolsets import dump_toolsets

CITIES = ("Oslo", "Lima", "Rome", "Bonn", "Kyiv", "Baku")


@pytest.fixture
def records(tmp_path, weather_toolset) -> dict[str, Path]:
    """Files of calls, `train` and `dev`, with a tools.json beside them."""
    (tmp_path / "tools.json").write_text(json.dumps(dump_toolsets([weather_toolset])))
    lines = []
    for city in CITIES:
        call = {"function": {"name": "get_weather", "arguments": {"city": city}}}
        answer = {"role": "assistant", "content": None, "tool_calls": [call]}
        question = {"role": "user", "content": f"weather in {city}"}
        lines.append(json.dumps({"messages": [question, answer]}) + "\n")
    files = {"train": lines[:4], "dev": lines[4:]}
    for name, part in files.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(part))
    return {name: tmp_path / f"{name}.jsonl" for name in files}


def run(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["edgetune", "quantize", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code or 0


@pytest.mark.parametrize("method", ["rtn", "gptq"])
def test_a_base_is_written_and_measured_before_and_after(
    monkeypatch, capsys, tmp_path, tiny_checkpoint, records, method
):
    options = ["--method", method, "--data", records["dev"], "--json", tmp_path / "out.json"]
    assert run(monkeypatch, tiny_checkpoint("qwen2"), "-o", tmp_path / "base", *options) == 0
    assert "perplexity" in capsys.readouterr().out
    found = json.loads((tmp_path / "out.json").read_text())
    base = load_base(tmp_path / "base")
    assert (found["method"], base.method) == (method, method)
    assert found["weights_sha256"] == base.weights_sha256
    assert 0.05 < found["weight_error"] < 0.15
    assert found["float"]["n"] == found["int4"]["n"] == 2
    assert found["float"]["tokens"] == found["int4"]["tokens"] > 20
    assert found["float"]["perplexity"] != found["int4"]["perplexity"]
    assert 0 <= found["int4"]["call_exact_match"] <= 1
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_without_records_only_the_weights_are_compared(monkeypatch, tmp_path, tiny_checkpoint):
    errors = {}
    for method in ("rtn", "mse"):
        target = tmp_path / f"{method}.json"
        options = ["-o", tmp_path / method, "--method", method, "--json", target]
        assert run(monkeypatch, tiny_checkpoint("qwen2"), *options) == 0
        found = json.loads(target.read_text())
        assert found["float"] is found["int4"] is None
        errors[method] = found["weight_error"]
    assert errors["mse"] < 0.95 * errors["rtn"]
    base = Base(tmp_path / "mse")
    assert weight_error(base, base) == pytest.approx(0, abs=1e-9)


def test_what_contradicts_itself_is_refused_before_anything_is_written(
    monkeypatch, capsys, tmp_path, tiny_checkpoint, records
):
    source, base = tiny_checkpoint("qwen2"), tmp_path / "base"
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    for arguments, sentence in (
        ([source, "-o", base, "--embedding-bits", "6"], "embedding of 6 bits, expected 4 or 8"),
        ([source, "-o", base, "--tools", "phone_actions"], "--tools phone_actions: is for records"),
        ([PACKAGE_BASE, "-o", base], "is a base already, made by mse"),
        ([source, "-o", tmp_path / "notes"], "exists and is no base"),
    ):
        assert run(monkeypatch, *arguments) == 2
        assert sentence in capsys.readouterr().err
    assert not base.exists()
    assert [path.name for path in (tmp_path / "notes").iterdir()] == ["mine.txt"]


def test_records_that_cannot_be_measured_on_leave_nothing(
    monkeypatch, capsys, tmp_path, tiny_checkpoint, records
):
    long = json.loads(records["dev"].read_text().splitlines()[0])
    long["messages"][0]["content"] *= 300
    records["dev"].write_text(json.dumps(long) + "\n")
    before = sorted(tmp_path.rglob("*"))
    output = tmp_path / "bases" / "mine"
    source = tiny_checkpoint("qwen2")
    capsys.readouterr()
    assert run(monkeypatch, source, "-o", output, "--data", records["dev"]) == 2
    assert "none of the 1 examples has at most" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_the_embedded_base_is_its_checkpoint_by_least_error_bit_for_bit(tmp_path):
    source = Path(__file__).parents[2] / "checkpoints" / "nano"
    made = load_base(source, tmp_path / "base", method="mse")
    assert made.weights_sha256 == Base(PACKAGE_BASE).weights_sha256


def test_a_held_out_text_is_measured_on(monkeypatch, capsys, tmp_path, tiny_checkpoint):
    text = tmp_path / "prose.txt"
    text.write_text("It rained all night, and in the morning the road was gone. " * 40)
    options = ["--text", text, "--embedding-bits", 8, "--json", tmp_path / "out.json"]
    assert run(monkeypatch, tiny_checkpoint("llama"), "-o", tmp_path / "base", *options) == 0
    assert "times as much" in capsys.readouterr().out
    found = json.loads((tmp_path / "out.json").read_text())["text"]
    assert found["tokens"] > 500
    assert found["before"] != found["after"] == pytest.approx(found["before"], rel=0.2)
    assert Base(tmp_path / "base").embedding_bits == 8
    text.write_text("")
    assert run(monkeypatch, tiny_checkpoint("llama"), "-o", tmp_path / "b", "--text", text) == 2
    assert "--text: it has 0 tokens" in capsys.readouterr().err
    text.write_bytes(b"\xff\xfe\x00")
    assert run(monkeypatch, tiny_checkpoint("llama"), "-o", tmp_path / "b", "--text", text) == 2
    assert "is no UTF-8 text" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()
