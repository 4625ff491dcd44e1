"""Recipes are checked whole: every refusal is one sentence that names the key."""

from pathlib import Path

import pytest

from edgetune.config import TrainConfig, read_config
from edgetune_runtime.errors import InputError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
GOOD = """
toolset: {tools: phone_actions}
data:
  generate: {train: 10, dev: 5}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    return path


def refusal(tmp_path: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        read_config(written(tmp_path, text))
    sentence = str(caught.value)
    assert "recipe.yaml" in sentence
    assert "\n" not in sentence
    return sentence


def test_a_recipe_of_toolset_and_data_is_enough(tmp_path):
    config = read_config(written(tmp_path, GOOD))
    assert config.base.model == "nano"
    assert config.monolithic.enabled
    assert config.adapter.targets[-1] == "down_proj"


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ("train: {epoch: 3}", ["train.epoch", "spelling"]),
        ("trian: {epochs: 3}", ["trian"]),
        ("adapter: {rank: 0}", ["adapter.rank", "0", "greater than or equal to 1"]),
        ("adapter: {targets: [lm_head]}", ["adapter.targets.0", "lm_head"]),
        ("train: {epochs: 3, steps: 10}", ["train.epochs", "train.steps", "contradict"]),
        ("train: {steps: yes}", ["'train.steps' is True", "expected a number, not yes or no"]),
        ("adapter: {alpha: on}", ["'adapter.alpha' is True", "expected a number"]),
        ("selector: {train: {epochs: no}}", ["selector.train.epochs", "expected a number"]),
        ("max_length: true", ["'max_length' is True", "expected a number"]),
        ("train: {batch_size: 3, batch_tokens: 10}", ["train.batch_size", "train.batch_tokens"]),
        ("train: {keep: best}\n", []),
        ("selector: {train: {epochs: 3, steps: 10}}", ["selector.train.epochs", "selector.train"]),
        ("arguments: {adapter: {rnk: 3}}", ["arguments.adapter.rnk"]),
        ("arguments: {tools: {get_weather: {rank: 3}}}", ["arguments.tools.get_weather.rank"]),
        ("adapter: {kind: alora}\nmachine: {compile: true}", ["machine.compile", "adapter.kind"]),
        ("adapter: {invocation: turn}", ["adapter.invocation: turn", "adapter.kind: lora"]),
        ("selector: {adapter: {kind: alora}}", ["selector.adapter.kind", "adapter.kind: lora"]),
        ("monolithic: {adapter: {rank: 3}}", ["monolithic.adapter.rank", "contradicts"]),
        ("monolithic: {adapter: {layers: 3}}", ["monolithic.adapter.layers", "contradicts"]),
        (
            "train: {start: runs/a}\narguments: {common_epochs: 1}",
            ["train.start", "arguments.common_epochs"],
        ),
        (
            "arguments: {common_epochs: 1, tools: {get_weather: {start: runs/a}}}",
            ["train.start", "arguments.common_epochs"],
        ),
        ("adapter: {layers: 0}", ["adapter.layers", "0", "greater than or equal to 1"]),
        ("monolithic: {train: {epochs: 3}}", ["monolithic.train.epochs", "contradicts"]),
        (
            "monolithic: {enabled: false, train: {learning_rate: 1}}",
            ["monolithic.train", "monolithic.enabled"],
        ),
        ("base: {model: nano, revision: main}", ["base.revision", "base.model: nano"]),
        (
            "base: {model: nano, quantization: gptq}",
            ["base.quantization: gptq", "base.model: nano", "checkpoints/nano"],
        ),
        (
            "base: {model: mine, quantization: int3}",
            ["'base.quantization' is 'int3'", "one of rtn, mse, gptq, float"],
        ),
        ("toolset: {tools: mine.json}", ["the key 'toolset' stands twice"]),
        ("train: [1, 2", ["YAML"]),
        ("train: !!python/object:os.system {}", ["YAML"]),
    ],
)
def test_a_key_that_is_not_right_is_named(tmp_path, extra, named):
    if not named:
        assert read_config(written(tmp_path, GOOD + extra)).train.keep == "best"
        return
    sentence = refusal(tmp_path, GOOD + extra)
    assert all(name in sentence for name in named), sentence


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", ["sections"]),
        (
            "toolset: {tools: t}\ndata: {train: a, mask_names: 0.5}\nprompt: {tools: names}",
            ["data.mask_names", "prompt.tools: names", "contradict"],
        ),
        (
            "toolset: {tools: t}\ndata: {train: a, mask_names: 1}\nselector: {hard_negatives: {}}",
            ["data.mask_names", "selector.hard_negatives", "contradict"],
        ),
        ("toolset: {tools: t}\ndata: {train: a, negatives: 1.0}", ["data.negatives", "less than"]),
        ("toolset: {tools: t.json}", ["'data' is missing"]),
        ("toolset: {tools: t.json}\ndata: {dev: d.jsonl}", ["data.train", "data.generate"]),
        (
            "toolset: {tools: phone_actions}\ndata: {train: a, generate: {train: 1, dev: 1}}",
            ["data.train", "data.generate", "contradict"],
        ),
        (
            "toolset: {tools: t}\ndata: {per_tool: 3, generate: {train: 9, dev: 0}}",
            ["data.per_tool", "data.generate", "contradict"],
        ),
        ("toolset: {tools: t.json}\ndata: {train: 2024-13-45}", ["YAML"]),
        ("base: {model: {{ base }}}", ["YAML"]),
        (
            "toolset: {tools: t}\ndata: {train: a}\nmonolithic: {adapter: {targets: [q_proj]}}",
            ["monolithic.adapter.targets", "baseline"],
        ),
        (
            "toolset: {tools: t.json}\ndata: {train: a}\ntrain: {keep: best}",
            ["train.keep: best", "dev"],
        ),
    ],
)
def test_a_recipe_that_lacks_or_contradicts_is_refused(tmp_path, text, named):
    sentence = refusal(tmp_path, text)
    assert all(name in sentence for name in named), sentence


TWO = """
toolsets:
  - {tools: phone_actions, data: {generate: {train: 10, dev: 5}}}
  - {name: mine, tools: mine.json, data: {train: mine.jsonl, dev: dev.jsonl}}
