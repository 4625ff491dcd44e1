"""The texts of JSON numbers as regular languages, within bounds.

Integers and decimals as `json.dumps` writes them. Ranges are taken digit by digit, so that the
automaton stays small however wide they are. This module knows nothing of schemas or tokens.
"""

from decimal import ROUND_FLOOR, Decimal

from edgetune_export.grammar.regular import (
    NOTHING,
    Either,
    Except,
    Graph,
    Literal,
    Node,
    OneOf,
    Repeat,
    Sequence,
)

LARGEST_INTEGER = 2**63 - 1
"""What a signed 64-bit integer holds."""
WHOLE_DIGITS, FRACTION_DIGITS = 16, 20
"""Of other numbers: Python writes larger and smaller ones with an exponent."""
LARGEST_STEP = 1000
"""Of `multipleOf`, without its power of ten behind the point: as many remainders are states."""


def integer(least: int | None = None, most: int | None = None) -> Node:
    """An integer from `least` to `most`, both included, that 64 bits hold."""
    limit = LARGEST_INTEGER
    low, high = (
        max(-limit, least if least is not None else -limit),
        min(limit, most if most is not None else limit),
    )
    parts: list[Node] = []
    if high >= 0:
        parts.append(_natural(max(low, 0), high))
    if low < 0:
        parts.append(_joined(b"-", _natural(max(-high, 1), -low)))
    return Either(tuple(parts)) if low <= high else NOTHING


def number(
    least: Decimal | None = None,
    most: Decimal | None = None,
    above: bool = False,
    below: bool = False,
) -> Node:
    """A number from `least` to `most`; `above` and `below` leave the bound itself out.

    Without bounds an exponent is allowed; with them numbers are written out.
    """
    if least is None and most is None:
        minus = _optional(Literal(b"-"))
        plain = Sequence((_whole(), _fraction()))
        scientific = Sequence((_digit(1, 9), _fraction(), _exponent()))
        return Sequence((minus, Either((plain, scientific))))
    limit = Decimal(10**WHOLE_DIGITS - 1)
    low, high = (
        max(-limit, -limit if least is None else least),
        min(limit, limit if most is None else most),
    )
    parts: list[Node] = []
    if high >= 0:
        parts.append(_decimal(max(low, Decimal(0)), high, above and low >= 0, below))
    if low < 0:
        nearest = max(-high, Decimal(0))
        parts.append(_joined(b"-", _decimal(nearest, -low, below or high >= 0, above)))
    return Either(tuple(parts))


def multiples(of: Decimal, kind: str) -> Node:
    """The texts of multiples of `of`, an `integer` or any `number` written out, without bounds.

    Raises ValueError where a remainder would need too many states.
    """
    unit = 10 ** max(0, -int(of.normalize().as_tuple().exponent))
    step, places = int(of * unit), len(str(unit)) - 1
    if step > LARGEST_STEP or places > FRACTION_DIGITS:
        raise ValueError(f"has multipleOf {of}, which needs over {LARGEST_STEP} remainders")
    # The remainder of what is written so far, then for each place behind the point.
    digits = range(10)
    edges: list[list[tuple[Node, int]]] = [[] for _ in range(step * (places + 1))]
    for place in range(places + 1):
        for rest in range(step):
            here = place * step + rest
            onward = here - rest if place == 0 else here - rest + step
            if place == 0 or place < places:
                edges[here] += [(_digit(d, d), onward + (10 * rest + d) % step) for d in digits]
    finals = {
        place * step + rest
        for place in range(places + 1)
        for rest in range(step)
        if rest * 10 ** (places - place) % step == 0
    }
    whole = Graph(tuple(map(tuple, edges[:step])), frozenset(f for f in finals if f < step))
    minus = _optional(Literal(b"-"))
    if kind == "integer":
        return Sequence((minus, _once_written(whole)))
    zeros = _optional(_joined(b".", Repeat(_digit(0, 0), 1, FRACTION_DIGITS)))
    parts: list[Node] = [Sequence((minus, _once_written(whole), zeros))]
    if places:
        for rest in range(step):
            edges[rest].append((Literal(b"."), len(edges) + rest))
        behind = [
            [(_digit(d, d), step + (10 * rest + d) % step) for d in digits] for rest in range(step)
        ]
        graph = Graph(
            (*map(tuple, edges), *map(tuple, behind)), frozenset(finals) - set(range(step))
        )
        parts.append(Sequence((minus, _once_written(graph))))
    return Either(tuple(parts))


def _once_written(graph: Graph) -> Node:
    """`graph` without its empty word."""
    return Except(graph, Literal(b""))


def _optional(part: Node) -> Node:
    return Repeat(part, 0, 1)


def _joined(head: bytes, rest: Node) -> Node:
    return Sequence((Literal(head), rest))


def _digit(low: int, high: int) -> Node:
    return OneOf(((0x30 + low, 0x30 + high),))


