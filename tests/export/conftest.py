"""Fixtures of the export tests: quantized tiny bases and PEFT adapters for them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from edgetune_export.base import Base, load_base

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@pytest.fixture(scope="session")
def tiny_base(tiny_checkpoint, tmp_path_factory) -> Callable[..., Base]:
    """A factory of quantized tiny bases: `tiny_base(family, tied=…)`."""
    made: dict[tuple[str, bool], Base] = {}

    def make(family: str = "qwen2", *, tied: bool = True) -> Base:
        if (family, tied) not in made:
            output = tmp_path_factory.mktemp("base") / "base"
            made[family, tied] = load_base(tiny_checkpoint(family, tied=tied), output)
        return made[family, tied]

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
def tiny_run(tiny_checkpoint, weather_toolset, tmp_path_factory) -> Callable[..., Path]:
    """A factory of run directories as training leaves them, with random adapters:
    `tiny_run(family, seed=…)`."""
    made: dict[tuple[str, int, int], Path] = {}

    def make(family: str = "qwen2", *, seed: int = 0, rank: int = 4) -> Path:
        key = (family, seed, rank)
        if key not in made:
            made[key] = tmp_path_factory.mktemp("run") / "run"
            _write_run(made[key], tiny_checkpoint(family, seed=seed), weather_toolset, rank)
        return made[key]

    return make


def _write_run(path: Path, checkpoint: Path, toolset: Any, rank: int) -> None:
    from peft import LoraConfig, get_peft_model

    from edgetune_runtime.files import write_json
    from edgetune_runtime.toolsets import dump_toolsets

    base = load_base(checkpoint, path / "base", name="tiny")
    write_json(path / "tools.json", dump_toolsets([toolset]))
    (path / "data").mkdir()
    with (path / "data" / "train.jsonl").open("w", encoding="utf-8") as file:
        for request, call in (
            ("Weather in Oslo?", {"name": "get_weather", "arguments": {"city": "Oslo"}}),
            ("Wake me at 7:30", {"name": "set_alarm", "arguments": '{"time": "7:30"}'}),
            ("No more alarms", {"name": "cancel_alarms", "arguments": {}}),
        ):
            calls = [{"type": "function", "function": call}]
            answer = {"role": "assistant", "content": None, "tool_calls": calls}
            record = {"messages": [{"role": "user", "content": request}, answer]}
            file.write(json.dumps(record) + "\n")
    served = [("selector", None), ("monolithic", None)]
    served += [("arguments", tool.name) for tool in toolset.tools if tool.has_parameters]
    adapters = []
    for seed, (role, tool) in enumerate(served):
        name = f"{toolset.name}.{role}" + (f".{tool}" if tool else "")
        torch.manual_seed(seed)
        config = LoraConfig(
            r=rank, lora_alpha=2 * rank, use_rslora=True, target_modules=PROJECTIONS
        )
        model = get_peft_model(base.model(), config)
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                if "lora_B" in key:
                    parameter.normal_(0, 0.05)
        model.save_pretrained(path / "adapters" / name)
        adapters.append(
            {
                "name": name,
                "role": role,
                "toolset": toolset.name,
                "tool": tool,
                "directory": f"adapters/{name}",
                "rank": rank,
                "data_sha256": "0" * 64,
                "examples": 3,
                "steps": 1,
            }
        )
    about = {"name": base.name, "revision": None, "weights_sha256": base.weights_sha256}
    write_json(
        path / "run.json",
        {
            "edgetune": "0",
            "config": {"prompt": {"tools": "compact"}},
            "base": about,
            "adapters": adapters,
            "copied": {"get_weather": ["city"]},
            "complete": True,
        },
    )
