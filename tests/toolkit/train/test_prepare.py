"""What a run starts from: recipe, base, tools and records; what is refused, and gone on with."""

import gzip
import json
from collections import Counter

import pytest

from edgetune.config import read_config
from edgetune.data import copied
from edgetune.data.records import read_records
from edgetune.tools.reader import read_tools
from edgetune.train import local_engine
from edgetune.train import prepare as prepare_module
from edgetune.train.records import write_records
from edgetune.train.run import train
from edgetune_export.run import open_run
from edgetune_export.weights.base import Base
from edgetune_runtime.errors import InputError


@pytest.mark.parametrize("hold", [True, False])
def test_a_run_says_which_values_are_copied(recipe, tmp_path, monkeypatch, hold):
    monkeypatch.setattr(copied, "ENOUGH", 5)
    config = recipe(f"arguments: {{hold_copied: {str(hold).lower()}}}\n")
    train(config, tmp_path / "run")
    copied_of = {"get_weather": ("city",), "set_alarm": ("time",)}
    expected = {"home": copied_of} if hold else {}
    assert open_run(tmp_path / "run").copied == expected


def test_settings_of_an_unknown_tool_are_refused_before_anything_is_written(recipe, tmp_path):
    with pytest.raises(InputError, match=r"arguments\.tools\.set_alarms: .* set_alarm\)"):
        train(recipe("arguments: {tools: {set_alarms: {epochs: 4}}}\n"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_more_layers_than_the_base_has_are_refused_before_anything_is_written(recipe, tmp_path):
    with pytest.raises(InputError, match=r"'adapter\.layers: 3' .* has 2 layers"):
        train(recipe("selector: {adapter: {layers: 3}}\n"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_another_recipes_run_is_refused(recipe, tmp_path):
    train(recipe(), tmp_path / "run")
    with pytest.raises(InputError, match=r"'adapter\.rank' is 4 there and 8 here"):
        train(recipe(rank=8), tmp_path / "run")


def test_a_run_from_before_a_key_of_recipes_goes_on(recipe, tmp_path, monkeypatch):
    first = train(recipe(), tmp_path / "run")
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    for key in ("toolsets", "router"):
        del about["config"][key]
    (tmp_path / "run" / "run.json").write_text(json.dumps(about))
    monkeypatch.setattr(local_engine, "train_task", None)
    assert train(recipe(), tmp_path / "run").as_json() == first.as_json()


def test_a_run_of_other_data_is_refused(recipe, tmp_path, record):
    train(recipe(), tmp_path / "run")
    with (tmp_path / "train.jsonl").open("a") as file:
        file.write(json.dumps(record("good evening")) + "\n")
    with pytest.raises(InputError, match="run of another data"):
        train(recipe(), tmp_path / "run")


def test_a_folder_that_is_no_run_is_left_alone(recipe, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="is no training run"):
        train(recipe(), tmp_path / "notes")
    assert [path.name for path in (tmp_path / "notes").iterdir()] == ["mine.txt"]


def test_nothing_is_written_for_data_that_is_not_there(recipe, tmp_path):
    (tmp_path / "train.jsonl").unlink()
    with pytest.raises(InputError, match=r"data\.train: 'train\.jsonl' is no file"):
        train(recipe(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_record_that_breaks_its_schema_is_named_by_line(recipe, tmp_path, record):
    with (tmp_path / "train.jsonl").open("a") as file:
        file.write(json.dumps(record("weather", "get_weather", days=3)) + "\n")
    with pytest.raises(InputError) as caught:
        train(recipe(), tmp_path / "run")
    # In the file that is to be corrected, not in the run's copy.
    assert str(caught.value).startswith(f"{tmp_path / 'train.jsonl'}:13: ")
    assert "'city' is missing" in str(caught.value)


def test_a_run_keeps_foreign_records_in_the_format_that_export_reads(tmp_path, recipe):
    config = recipe()
    toolset = read_tools(tmp_path / "tools.json")
    before = read_records(tmp_path / "train.jsonl", toolset)
    chats = [
        {"prompt": record.source["messages"][:1], "completion": record.source["messages"][1:]}
        for record in before
    ]
    (tmp_path / "train.jsonl").write_bytes(gzip.compress(json.dumps(chats).encode()))
    (tmp_path / "run").mkdir()
    write_records(config, [toolset], tmp_path / "run")
    kept = tmp_path / "run" / "data" / "train.jsonl"
    assert [json.loads(line)["messages"] for line in kept.read_text().splitlines()] == [
        record.source["messages"] for record in before
    ]


def test_a_run_that_failed_before_training_gives_way_to_a_corrected_recipe(recipe, tmp_path):
    config = recipe()
    wrong = config.model_copy(
        update={"base": config.base.model_copy(update={"model": str(tmp_path / "gpt2")})}
    )
    (tmp_path / "gpt2").mkdir()
    (tmp_path / "gpt2" / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(InputError, match="gpt2"):
        train(wrong, tmp_path / "run")
    assert train(config, tmp_path / "run").as_json()["complete"]


def test_a_corrected_record_starts_the_run_again(recipe, tmp_path):
    config = recipe()
    good = (tmp_path / "train.jsonl").read_text()
    (tmp_path / "train.jsonl").write_text(good.replace('"time": "1"', '"time": 1'))
    with pytest.raises(InputError, match="expected the type string"):
        train(config, tmp_path / "run")
    (tmp_path / "train.jsonl").write_text(good)
    assert train(config, tmp_path / "run").as_json()["complete"]


def test_another_programs_folder_is_left_alone(recipe, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text('{"experiment": 7}')
    (tmp_path / "run" / "thesis.txt").write_text("three years of work")
    with pytest.raises(InputError, match="none of edgetune's"):
        train(recipe(), tmp_path / "run")
    assert (tmp_path / "run" / "thesis.txt").exists()


@pytest.mark.parametrize("method", ["rtn", "gptq", "float"])
def test_a_recipe_says_how_its_base_is_made(recipe, tmp_path, method):
    once = {"extra": "monolithic: {enabled: false}\n", "epochs": 1}
    summary = train(recipe(**once, base=f", quantization: {method}"), tmp_path / "run")
    other = train(recipe(**once), tmp_path / "other")
    run = open_run(tmp_path / "run")
    assert run.base.method == method
    assert summary.weights_sha256 == run.base.weights_sha256 != other.weights_sha256
    one, same = (
        [adapter.data_sha256 for adapter in open_run(tmp_path / name).adapters]
        for name in ("run", "other")
    )
    assert one == same


def test_another_way_than_the_bases_own_is_refused_before_anything_is_written(recipe, tmp_path):
    train(recipe("monolithic: {enabled: false}\n"), tmp_path / "run")
    made = tmp_path / "run" / "base"
    with pytest.raises(
        InputError,
        match=r"'base\.quantization: gptq' contradicts 'base\.model: .*"
        r"made already, with mse",
    ):
        train(recipe(model=made, base=", quantization: gptq"), tmp_path / "again")
    assert not (tmp_path / "again").exists()
    same = recipe("monolithic: {enabled: false}\n", model=made, base=", quantization: mse")
    assert train(same, tmp_path / "again").as_json()["complete"]


def test_a_run_from_before_a_key_of_the_recipe_was_known_is_still_the_same_run(recipe, tmp_path):
    train(recipe(), tmp_path / "run")
    path = tmp_path / "run" / "run.json"
    run = json.loads(path.read_text())
    del run["config"]["data"]["swap_values"]
    path.write_text(json.dumps(run))
    assert train(recipe(), tmp_path / "run").as_json()["complete"]


def test_at_most_so_many_records_of_each_tool_are_kept(recipe, tmp_path, weather_toolset):
    config = recipe("monolithic: {enabled: false}\n", data=", per_tool: 2")
    train(config, tmp_path / "run")
    kept = read_records(tmp_path / "run" / "data" / "train.jsonl", weather_toolset)
    assert Counter(each.calls[0].tool for each in kept).most_common(1)[0][1] == 2
    order = [each.source for each in read_records(tmp_path / "train.jsonl", weather_toolset)]
    places = [order.index(each.source) for each in kept]
    assert places == sorted(places)


def test_requests_that_no_tool_serves_join_where_tools_are_selected(recipe, tmp_path):
    plain = train(recipe(), tmp_path / "plain").adapters
    adapters = train(recipe(data=", negatives: 0.5"), tmp_path / "run").adapters
    # 12 examples, one of them talk: ten more make it 11 of 22.
    assert [plain[f"home.{name}"]["examples"] for name in ("selector", "monolithic")] == [12, 12]
    assert [adapters[f"home.{name}"]["examples"] for name in ("selector", "monolithic")] == [22, 22]
    hashes = [
        {entry["name"]: entry["data_sha256"] for entry in json.loads(path.read_text())["adapters"]}
        for path in (tmp_path / "plain" / "run.json", tmp_path / "run" / "run.json")
    ]
    for tool in ("get_weather", "set_alarm"):
        assert hashes[0][f"home.arguments.{tool}"] == hashes[1][f"home.arguments.{tool}"]
    assert len((tmp_path / "run" / "data" / "negatives.jsonl").read_text().splitlines()) == 10
    assert not (tmp_path / "plain" / "data" / "negatives.jsonl").exists()


def failing(*_, **__):
    raise InputError("no disk")


def fail_to_start(config, run, monkeypatch) -> None:
    """A start that ends when tools and records are written, over the base."""
    with monkeypatch.context() as patch:
        patch.setattr(prepare_module, "load_base", failing)
        with pytest.raises(InputError, match="no disk"):
            train(config, run)


def test_records_that_lie_in_the_run_are_never_removed(recipe, tmp_path, monkeypatch):
    config = recipe()
    fail_to_start(config, tmp_path / "run", monkeypatch)
    path = tmp_path / "recipe.yaml"
    path.write_text(path.read_text().replace("train: train.jsonl", "train: run/data/train.jsonl"))
    with pytest.raises(InputError, match=r"train\.jsonl: lies in .*move it"):
        train(read_config(path), tmp_path / "run")
    assert (tmp_path / "run" / "data" / "train.jsonl").exists()


def test_starting_again_removes_nothing_but_the_runs_own_files(recipe, tmp_path, monkeypatch):
    config = recipe()
    fail_to_start(config, tmp_path / "run", monkeypatch)
    (tmp_path / "run" / "notes.txt").write_text("mine")
    assert train(recipe(rank=2), tmp_path / "run").as_json()["complete"]
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


def test_a_start_that_failed_leaves_the_negatives_as_they_were(recipe, tmp_path, monkeypatch):
    config = recipe(data=", negatives: 0.5")
    fail_to_start(config, tmp_path / "run", monkeypatch)
    written = tmp_path / "run" / "data" / "negatives.jsonl"
    first = written.read_text()
    train(config, tmp_path / "run")
    assert written.read_text() == first


def test_hard_negatives_that_cannot_be_are_refused_before_anything_is_trained(
    recipe, tmp_path, monkeypatch
):
    monkeypatch.setattr(Base, "model", failing)
    with pytest.raises(InputError, match=r"selector\.hard_negatives\.epochs: 2' contradicts"):
        train(recipe("selector: {hard_negatives: {epochs: 2}}\n"), tmp_path / "run")
