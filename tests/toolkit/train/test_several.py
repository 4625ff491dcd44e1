"""Several toolsets in one run: trained, exported, verified, run and evaluated, end to end."""

import json
import shutil

import pytest

from edgetune.config import read_config
from edgetune.data.routed import read_routed
from edgetune.evaluate.routed import evaluate_routed
from edgetune.evaluate.system import open_system
from edgetune.settings import RouterSettings
from edgetune.train.prepare import prepare
from edgetune.train.run import train
from edgetune_export.bundle import write_bundle
from edgetune_export.golden import make_golden
from edgetune_export.golden_check import check_golden
from edgetune_export.listing import write_manifest
from edgetune_export.run import open_run
from edgetune_export.verify.ladder import climb
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.engines import open_engine
from edgetune_runtime.errors import BundleError, InputError
from edgetune_runtime.manifest import Manifest
from edgetune_runtime.options import Options
from edgetune_runtime.prompt import User
from edgetune_runtime.toolsets import dump_toolset

SHORT = Options(max_tokens=40)


def record(request, tool=None, **arguments):
    answer = {"role": "assistant", "content": "Hello."}
    if tool is not None:
        call = {"type": "function", "function": {"name": tool, "arguments": arguments}}
        answer = {"role": "assistant", "content": None, "tool_calls": [call]}
    return {"messages": [{"role": "user", "content": request}, answer]}


