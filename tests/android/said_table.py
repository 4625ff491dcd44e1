"""Everything that the made-up phone requests say as a time, day or length, with its meaning.

Computed from the forms of `phone_values`, apart from the code that reads them on the phone, and
written as `android_demo/core/src/test/resources/said.tsv`, which that code is held to:
`python tests/android/said_table.py` writes it anew. A meaning is what is meant on Wednesday, 17
June 2026 at ten in the morning; `?` is where no clock or calendar knows, so that the phone asks.
"""

import zlib
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path

from edgetune.generate.phone_values import HOUR_WORDS, MONTHS, WEEKDAYS, phone_data

NOW = datetime(2026, 6, 17, 10, 0)
TABLE = Path(__file__).parents[2] / "android_demo/core/src/test/resources/said.tsv"
UNCLEAR = "?"
OF_A_FORM = 6
"""So many of the values of each form go into the table, chosen by their hash."""

Meanings = dict[str, str]

MORE: dict[str, Meanings] = {
    "duration": {
        "8 min.": "480", "30s": "30", "1h 30m": "5400", "a minute": "60", "five-minute": "300",
        "two and a half hours": "9000", "a quarter of an hour": "900", "1.5 hours": "5400",
        "three quarters of an hour": "2700", "ninety seconds": "90", "for ten minutes": "600",
        "two hours, 5 minutes and 10 seconds": "7510", "a hundred minutes": "6000",
        "one hundred and twenty seconds": "120", "8": UNCLEAR, "0 minutes": UNCLEAR,
        "a while": UNCLEAR, "5 minutes or so": UNCLEAR, "until lunch": UNCLEAR, "": UNCLEAR,
        "99999999999 hours": UNCLEAR, "-5 minutes": UNCLEAR, "5 minutes and": UNCLEAR,
    },
    "time": {
        "quarter to nine in the evening": "20:45", "half past seven in the morning": "07:30",
        "a quarter past six in the evening": "18:15", "ten to six": "05:50",
        "20 minutes past four": "04:20", "five after three pm": "15:05", "7.30": "07:30",
        "7 a.m.": "07:00", "7:05 P.M.": "19:05", "seven oh five": "07:05", "midday": "12:00",
        "at 7": "07:00", "around eight": "08:00", "9 at night": "21:00", "12 at night": "00:00",
        "2 at night": "02:00", "twelve thirty am": "00:30", "in the afternoon": "15:00",
        "25:00": UNCLEAR, "7:61": UNCLEAR, "13 pm": UNCLEAR, "0 am": UNCLEAR, "sunrise": UNCLEAR,
        "5 minutes": UNCLEAR, "seven and eight": UNCLEAR, "": UNCLEAR, "half past": UNCLEAR,
    },
    "day": {
        "2026-07-01": "2026-07-01", "June 3rd 2027": "2027-06-03", "the third": UNCLEAR,
        "29 February": "2028-02-29", "31 April": UNCLEAR, "the 31st": "2026-07-31",
        "the 17th": "2026-06-17", "in 3 days": "2026-06-20", "in two weeks": "2026-07-01",
        "tonight": "2026-06-17", "coming Friday": "2026-06-19", "next weekend": "2026-06-27",
        "Monday the 22nd": UNCLEAR, "some day": UNCLEAR, "2026-13-01": UNCLEAR, "": UNCLEAR,
    },
    "when": {
        "half past seven tomorrow": "2026-06-18T07:30", "tomorrow at 7:30": "2026-06-18T07:30",
        "tonight at 9": "2026-06-17T21:00", "this evening at 7:30": "2026-06-17T19:30",
        "on Friday in the afternoon": "2026-06-19T15:00", "Monday at 2": "2026-06-22T14:00",
        "the day after tomorrow at noon": "2026-06-19T12:00", "at 9": "2026-06-18T09:00",
        "at 11": "2026-06-17T11:00", "in a week": "2026-06-24", "in an hour": "2026-06-17T11:00",
        "today at 9 am": UNCLEAR, "when it rains": UNCLEAR, "tomorrow or Friday": UNCLEAR,
        "tomorrow today": UNCLEAR, "at 7 at 8": UNCLEAR, "2020-01-01": UNCLEAR, "": UNCLEAR,
    },
    "level": {
        "50": "50", "fifty percent": "50", "50%": "50", "50 per cent": "50", "to 30 percent": "30",
        "seventy five": "75", "a hundred percent": "100", "one hundred": "100", "maximum": "100",
        "all the way up": "100", "half": "50", "mute": "0", "zero": "0", "0": "0",
        "101": UNCLEAR, "a bit louder": UNCLEAR, "-5": UNCLEAR, "percent": UNCLEAR, "": UNCLEAR,
    },
}  # fmt: skip
"""What people say and the made-up requests do not, by hand; and what is no value at all."""

_WHEN_WORDS = {
    "before lunch": time(11, 30), "after work": time(18), "tonight": time(21),
    "in the morning": time(9), "this evening": time(19), "after dinner": time(20),
    "before bed": time(22), "at noon": time(12), "first thing in the morning": time(8),
    "after breakfast": time(9), "at lunchtime": time(12, 30), "this afternoon": time(15),
}  # fmt: skip
"""Of the words for `when` in phone_values.json those that a clock understands."""


