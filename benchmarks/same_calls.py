"""How many calls are the same in two results of `edgetune eval --json`, on the same records?

    edgetune eval BUNDLE --data FILE --engine onnx --json one.json
    edgetune eval BUNDLE --data FILE --engine executorch --json other.json
    python benchmarks/same_calls.py one.json other.json

A result lists its wrong calls alone: calls are the same where both are right, or both are wrong in
the same way.
"""

import json
import sys
from pathlib import Path
from typing import Any


def wrong_calls(result: dict[str, Any]) -> dict[str, str]:
    """Request to what was called instead of the right call."""
    return {
        entry["request"]: json.dumps([entry["selected"], entry["called"]], sort_keys=True)
        for entry in result["wrong"]
    }


def main(paths: list[str]) -> None:
    one, other = (json.loads(Path(path).read_text(encoding="utf-8")) for path in paths)
    if one["n"] != other["n"]:
        sys.exit(f"{paths[0]} has {one['n']} calls, {paths[1]} has {other['n']}")
    first, second = wrong_calls(one), wrong_calls(other)
    differ = [
        request for request in {**first, **second} if first.get(request) != second.get(request)
    ]
    same = one["n"] - len(differ)
    print(f"{same} of {one['n']} calls are the same ({same / one['n']:.3f})")
    for request in differ:
        print(f"  {request}\n    {first.get(request, 'right')}\n    {second.get(request, 'right')}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1:])