SONGS = [
    {
        "type": "function",
        "function": {
            "name": "play_song",
            "description": "Play a song.",
            "parameters": {
                "type": "object",
                "properties": {"title": {"type": "string"}},
                "required": ["title"],
            },
        },
    },
    # Of the same name as one of the home's, with other parameters.
    {"type": "function", "function": {"name": "get_weather", "description": "Songs of rain."}},
]
CITIES = ("Oslo", "Lima", "Rome", "Bonn", "Kyiv")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory, tiny_checkpoint, weather_toolset):
    """A factory of recipes of two toolsets, whose files lie beside it."""
    folder = tmp_path_factory.mktemp("recipe")
    (folder / "home.json").write_text(json.dumps(dump_toolset(weather_toolset)["tools"]))
    (folder / "music.json").write_text(json.dumps(SONGS))
    home = [record("hello")] + [record(f"rain in {c}", "get_weather", city=c) for c in CITIES]
    music = [record(f"play {c}", "play_song", title=c) for c in CITIES]
    music.append(record("rain songs", "get_weather"))
    for name, lines in (("home", home), ("music", music)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def make(extra="", second="music"):
        entries = "".join(
            f"  - {{name: {name}, description: About {name}., tools: {file}.json, "
            f"data: {{train: {file}.jsonl, dev: {file}.jsonl}}}}\n"
            for name, file in (("home", "home"), (second, "music"))
        )
        path = folder / "recipe.yaml"
        path.write_text(
            f"base: {{model: {tiny_checkpoint('qwen2')}}}\n"
            f"toolsets:\n{entries}"
            "prompt: {tools: names}\nadapter: {rank: 4}\n"
            "train: {epochs: 2, batch_size: 4, learning_rate: 5.0e-3, evaluations: 1}\n"
            "router: {train: {epochs: 30}}\n" + extra
        )
        return read_config(path)

    return make


@pytest.fixture(scope="module")
def run(recipe, tmp_path_factory):
    path = tmp_path_factory.mktemp("several") / "run"
    train(recipe(), path)
    return path


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    path = tmp_path_factory.mktemp("several") / "bundle"
    write_bundle(open_run(run), path, ["onnx"])
    return path


def test_a_run_holds_each_toolset_and_one_router(run):
    about = json.loads((run / "run.json").read_text())
    assert [(entry["name"], entry["role"], entry["toolset"]) for entry in about["adapters"]] == [
        ("home.selector", "selector", "home"),
        ("home.arguments.get_weather", "arguments", "home"),
        ("home.monolithic", "monolithic", "home"),
        ("music.selector", "selector", "music"),
        ("music.arguments.play_song", "arguments", "music"),
        ("music.monolithic", "monolithic", "music"),
        ("router", "router", None),
    ]
    assert {path.parent.name for path in (run / "data").rglob("train.jsonl")} == {"home", "music"}
    seen = {
        name: entry["examples_seen"]
        for name, entry in json.loads((run / "metrics.json").read_text())["adapters"].items()
    }
    # Each baseline has the budget of its own toolset; the router, on all steps, is in none of them.
    assert seen["home.monolithic"] == seen["home.selector"] + seen["home.arguments.get_weather"]
    assert seen["music.monolithic"] == seen["music.selector"] + seen["music.arguments.play_song"]
    assert seen["router"] == 30 * 12


def test_what_selects_and_what_routes_is_calibrated(exported, run):
    about = json.loads((run / "run.json").read_text())
    fitted = {
        entry["name"]: entry["selection_temperature"]
        for entry in about["adapters"]
        if "selection_temperature" in entry
    }
    assert {name.rpartition(".")[2] for name in fitted} == {"selector", "monolithic", "router"}
    # It never errs on these few requests, of which its softmax is less sure than it could be.
    assert fitted["router"] < 1
    sources = open_bundle(exported).assets.adapters
    assert {name: sources[name].selection_temperature for name in fitted} == fitted


def test_the_bundle_holds(exported, run):
    result = climb(exported, run=run).as_json()
    assert result["ok"], [check for check in result["checks"] if not check["ok"]]
    names = {check["name"] for check in result["checks"]}
    assert {"blob: router", "scale: router", "onnx: logits: router", "prompts"} <= names
    manifest = open_bundle(exported).manifest
    assert manifest.router == "router"
    assert {each.role for each in manifest.adapters if each.toolset is None} == {"router"}


def test_run_and_bundle_route_alike_and_are_evaluated(exported, run, tmp_path):
    data = tmp_path / "records.jsonl"
    lines = []
    for name in ("home", "music"):
        for line in (run / "data" / name / "dev.jsonl").read_text().splitlines():
            lines.append(json.dumps({**json.loads(line), "toolset": name}))
    data.write_text("\n".join(lines))
    results = []
    for path in (run, exported):
        agent = open_system(path, threads=1)
        toolsets = {name: each.toolset for name, each in agent.assets.toolsets.items()}
        steps = [step for steps in read_routed(data, toolsets) for step in steps]
        results.append(evaluate_routed(agent, steps, progress=False, options=SHORT))
        assert agent.step([User("play Oslo")]).timing["route_ms"] > 0
    # A tiny random base tells "play" from "rain" when trained to; it learns little else.
    assert [result.routing_accuracy for result in results] == [1.0, 1.0]
    assert results[0].as_json()["schema_valid"] == 1.0
    untrained = agent.step([User("play Oslo")], options=Options(system="base"))
    assert untrained.toolset in ("home", "music")


def test_golden_vectors_tell_what_routing_does(exported):
    bundle = open_bundle(exported)
    engine = open_engine(bundle, threads=1)
    golden = make_golden(bundle, engine)
    assert check_golden(golden, bundle, engine) == []
    routed = [entry for entry in golden["selections"] if entry["toolset"] is None]
    assert [entry["system"] for entry in routed] == ["base"] * 3 + ["decoupled"] * 3
    assert all(set(entry["probabilities"]) == {"home", "music"} for entry in routed)
    assert {entry["stage"] for entry in golden["prompts"] if not entry["toolset"]} == {
        "base",
        "router",
    }


def test_a_changed_prompt_of_routing_is_found_despite_new_hashes(exported, tmp_path):
    bundle = shutil.copytree(exported, tmp_path / "bundle")
    prompts = bundle / "prompts.json"
    prompts.write_text(prompts.read_text().replace("About music.", "About  music."))
    manifest = Manifest.model_validate_json((bundle / "manifest.json").read_text())
    write_manifest(bundle, manifest)
    failed = {c["name"]: c["detail"] for c in climb(bundle).as_json()["checks"] if not c["ok"]}
    assert "routing" in failed["prompts"]


def test_a_bundle_without_the_routers_blob_or_prompts_is_refused(exported, tmp_path):
    bundle = shutil.copytree(exported, tmp_path / "bundle")
    manifest = Manifest.model_validate_json((bundle / "manifest.json").read_text())
    others = tuple(each for each in manifest.adapters if each.role != "router")
    write_manifest(bundle, manifest.model_copy(update={"adapters": others}))
    with pytest.raises(BundleError, match="routing uses adapter 'router'"):
        open_bundle(bundle)
    prompts = json.loads((bundle / "prompts.json").read_text())
    (bundle / "prompts.json").write_text(json.dumps({**prompts, "router": None}))
    write_manifest(bundle, manifest)
    with pytest.raises(BundleError, match=r"prompts\.json: has no prompt"):
        open_bundle(bundle)


def test_without_a_router_the_base_routes(recipe, tmp_path):
    config = recipe("monolithic: {enabled: false}\n")
    train(config.model_copy(update={"router": RouterSettings(enabled=False)}), tmp_path / "run")
    agent = open_system(tmp_path / "run", threads=1)
    assert agent.step([User("play Oslo")], options=SHORT).toolset in ("home", "music")
    assert "router" not in agent.assets.adapters


def test_activated_adapters_are_routed_and_verified(recipe, tmp_path):
    config = recipe("monolithic: {enabled: false}\n")
    activated = config.adapter.model_copy(update={"kind": "alora"})
    train(config.model_copy(update={"adapter": activated}), tmp_path / "run")
    write_bundle(open_run(tmp_path / "run"), tmp_path / "bundle", ["onnx"])
    result = climb(tmp_path / "bundle").as_json()
    assert result["ok"], [check for check in result["checks"] if not check["ok"]]
    names = {check["name"] for check in result["checks"]}
    assert {"onnx: logits: router", "onnx: calls"} <= names
    agent = open_system(tmp_path / "bundle", threads=1)
    assert agent.assets.adapters["router"].invocation
    assert agent.step([User("play Oslo")], options=SHORT).toolset in ("home", "music")


def test_two_toolsets_of_one_name_are_refused(recipe, tmp_path):
    with pytest.raises(InputError, match=r"toolsets\.1\.name: 'Home' is the name of toolsets\.0"):
        train(recipe(second="Home"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_generated_requests_are_foreign_to_all_toolsets(tmp_path, tiny_checkpoint):
    (tmp_path / "mail.json").write_text(
        json.dumps([{"type": "function", "function": {"name": "send_email"}}, SONGS[0]])
    )
    (tmp_path / "recipe.yaml").write_text(
        f"base: {{model: {tiny_checkpoint('qwen2')}}}\n"
        "toolsets:\n"
        "  - {tools: phone_actions, data: {generate: {train: 300, dev: 0}}}\n"
        "  - {tools: mail.json, data: {generate: {train: 20, dev: 0}}}\n"
    )
    prepare(read_config(tmp_path / "recipe.yaml"), tmp_path / "run")
    lines = (tmp_path / "run/data/phone_actions/train.jsonl").read_text().splitlines()
    unserved = [line for line in lines if "tool_calls" not in line]
    assert 0 < len(unserved) < len(lines) <= 300
    assert not [line for line in unserved if "email" in line or "song" in line]
