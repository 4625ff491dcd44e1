"""Opening what is to be evaluated: a bundle or a run, each on the engine that it can run on."""

import pytest

from edgetune.data.records import Example
from edgetune.evaluate.evaluate import evaluate
from edgetune.evaluate.system import open_system
from edgetune_export.run_record import BaseRecord, RunRecord, write_run_record
from edgetune_export.weights.base import load_base
from edgetune_runtime.calls import RESPOND_CALL, Call
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import write_json
from edgetune_runtime.options import Options
from edgetune_runtime.prompt import User
from edgetune_runtime.toolsets import dump_toolsets


@pytest.fixture(scope="module")
def untrained_run(tmp_path_factory, tiny_checkpoint, weather_toolset):
    """A finished run without adapters: a random base that knows nothing."""
    path = tmp_path_factory.mktemp("run")
    base = load_base(tiny_checkpoint(), path / "base")
    write_json(path / "tools.json", dump_toolsets([weather_toolset]))
    about = BaseRecord(name=base.name, weights_sha256=base.weights_sha256)
    run = RunRecord(edgetune="0", config={}, base=about, adapters=(), complete=True)
    write_run_record(path, run)
    return path


def test_an_untrained_base_still_calls_by_the_schema(untrained_run):
    agent = open_system(untrained_run, threads=1)
    options = Options(system="base", temperature=1.5, max_tokens=48)
    calls = [Call("get_weather", {"city": "Oslo"}), Call("set_alarm", {"time": "7"}), RESPOND_CALL]
    examples = [Example((User(f"request {number}"),), call) for number, call in enumerate(calls)]
    result = evaluate(agent, "home", examples, progress=False, options=options)
    assert (result.engine, result.system) == ("torch", "base")
    assert result.score.schema_valid == 1.0
    assert result.timing["prefill_tokens"] > 0


def test_a_system_that_was_not_trained_is_refused(untrained_run):
    with pytest.raises(InputError, match="has no such adapter"):
        open_system(untrained_run).step([User("hello")])


def test_a_directory_that_is_neither_bundle_nor_run_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"found neither manifest\.json .* nor run\.json"):
        open_system(tmp_path)


def test_a_missing_path_is_refused(tmp_path):
    with pytest.raises(InputError, match="found neither"):
        open_system(tmp_path / "absent")


def test_a_bundle_does_not_run_on_torch(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match="--engine torch runs a training run"):
        open_system(tmp_path, "torch")


def test_a_run_does_not_run_on_a_phones_engine(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(InputError, match="--engine onnx runs a bundle"):
        open_system(tmp_path, "onnx")
