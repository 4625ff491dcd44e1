"""A skill that is made: it is a training run, and serves tools which nobody trained."""

import json

import pytest
from safetensors.torch import load_file

from edgetune.evaluate.open_tools import OpenTools
from edgetune.evaluate.system import open_system
from edgetune.skill.make import make_skill
from edgetune_export.bundle import write_bundle
from edgetune_export.run import open_run
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.calls import Tool, Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.options import Options
from edgetune_runtime.prompt import User

WEIGHTS = "adapters/skill/adapter_model.safetensors"
UNSEEN = Toolset("unseen", "", (Tool("paint", "Paint it."), Tool("sell", "Sell it.")))


@pytest.fixture(scope="module")
def base(tiny_checkpoint):
    return str(tiny_checkpoint("qwen2"))


@pytest.fixture(scope="module")
def skill(base, tmp_path_factory):
    return make_skill(base, tmp_path_factory.mktemp("skill") / "skill", 20, 0).output


def test_it_serves_tools_that_nobody_trained(skill):
    agent = open_system(skill)
    served = OpenTools(skill, agent).serve(UNSEEN)
    turns = [User("sell the boat")]
    exact = {system: Options(system=system, exact=True) for system in ("skill", "base")}
    with_it, bare = (agent.select(turns, served, each) for each in exact.values())
    assert with_it.probabilities.keys() == {"paint", "sell", "respond"} == bare.probabilities.keys()
    assert with_it.probabilities != bare.probabilities


def test_its_weights_take_half_the_room_and_it_says_what_it_is(skill):
    entry = json.loads((skill / "run.json").read_text())["adapters"][0]
    assert (entry["name"], entry["role"], entry["toolset"]) == ("skill", "skill", None)
    weights = skill / WEIGHTS
    header = weights.read_bytes()[8:4000]
    assert b'"F16"' in header
    assert b'"F32"' not in header


def test_its_bundle_has_the_role(skill, tmp_path):
    write_bundle(open_run(skill), tmp_path / "bundle", ["onnx"])
    bundle = open_bundle(tmp_path / "bundle")
    assert [adapter.role for adapter in bundle.manifest.adapters] == ["skill"]
    assert bundle.assets.skill == "skill"
    agent = open_system(tmp_path / "bundle")
    served = OpenTools(tmp_path / "bundle", agent).serve(UNSEEN)
    asked = [User("sell the boat")], served, Options(system="skill", exact=True)
    there = open_system(skill)
    expected = there.select(*asked).probabilities
    found = agent.select(*asked).probabilities
    assert found == pytest.approx(expected, abs=0.02)


def test_the_same_command_goes_on_and_another_is_refused(base, skill):
    before = (skill / WEIGHTS).read_bytes()
    with pytest.raises(InputError, match="is another run; give an empty directory, or the same"):
        make_skill(base, skill, 21, 0)
    make_skill(base, skill, 20, 0)
    assert (skill / WEIGHTS).read_bytes() == before


def test_it_goes_on_from_an_earlier_one_of_its_base(base, skill, tmp_path, tiny_checkpoint):
    began, after = skill / WEIGHTS, make_skill(base, tmp_path / "more", 8, 1, (), skill).output
    moved = _distance(began, after / WEIGHTS)
    assert 0 < moved < _distance(began, make_skill(base, tmp_path / "new", 8, 1).output / WEIGHTS)
    with pytest.raises(InputError, match="same base, --lessons, --seed, --tools and --from"):
        make_skill(base, after, 8, 1)
    other = str(tiny_checkpoint("llama"))
    with pytest.raises(InputError, match=r"^--from: .* of the float checkpoint"):
        make_skill(other, tmp_path / "other", 8, 1, (), skill)
    assert not (tmp_path / "other").exists()


def _distance(one, other):
    first, second = load_file(one), load_file(other)
    return sum((first[name].float() - second[name].float()).square().sum() for name in first)


def test_a_directory_with_other_files_is_refused(base, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="exists and is no tool skill"):
        make_skill(base, tmp_path, 2, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_without_a_skill_the_system_is_refused(tiny_run):
    agent = open_system(tiny_run())
    with pytest.raises(InputError, match="there is no tool skill here"):
        agent.step([User("hello")], options=Options(system="skill"))
