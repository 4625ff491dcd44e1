"""Word lists for the made-up world of invented tools, written from general knowledge.

The lists stand in lexicon.json. They know words alone: not how those become values, tools or
requests.
"""

import json
from importlib import resources

_LISTS: dict[str, list[str]] = json.loads(
    resources.files("edgetune.invent").joinpath("lexicon.json").read_text(encoding="utf-8")
)

FIRST_NAMES = _LISTS["first_names"]
LAST_NAMES = _LISTS["last_names"]
ADJECTIVES = _LISTS["adjectives"]
NOUNS = _LISTS["nouns"]
VERBS = _LISTS["verbs"]
COUNTABLE_THINGS = _LISTS["countable_things"]
CUISINES = _LISTS["cuisines"]
COLORS = _LISTS["colors"]
LANGUAGES = _LISTS["languages"]
ANIMALS = _LISTS["animals"]
TEAM_WORDS = _LISTS["team_words"]
PLAYLIST_WORDS = _LISTS["playlist_words"]
GENRES = _LISTS["genres"]
SERVICES = _LISTS["services"]
DISHES = _LISTS["dishes"]
VENUE_KINDS = _LISTS["venue_kinds"]
FACILITIES = _LISTS["facilities"]
WEATHER = _LISTS["weather"]
SORTS = _LISTS["sorts"]
SPATIAL_RELATIONS = _LISTS["spatial_relations"]
ROOMS = _LISTS["rooms"]
DEVICES = _LISTS["devices"]
SETTINGS = _LISTS["settings"]
PRODUCTS = _LISTS["products"]
WORK_KINDS = _LISTS["work_kinds"]
RELATIONS = _LISTS["relations"]
FREE_TEXTS = _LISTS["free_texts"]
CHIT_CHAT = _LISTS["chit_chat"]
WHICH = _LISTS["which"]
TEMPERATURE_WORDS = _LISTS["temperature_words"]
CREATIVE_ROLES = _LISTS["creative_roles"]
PARTS_OF_DAY = _LISTS["parts_of_day"]
MOMENTS = _LISTS["moments"]
LANDMARKS = _LISTS["landmarks"]
LANDMARK_KINDS = _LISTS["landmark_kinds"]
IDENTIFIER_SHAPES = _LISTS["identifier_shapes"]
FILE_ENDINGS = _LISTS["file_endings"]
SMALL_WORDS = _LISTS["small_words"]
OPENERS = _LISTS["openers"]
CLOSERS = _LISTS["closers"]
DISTRACTORS = _LISTS["distractors"]
NAMED = _LISTS["named"]
ONSETS = _LISTS["onsets"]
NUCLEI = _LISTS["nuclei"]
CODAS = _LISTS["codas"]
UNITS = _LISTS["units"]
TENS = _LISTS["tens"]
HOLIDAYS = _LISTS["holidays"]
MUSICIANS = _LISTS["musicians"]
KNOWN_WORKS = _LISTS["known_works"]
MEASURE_UNITS = _LISTS["measure_units"]
MONTHS = _LISTS["months"]
WEEKDAYS = _LISTS["weekdays"]
CINEMA_KINDS = _LISTS["cinema_kinds"]
