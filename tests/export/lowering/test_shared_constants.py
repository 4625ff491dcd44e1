"""A `.pte` whose named data are laid upon its constants: what moves, and all of it is found."""

import pytest
from executorch.exir._serialize._named_data_store import NamedDataStore
from executorch.exir._serialize._program import (
    PTEFile,
    _flatbuffer_to_program,
    _get_extended_header,
    serialize_pte_binary,
)
from executorch.exir.schema import (
    BackendDelegate,
    BackendDelegateDataReference,
    BackendDelegateInlineData,
    Buffer,
    ContainerMetadata,
    DataLocation,
    ExecutionPlan,
    Program,
    SubsegmentOffsets,
)

from edgetune_export.lowering.shared_constants import share_constants

TABLE = bytes(range(256)) * 40
"""In no multiple of a segment's alignment."""
TABLE += b"\1\2\3"
SMALL = b"a constant"
COMPILED = [b"first delegate" * 20, b"second delegate" * 30]
STATE = b"mutable" * 30


def program(constants, named):
    """A `.pte` with these constants, named data, two delegates and a mutable buffer."""
    reference = [
        BackendDelegate("Some", BackendDelegateDataReference(DataLocation.INLINE, index), [])
        for index in range(len(COMPILED))
    ]
    plan = ExecutionPlan(
        name="forward",
        container_meta_type=ContainerMetadata("", ""),
        values=[],
        inputs=[],
        outputs=[],
        chains=[],
        operators=[],
        delegates=reference,
        non_const_buffer_sizes=[0],
    )
    whole = Program(
        version=0,
        execution_plan=[plan],
        constant_buffer=[Buffer(b""), *map(Buffer, constants)],
        backend_delegate_data=[BackendDelegateInlineData(data) for data in COMPILED],
        segments=[],
        constant_segment=SubsegmentOffsets(0, []),
    )
    store = NamedDataStore()
    for key, data in named.items():
        store.add_named_data(key, data, alignment=16)
    mutable = [Buffer(b""), Buffer(STATE)]
    file = PTEFile(whole, mutable, store.get_named_data_store_output())
    return bytes(serialize_pte_binary(file, extract_delegate_segments=True))


def read(content):
    """What a runtime finds: constants from their offset on, named data, delegates, mutable data;
    and where segments begin in the file."""
    header = _get_extended_header(content)
    found = _flatbuffer_to_program(content[: header.program_size])
    assert header.segment_base_offset + header.segment_data_size == len(content)
    base = header.segment_base_offset
    places = [base + segment.offset for segment in found.segments]
    data = [
        content[place : place + segment.size]
        for place, segment in zip(places, found.segments, strict=True)
    ]
    constants = found.constant_segment
    return (
        [data[constants.segment_index][offset:] for offset in constants.offsets],
        {named.key: data[named.segment_index] for named in found.named_data},
        [data[each.processed.index] for each in found.execution_plan[0].delegates],
        data[found.mutable_data_segments[0].segment_index],
        places,
    )


@pytest.mark.parametrize(
    "constants", [[TABLE], [SMALL, TABLE], [SMALL, TABLE, SMALL], [TABLE[::-1], SMALL, TABLE]]
)
@pytest.mark.parametrize(
    "named",
    [
        {"head": TABLE},
        {"head": TABLE, "other": SMALL * 90},
        {"other": SMALL * 90, "head": TABLE, "third": TABLE * 2},
    ],
)
def test_what_is_there_twice_is_there_once_and_all_is_found(constants, named):
    before = program(constants, named)
    after = share_constants(before)
    assert (before.count(TABLE) - after.count(TABLE)) == 1
    assert len(before) - len(after) >= len(TABLE) - 256
    found, by_key, delegates, mutable, places = read(after)
    for wanted, data in zip(constants, found[1:], strict=True):
        assert data.startswith(wanted)
    assert by_key == named
    assert delegates == COMPILED
    assert mutable == STATE
    assert places == sorted(places)
    assert all(place % 128 == 0 for place in places)


@pytest.mark.parametrize(
    ("constants", "named"),
    [
        ([SMALL, TABLE], {}),
        ([SMALL], {"head": TABLE}),
        ([SMALL, TABLE[:-1] + b"\0"], {"head": TABLE}),
        ([SMALL, TABLE * 2], {"head": TABLE}),
        ([SMALL], {"small": SMALL}),
    ],
    ids=["no named data", "no constant", "another last byte", "a longer one", "not worth it"],
)
def test_what_has_nothing_to_share_is_left_as_it_is(constants, named):
    before = program(constants, named)
    assert share_constants(before) is before


def test_sharing_twice_changes_nothing_more():
    once = share_constants(program([SMALL, TABLE], {"head": TABLE}))
    assert share_constants(once) == once


def test_a_program_without_segments_is_left_as_it_is():
    assert share_constants(b"ET12 no header follows") == b"ET12 no header follows"
