"""People and places, as a request names them: cities, addresses, friends, teams, rooms.

Real names come from `gazetteer`; others are made up.
"""

from random import Random

from edgetune.invent import lexicon as lx
from edgetune.invent.gazetteer import names, places
from edgetune.invent.words import pseudo_stem, recase, title_words


def city(rng: Random) -> str:
    roll = rng.random()
    if roll < 0.45:
        name = rng.choices(places().cities, cum_weights=places().weights)[0]
    elif roll < 0.85:
        name = rng.choice(places().towns if roll < 0.75 else places().cities)
    elif roll < 0.96:
        name = pseudo_stem(rng, (1, 3)).capitalize() + rng.choice(
            [
                "",
                "",
                "",
                "ville",
                "ton",
                "burg",
                " City",
                " Springs",
                " Falls",
                " Heights",
                "ford",
                " Park",
                " Beach",
                "field",
                " Creek",
                "dale",
            ]
        )
    else:
        name = (
            rng.choice(
                [
                    "North",
                    "South",
                    "East",
                    "West",
                    "New",
                    "Saint",
                    "Fort",
                    "Lake",
                    "Port",
                    "San",
                    "Mount",
                    "El",
                    "Los",
                ]
            )
            + " "
            + pseudo_stem(rng, (1, 2)).capitalize()
        )
    return name if rng.random() < 0.85 else name.lower()


def country(rng: Random) -> str:
    name = rng.choice(places().countries)
    return name if rng.random() < 0.85 else name.lower()


def state(rng: Random) -> str:
    name = rng.choice(places().states if rng.random() < 0.6 else places().codes)
    return name if rng.random() < 0.85 else name.lower()


def place(rng: Random) -> str:
    roll = rng.random()
    if roll < 0.45:
        return city(rng)
    if roll < 0.6:
        return country(rng)
    if roll < 0.72:
        return state(rng)
    if roll < 0.9:
        return f"{city(rng)}{rng.choice([', ', ' ', ', '])}{rng.choice([state, country])(rng)}"
    return landmark(rng)


def landmark(rng: Random) -> str:
    if rng.random() < 0.5:
        known = rng.choice(lx.LANDMARKS)
        return known if rng.random() < 0.7 else known.lower()
    head = title_words(rng, 1, 2) if rng.random() < 0.5 else pseudo_stem(rng, (1, 3)).capitalize()
    return head + " " + rng.choice(lx.LANDMARK_KINDS)


def address(rng: Random) -> str:
    street = (
        f"{rng.randint(1, 990)} {rng.choice([pseudo_stem, first_name, last_name])(rng).title()} "
        f"{rng.choice(['Street', 'St', 'Avenue', 'Ave', 'Road', 'Lane', 'Blvd', 'Drive'])}"
    )
    return street if rng.random() < 0.6 else f"{street}, {city(rng)}"


def first_name(rng: Random) -> str:
    return _name(rng, lx.FIRST_NAMES, "first_names", (1, 3))


def last_name(rng: Random) -> str:
    return _name(rng, lx.LAST_NAMES, "last_names", (2, 3))


def _name(rng: Random, common: list[str], kind: str, syllables: tuple[int, int]) -> str:
    """A common name, one of the world's, or a made-up one."""
    roll = rng.random()
    if roll < 0.3:
        return rng.choice(common)
    return rng.choice(names(kind)) if roll < 0.8 else pseudo_stem(rng, syllables).capitalize()


def full_name(rng: Random) -> str:
    name = f"{first_name(rng)} {last_name(rng)}"
    if rng.random() < 0.12:
        name = f"{first_name(rng)} {rng.choice('ABCDEFGHJKLMRST')}. {last_name(rng)}"
    if rng.random() < 0.06:
        name = rng.choice(["Dr. ", "Mr. ", "Mrs. ", "Sir ", "DJ ", "Lady ", "Big ", "Lil "]) + name
    return name if rng.random() < 0.8 else name.lower()


def person(rng: Random) -> str:
    roll = rng.random()
    if roll < 0.4:
        return first_name(rng)
    if roll < 0.65:
        return full_name(rng)
    return relation(rng)


def relation(rng: Random) -> str:
    return rng.choice(lx.RELATIONS)


def party(rng: Random) -> str:
    roll = rng.random()
    if roll < 0.5:
        names = [first_name(rng) for _ in range(rng.choice([1, 2, 2, 3]))]
        if len(names) == 1:
            return f"me and {names[0]}" if rng.random() < 0.5 else f"{names[0]} and I"
        return ", ".join(names[:-1]) + " and " + names[-1]
    if roll < 0.75:
        return f"{relation(rng)} and {rng.choice(['me', 'I', 'myself', first_name(rng)])}"
    return f"me, {relation(rng)} and {relation(rng)}"


def restaurant(rng: Random) -> str:
    roll = rng.random()
    if roll < 0.35:
        return recase(rng, f"the {rng.choice(lx.ADJECTIVES)} {rng.choice(lx.NOUNS)}")
    if roll < 0.6:
        host = first_name(rng)
        kind = rng.choice(["", "Place", "Diner", "Grill", "Kitchen", "Cafe"])
        return f"{host}'s {kind}".strip()
    if roll < 0.8:
        return (
            f"{rng.choice(['La', 'Le', 'El', 'Casa', 'Chez', 'Cafe', 'Bar', 'Hotel'])} "
            f"{pseudo_stem(rng, (1, 3)).capitalize()}"
        )
    return recase(
        rng, f"{rng.choice(lx.NOUNS)} {rng.choice(['house', 'grill', 'inn', 'tavern', 'cafe'])}"
    )


def room(rng: Random) -> str:
    return rng.choice(lx.ROOMS) if rng.random() < 0.85 else f"{first_name(rng)}'s room"


def team(rng: Random) -> str:
    return (
        f"{city(rng)} {rng.choice(lx.TEAM_WORDS)}"
        if rng.random() < 0.6
        else rng.choice(lx.TEAM_WORDS)
    )


def owner(rng: Random) -> str:
    return (
        rng.choice(["my", "my", "my", "our", "his", "her", "their", "the"])
        if rng.random() < 0.6
        else (first_name(rng) + "'s")
    )
