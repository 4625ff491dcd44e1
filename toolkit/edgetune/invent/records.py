"""Whole made-up records: tools, a request and its call; each from (seed, index) alone.

It knows how the parts go together; `tools` and `requests` make them.
"""

import hashlib
from random import Random
from typing import Any

from edgetune.invent.requests import Request, chit_chat, invent_request
from edgetune.invent.tools import invent_set, invent_tool

RESPOND: dict[str, Any] = {
    "type": "function",
    "function": {"name": "respond", "description": "No tool fits: answer in words."},
}


def rng_for(seed: int, index: int, purpose: str = "") -> Random:
    """A generator that depends on (seed, index, purpose) alone, on any machine."""
    digest = hashlib.blake2b(f"{seed}/{index}/{purpose}".encode(), digest_size=8).digest()
    return Random(int.from_bytes(digest, "big"))


def invent_record(seed: int, index: int) -> dict[str, Any]:
    """One whole record: `tools` (respond last) and `messages` (user, assistant with its call)."""
    rng = rng_for(seed, index, "record")
    made = invent_set(rng, rng.randint(1, 8))
    request = chit_chat(rng) if rng.random() < 0.06 else invent_request(rng, rng.choice(made))
    if rng.random() < 0.05:
        request = Request(invent_request(rng, invent_tool(rng)).text, "respond", {})
    return {"tools": [*(t.tool for t in made), RESPOND], "messages": as_messages(request)}


def as_messages(request: Request) -> list[dict[str, Any]]:
    """The two messages of a request and its call."""
    call = {"name": request.name, "arguments": request.arguments}
    return [
        {"role": "user", "content": request.text},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"type": "function", "function": call}],
        },
    ]
