"""Does a base of real size fit through edgetune on a workstation? Time, memory and sizes.

    python benchmarks/large_base.py /tmp/large

Makes a randomly initialised checkpoint of Qwen2.5-0.5B's shape (494 million parameters; shape from
its config.json on the hub) with nano's tokenizer, then runs the real commands on it, each in a
process of its own: `edgetune train` (one step an adapter, rank 8, on all projections), `edgetune
export`, `edgetune verify`. Prints a table; a command that fails ends it with that exit code.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from rich.console import Console
from rich.table import Table
from transformers import Qwen2Config, Qwen2ForCausalLM

from edgetune.nano.ship import PACKAGE_BASE
from edgetune_export.weights.base import load_base

SHAPE = {
    "vocab_size": 151_936,
    "hidden_size": 896,
    "intermediate_size": 4864,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "rope_theta": 1_000_000.0,
    "tie_word_embeddings": True,
    "max_position_embeddings": 32_768,
    "rms_norm_eps": 1e-6,
}
RECIPE = {
    "toolset": {"tools": "phone_actions"},
    "data": {"generate": {"train": 60, "dev": 0, "seed": 0}},
    "prompt": {"tools": "names"},
    "adapter": {"rank": 8},
    "train": {"steps": 1, "batch_size": 1, "evaluations": 1, "learning_rate": 1e-3},
    "monolithic": {"enabled": False},
}


def write_checkpoint(path: Path, shape: Mapping[str, Any] = SHAPE) -> None:
    """A random checkpoint of `shape` in bfloat16, with nano's tokenizer and chat template."""
    torch.manual_seed(0)
    tokenizer = load_base(PACKAGE_BASE).tokenizer
    config = Qwen2Config(**shape, eos_token_id=2, pad_token_id=0, bos_token_id=None)
    Qwen2ForCausalLM(config).to(torch.bfloat16).save_pretrained(str(path))
    tokenizer.save_pretrained(str(path))


def measured(*command: str) -> tuple[float, float]:
    """Runs a command; seconds and peak resident GiB of its process. Exits where it fails."""
    start = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(os.waitstatus_to_exitcode(status))
    return time.monotonic() - start, usage.ru_maxrss / 2**20


def main(output: Path) -> None:
    """The whole way, in `output`."""
    output.mkdir(parents=True, exist_ok=True)
    checkpoint, run, bundle = output / "checkpoint", output / "run", output / "bundle"
    if not (checkpoint / "config.json").exists():
        write_checkpoint(checkpoint)
    recipe = output / "recipe.yaml"
    recipe.write_text(yaml.safe_dump({"base": {"model": str(checkpoint)}, **RECIPE}))
    edgetune = str(Path(sys.executable).with_name("edgetune"))
    table = Table("command", "seconds", "peak memory (GiB)")
    for name, *command in (
        ("train (13 adapters, 1 step each)", "train", str(recipe), "--output", str(run)),
        ("export", "export", str(run), "-o", str(bundle), "--target", "onnx"),
        ("verify", "verify", str(bundle)),
    ):
        seconds, peak = measured(edgetune, *command)
        table.add_row(name, f"{seconds:.0f}", f"{peak:.2f}")
    console = Console()
    console.print(table)
    graph = sum(file.stat().st_size for file in (bundle / "onnx").glob("model.onnx*"))
    blob = max(file.stat().st_size for file in (bundle / "adapters").glob("*.safetensors"))
    console.print(f"int4 base as ONNX: {graph / 1e6:.0f} MB; a delta blob: {blob / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
