"""A base from the hub: downloads resume, hashes are the hub's, silence is noticed soon."""

import json
import socket
import time

import pytest

NAME = "qwen3-0.6b"


@pytest.fixture
def silence():
    """A hub that takes calls and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_base_is_fetched_once_and_then_found_without_the_hub(edgetune, hub):
    done = edgetune(hub.endpoint, "base", "get", NAME, "--json", "-")
    assert done.returncode == 0, done.stderr
    about = json.loads(done.stdout)
    assert (about["here"], about["origin"]) == (True, "hub")
    asked = len(hub.asked)
    again = edgetune(hub.endpoint, "base", "get", NAME, "--json", "-")
    assert (json.loads(again.stdout), len(hub.asked)) == (about, asked)


def test_a_broken_download_goes_on_where_it_broke(edgetune, hub):
    hub.breaks["model.safetensors"] = 100_000
    done = edgetune(hub.endpoint, "base", "get", NAME)
    assert done.returncode == 0, done.stderr
    again = next(each for each in hub.asked if "model.safetensors bytes=" in each)
    assert 90_000 < int(again.split("bytes=")[1].split("-")[0]) <= 100_000


def test_a_file_with_another_hash_is_removed(edgetune, hub, tmp_path):
    hub.told["model.safetensors"] = "0" * 64
    done = edgetune(hub.endpoint, "base", "get", NAME)
    assert done.returncode == 2
    assert "model.safetensors: its hash was not the hub's" in done.stderr.splitlines()[-1]
    assert not list((tmp_path / "huggingface").rglob("model.safetensors"))


def test_a_silent_hub_is_noticed_soon(edgetune, silence):
    begun = time.monotonic()
    done = edgetune(silence, "base", "get", NAME)
    assert done.returncode == 2
    assert "qwen3-0.6b: the hub (Qwen/Qwen3-0.6B) does not answer; check" in done.stderr
    assert time.monotonic() - begun < 60
