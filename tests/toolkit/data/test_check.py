"""The check keeps what is valid, and says of every other line why it was dropped."""

import json
import sys

import pytest

from edgetune.cli import main
from edgetune.data.check import check_records, write_checked
from edgetune.data.records import read_records
from edgetune_runtime.errors import InputError


def line(request, arguments, tool="get_weather"):
    function = {"name": tool, "arguments": arguments}
    return json.dumps(
        {
            "messages": [
                {"role": "user", "content": request},
                {"role": "assistant", "tool_calls": [{"type": "function", "function": function}]},
            ]
        }
    )


@pytest.fixture
def mixed(tmp_path):
    path = tmp_path / "mixed.jsonl"
    path.write_bytes(
        "\n".join(
            [
                line("oslo?", {"city": "oslo", "days": 2}),
                "{broken",
                line("rome?", {"city": "rome", "days": 2.5}),
                "",
                line("oslo?", '{"days": 2, "city": "oslo"}'),
                line("bus?", {}, tool="find_bus"),
                line("paris?", {"city": "paris", "mood": "good"}),
                line("oslo?", {"city": "oslo"}),
            ]
        ).encode()
        + b'\n{"messages": "caf\xe9"}\n'
    )
    return path


def test_every_line_is_kept_dropped_or_a_duplicate(mixed, weather_toolset):
    report = check_records(mixed, weather_toolset)
    assert [record.line for record in report.kept] == [1, 8]
    assert [entry.line for entry in report.dropped] == [2, 3, 6, 7, 9]
    assert report.duplicates == [(5, 1)]
    reasons = [entry.reason for entry in report.dropped]
    expected = ["not JSON", "expected the type integer", "'find_bus'", "'mood'", "not UTF-8"]
    for reason, words in zip(reasons, expected, strict=True):
        assert words in reason
    assert report.per_tool["get_weather"] == 2


def test_report_is_json(mixed, weather_toolset):
    report = json.loads(json.dumps(check_records(mixed, weather_toolset).as_json()))
    assert (report["lines"], report["kept"]) == (8, 2)
    assert report["duplicates"] == [{"line": 5, "first": 1}]


def test_what_is_written_is_valid_as_a_whole(mixed, weather_toolset, tmp_path):
    write_checked(check_records(mixed, weather_toolset), tmp_path / "clean.jsonl")
    again = check_records(tmp_path / "clean.jsonl", weather_toolset)
    assert (len(again.kept), again.dropped, again.duplicates) == (2, [], [])
    assert len(read_records(tmp_path / "clean.jsonl", weather_toolset)) == 2


def test_nothing_is_written_where_nothing_was_kept(tmp_path, weather_toolset):
    (tmp_path / "bad.jsonl").write_text('{"messages": []}\n')
    (tmp_path / "clean.jsonl").write_text("what stood there")
    with pytest.raises(InputError, match="no record was kept"):
        write_checked(
            check_records(tmp_path / "bad.jsonl", weather_toolset), tmp_path / "clean.jsonl"
        )
    assert (tmp_path / "clean.jsonl").read_text() == "what stood there"


def test_missing_file_is_one_sentence(tmp_path, weather_toolset):
    with pytest.raises(InputError, match=r"none\.jsonl: cannot be read"):
        check_records(tmp_path / "none.jsonl", weather_toolset)


def test_the_reasons_are_told_and_written_also_where_nothing_is_kept(tmp_path, monkeypatch, capsys):
    (tmp_path / "bad.jsonl").write_text(line("oslo?", {"city": "oslo"}))
    output, result = tmp_path / "clean.jsonl", tmp_path / "result.json"
    command = ["data", "check", tmp_path / "bad.jsonl", "--tools", "phone_actions"]
    command += ["-o", output, "--json", result]
    monkeypatch.setattr(sys, "argv", ["edgetune", *map(str, command)])
    with pytest.raises(SystemExit) as ended:
        main()
    printed = capsys.readouterr()
    assert ended.value.code == 2
    assert "'get_weather' is no tool" in " ".join(printed.out.split())
    assert "no record was kept" in printed.err
    assert json.loads(result.read_text())["dropped"][0]["line"] == 1
    assert not output.exists()


def test_the_report_tells_the_format_and_what_was_read_from_text(tmp_path, weather_toolset):
    call = '<tool_call>{"name": "get_weather", "arguments": {"city": "oslo"}}</tool_call>'
    said = [{"from": "human", "value": "oslo?"}, {"from": "gpt", "value": call}]
    (tmp_path / "chats.json").write_text(json.dumps([{"conversations": said}]))
    report = check_records(tmp_path / "chats.json", weather_toolset).as_json()
    assert (report["format"], report["written"]) == ("sharegpt", {"hermes": 1})


def test_an_empty_file_holds_no_records(tmp_path, weather_toolset):
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(InputError, match=r"empty\.jsonl: holds no records"):
        check_records(tmp_path / "empty.jsonl", weather_toolset)