_SURE = ("7 am", "7am", "7:30 am", "7:30am", "seven am", "7 in the morning", "noon")
"""Forms of a time that say which half of the day is meant."""


@cache
def forms(parameter: str) -> dict[str, Meanings]:
    """All that the requests can say for `parameter`, with its meaning, by form."""
    return {"time": _times, "duration": _durations, "day": _days, "when": _whens, "level": _levels}[
        parameter
    ]()


def rows() -> list[tuple[str, str, str]]:
    """The table: parameter, what is said, what it means."""
    made = []
    for parameter, by_hand in MORE.items():
        for form in forms(parameter).values():
            chosen = sorted(form, key=lambda said: zlib.crc32(said.encode()))[:OF_A_FORM]
            made += [(parameter, said, form[said]) for said in chosen]
        made += [(parameter, said, meaning) for said, meaning in by_hand.items()]
    return list(dict.fromkeys(made))


def as_text() -> str:
    """The table as it lies in the repository."""
    head = f"# Meant at {NOW:%Y-%m-%dT%H:%M}; written by tests/android/said_table.py.\n"
    return head + "".join("\t".join(row) + "\n" for row in rows())


def _times() -> dict[str, Meanings]:
    made: dict[str, Meanings] = {}

    def add(form: str, said: str, hour: int, minute: int) -> None:
        made.setdefault(form, {})[said] = f"{hour:02}:{minute:02}"

    for of_day in range(24):
        hour, half = of_day % 12 or 12, "am" if of_day < 12 else "pm"
        word = HOUR_WORDS[hour - 1]
        part = "morning" if of_day < 12 else "afternoon" if of_day < 18 else "evening"
        add("7 am", f"{hour} {half}", of_day, 0)
        add("7am", f"{hour}{half}", of_day, 0)
        add("seven am", f"{word} {half}", of_day, 0)
        add("7 in the morning", f"{hour} in the {part}", of_day, 0)
        add("7", f"{hour}", hour, 0)
        add("7 o'clock", f"{hour} o'clock", hour, 0)
        add("half past seven", f"half past {word}", hour, 30)
        add("quarter past seven", f"quarter past {word}", hour, 15)
        add("quarter to seven", f"quarter to {word}", hour - 1 or 12, 45)
        spelt = {"fifteen": 15, "thirty": 30, "forty-five": 45, "twenty": 20}
        for minutes, number in spelt.items():
            add("seven thirty", f"{word} {minutes}", hour, number)
        for minute in range(60):
            add("7:30 am", f"{hour}:{minute:02} {half}", of_day, minute)
            add("7:30am", f"{hour}:{minute:02}{half}", of_day, minute)
            add("7:30", f"{hour}:{minute:02}", hour, minute)
            add("19:30", f"{of_day}:{minute:02}", of_day, minute)
    made["noon"] = {"noon": "12:00", "midnight": "00:00"}
    return made


def _durations() -> dict[str, Meanings]:
    words = {f"{HOUR_WORDS[n - 1]} minutes": f"{60 * n}" for n in range(2, 13)}
    mixed = {
        f"{h} hour{'s' if h > 1 else ''} and {m} minutes": f"{3600 * h + 60 * m}"
        for h in (1, 2, 3)
        for m in range(2, 60)
    }
    fixed = {"half an hour": 1800, "an hour": 3600, "one minute": 60, "an hour and a half": 5400}
    return {
        "8 minutes": {f"{n} minutes": f"{60 * n}" for n in range(2, 100)},
        "8 min": {f"{n} min": f"{60 * n}" for n in range(2, 100)},
        "8 minute": {f"{n} minute": f"{60 * n}" for n in range(2, 61)},
        "8 seconds": {f"{n} seconds": f"{n}" for n in range(2, 100)},
        "8 second": {f"{n} second": f"{n}" for n in range(2, 61)},
        "8 hours": {f"{n} hours": f"{3600 * n}" for n in range(2, 13)},
        "8 hour": {f"{n} hour": f"{3600 * n}" for n in range(2, 13)},
        "1 hour and 8 minutes": mixed,
        "eight minutes": words,
        "half an hour": {said: f"{seconds}" for said, seconds in fixed.items()},
    }


def _days() -> dict[str, Meanings]:
    today = NOW.date()
    monday = today + timedelta(7 - today.weekday())
    made: dict[str, Meanings] = {"Friday": {}, "next Friday": {}, "the 5th": {}, "5 May": {}}
    for index, name in enumerate(WEEKDAYS):
        weekday = name.title()
        after_today = today + timedelta((index - today.weekday() - 1) % 7 + 1)
        from_today = today + timedelta((index - today.weekday()) % 7)
        made["Friday"][weekday] = str(after_today)
        made["Friday"][f"this {weekday}"] = str(from_today)
        made["next Friday"][f"next {weekday}"] = str(monday + timedelta(index))
        made["next Friday"][f"{weekday} next week"] = str(monday + timedelta(index))
    for number in range(1, 31):
        ordinal = f"{number}{_ending(number)}"
        made["the 5th"][f"the {ordinal}"] = str(_next(number, None))
        for month, title in enumerate(MONTHS, start=1):
            if title == "february":
                continue
            meaning = str(_next(number, month))
            for said in (f"{title} {ordinal}", f"the {ordinal} of {title}", f"{number} {title}"):
                made["5 May"][said.replace(title, title.title())] = meaning
    ahead = {"today": 0, "tomorrow": 1, "the day after tomorrow": 2, "this weekend": 3}
    made["tomorrow"] = {said: str(today + timedelta(days)) for said, days in ahead.items()}
    return made


