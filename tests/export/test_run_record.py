"""`run.json` is read whatever version wrote it, loses nothing, and names what is damaged."""

import json

import pytest

from edgetune_export.run_record import RunRecord, read_run_record, write_run_record
from edgetune_runtime.errors import InputError

FIRST = {
    "edgetune": "0.0.1",
    "config": {"toolset": {"tools": "home.json"}},
    "sources": {"train": "0" * 64},
    "base": {"name": "tiny", "revision": None, "weights_sha256": "1" * 64},
    "adapters": [
        {
            "name": "home.selector",
            "role": "selector",
            "toolset": "home",
            "tool": None,
            "directory": "adapters/home.selector",
            "rank": 4,
            "data_sha256": "2" * 64,
            "examples": 3,
            "steps": 1,
        }
    ],
    "complete": True,
}
"""As the first version wrote it: no copied parameters, no temperatures, one toolset."""


def read(directory, value) -> RunRecord:
    (directory / "run.json").write_text(value if isinstance(value, str) else json.dumps(value))
    return read_run_record(directory)


def test_a_record_of_the_first_version_is_read(tmp_path):
    record = read(tmp_path, FIRST)
    assert record.adapters[0].selection_temperature is None
    assert record.copied_by_toolset(["home"]) == {}


@pytest.mark.parametrize(
    "copied", [{"get_weather": ["city"]}, {"home": {"get_weather": ["city"]}, "music": {}}]
)
def test_copied_parameters_are_found_by_toolset_and_as_before_several_by_tool(tmp_path, copied):
    record = read(tmp_path, {**FIRST, "copied": copied})
    assert record.copied_by_toolset(["home"])["home"] == {"get_weather": ("city",)}
    write_run_record(tmp_path, record)
    assert read_run_record(tmp_path) == record


def test_what_a_newer_version_wrote_is_kept(tmp_path):
    adapter = {**FIRST["adapters"][0], "quality": 0.9}
    record = read(tmp_path, {**FIRST, "adapters": [adapter], "machine": {"cores": 2}})
    write_run_record(tmp_path, record.model_copy(update={"complete": False}))
    written = json.loads((tmp_path / "run.json").read_text())
    assert (written["complete"], written["machine"]) == (False, {"cores": 2})
    assert written["adapters"] == [adapter]


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ('{"edgetune": "0.0.1", "conf', "Invalid JSON"),
        ("[]", "Input should be an object"),
        ({"experiment": 7}, r"config: Field required; .* none of edgetune's"),
        ({**FIRST, "base": {"name": "tiny"}}, r"base\.weights_sha256: Field required"),
        ({**FIRST, "copied": {"home": 3}}, r"copied\."),
        (
            {**FIRST, "adapters": [{**FIRST["adapters"][0], "role": "judge"}]},
            r"adapters\.0\.role: Input should be 'selector'",
        ),
        (
            {**FIRST, "adapters": [{**FIRST["adapters"][0], "selection_temperature": 0}]},
            r"adapters\.0\.selection_temperature: Input should be greater than 0",
        ),
    ],
)
def test_a_damaged_record_is_one_sentence_with_file_and_field(tmp_path, value, named):
    with pytest.raises(InputError, match=rf"run\.json: {named}") as refused:
        read(tmp_path, value)
    assert "\n" not in str(refused.value)
