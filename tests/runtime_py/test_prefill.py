"""Bringing the KV cache to a prompt: it holds what was asked for, whatever failed before."""

from types import SimpleNamespace

import pytest

from edgetune_runtime import prefill
from edgetune_runtime.errors import InputError


class Cache:
    """An engine whose K/V are the ids themselves, as many as `room`."""

    def __init__(self, room):
        self.room, self.held = room, []

    @property
    def position(self):
        return len(self.held)

    def rewind(self, position):
        del self.held[position:]

    def forward(self, ids):
        if len(self.held) + len(ids) > self.room:
            raise InputError("the prompt does not fit")
        self.held.extend(ids)

    def snapshot(self):
        return list(self.held)

    def restore(self, snapshot):
        self.held = list(snapshot)
        return 0

    @property
    def context_length(self):
        return self.room

    def kv_bytes(self):
        return 1000 * self.room


def encode(text, add_special_tokens):
    return SimpleNamespace(ids=[ord(letter) for letter in text])


def test_after_a_prompt_that_did_not_fit_nothing_of_it_is_taken_for_another(monkeypatch):
    monkeypatch.setattr(
        prefill, "render_prompt", lambda _pieces, prefix, turns, words: prefix + turns
    )
    adapters = {"a": SimpleNamespace(invocation=(ord("!"),), sha256="a")}
    tokenizer = SimpleNamespace(encode=encode)
    assets = SimpleNamespace(pieces=None, adapters=adapters, tokenizer=tokenizer)
    cache = Cache(room=40)
    reader = prefill.Prefill(assets, cache, SimpleNamespace(activate=lambda name: 0.0))

    def held(prefix, turns):
        assert reader.begin("a", prefix, turns, ()) == [ord("!")]
        return "".join(map(chr, cache.held))

    assert held("router ", "go!") == "router go"
    with pytest.raises(InputError):
        held("y" * 20, "go" * 15 + "!")
    assert held("router ", "go!") == "router go"
    assert held("router ", "go on!") == "router go on"


def reader_of(cache, monkeypatch):
    def joined(_pieces, prefix, turns, words):
        return prefix + turns

    monkeypatch.setattr(prefill, "render_prompt", joined)
    assets = SimpleNamespace(pieces=None, adapters={}, tokenizer=SimpleNamespace(encode=encode))
    return prefill.Prefill(assets, cache, SimpleNamespace(activate=lambda name: 0.0))


def test_snapshots_of_prefixes_that_never_come_again_are_forgotten(monkeypatch):
    """A token takes 1,000 bytes here, a prefix of twenty 20,000: three fit, the newest always."""
    monkeypatch.setattr(prefill, "_KEPT_BYTES", 65_000)
    cache = Cache(room=500)
    reader = reader_of(cache, monkeypatch)
    restored = []
    monkeypatch.setattr(cache, "restore", lambda snapshot: restored.append(len(snapshot)) or 0)

    def read(name, size=20):
        restored.clear()
        reader.begin(None, name * size, "go")
        return bool(restored)

    assert not any(read(name) for name in "abcd")
    assert [read(name) for name in "dcb"] == [True, True, True]
    assert not read("a")  # it made room for d
    assert not read("x", size=200)
    assert read("x", size=200)
    assert not read("b")
