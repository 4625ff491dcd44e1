"""What the app measured on a phone, fetched and read: the fields of `edgetune profile`, and memory.

Measures nothing itself.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, NonNegativeFloat, NonNegativeInt, ValidationError

from edgetune.phone import app
from edgetune.phone.adb import Adb
from edgetune_runtime.errors import InputError
from edgetune_runtime.manifest import Manifest

_MEASURE = "open the app, measure this bundle under Memory, and run the same command again"


class _Measured(BaseModel):
    """Numbers are finite and not negative; what a newer app tells besides is kept as it is."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)


class PhoneDevice(_Measured):
    """Which phone it was."""

    model: str
    android: str
    abi: str


class PhoneBase(_Measured):
    """The base: load time in ms, memory in bytes."""

    load_ms: NonNegativeFloat
    rss_bytes: NonNegativeInt
    kv_bytes: NonNegativeInt


class PhoneAdapter(_Measured):
    """One adapter: sizes in bytes, swaps in ms; what the process has more in memory with it."""

    name: str
    rank: NonNegativeInt
    blob_bytes: NonNegativeInt
    cold_swap_ms: NonNegativeFloat
    warm_swap_ms: NonNegativeFloat
    resident_bytes: NonNegativeInt
    pss_bytes: NonNegativeInt
    private_dirty_bytes: NonNegativeInt


class PhoneDecode(_Measured):
    """Speeds in tokens a second; null with an adapter where the bundle has none."""

    base: NonNegativeFloat
    adapter: NonNegativeFloat | None


class PhoneCall(_Measured):
    """One call, in tokens and ms."""

    prefill_tokens: NonNegativeInt
    decode_steps: NonNegativeInt
    forced_tokens: NonNegativeInt
    ms: NonNegativeFloat


class PhoneProfile(_Measured):
    """The app's `profile.json`."""

    device: PhoneDevice
    base: PhoneBase
    adapters: tuple[PhoneAdapter, ...]
    prefill_tokens_per_s: NonNegativeFloat
    decode_tokens_per_s: PhoneDecode
    call: PhoneCall


def fetch_profile(adb: Adb, manifest: Manifest) -> dict[str, Any]:
    """What the app measured last, as JSON with the fields of `PhoneProfile`.

    Raises InputError where it has measured nothing, where that cannot be read, or where it holds
    adapters that `manifest` has not.
    """
    script = f"[ ! -f {app.PROFILE} ] || cat {app.PROFILE}"
    said = adb.shell(script, "fetching what the app measured")
    place = f"{adb.serial}: {app.PROFILE}"
    if not said.strip():
        raise InputError(f"{place}: is not there, so the app has measured nothing; {_MEASURE}.")
    try:
        found = PhoneProfile.model_validate_json(said)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise InputError(f"{place}: {where}: {first['msg']}; {_MEASURE}.") from error
    own = {adapter.name for adapter in manifest.adapters}
    others = [adapter.name for adapter in found.adapters if adapter.name not in own]
    if others:
        raise InputError(
            f"{place}: has adapter '{others[0]}', which the bundle '{manifest.name}' has not; "
            f"{_MEASURE}."
        )
    return found.model_dump()
