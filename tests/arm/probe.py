"""What one machine makes of a bundle: logits of its reference prompts, and calls.

    python probe.py BUNDLE ENGINE REQUESTS.json RESULT.npz

Run on x86-64 and, emulated, on 64-bit ARM by `run.py`. Needs the runtime and the engine alone.
"""

import json
import sys
from pathlib import Path

import numpy as np

from edgetune_runtime.agent import Agent
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.engines import open_engine
from edgetune_runtime.prompt import User

TOKENS = 24
"""Of a prompt whose logits are compared: an emulated processor is slow."""


def main(bundle_path: Path, engine_name: str, requests: list[str], result: Path) -> None:
    bundle = open_bundle(bundle_path)
    engine = open_engine(bundle, engine_name, threads=1)
    agent = Agent(bundle.assets, engine)
    logits = {}
    for name, source in {"base": None, **bundle.assets.adapters}.items():
        engine.rewind(0)
        engine.activate(None if source is None else engine.prepare(source.load()))
        ids = bundle.assets.tokenizer.encode(requests[0], add_special_tokens=False).ids[:TOKENS]
        logits[name] = engine.forward(ids)
    calls = []
    for request in requests:
        step = agent.step([User(request)])
        calls.append({"tool": step.tool, "arguments": dict(step.arguments)})
        print(f"{len(calls)}/{len(requests)}", end=" ", flush=True)
    np.savez(result, calls=json.dumps(calls), **logits)


if __name__ == "__main__":
    main(
        Path(sys.argv[1]), sys.argv[2], json.loads(Path(sys.argv[3]).read_text()), Path(sys.argv[4])
    )
