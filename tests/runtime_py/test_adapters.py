"""Blobs are read as they lie or refused; adapters come, stay and go as asked."""

from functools import partial

import numpy as np
import pytest
from safetensors.numpy import save_file

from edgetune_runtime.adapters import AdapterPool, read_blob, read_blob_metadata
from edgetune_runtime.assets import AdapterSource
from edgetune_runtime.errors import AdapterError, BundleError, InputError

TENSORS = {
    "layers.0.attn.q_proj.lora_A": np.arange(12, dtype=np.float32).reshape(4, 3),
    "layers.0.attn.q_proj.lora_B": np.arange(6, dtype=np.float32).reshape(3, 2),
}


@pytest.fixture
def blob(tmp_path):
    save_file(TENSORS, tmp_path / "a.safetensors", {"base_sha256": "abc"})
    return tmp_path / "a.safetensors"


def test_a_blob_is_read_without_a_copy(blob):
    tensors = read_blob(blob)
    for name, tensor in TENSORS.items():
        assert np.array_equal(tensors[name], tensor)
        assert not tensors[name].flags.owndata
    assert read_blob_metadata(blob) == {"base_sha256": "abc"}


def test_half_precision_is_widened_once(tmp_path):
    halves = {name: tensor.astype(np.float16) for name, tensor in TENSORS.items()}
    save_file(halves, tmp_path / "h.safetensors")
    for name, tensor in read_blob(tmp_path / "h.safetensors").items():
        assert tensor.dtype == np.float32
        assert np.array_equal(tensor, TENSORS[name])


@pytest.mark.parametrize("kept", [0, 5, 8, 40, -1])
def test_a_truncated_blob_is_refused_by_name(blob, kept):
    blob.write_bytes(blob.read_bytes()[:kept])
    with pytest.raises(BundleError, match=r"a\.safetensors"):
        read_blob(blob)


@pytest.mark.parametrize(
    "content", [b"not a blob at all", b"\x02" + bytes(7) + b"[]", bytes(8), b"\xff" * 64]
)
def test_a_foreign_file_is_refused_by_name(tmp_path, content):
    (tmp_path / "b.safetensors").write_bytes(content)
    with pytest.raises(BundleError, match=r"b\.safetensors"):
        read_blob(tmp_path / "b.safetensors")


def test_longer_or_other_data_is_refused(blob, tmp_path):
    blob.write_bytes(blob.read_bytes() + b"\0\0\0\0")
    with pytest.raises(BundleError, match="bytes where"):
        read_blob(blob)
    save_file({"x": np.zeros(3, np.int32)}, tmp_path / "i.safetensors")
    with pytest.raises(BundleError, match="'x'"):
        read_blob(tmp_path / "i.safetensors")


@pytest.fixture
def sources():
    loads = []

    def source(name):
        def load():
            loads.append(name)
            return TENSORS

        return AdapterSource(name, 3, name, 72, load)

    made = {name: source(name) for name in ("a", "b", "c")}
    return made, loads


def test_a_warm_swap_loads_nothing(mock_engine, sources):
    made, loads = sources
    engine = mock_engine()
    pool = AdapterPool(engine, made)
    for name in ("a", "b", "a", None, "a"):
        pool.activate(name)
        assert pool.active == name
        assert (engine.adapter is None) == (name is None)
    assert loads == ["a", "b"]
    assert set(pool.cold_ms) == {"a", "b"}
    assert set(pool.warm_ms) == {"a"}
    assert pool.resident_bytes == {"a": 72, "b": 72}


def test_what_is_widened_is_counted_as_it_lies_in_memory(mock_engine, tmp_path):
    halves = {name: tensor.astype(np.float16) for name, tensor in TENSORS.items()}
    save_file(halves, tmp_path / "h.safetensors")
    load = partial(read_blob, tmp_path / "h.safetensors")
    pool = AdapterPool(mock_engine(), {"a": AdapterSource("a", 3, "a", 36, load)})
    pool.activate("a")
    assert pool.resident_bytes == {"a": 72}


def test_the_least_recently_used_adapter_makes_room(mock_engine, sources):
    made, loads = sources
    pool = AdapterPool(mock_engine(), made, max_resident=2)
    for name in ("a", "b", "a", "c"):
        pool.activate(name)
    assert set(pool.resident_bytes) == {"a", "c"}
    pool.activate("b")
    assert loads == ["a", "b", "c", "b"]


def test_two_pools_on_one_engine_do_not_disturb_each_other(mock_engine, sources):
    made, _ = sources
    engine = mock_engine()
    first, second = AdapterPool(engine, made), AdapterPool(engine, made)
    first.activate("a")
    bound = engine.adapter
    second.activate(None)
    first.activate("a")
    assert engine.adapter is bound


def test_an_unknown_adapter_is_refused_and_the_active_one_stays(mock_engine, sources):
    pool = AdapterPool(mock_engine(), sources[0])
    pool.activate("a")
    with pytest.raises(InputError, match="'nobody'"):
        pool.activate("nobody")
    assert pool.active == "a"


def test_an_adapter_that_does_not_fit_is_named(mock_engine, sources):
    engine = mock_engine()

    def refuse(tensors):
        raise AdapterError("tensor 'x': no such slot")

    engine.prepare = refuse
    with pytest.raises(AdapterError, match="adapter 'a': tensor 'x'"):
        AdapterPool(engine, sources[0]).activate("a")


def test_room_for_no_adapter_is_refused(mock_engine):
    with pytest.raises(InputError, match="max_resident"):
        AdapterPool(mock_engine(), {}, max_resident=0)
