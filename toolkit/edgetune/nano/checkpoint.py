"""What a pretraining resumes from, and the model it has made so far, written beside and renamed.

    OUTPUT/checkpoint.pt  hf/  tokenizer/  metrics.jsonl  curves.png

It knows tensors and files, not how a step is made.
"""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase, Qwen2ForCausalLM

CHECKPOINT = "checkpoint.pt"


@dataclass
class Done:
    """How far a pretraining has come."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0


def save(
    output: Path,
    model: Qwen2ForCausalLM,
    optimizers: list[torch.optim.Optimizer],
    done: Done,
) -> None:
    """Everything that the next step depends on."""
    beside = output / f"{CHECKPOINT}.part"
    torch.save(
        {
            "model": model.state_dict(),
            "optimizers": [o.state_dict() for o in optimizers],
            "rng": torch.get_rng_state(),
            **asdict(done),
        },
        beside,
    )
    beside.replace(output / CHECKPOINT)


def restore(output: Path, model: Qwen2ForCausalLM, optimizers: list[torch.optim.Optimizer]) -> Done:
    """Puts the checkpoint in `output`, where there is one, into the model and its optimizers."""
    if not (output / CHECKPOINT).exists():
        return Done()
    saved = torch.load(output / CHECKPOINT, map_location=model.device, weights_only=True)
    model.load_state_dict(saved["model"])
    for optimizer, kept in zip(optimizers, saved["optimizers"], strict=True):
        optimizer.load_state_dict(kept)
    torch.set_rng_state(saved["rng"].cpu())
    return Done(saved["step"], saved["tokens"], saved["seconds"])


def write_snapshot(
    output: Path, model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerBase
) -> Path:
    """The model so far as the Hugging Face directory `output`/hf, in bfloat16."""
    beside, old, final = output / "hf.part", output / "hf.old", output / "hf"
    shutil.rmtree(beside, ignore_errors=True)
    with torch.random.fork_rng():  # building a model draws numbers that the run would miss
        copy = Qwen2ForCausalLM(model.config)
    copy.load_state_dict(model.state_dict())
    copy.config.use_cache = True
    copy.to(torch.bfloat16).save_pretrained(str(beside))
    tokenizer.save_pretrained(str(beside))
    if final.exists():
        final.rename(old)
    beside.rename(final)
    shutil.rmtree(old, ignore_errors=True)
    return final
