"""A profile has the fixed fields, and figures that can be true."""

import mmap

from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.profile import profile, resident_bytes


def test_a_profile_has_the_fixed_fields(tiny_bundle):
    bundle = open_bundle(tiny_bundle)
    found = profile(bundle, threads=1)
    assert set(found) == {
        "base",
        "adapters",
        "prefill_tokens_per_s",
        "decode_tokens_per_s",
        "call",
    }
    assert set(found["base"]) == {"load_ms", "rss_bytes", "kv_bytes"}
    assert set(found["decode_tokens_per_s"]) == {"base", "adapter"}
    assert set(found["call"]) == {"prefill_tokens", "decode_steps", "forced_tokens", "ms"}
    assert [adapter["name"] for adapter in found["adapters"]] == list(bundle.assets.adapters)
    for adapter in found["adapters"]:
        assert set(adapter) == {
            "name",
            "rank",
            "blob_bytes",
            "cold_swap_ms",
            "warm_swap_ms",
            "resident_bytes",
        }
        assert 0 < adapter["resident_bytes"] < adapter["blob_bytes"]
        assert min(adapter["warm_swap_ms"], adapter["cold_swap_ms"]) > 0
    assert min(found["prefill_tokens_per_s"], *found["decode_tokens_per_s"].values()) > 0


def test_resident_memory_grows_with_what_is_held():
    before = resident_bytes()
    # Pages of its own: what an allocator kept of earlier tests is resident already.
    with mmap.mmap(-1, 50_000_000) as held:
        held.write(b"x" * len(held))
        assert resident_bytes() - before > len(held) / 2
