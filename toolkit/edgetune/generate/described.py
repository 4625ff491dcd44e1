"""What people write about a parameter: its examples, the form of its values, what it counts.

Reads the words of a description ("e.g.", "one of", "YYYY-MM-DD", "in seconds"). Knows no values of
its own and nothing of requests.
"""

import re
from dataclasses import dataclass

LONGEST = 40
"""Characters of an example without quotes; longer ones are explanations."""
_LEAD = (
    r"(?:\be\.\s?g\.|\beg\b\.?|\bfor example\b|\bfor instance\b|\bsuch as\b|\bexamples?:"
    r"|\blike(?= ?['\"`(])|\(like\b)[,:]?\s*"
)
_CHOICE = (
    r"(?:\b(?:must|should|can) be (?:one of|either)\b|\bone of\b|\beither\b|\boptions(?: are)?:"
    r"|\b(?:possible|allowed|valid|accepted) values(?: are)?:?"
    r"|\bcan be\b(?=[^.]*,[^.]* or\b))[,:]?\s*"
)
_QUOTED = r"(?<!\w)(?:'([^'\n]{1,60})'|\"([^\"\n]{1,60})\"|`([^`\n]{1,60})`)(?!\w)"
_SEPARATOR = r"\s*[,;|]\s*(?:(?:and|or)\s+)?|\s+(?:and|or)\s+"
_TOKENS = {"YYYY": "%Y", "YY": "%y", "MM": "%m", "DD": "%d", "HH": "%H", "SS": "%S", "M": "%m"}
_TOKEN = "YYYY|yyyy|YY|yy|MM|DD|HH|hh"
_PATTERN = rf"(?<![A-Za-z])(?:{_TOKEN}|mm|dd)(?:[-/.: T]{{1,2}}(?:{_TOKEN}|mm|SS|ss|dd))+Z?"
_UNITS = (
    "milliseconds|seconds|minutes|hours|days|weeks|months|years|kilometers|kilometres|meters|metres|"
    "centimeters|millimeters|miles|feet|inches|kilograms|grams|milligrams|pounds|tons|liters|"
    "litres|milliliters|gallons|bytes|kilobytes|megabytes|gigabytes|pixels|percent|degrees celsius|"
    "degrees fahrenheit|degrees|celsius|fahrenheit|kelvin|watts|kilowatts|volts|amperes|joules|"
    "newtons|hertz|dollars|euros|knots|decibels|lines|words|characters|acres|hectares|"
    "square meters|km|cm|mm|kg"
)
_SINGLE = {"millisecond", "second", "minute", "hour", "day", "week", "month", "year", "percent"}


_SHAPES = {
    r"\d{4}-\d\d-\d\d": "%Y-%m-%d",
    r"\d{4}/\d\d/\d\d": "%Y/%m/%d",
    r"\d\d/\d\d/\d{4}": "%m/%d/%Y",
    r"\d\d\.\d\d\.\d{4}": "%d.%m.%Y",
    r"\d{4}-\d\d": "%Y-%m",
    r"\d\d?:\d\d": "%H:%M",
    r"\d\d?:\d\d:\d\d": "%H:%M:%S",
    r"\d\d:\d\d [AP]M": "%I:%M %p",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d": "%Y-%m-%dT%H:%M:%S",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ": "%Y-%m-%dT%H:%M:%SZ",
    r"\d{4}-\d\d-\d\d \d\d:\d\d(?:am|pm)?": "%Y-%m-%d %H:%M",
}


@dataclass(frozen=True)
class Described:
    """What a description says of the values."""

    examples: tuple[str, ...] = ()
    listed: bool = False
    """Whether there are no others."""
    form: str = ""
    """Of dates and times, as strftime has it: "%Y-%m-%d"."""
    unit: str = ""
    """In the plural: "minutes"."""
    counted: str = ""
    """What there is a number of: "lines"."""


def described(description: str) -> Described:
    """What `description` says."""
    examples = _examples(description)
    listed = False
    if not examples:
        examples = _choices(description)
        listed = bool(examples)
    form = form_of(description)
    form = form or next(filter(None, map(form_like, examples)), "")
    examples = tuple(entry for entry in examples if not form_of(entry) and not form_like(entry))
    return Described(examples, listed, form, _unit(description), _counted(description))