"""


def test_one_toolset_and_several_are_one_list(tmp_path):
    single = read_config(written(tmp_path, GOOD))
    assert [each.tools for each in single.listed] == ["phone_actions"]
    assert single.listed[0].data == single.data
    assert (single.field(0, "tools"), single.field(0, "data.train")) == (
        *("toolset.tools", "data.train"),
    )
    assert not single.routed
    several = read_config(written(tmp_path, TWO))
    assert [each.name for each in several.listed] == [None, "mine"]
    assert several.field(1, "data.train") == "toolsets.1.data.train"
    assert several.routed
    assert not read_config(written(tmp_path, TWO + "router: {enabled: false}")).routed


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (GOOD + TWO, ["'toolset' and 'toolsets' contradict"]),
        (TWO + "data: {train: a}", ["'data' and 'toolsets' contradict"]),
        (GOOD + "router: {enabled: true}", ["'router' contradicts 'toolset'"]),
        (GOOD + "router: {train: {epochs: 2}}", ["'router' contradicts 'toolset'"]),
        (
            TWO + "router: {enabled: false, train: {epochs: 2}}",
            ["router.train", "router.enabled: false"],
        ),
        (TWO + "router: {train: {epochs: 2, steps: 3}}", ["router.train.epochs", "router.train.s"]),
        ("toolsets: []", ["'toolsets'"]),
        ("toolsets: [{tools: t.json}]", ["'toolsets.0.data' is missing"]),
        (
            "toolsets: [{tools: t.json, data: {train: a, generate: {train: 1, dev: 1}}}]",
            ["'toolsets.0.data.train' and 'toolsets.0.data.generate'"],
        ),
        (
            TWO.replace(", dev: dev.jsonl", "") + "train: {keep: best}",
            ["train.keep: best", "without dev records"],
        ),
    ],
)
def test_toolsets_that_lack_or_contradict_are_refused(tmp_path, text, named):
    sentence = refusal(tmp_path, text)
    assert all(name in sentence for name in named), sentence


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_config(tmp_path / "none.yaml")


def test_a_role_changes_its_own_keys_alone(tmp_path):
    text = GOOD + "train: {steps: 9, batch_tokens: 64}\nselector: {train: {epochs: 2, seed: 5}}"
    config = read_config(written(tmp_path, text))
    assert (config.train_of("selector").epochs, config.train_of("selector").steps) == (2, None)
    assert config.train_of("selector").seed == 5
    assert config.train_of("selector").batch_tokens == 64
    assert config.train_of("arguments") == config.train


def test_a_tool_changes_its_own_adapter_alone(tmp_path):
    text = GOOD + "arguments: {train: {steps: 9, seed: 5}, tools: {get_weather: {epochs: 2}}}"
    config = read_config(written(tmp_path, text))
    weather, other = config.train_of("arguments", "get_weather"), config.train_of("arguments", "x")
    assert (weather.epochs, weather.steps, weather.seed) == (2, None, 5)
    assert other == config.train_of("arguments")
    assert (other.epochs, other.steps) == (None, 9)
    assert config.train_of("selector") == config.train


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("adapter: {layers: 9}", 9),
        ("adapter: {layers: 9}\nselector: {adapter: {layers: 12}}", 12),
        ("selector: {adapter: {layers: 12}}", None),
    ],
)
def test_the_baseline_has_the_most_layers_of_the_others(tmp_path, text, layers):
    config = read_config(written(tmp_path, GOOD + text))
    assert config.adapter_of("monolithic").layers == layers


def test_the_baseline_has_the_largest_rank(tmp_path):
    config = read_config(written(tmp_path, GOOD + "arguments: {adapter: {rank: 64}}"))
    assert config.adapter_of("selector").rank == 16
    assert config.adapter_of("monolithic").rank == 64


def test_paths_are_sought_here_and_then_beside_the_recipe(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    config = read_config(written(tmp_path / "there", GOOD))
    (tmp_path / "there" / "a").write_text("")
    monkeypatch.chdir(tmp_path / "here")
    assert config.locate("a", "data.train") == tmp_path / "there" / "a"
    (tmp_path / "here" / "a").write_text("")
    assert config.locate("a", "data.train") == tmp_path / "here" / "a"
    with pytest.raises(InputError) as caught:
        config.locate("b", "data.train")
    assert f"{tmp_path / 'here' / 'b'} and {tmp_path / 'there' / 'b'}" in str(caught.value)


def test_every_key_says_what_it_is():
    def sections(model):
        yield model
        for field in model.model_fields.values():
            inner = field.annotation
            if isinstance(inner, type) and hasattr(inner, "model_fields"):
                yield from sections(inner)

    for section in sections(TrainConfig):
        for name, field in section.model_fields.items():
            assert field.description, f"{section.__name__}.{name}"
            assert "\n" not in field.description


RECIPES = [path for path in sorted(CONFIGS.rglob("*.yaml")) if path.stem != "pretrain"]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: str(path.relative_to(CONFIGS)))
def test_a_shipped_recipe_is_read_and_opens_with_its_command(path):
    read_config(path)
    lines = path.read_text().splitlines()
    assert any(f"edgetune train configs/{path.relative_to(CONFIGS)}" in line for line in lines[:4])
    assert any("minutes" in line or "Not timed" in line for line in lines[:8])
