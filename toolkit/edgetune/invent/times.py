"""Times as people write them: clock times, dates, moments, durations, repetitions.

It knows wordings, not which moment they mean.
"""

from random import Random

from edgetune.invent import lexicon as lx
from edgetune.invent.words import number_word, ordinal


def clock(rng: Random) -> str:
    hour, minute = (
        rng.randint(1, 12),
        rng.choice([0, 5, 10, 15, 20, 30, 40, 45, 50, rng.randint(1, 59)]),
    )
    half = rng.choice(["am", "pm", " am", " pm", " a.m.", " p.m.", "PM", " AM"])
    return rng.choice(
        [
            f"{hour}{half}",
            f"{hour}:{minute:02d}",
            f"{hour}:{minute:02d}{half}",
            f"{rng.randint(0, 23):02d}:{minute:02d}",
            f"{hour} o'clock",
            f"half past {hour}",
            f"quarter to {number_word(hour)}",
            f"quarter past {hour}",
            f"{number_word(hour)}",
            f"{number_word(hour)} {rng.choice(['thirty', 'fifteen', 'forty-five', 'ten'])}",
            "noon",
            "midnight",
            f"{minute or 10} to {hour}",
            f"{number_word(hour)} in the evening",
            f"{hour} in the morning",
            f"{hour}",
            f"{hour} {minute:02d}{half}",
        ]
    )


def part_of_day(rng: Random) -> str:
    return rng.choice(lx.PARTS_OF_DAY)


def date(rng: Random) -> str:
    month, day, weekday = rng.choice(lx.MONTHS), rng.randint(1, 31), rng.choice(lx.WEEKDAYS)
    short = rng.choice([month[:3], month[:3] + ".", month])
    year = rng.randint(1950, 2040)
    n = rng.randint(2, 20)
    unit = rng.choice(["days", "weeks", "months", "years"])
    many = rng.choice([str(n), number_word(n)])
    text = rng.choice(
        [
            f"{month} {ordinal(day)}",
            f"{short} {day}",
            f"{short} {ordinal(day)}",
            f"{day} {month}",
            f"the {ordinal(day)} of {month}",
            f"the {ordinal(day)}",
            f"{month} {day}, {year}",
            f"{short} {ordinal(day)}, {year}",
            f"{day}/{rng.randint(1, 12)}/{year}",
            f"{weekday}",
            f"{year}-{rng.randint(1, 12):02d}-{day:02d}",
            f"{day}.{rng.randint(1, 12)}.",
            f"next {weekday}",
            f"this {weekday}",
            f"{weekday}",
            f"next {rng.choice(['week', 'month', 'year', 'weekend'])}",
            f"the {weekday} after next",
            "tomorrow",
            "today",
            "the day after tomorrow",
            "next week",
            f"{many} {unit} from now",
            f"in {many} {unit}",
            f"a {unit[:-1]} from now",
            "this weekend",
            f"{weekday}, {month} {ordinal(day)}",
            f"the end of {month}",
            f"{year}",
            f"{month} {year}",
            f"{n} {unit} and {rng.randint(1, 9)} {rng.choice(['days', 'weeks'])} from now",
            month,
            f"christmas {rng.choice(['', 'day', 'eve'])}".strip(),
            rng.choice(lx.HOLIDAYS),
            rng.choice(lx.HOLIDAYS),
            f"{rng.choice(lx.HOLIDAYS)} {year}",
            rng.choice(["summer", "winter", "spring", "autumn", "fall"]),
            f"{weekday} the {ordinal(day)}",
        ]
    )
    return text if rng.random() < 0.55 else text.lower()


def moment(rng: Random) -> str:
    """A point in time: a clock time, a date, both, or relative."""
    roll = rng.random()
    if roll < 0.22:
        return clock(rng)
    if roll < 0.45:
        return date(rng)
    if roll < 0.62:
        first, last = rng.choice(
            [
                (date(rng), f"at {clock(rng)}"),
                (clock(rng), f"on {date(rng)}"),
                (clock(rng), date(rng)),
                (date(rng), part_of_day(rng)),
                ("tomorrow", part_of_day(rng)),
                (date(rng), clock(rng)),
            ]
        )
        return f"{first} {last}"
    if roll < 0.82:
        n = rng.randint(2, 59)
        many = rng.choice([str(n), number_word(n)])
        unit = rng.choice(
            ["minutes", "hours", "seconds", "days", "weeks", "mins", "months", "years"]
        )
        return rng.choice(
            [
                f"{many} {unit} from now",
                f"in {many} {unit}",
                "in an hour",
                "in half an hour",
                f"{many} {unit} later",
                f"{many} {unit} and {rng.randint(1, 30)} minutes from now",
                "in a minute",
                "a minute from now",
                "right now",
                "now",
                f"in {many} {unit}",
                "in a week",
                f"{rng.randint(1, 50)} {unit} ago",
                "one hour from now",
                f"{many} {unit} from today",
            ]
        )
    return rng.choice(lx.MOMENTS)


def duration(rng: Random) -> str:
    n = rng.randint(1, 90)
    many = rng.choice([str(n), str(n), number_word(n)])
    unit = rng.choice(
        ["minutes", "hours", "seconds", "days", "weeks", "min", "mins", "nights", "months"]
    )
    return rng.choice(
        [
            f"{many} {unit}",
            f"{many} {unit}",
            "an hour",
            "half an hour",
            "an hour and a half",
            "a minute",
            f"{n} hours and {rng.randint(1, 59)} minutes",
            "a couple of hours",
            f"{n}h",
            f"{n}m{rng.randint(1, 59)}s",
            "all day",
            "the whole weekend",
            f"{n} and a half {unit}",
            "forty five seconds",
            "a quarter of an hour",
        ]
    )


def frequency(rng: Random) -> str:
    return rng.choice(
        [
            "daily",
            "every day",
            "weekly",
            "monthly",
            "every morning",
            "once a week",
            "hourly",
            f"every {rng.choice(lx.WEEKDAYS)}",
            f"every {rng.randint(2, 12)} hours",
            "weekdays",
            "every other day",
            "twice a day",
            "on weekends",
            "every month",
            "yearly",
            "never",
        ]
    )


def decade(rng: Random) -> str:
    first, second = f"{rng.randint(192, 202)}0s", f"{rng.randint(1940, 2030)}"
    return rng.choice(
        [first, second, "the nineties", "eighties", "the sixties", "twenties", "seventies"]
    )
