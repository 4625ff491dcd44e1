"""The public SNIPS files become tools and records whose arguments are spans of the request."""

import json

import pytest

from edgetune.data.records import read_records
from edgetune.data.snips import import_snips
from edgetune.tools.reader import read_tools
from edgetune_runtime.calls import Call
from edgetune_runtime.errors import InputError


def part(text, entity=None):
    return {"text": text, "entity": entity} if entity else {"text": text}


def write_intent(root, intent, train, validate, encoding="utf-8"):
    folder = root / intent
    folder.mkdir(parents=True)
    for name, requests in ((f"train_{intent}_full", train), (f"validate_{intent}", validate)):
        value = {intent: [{"data": data} for data in requests]}
        (folder / f"{name}.json").write_bytes(
            json.dumps(value, ensure_ascii=False).encode(encoding)
        )


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "nlu-benchmark" / "2017-06-custom-intent-engines"
    write_intent(
        root,
        "AddToPlaylist",
        [
            [part("Add "), part("Björk ", "artist"), part("to  "), part("my", "playlist_owner")],
            [part("add "), part("A", "artist"), part(" and "), part("B", "artist")],
            [part("add this")],
        ],
        [[part("put "), part("Sia", "artist"), part(" on "), part("Gym", "playlist")]],
        encoding="latin-1",
    )
    write_intent(
        root,
        "GetWeather",
        [[part("rain in "), part("Oslo", "city"), part("?")], [part("snow?")], [part("snow?")]],
        [[part("snow?")]],
    )
    return tmp_path / "nlu-benchmark"


def test_intents_become_tools_and_slots_string_parameters(repository, tmp_path):
    import_snips(repository, tmp_path / "snips")
    toolset = read_tools(tmp_path / "snips" / "tools.json")
    assert (toolset.name, toolset.names) == ("snips", ("add_to_playlist", "get_weather", "respond"))
    assert list(toolset["add_to_playlist"].properties) == ["artist", "playlist", "playlist_owner"]
    assert toolset["get_weather"].properties["city"]["type"] == "string"


def test_spans_stand_as_in_the_request(repository, tmp_path):
    import_snips(repository, tmp_path / "snips")
    toolset = read_tools(tmp_path / "snips" / "tools.json")
    train = read_records(tmp_path / "snips" / "train.jsonl", toolset)
    assert train[0].turns[0].text == "Add Björk to my"
    assert train[0].calls == (Call("add_to_playlist", {"artist": "Björk", "playlist_owner": "my"}),)
    for record in train:
        assert all(span in record.turns[0].text for span in record.calls[0].arguments.values())


def test_repeated_slots_and_duplicates_are_counted_and_left_out(repository, tmp_path):
    report = import_snips(repository / "2017-06-custom-intent-engines", tmp_path / "snips")
    assert (report.tools, report.train, report.dev) == (2, 3, 2)
    assert (report.repeated_slots, report.duplicates) == (1, 2)
    dev = (tmp_path / "snips" / "dev.jsonl").read_text()
    assert "snow?" in dev
    assert "snow?" not in (tmp_path / "snips" / "train.jsonl").read_text()


def test_folder_without_the_files_is_refused_and_output_stays(repository, tmp_path):
    output = tmp_path / "snips"
    output.mkdir()
    (output / "mine.txt").write_text("not the import's")
    import_snips(repository, output)
    assert (output / "mine.txt").exists()
    before = (output / "train.jsonl").read_bytes()
    with pytest.raises(InputError, match="sonos/nlu-benchmark"):
        import_snips(tmp_path / "snips", output)
    weather = repository / "2017-06-custom-intent-engines" / "GetWeather"
    (weather / "train_GetWeather_full.json").write_text('{"Other": []}')
    with pytest.raises(InputError, match="train_GetWeather_full"):
        import_snips(repository, output)
    (weather / "train_GetWeather_full.json").unlink()
    with pytest.raises(InputError, match="cannot be read"):
        import_snips(repository, output)
    assert (output / "train.jsonl").read_bytes() == before
