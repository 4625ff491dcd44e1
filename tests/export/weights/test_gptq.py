"""GPTQ: on the grid, as the paper has it, and better in the outputs than rounding by itself."""

import numpy as np
import pytest
import torch

from edgetune_export.prompts.template import Template
from edgetune_export.weights import base as base_module
from edgetune_export.weights.base import load_base
from edgetune_export.weights.calibration import LONGEST, calibration_ids
from edgetune_export.weights.checkpoint import Checkpoint, build_model
from edgetune_export.weights.gptq import DAMPING, gptq, quantize_layers
from edgetune_export.weights.quantize import dequantize, quantize
from edgetune_runtime.errors import InputError


@pytest.fixture
def weight() -> torch.Tensor:
    return torch.randn(48, 96, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def inputs() -> torch.Tensor:
    """500 inputs that go together: 96 of them, mixed of 96 unlike sources."""
    generator = torch.Generator().manual_seed(1)
    sources = torch.randn(500, 96, generator=generator) * torch.logspace(0, -2, 96)
    return sources @ torch.randn(96, 96, generator=generator)


@pytest.fixture(scope="module")
def texts():
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(5, 260, (12, 40), generator=generator, dtype=torch.int32).numpy()
    return [row[: 40 - index % 3] for index, row in enumerate(ids)]  # of three lengths


def output_error(weight, quantized, inputs) -> float:
    return float((inputs @ (dequantize(quantized) - weight).T).square().mean())


def test_it_stays_on_the_grid(weight, inputs):
    found = gptq(weight, inputs.T @ inputs)
    assert (found.codes.dtype, found.codes.shape, found.scales.shape) == (
        *(torch.int8, (48, 96), (48, 3)),
    )
    assert (int(found.codes.min()), int(found.codes.max())) == (-8, 7)
    assert (found.scales > 0).all()
    assert torch.equal(found.scales.bfloat16().float(), found.scales)


def test_its_outputs_are_nearer_than_those_of_rounding_by_itself(weight, inputs):
    found = gptq(weight, inputs.T @ inputs)
    plain, least = quantize(weight, method="rtn"), quantize(weight)
    errors = [output_error(weight, each, inputs) for each in (found, least, plain)]
    assert errors[0] < 0.7 * errors[1]
    assert errors[1] < errors[2]
    assert (dequantize(found) - weight).norm() > (dequantize(least) - weight).norm()


def test_it_holds_on_inputs_that_it_has_not_seen(weight, inputs):
    found = gptq(weight, inputs[:300].T @ inputs[:300])
    assert output_error(weight, found, inputs[300:]) < 0.8 * output_error(
        weight, quantize(weight), inputs[300:]
    )


@pytest.mark.parametrize("moments", [torch.eye(96), 7 * torch.eye(96), torch.zeros(96, 96)])
def test_without_correlations_it_is_rounding_by_least_error(weight, moments):
    found, expected = gptq(weight, moments), quantize(weight)
    assert torch.equal(found.codes, expected.codes)
    assert torch.equal(found.scales, expected.scales)


def test_codes_are_those_of_the_papers_formula(weight, inputs):
    """Equations 2 and 3 of arXiv:2210.17323, one input after the other, without its Cholesky
    factor."""
    moments = inputs.T @ inputs
    found = gptq(weight, moments)
    left, hessian = weight.double().clone(), moments.double()
    hessian += DAMPING * hessian.diagonal().mean() * torch.eye(96)
    inverse = torch.linalg.inv(hessian)
    codes = torch.empty(48, 96)
    for column in range(96):
        scales = found.scales[:, column // 32].double()
        codes[:, column] = (left[:, column] / scales).round().clamp(-8, 7)
        error = (left[:, column] - codes[:, column] * scales) / inverse[column, column]
        left -= error[:, None] * inverse[column]
        inverse -= torch.outer(inverse[:, column], inverse[column]) / inverse[column, column]
    assert (found.codes == codes).float().mean() > 0.999  # ties of float32 aside


def test_a_weight_that_cannot_be_grouped_is_refused_by_name():
    with pytest.raises(InputError, match=r"layer\.weight has shape"):
        gptq(torch.zeros(4, 48), torch.eye(48), "layer.weight")


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_a_whole_model_is_nearer_to_the_float_one(tiny_checkpoint, texts, family):
    checkpoint = Checkpoint(tiny_checkpoint(family))
    made = quantize_layers(checkpoint, texts, "tiny")
    whole = dict(checkpoint.tensors())
    assert set(made) == {name for name in whole if name.endswith("_proj.weight")}

    def logits(rounded) -> torch.Tensor:
        pairs = {key: rounded(key, tensor) for key, tensor in whole.items()}
        model = build_model(checkpoint.config, pairs.items())
        with torch.no_grad():
            return torch.cat([model(torch.tensor([list(t)])).logits[0] for t in texts])

    def by_mse(key, tensor):
        return dequantize(quantize(tensor)) if tensor.dim() == 2 else tensor

    def by_gptq(key, tensor):
        return dequantize(made[key]) if key in made else by_mse(key, tensor)

    expected = logits(lambda key, tensor: tensor)
    assert (logits(by_gptq) - expected).norm() < 0.95 * (logits(by_mse) - expected).norm()


def test_the_same_texts_give_the_same_base(tiny_checkpoint, texts, tmp_path, monkeypatch):
    def make(name, sequences):
        monkeypatch.setattr(base_module, "calibration_ids", lambda _template: sequences)
        return load_base(tiny_checkpoint("qwen2"), tmp_path / name, method="gptq")

    base, again, other = make("a", texts), make("b", texts), make("c", texts[:2])
    assert base.method == "gptq"
    assert base.weights_sha256 == again.weights_sha256 != other.weights_sha256
    assert len(base.quantized()) == 15  # 7 projections in each of 2 layers, and the embedding


def test_the_texts_come_with_the_package(tiny_checkpoint):
    template = Template.read(tiny_checkpoint("qwen2"))
    sequences = calibration_ids(template)
    assert max(map(len, sequences)) == LONGEST
    assert sum(map(len, sequences)) > 10_000
    texts = [
        template.tokenizer.decode(ids.tolist(), skip_special_tokens=False) for ids in sequences
    ]
    assert sum("ferry" in text for text in texts) >= 1
    calls = [text for text in texts if "tool_call" in text]
    assert len(calls) > 60
    assert sum("parameters" in text for text in calls) >= 5
    again = calibration_ids(template)
    assert all(map(np.array_equal, sequences, again))