def form_of(description: str) -> str:
    """The form of a date or time that is spelt out, or named: "HH:MM", "ISO 8601"."""
    if found := re.search(_PATTERN, description):
        return _strftime(found.group())
    lower = description.lower()
    if re.search(r"\b24[- ]?h(?:ou)?rs?\b", lower):
        return "%H:%M"
    if re.search(
        r"\biso[- ]?8601\b|\biso (?:date|format|time|string|timestamp)|\brfc ?3339\b", lower
    ):
        timed = re.search(r"time|moment|instant|hour", lower.replace("datetime", "time"))
        return "%Y-%m-%dT%H:%M:%S" if timed else "%Y-%m-%d"
    return ""


def form_like(example: str) -> str:
    """The form of a date or time that an example has."""
    return next((form for shape, form in _SHAPES.items() if re.fullmatch(shape, example)), "")


def _strftime(spelt: str) -> str:
    parts = re.findall(r"[A-Za-z]+|[^A-Za-z]+", spelt.replace("Z", ""))
    made, clock = [], False
    for part in parts:
        for token in re.findall(r"T|[YMDHSymdhs]+|[^A-Za-z]+", part):
            if token.upper() == "HH":
                clock = True
            minute = token.upper() == "MM" and clock and "%M" not in made
            made.append("%M" if minute else _TOKENS.get(token.upper(), token))
    return "".join(made) + ("Z" if spelt.endswith("Z") else "")


def _examples(description: str) -> tuple[str, ...]:
    found: list[str] = []
    for lead in re.finditer(_LEAD, description, re.IGNORECASE):
        enclosed = description[: lead.start()].count("(") > description[: lead.start()].count(")")
        enclosed |= lead.group().startswith("(")
        found += _entries(description[lead.end() :], enclosed)
    return tuple(dict.fromkeys(found))


def _choices(description: str) -> tuple[str, ...]:
    if lead := re.search(_CHOICE, description, re.IGNORECASE):
        found = _entries(description[lead.end() :], False)
        if len(found) > 1:
            return tuple(dict.fromkeys(found))
    for inside in re.findall(r"\(([^()]+)\)", description):
        if re.search(r"\bor\b|\|", inside) and not re.search(r"['\"`]", inside):
            found = _entries(inside, True)
            if len(found) > 1 and all(len(entry.split()) == 1 for entry in found):
                return tuple(found)
    quoted = list(dict.fromkeys(_quoted(description)))
    return tuple(quoted) if len(quoted) > 1 else ()


def _quoted(text: str) -> list[str]:
    return ["".join(groups) for groups in re.findall(_QUOTED, text)]


def _entries(text: str, enclosed: bool) -> list[str]:
    """The entries of a list that `text` begins with; `enclosed` in parentheses."""
    text = text.lstrip(" (:")
    if re.match(_QUOTED, text):
        # Quoted entries go on as long as nothing but separators is between them.
        run = re.match(rf"(?:{_QUOTED}(?:{_SEPARATOR}|\s*/\s*|\s*\([^)]*\))*)+", text)
        return _quoted(run.group()) if run else []
    closing = r"\)" if enclosed else r"[.)](?:\s|$)|\n|;"
    text = re.split(closing, text, maxsplit=1)[0]
    parts = [part.strip(" .'\"`") for part in re.split(_SEPARATOR, text)]
    parts = [part for part in parts if part and part.lower() not in ("etc", "and so on", "more")]
    return [part for part in parts if len(part) <= LONGEST and len(part.split()) <= 5]


def _unit(description: str) -> str:
    lower = description.lower()
    found = re.search(rf"\b(?:in|of) (?:the )?({_UNITS})\b|\((?:in )?({_UNITS}|%)\)", lower)
    if found:
        unit: str = found.group(1) or found.group(2)
        return "percent" if unit == "%" else unit
    if re.search(r"\bpercentage\b", lower):
        return "percent"
    return ""


def unit_in(words: str) -> str:
    """The unit that a parameter's own name ends with: "timeout seconds", "delay ms"."""
    last = words.split()[-1] if words.split() else ""
    short = {"ms": "milliseconds", "sec": "seconds", "secs": "seconds", "mins": "minutes"}
    if last in short:
        return short[last]
    plural = last if last.endswith("s") else last + "s"
    many = len(words.split()) > 1 and plural.removesuffix("s") in _SINGLE
    return plural if many and plural in _UNITS.split("|") else ""


def _counted(description: str) -> str:
    found = re.search(
        r"\b(?:number|amount|count) of ((?:[a-z-]+ )?[a-z-]+s)\b(?! of)", description.lower()
    )
    return found.group(1).removeprefix("the ") if found else ""
