"""Fixtures of the export tests: quantized tiny bases and PEFT adapters for them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from edgetune_export.weights.base import Base, load_base

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@pytest.fixture(scope="session")
def tiny_base(tiny_checkpoint, tmp_path_factory) -> Callable[..., Base]:
    """A factory of quantized tiny bases: `tiny_base(family, tied=…)`."""
    made: dict[tuple[str, bool, int, int], Base] = {}

    def make(
        family: str = "qwen2", *, tied: bool = True, spare: int = 0, embedding_bits: int = 4
    ) -> Base:
        key = (family, tied, spare, embedding_bits)
        if key not in made:
            made[key] = load_base(
                tiny_checkpoint(family, tied=tied, spare=spare),
                tmp_path_factory.mktemp("base") / "base",
                embedding_bits=embedding_bits,
            )
        return made[key]

    return make


@pytest.fixture
def random_adapter(tmp_path) -> Callable[..., Path]:
    """A factory of PEFT directories with random weights: `random_adapter(base, "name", r=4)`."""

    def make(base: Base, name: str = "adapter", seed: int = 0, **options: Any) -> Path:
        from peft import LoraConfig, get_peft_model

        settings = {"r": 4, "lora_alpha": 8, "target_modules": PROJECTIONS} | options
        torch.manual_seed(seed)
        model = get_peft_model(base.model(), LoraConfig(task_type="CAUSAL_LM", **settings))
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                if "lora_B" in key:
                    parameter.normal_(0, 0.1)
        model.save_pretrained(tmp_path / name)
        return tmp_path / name

    return make


@pytest.fixture
def peft_logits() -> Callable[..., torch.Tensor]:
    """PEFT's own logits `[sequence, vocab]` on the dequantized base."""

    def run(base: Base, adapter: Path | None, ids: list[int]) -> torch.Tensor:
        from peft import PeftModel

        model = base.model()
        if adapter is not None:
            model = PeftModel.from_pretrained(model, adapter).eval()
        with torch.inference_mode():
            return model(torch.tensor([ids])).logits[0]

    return run


@pytest.fixture(scope="session")
def both_bundle(tiny_run, tmp_path_factory) -> Path:
    """One bundle for ONNX Runtime and ExecuTorch; copy it to change it."""
    from edgetune_export.bundle import write_bundle
    from edgetune_export.run import open_run

    path = tmp_path_factory.mktemp("both") / "home"
    write_bundle(open_run(tiny_run()), path, ["onnx", "executorch"])
    return path
