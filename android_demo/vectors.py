"""Golden vectors in numbers, by which the Kotlin runtime is held to this one.

    python android_demo/vectors.py BUNDLE FOLDER

writes `golden.json` (`edgetune golden`'s format, docs/bundle.md) and, for the tokenizer of a base
that is not the bundle's, `tokens.json`: `{"tokenizer": path, "tokens": [...]}`. Run it with the
release of ONNX Runtime that the Kotlin side has: what an engine says is its release's.
"""

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from edgetune.bases.fetch import fetch_base
from edgetune_export.golden import NASTY, Amounts, golden_text, make_golden, texts
from edgetune_export.weights.checkpoint import find_checkpoint
from edgetune_runtime.bundle import Bundle, open_bundle
from edgetune_runtime.engines import open_engine
from edgetune_runtime.errors import InputError

TEXTS, PROMPTS, WALKS, SELECTIONS, STEPS = 6000, 500, 200, 200, 100
"""The least of each. Texts are of each tokenizer."""

OTHER_BASE = "smollm2-135m"

VALUES = (
    "Oslo",
    "7:30",
    "half past seven tomorrow",
    "8 minutes",
    "3",
    "Zoë O'Brien",
    "50 %",
    "home",
)


def main(path: Path, folder: Path) -> None:
    bundle = open_bundle(path)
    engine = open_engine(bundle, "onnx", threads=1)
    golden = make_golden(bundle, engine, seed=1, amounts=_amounts(bundle))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "golden.json").write_text(golden_text(golden), encoding="utf-8")
    file = _other_tokenizer(bundle)
    tokens = {"tokenizer": str(file), "tokens": list(_tokens(file))}
    (folder / "tokens.json").write_text(golden_text(tokens), encoding="utf-8")


def _amounts(bundle: Bundle) -> Amounts:
    """As many of each as make the numbers above, however many tools the bundle has."""
    toolsets = bundle.assets.toolsets.values()
    automata = max(1, sum(len(served.automata) for served in toolsets))
    stages = sum(3 + len(served.toolset.tools) for served in toolsets)
    systems = sum(
        1 + (served.selector is not None) + (served.monolithic is not None) for served in toolsets
    )
    requests = max(-(-PROMPTS // stages), -(-SELECTIONS // systems))
    return Amounts(
        texts=TEXTS,
        tools=None,
        walks=-(-WALKS // automata),
        requests=tuple(_requests(bundle, requests)),
        steps=STEPS,
    )


def _requests(bundle: Bundle, count: int) -> Iterator[str]:
    """What may be asked of the bundle's tools, in words of their descriptions, and nasty texts."""
    rng = random.Random(0)
    tools = [tool for served in bundle.assets.toolsets.values() for tool in served.toolset.tools]
    for index in range(count):
        if index % 5 == 4:
            yield rng.choice(NASTY[1:]) + rng.choice(VALUES)
        else:
            words = tools[index % len(tools)].description.lower().rstrip(".").split()
            yield " ".join(["Please", *words[: rng.randint(2, 9)], rng.choice(VALUES)])


def _other_tokenizer(bundle: Bundle) -> Path:
    """Of the other base; the bundle's once more, for other texts, where that cannot be had."""
    try:
        checkpoint, _ = find_checkpoint(str(fetch_base(OTHER_BASE).path), None)
    except InputError as error:
        print(f"The tokenizer of {OTHER_BASE} is left out: {error}")
        checkpoint = bundle.path
    return (checkpoint / "tokenizer.json").resolve()


def _tokens(file: Path) -> Iterator[dict[str, Any]]:
    tokenizer = Tokenizer.from_file(str(file))
    for text in texts(2, TEXTS):
        yield {"text": text, "ids": tokenizer.encode(text, add_special_tokens=False).ids}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
