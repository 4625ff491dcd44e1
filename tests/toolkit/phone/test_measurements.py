"""What the app measured is fetched, checked and shown beside this machine's own figures."""

import json

import pytest

from edgetune_runtime.bundle import read_manifest

ADAPTER = {
    "rank": 4,
    "blob_bytes": 40_000,
    "cold_swap_ms": 3.21,
    "warm_swap_ms": 0.456,
    "resident_bytes": 39_000,
    "pss_bytes": 71_000,
    "private_dirty_bytes": 52_000,
}


@pytest.fixture
def measured(tiny_bundle) -> dict:
    """As the app writes it."""
    names = [adapter.name for adapter in read_manifest(tiny_bundle).adapters]
    return {
        "device": {"model": "Pixel 8 [Pro]", "android": "15", "abi": "arm64-v8a"},
        "base": {"load_ms": 123.0, "rss_bytes": 98_765_432, "kv_bytes": 4_000_000},
        "adapters": [{"name": name, **ADAPTER} for name in names],
        "prefill_tokens_per_s": 2468.0,
        "decode_tokens_per_s": {"base": 135.0, "adapter": None},
        "call": {"prefill_tokens": 40, "decode_steps": 7, "forced_tokens": 11, "ms": 77.0},
        "app_version": "1.0",
    }


def left(phone, measured) -> None:
    (phone.files / "profile.json").write_text(json.dumps(measured))


def test_phone_and_workstation_stand_side_by_side(edgetune, phone, tiny_bundle, measured):
    del measured["adapters"][-1]
    left(phone, measured)
    shown = edgetune("profile", tiny_bundle, "--device", "--threads", 1)
    assert "This machine and Pixel 8 [Pro], Android 15, arm64-v8a" in shown
    rows = {cells[0]: cells[1:] for line in shown.splitlines() if (cells := cut(line))}
    assert rows["base loaded, ms"][1] == "123"
    assert rows["decode with an adapter, tokens/s"][1] == "-"
    assert rows["of it prefilled / decoded / forced"][1] == "40 / 7 / 11"
    cold, warm, resident, pss, dirty = rows["home.selector"]
    assert cold.endswith(" / 3.21")
    assert warm.endswith(" / 0.456")
    assert resident.endswith(" / 39")
    assert (pss, dirty) == ("71", "52")
    assert sum(row[-1] == "-" for row in rows.values()) == 2  # the adapter, and the decode with one


def cut(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("│ ").split("│")] if "│" in line else []


def test_the_json_has_both(edgetune, phone, tiny_bundle, measured):
    left(phone, measured)
    found = json.loads(edgetune("profile", tiny_bundle, "--device", "--json", "-", "--threads", 1))
    assert found["phone"] == measured
    assert found["base"]["load_ms"] != 123.0
    alone = json.loads(edgetune("profile", tiny_bundle, "--json", "-", "--threads", 1))
    assert found.keys() - alone.keys() == {"phone"}


def test_an_app_that_measured_nothing_is_said(edgetune, phone, tiny_bundle):
    said = edgetune("profile", tiny_bundle, "--device", code=2)
    assert "profile.json: is not there, so the app has measured nothing; open the app, mea" in said


@pytest.mark.parametrize(
    ("where", "value", "told"),
    [
        (("base", "load_ms"), -1, "base.load_ms: Input should be greater than or equal to 0"),
        (("base", "rss_bytes"), "much", "base.rss_bytes: Input should be a valid integer"),
        (("call", "ms"), float("nan"), "call.ms: Input should be a finite number"),
        (("adapters", 0, "name"), "work.selector", "'work.selector', which the bundle 'home' has"),
    ],
)
def test_figures_that_cannot_be_are_refused(
    edgetune, phone, tiny_bundle, measured, where, value, told
):
    *path, last = where
    place = measured
    for key in path:
        place = place[key]
    place[last] = value
    left(phone, measured)
    said = edgetune("profile", tiny_bundle, "--device", code=2)
    assert told in said
    assert said.endswith("measure this bundle under Memory, and run the same command again.")


def test_what_is_no_json_is_refused(edgetune, phone, tiny_bundle):
    (phone.files / "profile.json").write_text('{"device": ')
    said = edgetune("profile", tiny_bundle, "--device", code=2)
    assert "profile.json: the whole: Invalid JSON" in said
