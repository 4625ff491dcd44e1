"""An ExecuTorch program without what lies in it twice: a constant that a delegate has a copy of.

A tied table of bytes is looked up as a constant of the program and multiplied by as named data of
XNNPACK, which finds its data by offset and size: both may be the same bytes of the file. This
knows the layout of a `.pte` (executorch's `program.fbs`), not what the bytes mean.
"""

from collections.abc import Sequence
from dataclasses import replace

from executorch.exir._serialize._flatbuffer_program import (
    _flatbuffer_to_program,
    _program_to_flatbuffer,
)
from executorch.exir._serialize._program import (
    _ExtendedHeader,
    _get_extended_header,
    _insert_flatbuffer_header,
)
from executorch.exir._serialize.padding import aligned_size
from executorch.exir.schema import DataLocation, DataSegment, Program
from executorch.exir.tensor import ALIGNMENT

SEGMENT_ALIGNMENT = 128
"""Where segments may begin, in bytes, as executorch's serializer has it."""


def share_constants(content: bytes) -> bytes:
    """The program of `content`, a `.pte`, with named data that equal a constant laid upon it.

    A constant that is shared begins where a segment may, so that what reads it as named data finds
    it aligned as before. What has nothing to share is returned as it is.
    """
    header = _get_extended_header(content)
    if header is None:
        return content
    program: Program = _flatbuffer_to_program(content[: header.program_size])
    # A view: the segments are most of the file.
    data = memoryview(content)[header.segment_base_offset :]
    segments = [data[each.offset : each.offset + each.size] for each in program.segments]
    twice = _twice(program, segments)
    if not twice:
        return content
    constants = program.constant_segment.segment_index
    segments[constants], program.constant_segment.offsets = _laid_out(
        segments[constants], program.constant_segment.offsets, set(twice.values())
    )
    placed: list[DataSegment] = []
    parts: list[bytes | memoryview] = []
    end = 0
    for index, segment in enumerate(segments):
        start = aligned_size(end, SEGMENT_ALIGNMENT)
        placed.append(DataSegment(offset=start, size=len(segment)))
        if index not in twice:
            parts += [bytes(start - end), segment]
            end = start + len(segment)
    for index, constant in twice.items():
        inside = program.constant_segment.offsets[constant]
        placed[index].offset = placed[constants].offset + inside
    _put(program, placed)
    return _joined(program, header, parts, end)


def _twice(program: Program, segments: Sequence[memoryview]) -> dict[int, int]:
    """By the number of a segment of named data, that of a constant which begins with its bytes."""
    if not program.named_data or not program.constant_segment.offsets:
        return {}
    offsets = program.constant_segment.offsets
    within = segments[program.constant_segment.segment_index]
    ends = [*offsets[1:], len(within)]
    found = {}
    for index in {each.segment_index for each in program.named_data}:
        wanted = segments[index]
        size = len(wanted)
        if size <= SEGMENT_ALIGNMENT:  # what is gained may be lost by aligning the constant
            continue
        for constant, (start, end) in enumerate(zip(offsets, ends, strict=True)):
            if size <= end - start < size + ALIGNMENT and within[start : start + size] == wanted:
                found[index] = constant
                break
    return found


def _laid_out(
    segment: memoryview, offsets: Sequence[int], aligned: set[int]
) -> tuple[memoryview, list[int]]:
    """The constants of `segment` one after another, those numbered in `aligned` where a segment may
    begin; and where each begins."""
    content = bytearray()
    places = []
    for constant, (start, end) in enumerate(
        zip(offsets, [*offsets[1:], len(segment)], strict=True)
    ):
        alignment = SEGMENT_ALIGNMENT if constant in aligned else ALIGNMENT
        content += bytes(aligned_size(len(content), alignment) - len(content))
        places.append(len(content))
        content += segment[start:end]
    return memoryview(content), places


def _put(program: Program, placed: Sequence[DataSegment]) -> None:
    """Make `placed` the segments of `program`, which the format wants in the order of the file."""
    order = sorted(range(len(placed)), key=lambda index: placed[index].offset)
    number = {old: new for new, old in enumerate(order)}
    program.segments = [placed[index] for index in order]
    for subsegments in (program.constant_segment, *(program.mutable_data_segments or ())):
        subsegments.segment_index = number[subsegments.segment_index]
    for named in program.named_data or ():
        named.segment_index = number[named.segment_index]
    for plan in program.execution_plan:
        for delegate in plan.delegates:
            if delegate.processed.location == DataLocation.SEGMENT:
                delegate.processed.index = number[delegate.processed.index]


def _joined(
    program: Program, header: _ExtendedHeader, parts: Sequence[bytes | memoryview], size: int
) -> bytes:
    """The file of `program` and the `size` bytes of `parts`, its segments."""
    table = _program_to_flatbuffer(program, constant_tensor_alignment=ALIGNMENT)
    room = aligned_size(_ExtendedHeader.EXPECTED_LENGTH, table.max_alignment)
    program_size = room + len(table.data)
    base = aligned_size(program_size, SEGMENT_ALIGNMENT)
    new = replace(
        header, program_size=program_size, segment_base_offset=base, segment_data_size=size
    )
    front = _insert_flatbuffer_header(table.data, ".", new.to_bytes().ljust(room, b"\0"))
    return b"".join((front, bytes(base - len(front)), *parts))
