"""The pass of an activated LoRA: PEFT's logits and gradients, whatever the examples share."""

import numpy as np
import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

from edgetune.settings import AdapterSettings, TrainSettings
from edgetune.train.activated import ActivatedPass
from edgetune.train.adapter import Job, adapted, forward_pass, train_adapter
from edgetune.train.batches import BatchSize, collate, plan_steps
from edgetune.train.examples import AdapterData, Tokens
from edgetune_export.weights.base import load_base

CALL = 2
"""The token that opens a call."""


def examples(count: int, seed: int, shared: int = 0) -> tuple[Tokens, ...]:
    """A prompt of random ids, its first `shared` ones the same, and a call; its end is learnt."""
    generator = np.random.default_rng(seed)
    made = []
    for index in range(count):
        prompt = [*range(10, 10 + shared), *generator.integers(5, 300, 4 + index % 4)]
        call = [CALL, *generator.integers(5, 300, 5 + index % 3)]
        ids = np.array([*prompt, *call], dtype=np.int32)
        made.append(Tokens(ids, np.arange(len(ids)) >= len(ids) - 3))
    return tuple(made)


def job(train: tuple[Tokens, ...], steps: int = 10) -> Job:
    data = AdapterData("home.selector", "selector", None, train, train[:4], 0, "sha")
    plan = plan_steps([len(item.ids) for item in train], BatchSize(4), 0, steps=steps)
    settings = TrainSettings(learning_rate=2e-2)
    return Job(data, AdapterSettings(rank=4, alpha=8.0, kind="alora"), settings, plan, (CALL,))


@pytest.fixture(params=["llama", "qwen2", "qwen3"])
def model(request, tiny_checkpoint, tmp_path):
    return load_base(tiny_checkpoint(request.param), tmp_path / "base").model()


@pytest.mark.parametrize(("shared", "layers"), [(0, None), (40, None), (40, [1])])
def test_logits_and_gradients_are_those_of_pefts_own_activated_lora(model, shared, layers):
    items = examples(5, 1, shared)
    batch = collate(items)
    options = {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj", "down_proj"]}
    options["layers_to_transform"] = layers
    config = LoraConfig(task_type="CAUSAL_LM", alora_invocation_tokens=[CALL], **options)
    theirs = get_peft_model(model, config)
    torch.manual_seed(0)
    for name, parameter in theirs.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, 0, 0.1)
    state = {name: p.detach().clone() for name, p in theirs.named_parameters() if p.requires_grad}

    def results(logits):
        logits.logsumexp(-1).sum().backward()
        gradients = {n: p.grad.clone() for n, p in ours.named_parameters() if p.grad is not None}
        ours.zero_grad(set_to_none=True)
        return logits.detach(), gradients

    ours = theirs
    # PEFT counts from the end, so that padding would move the invocation: one at a time.
    rows = []
    for item in items:
        found = theirs(input_ids=torch.from_numpy(item.ids[None]).long()).logits[0]
        rows.append(found[torch.from_numpy(np.flatnonzero(item.loss) - 1)])
    expected, expected_gradients = results(torch.cat(rows))
    bare = theirs.unload()

    ours = get_peft_model(bare, LoraConfig(task_type="CAUSAL_LM", **options))
    ours.load_state_dict(state, strict=False)
    found, gradients = results(
        ActivatedPass(ours.base_model.model, "float32", items, (CALL,))(batch)
    )
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert gradients.keys() == expected_gradients.keys()
    for name in gradients:
        torch.testing.assert_close(gradients[name], expected_gradients[name], atol=1e-4, rtol=1e-3)
    assert not torch.allclose(found, bare_logits(ours, batch), atol=1e-2)  # it does act


def bare_logits(peft_model, batch):
    with peft_model.disable_adapter(), torch.inference_mode():
        return peft_model(input_ids=batch.ids).logits[batch.rows, batch.columns]


def test_it_learns_and_is_saved_as_what_peft_calls_activated(model, tmp_path):
    what = job(examples(8, 2, shared=40), steps=30)
    with adapted(model, what, "tiny") as peft_model:
        result = train_adapter(peft_model, what, "float32", tmp_path / "state")
        peft_model.save_pretrained(tmp_path / "peft", save_embedding_layers=False)
        forward = forward_pass(peft_model.base_model.model, what, "float32")
        with torch.inference_mode():
            expected = forward(collate(what.data.dev[:1]))
    losses = [loss for _, loss, _ in result.progress.curve]
    assert losses[-1] < losses[0] - 0.5
    loaded = PeftModel.from_pretrained(model, tmp_path / "peft").eval()
    assert loaded.peft_config["default"].alora_invocation_tokens == [CALL]
    [item] = what.data.dev[:1]
    with torch.inference_mode():
        logits = loaded(input_ids=torch.from_numpy(item.ids[None]).long()).logits[0]
    learnt = torch.from_numpy(np.flatnonzero(item.loss) - 1)
    torch.testing.assert_close(logits[learnt], expected, atol=1e-4, rtol=1e-4)
