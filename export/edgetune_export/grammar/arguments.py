"""A tool's arguments as one language, counted as far as there is room for.

This module knows sizes alone; what a schema means is `schema`'s.
"""

import json
from bisect import bisect_left
from functools import lru_cache

from edgetune_export.grammar.limits import LIMITS, ROOM, ROOM_AT_LAST, Limits
from edgetune_export.grammar.schema import SchemaCompiler
from edgetune_export.grammar.tables import Table
from edgetune_runtime.calls import Tool
from edgetune_runtime.errors import GrammarError


def arguments_language(tool: Tool) -> Table:
    """The texts of `tool`'s arguments, counters held to what `arguments_limits` says.

    Raises GrammarError naming the tool and the field.
    """
    return _compiled(tool.name, json.dumps(tool.parameters))[1]


def arguments_limits(tool: Tool) -> Limits:
    """What counters are held to, so that the automaton of `tool`'s arguments stays small.

    Raises GrammarError naming the tool and the field.
    """
    return _compiled(tool.name, json.dumps(tool.parameters))[0]


def narrowing(tool: Tool) -> str | None:
    """What of `tool`'s counters had to be held to less than usual, as one sentence."""
    limits = arguments_limits(tool)
    if limits is LIMITS[0]:
        return None
    return (
        f"{tool.name}: counters within counters make its grammar large; strings longer than "
        f"{limits.string} characters ({limits.nested} inside of lists), lists longer than "
        f"{limits.items} and references inside of themselves more than {limits.within} times are "
        "held to these"
    )


_fitting: dict[tuple[str, str], int] = {}
"""Where in LIMITS a tool, by name and parameters, fits: tables are too large to be kept."""


@lru_cache(maxsize=8)
def _compiled(name: str, parameters: str) -> tuple[Limits, Table]:
    tool = Tool(name, parameters=json.loads(parameters))
    made: dict[int, tuple[Limits, Table]] = {}

    def fits(place: int, room: int = ROOM) -> bool:
        compiler = SchemaCompiler(tool, LIMITS[place], room)
        table = compiler.table()
        if table is not None:
            # Where nothing is counted, nothing is held to less.
            made[place] = (LIMITS[place] if compiler.typed.counts else LIMITS[0]), table
        return table is not None

    last = len(LIMITS) - 1
    place = _fitting.get((name, parameters), 0)
    if not fits(place, ROOM_AT_LAST if place else ROOM):
        if fits(last):
            # By halves: the smaller the limits, the smaller the table.
            place = bisect_left(range(last), True, lo=1, key=fits)
        elif fits(last, ROOM_AT_LAST):
            place = last
        else:
            raise GrammarError(
                f"tool '{name}', parameters: the schema needs over {ROOM_AT_LAST:,} states; "
                "shorten its lists of constants, its patterns or its `minLength` and `minItems`."
            )
    _fitting[name, parameters] = place
    return made[place]
