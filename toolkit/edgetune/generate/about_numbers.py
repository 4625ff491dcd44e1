"""What a number is about: what it counts, its unit, and between what it is mostly said.

Knows one parameter that is an integer or a number: nothing of sentences.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from edgetune.generate.about import About, identified
from edgetune.generate.described import Described, described, unit_in
from edgetune.generate.guess import TYPES, concepts_of, connectors_of
from edgetune.generate.kinds import Count, count_of
from edgetune.generate.tool_values import Spoken
from edgetune.generate.wording import a
from edgetune.invent.concepts import Concept
from edgetune.invent.words import number_word

_NUMBERED = {
    "pull number": ("pull request", "request", "pull"),
    "issue number": ("issue",),
    "pr number": ("pr", "request"),
    "ticket number": ("ticket",),
    "order number": ("order",),
}
"""Numbers that stand for a thing, with what that is called."""
_SHORT = {
    "kilometers": ("km",), "meters": ("m",), "centimeters": ("cm",), "millimeters": ("mm",),
    "kilograms": ("kg",), "grams": ("g",), "milligrams": ("mg",), "pounds": ("lbs",),
    "liters": ("L",), "percent": ("%",), "degrees celsius": ("°C", " degrees"),
    "degrees fahrenheit": ("°F", " degrees"), "celsius": ("°C", " degrees"), "kelvin": ("K",),
    "fahrenheit": ("°F", " degrees"), "degrees": ("°",), "watts": ("W",), "kilowatts": ("kW",),
    "volts": ("V",), "amperes": ("A", " amps"), "joules": ("J",), "newtons": ("N",),
    "hertz": ("Hz",), "hours": ("h",), "minutes": (" min",), "seconds": ("s", " sec"),
    "square meters": ("m²", " sqm"), "feet": (" ft",), "inches": (" in",), "miles": (" mi",),
}  # fmt: skip
"""Units as they are written behind a figure."""
_MONEY = frozenset(
    [
        "amount",
        "balance",
        "budget",
        "cash",
        "compensation",
        "cost",
        "costs",
        "deposit",
        "donation",
        "earnings",
        "expense",
        "expenses",
        "fee",
        "funds",
        "income",
        "investment",
        "loan",
        "money",
        "payment",
        "payout",
        "premium",
        "price",
        "principal",
        "profit",
        "rent",
        "revenue",
        "salary",
        "sales",
        "wage",
        "wealth",
        "worth",
    ]
)
"""What a number of dollars is called."""
_PERIODS = ("second", "minute", "hour", "day", "week", "month", "year")


def about_number(
    words: str, schema: Mapping[str, Any], bounds: tuple[float, float] | None
) -> About:
    """A number between `bounds`, where it has any."""
    says = described(str(schema.get("description") or ""))
    unit = unit_in(words) or says.unit
    count = count_of(words)
    counted = says.counted or _counted_by_name(words)
    numbers = [float(entry) for entry in says.examples if _is_number(entry)]
    default = schema.get("default")
    whole = schema["type"] == "integer" or bool((count and not count.digits) or counted)
    whole = whole or isinstance(default, int)
    whole = whole or words.split()[-1] in ("id", "number", "page", "index", "port")
    concepts = [c for c in concepts_of(words, "", TYPES[schema["type"]]) if words in c.names]
    if words in _NUMBERED:
        return replace(_numbered(words.split()[0]), nouns=_NUMBERED[words])
    if words.split()[-1] == "id" and schema["type"] in ("integer", "number"):
        noun = " ".join(words.split()[:-1]) or "id"
        return _numbered(noun)
    money = bounds is None and not (count or counted) and bool(_MONEY & set(words.split()))
    low, high = bounds or _usual(schema, count, bool(counted or unit), unit)
    free = bounds is None and not (count or counted or "default" in schema)

    def speak(rng: Random) -> Spoken:
        if numbers and rng.random() < 0.6:
            value = rng.choice(numbers)
        elif concepts and (free or (words == "year" and bounds is None)):
            value = float(rng.choice(concepts).make(rng))
            value = value if "temperature" in words else abs(value)
        elif money:
            return _sum_of_money(rng, whole or rng.random() < 0.8)
        else:
            value = round(
                rng.uniform(low, high),
                0 if whole else count.digits if count else rng.choice((0, 0, 1, 2)),
            )
        return as_number(rng, int(value) if whole or value == int(value) else value)

    if count:
        led = count.connectors
        return About(
            led, speak, bool(count.nouns), count.nouns, wraps=count.wraps, alone=count.alone
        )
    return About(_led_to_number(words, says, unit, counted, concepts), speak, exact=True)


def _led_to_number(
    words: str, says: Described, unit: str, counted: str, concepts: Sequence[Concept]
) -> Sequence[str]:
    if counted:
        last = "in" if counted == "steps" else "and"
        ways = ("with {{v}} {c}", "{{v}} {c}", "for {{v}} {c}", last + " {{v}} {c}")
        return [way.format(c=counted) for way in ways]
    first = words.split()[0]
    if unit:
        if unit.removesuffix("s") in _PERIODS or unit == "milliseconds":
            return (f"for {{v}} {unit}", f"of {{v}} {unit}", f"lasting {{v}} {unit}")
        name = a(words) if len(words.split()) < 4 else words
        led = [f"with {name} of {{v}} {unit}", f"at {{v}} {unit}", f"{{n}} {{v}} {unit}"]
        for short in _SHORT.get(unit, ()):
            led += [f"with {name} of {{v}}{short}", f"for {{v}}{short}", f"{{n}} {{v}} {short}"]
        return led
    if len(words.replace(" ", "")) <= 2 or first in ("first", "second"):
        second = "second" in words.split() or words[-1] in "b2y"
        return ("and {v}",) if second else ("of {v}",)
    if concepts:
        return connectors_of(words, concepts, False)
    return ("with a {n} of {v}", "{n} {v}", "with {n} {v}", "for a {n} of {v}", "at a {n} of {v}",
            "{n} is {v}", "where the {n} is {v}", "given a {n} of {v}", "and the {n} {v}",
            "whose {n} is {v}")  # fmt: skip


def _counted_by_name(words: str) -> str:
    first, _, rest = words.partition(" ")
    if first in ("num", "number", "max", "min", "total", "n") and rest.endswith("s"):
        return rest.removeprefix("of ")
    if words.endswith(" count"):
        return words.removesuffix(" count") + "s"
    return words if words in ("steps", "lines", "pages", "copies", "retries", "attempts") else ""


def _numbered(noun: str) -> About:
    """An id that is a number: "issue 42"."""
    return identified(noun, lambda rng: (lambda n: (str(n), n))(rng.randint(1, 999)))


def _usual(
    schema: Mapping[str, Any], count: Count | None, small: bool, unit: str
) -> tuple[float, float]:
    """Between what a number without bounds is mostly said."""
    default = schema.get("default")
    if isinstance(default, int | float) and 0 < default < 10**6:
        return 1, max(4, 4 * default)
    if unit == "milliseconds":
        return 50, 5000
    return (count.least, count.likely) if count else (1, 60) if small else (0, 100)


def _sum_of_money(rng: Random, whole: bool) -> Spoken:
    """ "$20,000", "1.5 million", "750 dollars"."""
    value: float = rng.choice((rng.randint(1, 999), rng.randint(1, 99) * 10 ** rng.randint(1, 5)))
    if not whole:
        value += rng.randint(1, 99) / 100
    figures = f"{value:,}" if rng.random() < 0.6 else str(value)
    if value >= 10**6 and value % 10**4 == 0 and rng.random() < 0.6:
        figures = f"{value / 10**6:g} million"
    if rng.random() < 0.5:
        return f"${figures}", value
    return figures + rng.choice(("", " dollars", " USD", " euros")), value


def as_number(rng: Random, value: float) -> Spoken:
    """A number in figures, a large one with commas at times, or a small one in words."""
    spelt = isinstance(value, int) and 1 <= value <= 20 and rng.random() < 0.25
    if abs(value) >= 10**4 and rng.random() < 0.5:
        return f"{value:,}", value
    return number_word(int(value)) if spelt else str(value), value


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) < 10**9
    except ValueError:
        return False
