"""A float checkpoint made a base by one method, and what that costs it: figures before and after.

Measured on the bare base, without adapters: how likely it finds a held-out text, how likely the
calls of held-out records, and how many of these it makes itself. What training makes good again is
another question (`benchmarks/quantization.py`).
"""

import math
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from edgetune.bases.fetch import open_name
from edgetune.bases.table import EMBEDDED
from edgetune.data.records import Example
from edgetune.evaluate.evaluate import evaluate
from edgetune.train.examples import adapters_data
from edgetune.train.passes import loss_logits, measure
from edgetune_export.lowering.targets import refusals
from edgetune_export.progress import stage, track
from edgetune_export.prompts.prefixes import toolset_prompts
from edgetune_export.run import Run, run_assets
from edgetune_export.torch_engine import TorchEngine
from edgetune_export.weights.base import Base, load_base
from edgetune_export.weights.checkpoint import open_checkpoint
from edgetune_export.weights.quantize import dequantize
from edgetune_export.weights.quantizers import FLOAT
from edgetune_export.weights.stored import WEIGHTS
from edgetune_runtime.agent import Agent
from edgetune_runtime.calls import Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import existing_parent, require_own_directory
from edgetune_runtime.options import Options

TEXT_TOKENS = 20_000
"""Tokens of a text that are measured on."""
WINDOW = 512

MAX_LENGTH = 2048
"""The most tokens of an example; longer ones are left out."""


@dataclass(frozen=True)
class Quality:
    """How a bare base does on held-out records, behind the full list of tools."""

    perplexity: float
    """Of the tokens of the calls (name, arguments, close), given the prompt and those before."""
    tokens: int
    """How many those are."""
    n: int
    """Steps of records that the base was to answer, under constrained decoding."""
    selection_accuracy: float | None
    arguments_exact_match: float | None
    call_exact_match: float | None


@dataclass(frozen=True)
class Quantization:
    """A quantized base, and what it was before."""

    base: Base
    weight_error: float
    """Root mean square of what rounding changed, over that of the weights that were rounded."""
    before: Quality | None
    """Of the float checkpoint; None where there were no records to measure on."""
    after: Quality | None
    text: "TextPerplexity | None"

    def as_json(self) -> dict[str, Any]:
        """One JSON object."""
        return {
            "base": str(self.base.directory),
            "name": self.base.name,
            "method": self.base.method,
            "weights_sha256": self.base.weights_sha256,
            "weight_error": self.weight_error,
            "float": self.before and asdict(self.before),
            "int4": self.after and asdict(self.after),
            "text": self.text and asdict(self.text),
        }


@dataclass(frozen=True)
class TextPerplexity:
    """The perplexity of a held-out text, in windows of `WINDOW` tokens."""

    tokens: int
    before: float
    after: float


@dataclass(frozen=True)
class Records:
    """Records of a toolset, step by step."""

    toolset: Toolset
    examples: Sequence[Example]


def quantize_checkpoint(
    checkpoint: str,
    output: Path,
    method: str | None = None,
    *,
    embedding_bits: int | None = None,
    held_out: Records | None = None,
    text: str | None = None,
) -> Quantization:
    """Make the base `output` of `checkpoint` (a directory, a GGUF file, a hub id or a short name).

    `method` and `embedding_bits` are `load_base`'s. Raises InputError for a `checkpoint` that is a
    base already or that no target takes, an `output` that is something else, and whatever is wrong
    with checkpoint, records or `text`. `output` is written whole or not at all, after the float
    checkpoint was measured: what cannot be measured on leaves nothing.
    """
    if checkpoint == EMBEDDED:
        raise InputError(
            f"{EMBEDDED}: is a base already, the embedded one; give the float checkpoint that it "
            "was made of (checkpoints/nano in a checkout)."
        )
    if (Path(checkpoint) / "base.json").is_file():
        raise InputError(
            f"{checkpoint}: is a base already, made by {Base(Path(checkpoint)).method}; give the "
            "float checkpoint that it was made of."
        )
    require_own_directory(output, ("base.json", WEIGHTS), "base")
    source = open_checkpoint(*open_name(checkpoint, None))
    refusals(source)
    with tempfile.TemporaryDirectory(dir=existing_parent(output), prefix=".float.") as place:
        beside = Path(place)
        whole = load_base(source, beside / "base", name=checkpoint, method=FLOAT)
        before = None if held_out is None else quality(whole, held_out)
        plain = None if text is None else text_perplexity(whole, text)
        base = load_base(
            source, output, name=checkpoint, method=method, embedding_bits=embedding_bits
        )
        after = None if held_out is None else quality(base, held_out)
        on_text = None
        if text is not None and plain is not None:
            on_text = TextPerplexity(plain[1], plain[0], text_perplexity(base, text)[0])
        return Quantization(base, weight_error(whole, base), before, after, on_text)


def text_perplexity(base: Base, text: str) -> tuple[float, int]:
    """The perplexity of the first `TEXT_TOKENS` tokens of `text`, and how many of them count.

    In windows of `WINDOW` tokens, whose first is given, in float32 on the CPU. Raises InputError
    for a text of less than two tokens.
    """
    ids = torch.tensor(base.template.ids(text)[:TEXT_TOKENS])
    if len(ids) < 2:
        raise InputError(f"--text: it has {len(ids)} tokens, at least two are needed; give more.")
    model, loss, count = base.model(), 0.0, 0
    windows = [window for window in ids.split(WINDOW) if len(window) > 1]
    for window in track(windows, f"Perplexity of {base.name}, {base.method}"):
        with torch.inference_mode():
            logits = model(window[None]).logits[0, :-1]
        loss += torch.nn.functional.cross_entropy(logits, window[1:], reduction="sum").item()
        count += len(window) - 1
    return math.exp(loss / count), count


def quality(base: Base, records: Records) -> Quality:
    """How the bare `base` does on `records`, in float32 on the CPU.

    Raises InputError where none of them is short enough, or a tool's schema has no grammar.
    """
    template, toolset = base.template, records.toolset
    longest = min(MAX_LENGTH, base.shape.context_length)
    calls = adapters_data(
        template,
        toolset_prompts(template, toolset, "full"),
        toolset,
        [],
        records.examples,
        max_length=longest,
    )[-1].dev
    if not calls:
        raise InputError(
            f"{toolset.name}: behind all its tools, none of the {len(records.examples)} examples "
            f"has at most {longest} tokens; measure with fewer tools, or leave --data out."
        )
    with stage(f"Perplexity of {base.name}, {base.method}"):
        logits = partial(loss_logits, base.model(), precision="float32")
        metrics = measure(logits, calls, torch.device("cpu"))
    bare = Run(base.directory, {}, base, {toolset.name: toolset}, (), {})
    agent = Agent(run_assets(bare), TorchEngine(base))
    score = evaluate(agent, toolset.name, records.examples, options=Options(system="base")).score
    return Quality(
        perplexity=math.exp(metrics.loss),
        tokens=sum(int(call.loss.sum()) for call in calls),
        n=score.n,
        selection_accuracy=score.selection_accuracy,
        arguments_exact_match=score.arguments_exact_match,
        call_exact_match=score.call_exact_match,
    )


def weight_error(whole: Base, base: Base) -> float:
    """Root mean square of what `base` has otherwise than the float base `whole`, over that of the
    weights, of all matrices together."""
    quantized = base.quantized()
    error = size = 0.0
    for name, weight in whole.tensors():
        if name in quantized:
            error += (dequantize(quantized[name]) - weight).square().sum().item()
            size += weight.square().sum().item()
    return math.sqrt(error / size)