def _whole() -> Node:
    more = Repeat(_digit(0, 9), 0, WHOLE_DIGITS - 1)
    return Either((Literal(b"0"), Sequence((_digit(1, 9), more))))


def _fraction() -> Node:
    return _optional(_joined(b".", Repeat(_digit(0, 9), 1, FRACTION_DIGITS)))


def _exponent() -> Node:
    """Two or three digits, as far as a double reaches."""
    two, three = Repeat(_digit(0, 9), 2, 2), Sequence((_digit(1, 2), Repeat(_digit(0, 9), 2, 2)))
    large = Sequence((Literal(b"30"), _digit(0, 7)))
    small = Sequence((Literal(b"3"), _digit(0, 2), _digit(0, 9)))
    return Either(
        (_joined(b"e+", Either((two, three, large))), _joined(b"e-", Either((two, three, small))))
    )


def _natural(low: int, high: int) -> Node:
    """Decimal texts without leading zeros from `low` to `high`."""
    if low > high:
        return NOTHING
    parts = []
    for length in range(len(str(low)), len(str(high)) + 1):
        first = max(low, 10 ** (length - 1) if length > 1 else 0)
        last = min(high, 10**length - 1)
        parts.append(_between(str(first), str(last)))
    return Either(tuple(parts))


def _between(low: str, high: str) -> Node:
    """Digit texts of one length from `low` to `high`."""
    if low.strip("0") == high.strip("9") == "":
        return Repeat(_digit(0, 9), len(low), len(low))
    a, b, rest = int(low[0]), int(high[0]), len(low) - 1
    if a == b:
        return Sequence((_digit(a, a), _between(low[1:], high[1:])))
    parts = [
        Sequence((_digit(a, a), _between(low[1:], "9" * rest))),
        Sequence((_digit(b, b), _between("0" * rest, high[1:]))),
    ]
    if a + 1 < b:
        parts.append(Sequence((_digit(a + 1, b - 1), Repeat(_digit(0, 9), rest, rest))))
    return Either(tuple(parts))


def _decimal(low: Decimal, high: Decimal, above: bool, below: bool) -> Node:
    """Texts of the numbers from `low` to `high`, neither negative, with any fraction."""
    if low > high:
        return NOTHING
    first, last = (int(bound.to_integral_value(ROUND_FLOOR)) for bound in (low, high))
    over, under = _digits_after(low), _digits_after(high)
    if first == last:
        both = _fraction_between(over, under, above, below)
        return Sequence((_natural(first, first), both))
    return Either(
        (
            Sequence((_natural(first, first), _fraction_between(over, None, above, False))),
            Sequence((_natural(first + 1, last - 1), _fraction())),
            Sequence((_natural(last, last), _fraction_between("", under, False, below))),
        )
    )


def _digits_after(value: Decimal) -> str:
    return f"{value:f}".partition(".")[2].rstrip("0")


def _fraction_between(low: str, high: str | None, above: bool, below: bool) -> Node:
    """The part from the point on (or none at all) of a number within bounds on its fraction.

    `low` and `high` are the bounds' digits after the point (None: no upper bound). The states of
    the graph are how many digits are written, and whether they still equal the lower and the upper
    bound's.
    """
    ends = _Fractions(low, high, above, below)
    return ends.node()


class _Fractions:
    """The graph behind `_fraction_between`."""

    def __init__(self, low: str, high: str | None, above: bool, below: bool) -> None:
        self._low, self._high, self._above, self._below = low, high, above, below
        self._places: dict[tuple[int, bool, bool], int] = {}
        self._edges: list[list[tuple[Node, int]]] = []
        self._final: set[int] = set()

    def node(self) -> Node:
        start = self._state(0, True, self._high is not None)
        none_written = Literal(b"") if self._fits(0, True, self._high is not None) else NOTHING
        graph = Graph(tuple(map(tuple, self._edges)), frozenset(self._final - {start}))
        return Either((none_written, _joined(b".", graph)))

    def _fits(self, written: int, at_low: bool, at_high: bool) -> bool:
        """Whether a number that stops here is within the bounds."""
        if at_low and (written < len(self._low) or self._above):
            return False
        return not (self._below and at_high and written >= len(self._high or ""))

    def _state(self, written: int, at_low: bool, at_high: bool) -> int:
        key = (written, at_low, at_high)
        if key in self._places:
            return self._places[key]
        place = self._places[key] = len(self._edges)
        self._edges.append([])
        if self._fits(*key):
            self._final.add(place)
        if written < FRACTION_DIGITS:
            low = int((self._low[written : written + 1] or "0") if at_low else "0")
            high = 9
            if at_high and self._high is not None:
                high = int(self._high[written : written + 1] or "0")
            # The bounds' own digits lead elsewhere than those between them.
            groups = {(low, low), (low + 1, high - 1), (high, high)}
            for first, last in sorted(group for group in groups if group[0] <= group[1]):
                target = self._state(written + 1, at_low and first == low, at_high and last == high)
                self._edges[place].append((_digit(first, last), target))
        return place
