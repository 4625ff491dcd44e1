"""Imports the public SNIPS requests: real, crowd-written, as calls of seven tools.

Source: github.com/sonos/nlu-benchmark, folder `2017-06-custom-intent-engines` (CC0 1.0; Coucke et
al. 2018, arXiv:1805.10190). Each intent has a folder with `train_<Intent>_full.json` and
`validate_<Intent>.json`: `{"<Intent>": [{"data": [{"text": ..., "entity"?: ...}, ...]}, ...]}`. An
intent becomes a tool, a slot a string parameter that holds the words of the request as they stand.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgetune.data.parts import write_parts
from edgetune.tools.reader import tools_from_list
from edgetune_runtime.errors import InputError

_FOLDER = "2017-06-custom-intent-engines"

_DESCRIPTIONS = {
    "AddToPlaylist": "Put a song, an album or an artist on a playlist.",
    "BookRestaurant": "Reserve a table in a restaurant.",
    "GetWeather": "Say what the weather is or will be at a place.",
    "PlayMusic": "Play a track, an album, an artist or a kind of music.",
    "RateBook": "Give a book a rating.",
    "SearchCreativeWork": "Look up a book, a song, a show, a game or another work by its title.",
    "SearchScreeningEvent": "Find out where and when films are shown.",
}


@dataclass(frozen=True)
class ImportReport:
    """What an import wrote into `output`, and how many requests it left out."""

    output: str
    tools: int
    train: int
    dev: int
    repeated_slots: int
    """Requests that name one slot twice: one string cannot hold both."""
    duplicates: int
    """Requests that stood twice, or in both parts (those are left out of `train`)."""

    def as_json(self) -> dict[str, Any]:
        """The report as a JSON value."""
        return asdict(self)


@dataclass(frozen=True)
class _Request:
    intent: str
    text: str
    slots: tuple[tuple[str, str], ...]


def import_snips(directory: Path, output: Path, *, force: bool = False) -> ImportReport:
    """Convert the SNIPS repository's files into `tools.json`, `train.jsonl` and `dev.jsonl`.

    `directory` is the repository or its folder `2017-06-custom-intent-engines`; what
    else `output` holds stays. Raises InputError where files are missing or have another shape, and
    where other records or tools are there already and there is no `force`.
    """
    root = directory / _FOLDER if (directory / _FOLDER).is_dir() else directory
    train: list[_Request] = []
    dev: list[_Request] = []
    for intent in _intents(root):
        train += _read(_train_file(root, intent), intent)
        dev += _read(root / intent / f"validate_{intent}.json", intent)
    seen: set[str] = set()
    kept_dev = _keep(dev, seen)
    kept_train = _keep(train, seen)
    kept = kept_train + kept_dev
    repeated = sum(_repeats(request) for request in train + dev)
    tools = _tools(kept)
    toolset = tools_from_list(tools, _FOLDER, "snips")
    parts = {"train": map(_record, kept_train), "dev": map(_record, kept_dev)}
    write_parts(output, toolset, tools, parts, force=force)
    return ImportReport(
        output=str(output),
        tools=len(tools),
        train=len(kept_train),
        dev=len(kept_dev),
        repeated_slots=repeated,
        duplicates=len(train) + len(dev) - repeated - len(kept),
    )


def snake_case(intent: str) -> str:
    """`AddToPlaylist` as `add_to_playlist`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", intent).lower()


def _intents(root: Path) -> list[str]:
    names = sorted(path.parent.name for path in root.glob("*/validate_*.json"))
    intents = [name for name in names if (root / name / f"validate_{name}.json").is_file()]
    if not intents:
        raise InputError(
            f"{root}: holds no '<Intent>/validate_<Intent>.json'; give a checkout of "
            f"github.com/sonos/nlu-benchmark or its folder {_FOLDER}."
        )
    return sorted(set(intents))


def _train_file(root: Path, intent: str) -> Path:
    full = root / intent / f"train_{intent}_full.json"
    return full if full.is_file() else root / intent / f"train_{intent}.json"


def _read(path: Path, intent: str) -> list[_Request]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); the import needs a train and a validate "
            "file of each intent."
        ) from error
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        # Some of the published files are Latin-1.
        text = content.decode("latin-1")
    try:
        value = json.loads(text)
        return [_request(intent, entry["data"]) for entry in value[intent]]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f'{path}: expected {{"{intent}": [{{"data": [{{"text": ..., "entity": ...}}]}}]}} as '
            f"in the SNIPS repository ({type(error).__name__}: {error})."
        ) from error


def _request(intent: str, parts: list[dict[str, str]]) -> _Request:
    slots = tuple(
        (part["entity"], _spaced(part["text"]))
        for part in parts
        if "entity" in part and part["text"].strip()
    )
    return _Request(intent, _spaced("".join(part["text"] for part in parts)), slots)


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _repeats(request: _Request) -> bool:
    return len({name for name, _ in request.slots}) < len(request.slots)


def _keep(requests: list[_Request], seen: set[str]) -> list[_Request]:
    def fresh() -> Iterator[_Request]:
        for request in requests:
            if request.text and not _repeats(request) and request.text not in seen:
                seen.add(request.text)
                yield request

    return list(fresh())


def _tools(requests: list[_Request]) -> list[dict[str, Any]]:
    slots: dict[str, set[str]] = {}
    for request in requests:
        slots.setdefault(request.intent, set()).update(name for name, _ in request.slots)
    return [
        {
            "type": "function",
            "function": {
                "name": snake_case(intent),
                "description": _DESCRIPTIONS.get(intent, intent),
                "parameters": {
                    "type": "object",
                    "properties": {
                        name: {"type": "string", "description": name.replace("_", " ")}
                        for name in sorted(slots[intent])
                    },
                    "required": [],
                    "additionalProperties": False,
                },
            },
        }
        for intent in sorted(slots)
    ]


def _record(request: _Request) -> dict[str, Any]:
    function = {"name": snake_case(request.intent), "arguments": dict(request.slots)}
    return {
        "messages": [
            {"role": "user", "content": request.text},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"type": "function", "function": function}],
            },
        ]
    }
