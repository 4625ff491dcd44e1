"""One adapter: it learns, repeats itself, and goes on from any step as if it had never stopped."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from edgetune.settings import AdapterSettings, TrainSettings
from edgetune.train.adapter import (
    Job,
    adapted,
    forward_pass,
    learning_rate,
    train_adapter,
)
from edgetune.train.batches import BatchSize, collate, plan_steps
from edgetune.train.examples import AdapterData, Tokens
from edgetune.train.interrupt import Interrupted
from edgetune.train.passes import learn, loss_logits, measure
from edgetune_export.weights.base import load_base
from edgetune_runtime.errors import InputError


def examples(count: int, seed: int) -> tuple[Tokens, ...]:
    """Random ids; the last three are to be learnt."""
    generator = np.random.default_rng(seed)
    made = []
    for index in range(count):
        ids = generator.integers(5, 300, 8 + index % 5).astype(np.int32)
        made.append(Tokens(ids, np.arange(len(ids)) >= len(ids) - 3))
    return tuple(made)


def job(steps=12, name="home.selector", adapter=None, **train) -> Job:
    data = AdapterData(name, "selector", None, examples(10, 1), examples(6, 2), 0, "sha")
    settings = TrainSettings(learning_rate=5e-3, **train)
    shape = AdapterSettings(**{"rank": 4, "alpha": 8.0, **(adapter or {})})
    lengths = [len(example.ids) for example in data.train]
    return Job(data, shape, settings, plan_steps(lengths, BatchSize(4), 0, steps=steps))


def trained(model, what, state, precision="float32", **options):
    """The weights after training, and what was measured."""
    with adapted(model, what, "tiny") as peft_model:
        result = train_adapter(peft_model, what, precision, state, **options)
        weights = {
            name: parameter.detach().clone()
            for name, parameter in peft_model.named_parameters()
            if parameter.requires_grad
        }
    return weights, result


def assert_same(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_small_set_is_learnt_by_heart(model, tmp_path):
    data = AdapterData("a.selector", "selector", None, examples(8, 1), examples(8, 1), 0, "sha")
    plan = plan_steps([len(item.ids) for item in data.train], BatchSize(8), 0, steps=150)
    what = Job(data, AdapterSettings(rank=16, alpha=8), TrainSettings(learning_rate=2e-2), plan)
    _, result = trained(model, what, tmp_path / "state")
    losses = [loss for _, loss, _ in result.progress.curve]
    # The tiny base's frozen norm and head bound its logits: a loss near zero is out of reach.
    assert losses[-1] < losses[0] - 2
    assert result.dev.exact_match == 1.0
    assert result.dev.token_accuracy == 1.0


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_same_seed_gives_the_same_weights(model, tmp_path, precision):
    runs = [trained(model, job(), tmp_path / name, precision)[0] for name in "ab"]
    assert_same(*runs)
    other = trained(model, job(seed=1), tmp_path / "c", precision)[0]
    assert any(not torch.equal(runs[0][name], other[name]) for name in other)


def test_an_adapter_does_not_depend_on_the_one_before_it(model, tmp_path):
    alone = trained(model, job(), tmp_path / "a")[0]
    trained(model, job(name="home.monolithic"), tmp_path / "b")
    assert_same(alone, trained(model, job(), tmp_path / "c")[0])


def test_training_leaves_the_base_as_it_was(model, tmp_path):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    trained(model, job(), tmp_path / "state")
    assert_same(before, model.state_dict())


@pytest.mark.parametrize(
    "options", [{}, {"keep": "best", "evaluations": 6}, {"adapter": {"dropout": 0.3}}]
)
@pytest.mark.parametrize("after", [1, 5, 12])
def test_interrupted_and_resumed_is_as_straight_through(model, tmp_path, options, after):
    straight, expected = trained(model, job(**options), tmp_path / "straight")
    calls = itertools.count(1)
    with pytest.raises(Interrupted):
        trained(model, job(**options), tmp_path / "state", stop=lambda: next(calls) == after)
    resumed, result = trained(model, job(**options), tmp_path / "state")
    assert_same(straight, resumed)
    assert result.progress.curve == expected.progress.curve
    assert result.progress.dev_curve == expected.progress.dev_curve
    assert (result.kept_step, result.dev) == (expected.kept_step, expected.dev)
    assert result.progress.tokens == expected.progress.tokens == job(**options).tokens


def test_the_best_weights_are_kept(model, tmp_path):
    what = job(steps=40, keep="best", evaluations=8)
    with adapted(model, what, "tiny") as peft_model:
        result = train_adapter(peft_model, what, "float32", tmp_path / "state")
        forward = forward_pass(peft_model.base_model.model, what, "float32")
        again = measure(forward, what.data.dev, torch.device("cpu"))
    found = dict(result.progress.dev_curve)
    assert result.dev == again
    assert found[result.kept_step]["exact_match"] == max(f["exact_match"] for f in found.values())


def test_a_state_of_other_examples_is_refused(model, tmp_path):
    trained(model, job(), tmp_path / "state")
    other = job()
    changed = dataclasses.replace(other.data, sha256="another hash")
    with pytest.raises(InputError, match="other training examples"):
        trained(model, Job(changed, other.adapter, other.train, other.plan), tmp_path / "state")


def test_a_damaged_state_is_refused_and_named(model, tmp_path):
    trained(model, job(), tmp_path / "state")
    content = (tmp_path / "state").read_bytes()
    (tmp_path / "state").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="state: cannot be resumed from"):
        trained(model, job(), tmp_path / "state")


def test_a_loss_that_is_no_number_ends_training_with_a_sentence(model, tmp_path):
    broken = job()
    broken = Job(broken.data, broken.adapter, TrainSettings(learning_rate=1e30), broken.plan)
    with pytest.raises(InputError, match=r"home\.selector: the loss is nan .*learning_rate"):
        trained(model, broken, tmp_path / "state")


def test_what_is_saved_is_a_plain_peft_directory(base, model, tmp_path):
    from peft import PeftModel

    what = job()
    batch = collate(what.data.dev)
    with adapted(model, what, "tiny") as peft_model:
        train_adapter(peft_model, what, "float32", tmp_path / "state")
        peft_model.save_pretrained(tmp_path / "peft", save_embedding_layers=False)
        with torch.inference_mode():
            expected = loss_logits(peft_model.base_model.model, batch, "float32")
    stored = load_file(tmp_path / "peft" / "adapter_model.safetensors")
    assert len(stored) == 2 * len(base.slots())
    written = json.loads((tmp_path / "peft" / "adapter_config.json").read_text())
    assert written["target_modules"] == list(what.adapter.targets)  # in every process
    loaded = PeftModel.from_pretrained(base.model(), tmp_path / "peft").eval()
    with torch.inference_mode():
        torch.testing.assert_close(loss_logits(loaded.base_model.model, batch, "float32"), expected)
    assert loaded.peft_config["default"].use_rslora


def test_bfloat16_stays_close_to_float32(model):
    batch = collate(examples(16, 3))
    with torch.inference_mode():
        exact = loss_logits(model, batch, "float32").log_softmax(-1)
        rough = loss_logits(model, batch, "bfloat16").log_softmax(-1)
    assert (exact - rough).abs().mean() < 0.05


def test_padding_changes_nothing(model):
    short = examples(1, 4)[0]
    long = Tokens(np.arange(5, 65, dtype=np.int32), np.arange(60) == 59)
    with torch.inference_mode():
        alone = loss_logits(model, collate([short]), "float32")
        padded = loss_logits(model, collate([short, long]), "float32")[:3]
    torch.testing.assert_close(alone, padded, atol=1e-4, rtol=1e-4)


def test_logits_are_those_of_the_whole_model(model):
    batch = collate(examples(3, 5))
    with torch.inference_mode():
        whole = model(input_ids=batch.ids).logits[batch.rows, batch.columns]
        torch.testing.assert_close(loss_logits(model, batch, "float32"), whole)


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_a_shared_beginning_gives_the_logits_and_gradients_of_each_example_alone(
    family, tiny_checkpoint, tmp_path
):
    model = load_base(tiny_checkpoint(family), tmp_path / "base").model()
    beginning = np.arange(5, 55, dtype=np.int32)
    alike = [
        Tokens(
            np.concatenate([beginning, item.ids]),
            np.concatenate([beginning < 0, item.loss]),
        )
        for item in examples(3, 6)
    ]

    def results(batches):
        logits = torch.cat([loss_logits(model, collate(batch), "float32") for batch in batches])
        logits.logsumexp(-1).sum().backward()
        gradients = [p.grad.clone() for p in peft_model.parameters() if p.grad is not None]
        peft_model.zero_grad()
        return [logits.detach(), *gradients]

    with adapted(model, job(), "tiny") as peft_model:
        for name, parameter in peft_model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
        together, alone = results([alike]), results([[item] for item in alike])
    assert len(together) > 1
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("beginning", [0, 50])
@pytest.mark.parametrize(("most", "passes"), [(1000, 1), (36, 3), (10, 7)])
def test_a_large_step_is_computed_in_parts_with_the_same_gradients(
    model, monkeypatch, beginning, most, passes
):
    first = np.arange(5, 5 + beginning, dtype=np.int32)
    items = [
        Tokens(np.concatenate([first, item.ids]), np.concatenate([first < 0, item.loss]))
        for item in examples(7, 6)
    ]
    sizes = []

    def forward(batch):
        sizes.append(len(batch.ids))
        return loss_logits(model, batch, "float32")

    with adapted(model, job(), "tiny") as peft_model:
        for name, parameter in peft_model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
        found = []
        for limit in (most, 10**6):
            # A beginning that all share counts once.
            monkeypatch.setattr("edgetune.train.passes._LEARNT_TOKENS", beginning + limit)
            sizes.clear()
            loss = learn(forward, items, torch.device("cpu"))
            gradients = [p.grad.clone() for p in peft_model.parameters() if p.grad is not None]
            peft_model.zero_grad()
            found.append((list(sizes), loss, gradients))
    (parts, loss, gradients), (whole, wanted, expected) = found
    assert (len(parts), sum(parts), whole) == (passes, 7, [7])
    torch.testing.assert_close(loss, wanted)
    for one, other in zip(gradients, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-3)


def test_the_learning_rate_rises_and_falls():
    settings = TrainSettings(learning_rate=1.0, warmup=0.2)
    rates = [learning_rate(settings, step, 10) for step in range(10)]
    assert rates[:2] == [0.5, 1.0]
    assert rates[2] == 1.0
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[2:]))
    assert rates[-1] < 0.05
    constant = TrainSettings(learning_rate=1.0, warmup=0, schedule="constant")
    assert learning_rate(constant, 9, 10) == 1.0
