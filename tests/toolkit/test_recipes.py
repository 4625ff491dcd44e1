"""The recipes that come along: each says how it is run, and one is written without any harm."""

import json
import re
from pathlib import Path

import pytest

from edgetune.bases.table import KNOWN
from edgetune.cli import main
from edgetune.config import read_config
from edgetune.recipes import find_recipe, list_recipes, write_recipe
from edgetune.tools.reader import read_tools
from edgetune_runtime.errors import InputError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def test_a_checkout_has_the_recipes_of_configs():
    assert {each.path for each in list_recipes()} == set(CONFIGS.glob("*/*.yaml"))


@pytest.mark.parametrize("recipe", list_recipes(), ids=lambda recipe: recipe.name)
def test_a_recipe_begins_with_the_command_that_runs_it(recipe):
    pattern = rf"edgetune (train|nano pretrain) configs/{re.escape(recipe.name)}\.yaml --output "
    assert re.match(pattern + r"runs/\S+$", recipe.command)
    assert len(recipe.title) > 20


TRAINED = [recipe for recipe in list_recipes() if recipe.command.startswith("edgetune train")]


@pytest.mark.parametrize("recipe", TRAINED, ids=lambda recipe: recipe.name)
def test_a_recipe_is_valid_and_names_a_base_that_can_be_had(recipe):
    model = read_config(recipe.path).base.model
    assert model in KNOWN or model == KNOWN[recipe.path.parent.name].repository


@pytest.mark.parametrize("name", ["own_tools", "hierarchy"])
def test_bases_share_the_example_tools(name):
    nano, smollm2 = (find_recipe(f"{base}/{name}") for base in ("nano", "smollm2-135m"))
    assert nano.companions
    assert [file.read_bytes() for file in nano.companions] == [
        file.read_bytes() for file in smollm2.companions
    ]


def test_an_unknown_recipe_is_named_with_those_that_are_known():
    with pytest.raises(InputError, match=r"recipe 'nano/none': unknown, .*nano/own_tools"):
        find_recipe("nano/none")


@pytest.mark.parametrize("name", ["nano/own_tools", "nano/hierarchy", "smollm2-135m/hierarchy"])
def test_a_written_recipe_finds_its_tools_from_where_its_command_is_run(
    tmp_path, monkeypatch, name
):
    monkeypatch.chdir(tmp_path)
    files, command = write_recipe(find_recipe(name), Path("runs/mine"))
    assert command == "edgetune train runs/mine/recipe.yaml --output runs/mine/run"
    assert files[0].read_text().startswith(f"# {command}\n")
    config = read_config(files[0])
    for toolset in config.listed:
        if toolset.tools != "phone_actions":
            found = config.locate(toolset.tools, "tools")
            assert found in [file.absolute() for file in files]
            assert read_tools(found).tools


@pytest.mark.parametrize("theirs", ["recipe.yaml", "own_tools/tools.json"])
def test_what_is_there_already_is_not_overwritten(tmp_path, theirs):
    file = tmp_path / theirs
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine")
    with pytest.raises(InputError, match=f"{re.escape(str(file))}: is there already"):
        write_recipe(find_recipe("nano/own_tools"), tmp_path)
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == [file]
    assert file.read_text() == "mine"


def test_a_folder_whose_name_would_break_the_recipes_first_line_is_refused(tmp_path):
    with pytest.raises(InputError, match="DIR: "):
        write_recipe(find_recipe("nano/own_tools"), tmp_path / "a\nb")
    assert not any(tmp_path.iterdir())


def test_the_verb_tells_what_it_wrote_and_what_comes_next(tmp_path, monkeypatch, capsys):
    directory = tmp_path / "my tools"
    monkeypatch.setattr("sys.argv", ["edgetune", "init", str(directory), "--json", "-"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    told = json.loads(capsys.readouterr().out)
    assert all(Path(file).is_file() for file in told["written"])
    assert told["command"] == (
        f"edgetune train '{directory}/recipe.yaml' --output '{directory}/run'"
    )


def test_the_list_has_every_recipe(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["edgetune", "init", "--list", "--json", "-"])
    with pytest.raises(SystemExit):
        main()
    told = json.loads(capsys.readouterr().out)["recipes"]
    assert [each["name"] for each in told] == [each.name for each in list_recipes()]
