"""Strings of letters and digits: addresses of mail and web, ids, files, sums, numbers.

It knows their shapes; none of them belongs to anyone.
"""

from random import Random

from edgetune.invent import lexicon as lx
from edgetune.invent.people_places import first_name, last_name
from edgetune.invent.words import pseudo_stem


def email(rng: Random) -> str:
    user = rng.choice([first_name(rng), pseudo_stem(rng), f"{first_name(rng)}.{last_name(rng)}"])
    user = user.lower().replace(" ", "").replace("'", "")
    host = pseudo_stem(rng, (1, 2))
    return f"{user}@{host}.{rng.choice(['com', 'org', 'net', 'io', 'co.uk', 'de'])}"


def phone(rng: Random) -> str:
    d = lambda n: "".join(rng.choice("0123456789") for _ in range(n))  # noqa: E731
    return rng.choice(
        [
            f"{d(3)}-{d(4)}",
            f"+{d(2)} {d(3)} {d(6)}",
            f"({d(3)}) {d(3)}-{d(4)}",
            d(rng.randint(5, 10)),
            f"{d(3)}-{d(3)}-{d(4)}",
            f"0{d(3)} {d(5)}",
        ]
    )


def url(rng: Random) -> str:
    host = f"{pseudo_stem(rng, (1, 2))}.{rng.choice(['com', 'org', 'net', 'io', 'dev'])}"
    path = rng.choice(
        ["", f"/{pseudo_stem(rng)}", f"/{rng.choice(lx.NOUNS)}/{rng.randint(1, 999)}"]
    )
    return rng.choice(["https://", "http://", "", "www."]) + host + path


def identifier(rng: Random) -> str:
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    shape = rng.choice(lx.IDENTIFIER_SHAPES)
    table = {"L": letters, "d": "0123456789", "l": letters.lower(), "h": "0123456789abcdef"}
    return "".join(rng.choice(table[c]) if c in table else c for c in shape)


def filename(rng: Random) -> str:
    stem = rng.choice(
        [
            rng.choice(lx.NOUNS),
            pseudo_stem(rng),
            f"{rng.choice(lx.ADJECTIVES)}_{rng.choice(lx.NOUNS)}",
            f"{rng.choice(lx.NOUNS)}-{rng.randint(1, 2030)}",
            f"IMG_{rng.randint(100, 9999)}",
        ]
    )
    name = stem + rng.choice(lx.FILE_ENDINGS)
    folder = rng.choice(
        [
            "",
            "",
            "",
            f"/{rng.choice(lx.NOUNS)}/",
            f"{rng.choice(lx.NOUNS)}/",
            "~/",
            "/tmp/",
            "./src/",
        ]
    )
    return folder + name


def money(rng: Random) -> str:
    n = rng.choice([rng.randint(1, 99), rng.randint(100, 5000), rng.randint(1, 40) * 50])
    return rng.choice(
        [
            f"${n}",
            f"{n} dollars",
            f"{n} euros",
            f"€{n}",
            f"{n}.{rng.randint(10, 99)}",
            f"£{n}",
            f"{n} bucks",
            f"${n}.{rng.randint(10, 99)}",
            f"{n}k",
            f"{n} USD",
            f"{n} pounds",
        ]
    )


def small_number(rng: Random) -> str:
    return str(rng.choice([rng.randint(0, 10), rng.randint(1, 31), rng.randint(1, 100)]))


def big_number(rng: Random) -> str:
    return str(
        rng.choice([rng.randint(10, 999), rng.randint(1000, 99999), rng.randint(1900, 2050)])
    )


def decimal(rng: Random) -> str:
    return rng.choice(
        [
            f"{rng.randint(0, 99)}.{rng.randint(1, 9)}",
            f"{rng.randint(0, 9)}.{rng.randint(11, 99)}",
            str(rng.randint(1, 500)),
            f"-{rng.randint(1, 40)}",
            "0.5",
        ]
    )


def rating_unit(rng: Random) -> str:
    return rng.choice(["stars", "points", "star", "thumbs", "percent", "out of five", "hearts"])


def degree(rng: Random) -> str:
    return (
        f"{rng.randint(5, 99)}{rng.choice(['', ' degrees', '°', ' percent', '%', ' celsius', 'F'])}"
    )


def measure_unit(rng: Random) -> str:
    return rng.choice(lx.MEASURE_UNITS)


def folder(rng: Random) -> str:
    start = rng.choice(["/", "~/", "", "./"])
    stem = rng.choice(lx.NOUNS)
    below = rng.choice(["", "/" + rng.choice(lx.NOUNS), "/" + pseudo_stem(rng)])
    return start + stem + below


def best_rating(rng: Random) -> str:
    return str(rng.choice([5, 6, 10, 100, rng.randint(3, 20)]))


def year(rng: Random) -> str:
    return str(rng.randint(1900, 2050))