def _whens() -> dict[str, Meanings]:
    relative, dated = _relative(), _dated()
    at = _sample(_at())
    in_ = {said: int(n) for form in _durations().values() for said, n in form.items()}
    words = phone_data("phone_values")["lists"]["when_words"]
    clear = {said: _first(_WHEN_WORDS[said]) for said in words if said in _WHEN_WORDS}
    unclear = {said: UNCLEAR for said in words if said not in clear}
    unclear["at the weekend"] = relative["this weekend"]
    return {
        "words": clear,
        "what no clock knows": unclear,
        "at 7": {f"at {said}": _first(time.fromisoformat(text)) for said, text in _at().items()},
        "tomorrow": relative,
        "on the 5th": {f"on {said}": day for said, day in dated.items()},
        "in 8 minutes": {f"in {said}": _in(seconds) for said, seconds in in_.items()},
        "tomorrow at 7": _joined(relative, at),
        "on Friday at 7": {f"on {said}": text for said, text in _joined(dated, at).items()},
        "Friday morning": _parts(relative | {f"on {said}": day for said, day in dated.items()}),
    }


def is_known(parameter: str, said: str) -> bool:
    """Whether a request's `said` is among the forms."""
    said = said.casefold()
    if said in _known(parameter):
        return True
    day, _, at = said.removeprefix("on ").rpartition(" at ")
    return parameter == "when" and day in _known("day") and at in _known("time")


@cache
def _known(parameter: str) -> frozenset[str]:
    return frozenset(text.casefold() for form in forms(parameter).values() for text in form)


def _relative() -> Meanings:
    """Days that are said without `on`."""
    days = _days()
    rest = {s: d for name in ("Friday", "next Friday") for s, d in days[name].items() if " " in s}
    return days["tomorrow"] | rest


def _dated() -> Meanings:
    """Days that are said with `on`."""
    days = _days()
    plain = {s: d for s, d in days["Friday"].items() if " " not in s}
    return plain | days["the 5th"] | days["5 May"]


def _at() -> Meanings:
    """Times that stand in a sentence with a day, where an hour up to six is of the afternoon."""
    made = {}
    for name, form in _times().items():
        for said, text in form.items():
            at = time.fromisoformat(text)
            bare = name not in _SURE and 1 <= at.hour <= 6
            made[said] = f"{(at.hour + 12 * bare):02}:{at.minute:02}"
    return made


def _joined(days: Meanings, times: Meanings) -> Meanings:
    past = NOW.isoformat()
    joined = {f"{s} at {t}": f"{d}T{at}" for s, d in days.items() for t, at in times.items()}
    return {said: UNCLEAR if meaning <= past else meaning for said, meaning in joined.items()}


def _parts(days: Meanings) -> Meanings:
    hours = {"morning": "09:00", "afternoon": "15:00", "evening": "19:00"}
    chosen = {s: d for s, d in days.items() if s == "tomorrow" or s.endswith("day")}
    made = {f"{s} {part}": f"{d}T{at}" for s, d in chosen.items() for part, at in hours.items()}
    past = NOW.isoformat()
    made = {said: meaning for said, meaning in made.items() if not said.startswith("today")}
    return {said: UNCLEAR if meaning <= past else meaning for said, meaning in made.items()}


def _in(seconds: int) -> str:
    at = NOW + timedelta(seconds=seconds)
    return f"{at:%Y-%m-%dT%H:%M}" + (f":{at:%S}" if at.second else "")


def _sample(meanings: Meanings) -> Meanings:
    return {said: text for said, text in meanings.items() if zlib.crc32(said.encode()) % 50 == 0}


def _levels() -> dict[str, Meanings]:
    return {"50": {f"{n}": f"{n}" for n in range(101)}}


def _first(at: time) -> str:
    """When it is `at` next."""
    days = 0 if at > NOW.time() else 1
    return f"{datetime.combine(NOW.date() + timedelta(days), at):%Y-%m-%dT%H:%M}"


def _next(day: int, month: int | None) -> date:
    for months in range(48):
        year, index = divmod(NOW.month - 1 + months, 12)
        try:
            found = date(NOW.year + year, index + 1, day)
        except ValueError:
            continue
        if found >= NOW.date() and month in (None, index + 1):
            return found
    raise ValueError(f"{day}.{month}")


def _ending(day: int) -> str:
    return "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


if __name__ == "__main__":
    TABLE.write_text(as_text(), encoding="utf-8")
    print(f"{TABLE}: {len(rows())} rows")
