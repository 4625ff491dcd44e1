"""What a quantizer reads: fixed texts and tool calls that come with the package.

The same for every user, so that a base is made of its checkpoint alone, and adapters, lowered bases
and earlier runs fit it. `calibration.jsonl` holds English prose, and made-up requests with their
calls, behind their tools or behind none. It knows no quantizer.
"""

import json
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from edgetune_export.prompts.template import Template

LONGEST = 1024
"""Tokens of one sequence; what is longer is cut."""


def calibration_ids(template: Template) -> list[NDArray[np.int32]]:
    """Token ids `[tokens]` of each text and conversation, as `template` renders it."""
    lines = files(__package__).joinpath("calibration.jsonl").read_text(encoding="utf-8")
    return [
        np.array(template.ids(_text(template, json.loads(line)))[:LONGEST], np.int32)
        for line in lines.splitlines()
    ]


def _text(template: Template, entry: dict[str, object]) -> str:
    if "text" in entry:
        return str(entry["text"])
    return template.render(entry["messages"], entry.get("tools"))  # type: ignore[arg-type]
