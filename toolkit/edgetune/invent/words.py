"""Made-up words of many shapes, numbers as words, and letter case.

Unknown words are what nano must learn to copy; titles take English ones. It knows letters, not
meanings.
"""

from random import Random

from edgetune.invent import lexicon as lx
from edgetune.invent.gazetteer import english


def number_word(n: int) -> str:
    """`n` in English words, 1 to 99."""
    if n <= 20:
        return lx.UNITS[n - 1]
    tens, unit = divmod(n, 10)
    return lx.TENS[tens - 2] + (f"-{lx.UNITS[unit - 1]}" if unit else "")


def ordinal(n: int) -> str:
    """`n` with its ordinal ending, as in 3rd."""
    if 10 <= n % 100 <= 20:
        return f"{n}th"
    return f"{n}" + {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")


def syllable(rng: Random) -> str:
    """One random syllable, rarely with a non-ASCII vowel."""
    nucleus = rng.choice(lx.NUCLEI if rng.random() < 0.15 else lx.NUCLEI[:20])
    return (rng.choice(lx.ONSETS) if rng.random() < 0.85 else "") + nucleus + rng.choice(lx.CODAS)


def pseudo_stem(rng: Random, syllables: tuple[int, int] = (1, 3)) -> str:
    """A lower-case made-up word."""
    return "".join(syllable(rng) for _ in range(rng.randint(*syllables)))


def pseudo_word(rng: Random) -> str:
    """A made-up word in one of many shapes."""
    word, shape = pseudo_stem(rng), rng.random()
    if shape < 0.42:
        return word
    if shape < 0.72:
        return word.capitalize()
    if shape < 0.78:
        return word.upper()[:8]
    if shape < 0.83:
        return word.capitalize() + pseudo_stem(rng, (1, 2)).capitalize()
    if shape < 0.88:
        return f"{word}-{pseudo_stem(rng, (1, 2))}"
    if shape < 0.91:
        return rng.choice(["O'", "D'", "Mc", "al-"]) + word.capitalize()
    if shape < 0.94:
        return f"{word}{rng.randint(1, 999)}"
    if shape < 0.96:
        return f"{word}'s"
    if shape < 0.98:
        return "".join(
            rng.choice("abcdefghijklmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0123456789")
            for _ in range(rng.randint(3, 9))
        )
    return word[: len(word) // 2] + rng.choice(".&_/+") + word[len(word) // 2 :]


def pseudo_phrase(rng: Random) -> str:
    """One to six made-up words, now and then with small English words between them."""
    words = [pseudo_word(rng) for _ in range(rng.choices([1, 2, 3, 4, 6], [50, 28, 12, 6, 4])[0])]
    if len(words) > 1 and rng.random() < 0.3:
        words.insert(1, rng.choice(["of", "and", "the", "in", "to", "for", "on", "by", "&", "del"]))
    if rng.random() < 0.3:
        words = [w.lower() for w in words]
    return " ".join(words)


def recase(rng: Random, text: str) -> str:
    roll = rng.random()
    if roll < 0.4:
        return text
    if roll < 0.75:
        return " ".join(
            w if w in ("of", "the", "and", "in", "a") and i else w[:1].upper() + w[1:]
            for i, w in enumerate(text.split(" "))
        )
    return text.lower()


def noun(rng: Random) -> str:
    return rng.choice(lx.NOUNS if rng.random() < 0.5 else english("noun"))


def verb(rng: Random) -> str:
    return rng.choice(lx.VERBS if rng.random() < 0.5 else english("verb"))


def adjective(rng: Random) -> str:
    return rng.choice(lx.ADJECTIVES if rng.random() < 0.5 else english("adjective"))


def title_words(rng: Random, low: int, high: int) -> str:
    count = rng.randint(low, high)
    return " ".join(
        (adjective if rng.random() < 0.4 else noun)(rng).capitalize() for _ in range(count)
    )
