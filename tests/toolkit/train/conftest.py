"""Fixtures of the training tests: a tiny base and its model to be adapted, and a small recipe."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edgetune.config import TrainConfig, read_config
from edgetune_export.weights.base import load_base
from edgetune_runtime.toolsets import dump_toolsets

CITIES = ("Oslo", "Lima", "Rome", "Bonn", "Kyiv")


@pytest.fixture(scope="module")
def base(tiny_checkpoint, tmp_path_factory):
    return load_base(tiny_checkpoint("qwen2"), tmp_path_factory.mktemp("base") / "base")


@pytest.fixture
def model(base):
    return base.model()


@pytest.fixture(scope="session")
def record() -> Callable[..., dict]:
    """A factory: `record(request, tool, **arguments)`, or talk without a tool."""

    def make(request: str, tool: str | None = None, **arguments) -> dict:
        if tool is None:
            answer = {"role": "assistant", "content": "Hello."}
        else:
            call = {"type": "function", "function": {"name": tool, "arguments": arguments}}
            answer = {"role": "assistant", "content": None, "tool_calls": [call]}
        return {"messages": [{"role": "user", "content": request}, answer]}

    return make


@pytest.fixture
def recipe(tmp_path, tiny_checkpoint, weather_toolset, record):
    """A factory of configs over a small data set beside the recipe."""
    tools = dump_toolsets([weather_toolset])
    (tmp_path / "tools.json").write_text(json.dumps(tools))
    records = [record("hello"), record("stop the alarms", "cancel_alarms")]
    for index, city in enumerate(CITIES):
        records.append(record(f"weather in {city}", "get_weather", city=city))
        records.append(record(f"alarm at {index}", "set_alarm", time=str(index)))
    for name, lines in (("train", records), ("dev", records[:5])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def make(
        extra: str = "",
        epochs: float = 2,
        rank: int = 4,
        data: str = "",
        base: str = "",
        model: Path | None = None,
    ) -> TrainConfig:
        path = tmp_path / "recipe.yaml"
        path.write_text(
            f"base: {{model: {model or tiny_checkpoint('qwen2')}{base}}}\n"
            "toolset: {tools: tools.json}\n"
            f"data: {{train: train.jsonl, dev: dev.jsonl{data}}}\n"
            "prompt: {tools: names}\n"
            f"adapter: {{rank: {rank}}}\n"
            f"train: {{epochs: {epochs}, batch_size: 4, learning_rate: 5.0e-3, evaluations: 2}}\n"
            + extra
        )
        return read_config(path)

    return make


@pytest.fixture(scope="session")
def things(tmp_path_factory, tiny_checkpoint, record):
    """A factory of recipes over tools of one parameter, whose files lie beside it, rewritten each
    time: `things(["alarm", "light"], extra)`."""
    folder = tmp_path_factory.mktemp("things")
    schema = {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}

    def make(
        names,
        extra="monolithic: {enabled: false}\n",
        values=(),
        data=None,
        name="home",
        base=None,
    ):
        """`values`: for some of the `names` other values than those of all."""
        tools = [
            {"name": f"set_{each}", "description": f"The {each}.", "parameters": schema}
            for each in names
        ]
        (folder / "tools.json").write_text(json.dumps(tools))
        lines = [record(text) for text in ("hello", "good night", "thanks", "well done")]
        for each in names:
            for to in dict(values).get(each, ("low", "mid", "high", "off")):
                lines.append(record(f"{each} {to}", f"set_{each}", to=to))
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / "train.jsonl").write_text(text)
        path = folder / "recipe.yaml"
        path.write_text(
            f"base: {{model: {base or tiny_checkpoint('qwen2')}}}\n"
            f"toolset: {{tools: tools.json, name: {name}}}\n"
            f"data: {data or '{train: train.jsonl, dev: train.jsonl}'}\n"
            "prompt: {tools: names}\nadapter: {rank: 4}\n"
            "train: {epochs: 2, batch_size: 4, learning_rate: 5.0e-3, evaluations: 1}\n" + extra
        )
        return read_config(path)

    return make
