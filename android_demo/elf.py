"""What a phone's linker reads of a library: how its segments are aligned, what else it loads.

For 64-bit little-endian ELF, as every ABI is that the app is packed for; it knows no APK.
"""

from dataclasses import dataclass

LOAD, DYNAMIC = 1, 2
NEEDED, STRING_TABLE = 1, 5


@dataclass(frozen=True)
class Segment:
    """One entry of the program header, in bytes."""

    kind: int
    offset: int
    address: int
    size: int
    alignment: int


def segments(elf: bytes) -> list[Segment]:
    """The program header of the library `elf`."""
    start, size, count = (_number(elf, a, b) for a, b in ((32, 40), (54, 56), (56, 58)))
    heads = [elf[start + i * size : start + (i + 1) * size] for i in range(count)]
    fields = ((0, 4), (8, 16), (16, 24), (32, 40), (48, 56))
    return [Segment(*(_number(head, a, b) for a, b in fields)) for head in heads]


def alignments(elf: bytes) -> list[int]:
    """What each segment that is mapped is aligned to."""
    return [segment.alignment for segment in segments(elf) if segment.kind == LOAD]


def needed(elf: bytes) -> list[str]:
    """The names of the libraries that are loaded with this one."""
    found = segments(elf)
    entries = [
        (_number(elf, at, at + 8), _number(elf, at + 8, at + 16))
        for segment in found
        if segment.kind == DYNAMIC
        for at in range(segment.offset, segment.offset + segment.size, 16)
    ]
    strings = next((value for tag, value in entries if tag == STRING_TABLE), 0)
    for segment in found:  # the table is told by where it is mapped
        if segment.kind == LOAD and 0 <= strings - segment.address < segment.size:
            strings += segment.offset - segment.address
            break
    begins = [strings + value for tag, value in entries if tag == NEEDED]
    return [elf[begin : elf.index(b"\0", begin)].decode() for begin in begins]


def _number(data: bytes, begin: int, end: int) -> int:
    return int.from_bytes(data[begin:end], "little")
