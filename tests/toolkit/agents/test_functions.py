"""Typed functions are tools, sync and async."""

import asyncio
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field
from scripted import Scripted

import edgetune
from edgetune.agents.functions import Functions
from edgetune.agents.loop import ToolAgent
from edgetune.agents.opened import Runner
from edgetune.agents.served import Served
from edgetune_runtime.agent import Step
from edgetune_runtime.assets import ToolsetAssets
from edgetune_runtime.errors import InputError


class Place(BaseModel):
    city: str


@edgetune.tool(read_only=True)
def forecast(
    place: Place, days: Annotated[int, Field(ge=1)] = 1, unit: Literal["c", "f"] = "c"
) -> str:
    """Tell the weather
    of a place.

    More for people.

    Args:
        place: where
        days (int): how many
    """
    return f"{place.city} {days} {unit}"


@edgetune.tool
async def ring(times: int) -> list[int]:
    """Ring."""
    await asyncio.sleep(0)
    return [times]


def test_a_function_stays_what_it_was_and_becomes_a_tool():
    assert forecast(Place(city="Oslo")) == "Oslo 1 c"
    source = Functions([forecast, ring])
    tool = source.toolset["forecast"]
    assert tool.description == "Tell the weather of a place."
    assert tool.properties["days"] == {
        "default": 1, "minimum": 1, "type": "integer", "description": "how many"
    }  # fmt: skip
    assert tool.parameters["required"] == ["place"]
    assert [source.read_only(each) for each in ("forecast", "ring")] == [True, False]


def test_calls_are_checked_and_converted():
    source = Functions([forecast, ring])
    given = {"place": {"city": "Oslo"}, "days": 2}
    assert source.call("forecast", given, 5).text == "Oslo 2 c"
    assert source.call("ring", {"times": 3}, 5).text == "[3]"
    refused = source.call("forecast", {"place": {"city": "Oslo"}, "days": 0}, 5)
    assert refused.how == "error"
    assert "days" in refused.text


def test_what_a_function_raises_is_an_observation_and_time_is_bounded():
    def breaks() -> None:
        raise RuntimeError("not today")

    def sleeps() -> None:
        time.sleep(5)

    source = Functions([breaks, sleeps])
    outcome = source.call("breaks", {}, 5)
    assert (outcome.how, outcome.text) == ("error", "Error: RuntimeError: not today")
    with pytest.raises(TimeoutError):
        source.call("sleeps", {}, 0.05)


@pytest.mark.parametrize("kind", ["no type", "no json", "variadic"])
def test_a_function_that_makes_no_schema_is_refused_where_it_stands(kind):
    def no_type(x):
        pass

    def no_json(x: asyncio.Event) -> None:
        pass

    def variadic(*x: int) -> None:
        pass

    with pytest.raises(InputError, match=r"@edgetune\.tool"):
        edgetune.tool({"no type": no_type, "no json": no_json, "variadic": variadic}[kind])


def test_an_async_function_runs_in_the_loop_of_whoever_awaits_the_answer(marked):
    loops = []

    @edgetune.tool(read_only=True)
    async def where() -> str:
        """Tell the loop."""
        loops.append(asyncio.get_running_loop())
        return "here"

    source = Functions([where])
    assets = ToolsetAssets(source.toolset, None, None, {})
    served = Served(
        replace(marked, toolsets={"functions": assets}), {"functions": source}, frozenset()
    )

    def runner():
        step = Step("functions", "where", {}, 0.9, {}, {})
        return Runner(ToolAgent(Scripted(step), served), [source], ExitStack())

    async def main():
        answered = await runner().arun("where?")
        return answered, asyncio.get_running_loop()

    answered, loop = asyncio.run(main())
    assert answered.text == "Done."
    assert [observed.text for _, observed in answered.calls] == ["here"]
    assert loops == [loop]
    assert runner().run("where?").text == "Done."
    assert loops[1] is not loop
