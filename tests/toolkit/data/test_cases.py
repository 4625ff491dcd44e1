"""Small inputs from public bug reports, kept outside the repository, are read as what they mean."""

from pathlib import Path

import pytest

from edgetune.data.check import check_records
from edgetune.data.find_tools import find_tools

CASES = Path(__file__).resolve().parents[4] / "shared" / "cases"


@pytest.mark.parametrize(
    ("case", "format", "per_tool"),
    [
        ("D01", "messages", (1, 1, 0)),
        ("D02", "messages", (1, 0, 1)),
        ("D03", "sharegpt", (1, 0, 1)),
        ("D04", "messages", (10, 0, 0)),
        ("D05", "xlam", (1, 0, 0)),
        ("D06", "glaive", (1, 0, 0)),
        ("D07", "messages", (1, 1, 0)),
        ("D12", "prompt-completion", (1, 0, 0)),
        ("D14b", "messages", (1, 0, 0)),
    ],
)
def test_a_case_is_read_as_the_calls_that_it_means(case, format, per_tool):
    """`per_tool`: steps that call get_weather, set_timer, and respond."""
    data = CASES / case / "records.jsonl"
    if not data.is_file():
        pytest.skip(f"{data} is not here: the cases are kept outside the repository")
    report = check_records(data, find_tools(data))
    assert (report.format, report.dropped) == (format, [])
    assert report.per_tool == dict(
        zip(("get_weather", "set_timer", "respond"), per_tool, strict=True)
    )
