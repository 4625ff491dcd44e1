"""A file of records is read however it was saved, and each record has the line it begins in."""

import gzip
import json

import pytest

from edgetune.data.lines import numbered_lines
from edgetune_runtime.errors import InputError

RECORDS = [{"a": "grå"}, {"a": [1, {"b": "]"}]}, {"a": "two\u2028lines"}]
JSONL = "\n".join(json.dumps(record, ensure_ascii=False) for record in RECORDS) + "\n"


@pytest.mark.parametrize(
    "content",
    [
        JSONL.encode(),
        JSONL.replace("\n", "\r\n").encode("utf-8-sig"),
        JSONL.encode("utf-16"),
        JSONL.encode("utf-16-be"),
        gzip.compress(JSONL.encode(), mtime=0),
        gzip.compress(JSONL.encode("utf-16"), mtime=0),
        json.dumps(RECORDS).encode(),
        json.dumps(RECORDS, indent=2).encode("utf-16"),
    ],
)
def test_records_are_the_same_however_they_were_saved(tmp_path, content):
    (tmp_path / "data").write_bytes(content)
    assert [json.loads(text) for _, text in numbered_lines(tmp_path / "data")] == RECORDS


def test_a_record_has_the_line_in_which_it_begins(tmp_path):
    (tmp_path / "data.json").write_text('[\n  {"a": 1},\n  {\n    "a": 2\n  }, {"a": 3}\n]\n')
    assert [line for line, _ in numbered_lines(tmp_path / "data.json")] == [2, 3, 5]
    (tmp_path / "data.json").write_text("[]")
    assert list(numbered_lines(tmp_path / "data.json")) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'[{"a": 1},\n{"a": ]', r":2: the array .* is no JSON from here on"),
        (b'[{"a": 1}', r":1: the array .* is no JSON from here on"),
        (b'[{"a": 1}]\n{"a": 2}', r":1: something follows the array"),
        (b"[" * 100_000, r":1: the array"),
        (b"PAR1\x15\x04", "is a Parquet file; save its records as JSONL"),
        (gzip.compress(b"{}" * 99, mtime=0)[:-9], "is damaged gzip"),
        ("{}".encode("utf-16") + b"\x00", "is not utf-16"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path, content, said):
    (tmp_path / "data").write_bytes(content)
    with pytest.raises(InputError, match=said):
        list(numbered_lines(tmp_path / "data"))
