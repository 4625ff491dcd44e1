"""An agent whose answers are scripted, so that evaluation is tested without a model."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from edgetune.data.records import Example
from edgetune_runtime.agent import Step
from edgetune_runtime.calls import RESPOND, RESPOND_CALL, Call, Toolset
from edgetune_runtime.decode import Decoded, Selection
from edgetune_runtime.options import Options
from edgetune_runtime.prompt import Turn, User


class ScriptedAgent:
    """Answers each request as `script` says: the selected tool and arguments for each tool."""

    def __init__(
        self, toolset: Toolset, script: Mapping[str, tuple[str, Mapping[str, dict[str, Any]]]]
    ) -> None:
        self.assets = SimpleNamespace(toolsets={toolset.name: SimpleNamespace(toolset=toolset)})
        self.engine = SimpleNamespace(name="scripted")
        self.script = script
        self.decoded: list[str] = []
        """The tool of every arguments object that was asked for."""

    def step(self, turns: Sequence[Turn], toolset: str, options: Options) -> Step:
        chosen = self.select(turns, toolset, options)
        tool = chosen.name
        arguments = (
            {} if tool == RESPOND else self.arguments(turns, toolset, tool, options).arguments
        )
        timing = {"ms": 12.0, "prefill_tokens": 30, "decode_steps": 4, "forced_tokens": 9}
        told = (chosen.probability, chosen.probabilities, timing, chosen.abstained_from)
        return Step(toolset, tool, arguments, *told)

    def select(
        self, turns: Sequence[Turn], toolset: str, options: Options, *, sure: float = 1.0
    ) -> Selection:
        assert sure == 1  # no toolset was picked
        tool = self.script[turns[-1].text][0]
        if tool != RESPOND and options.abstain_below > 0.9:
            return Selection(RESPOND, 0.9, {tool: 0.9}, False, 1, 5, tool)
        return Selection(tool, 0.9, {tool: 0.9}, False, 1, 5)

    def arguments(
        self, turns: Sequence[Turn], toolset: str, tool: str, _options: Options
    ) -> Decoded:
        self.decoded.append(tool)
        return Decoded(self.script[turns[-1].text][1][tool], "", (), 3, 4)


@pytest.fixture
def examples() -> list[Example]:
    """Four requests: a call that comes out right, a wrong value, a wrong tool, and `respond`."""
    return [
        Example((User("rain in Oslo?"),), Call("get_weather", {"city": "Oslo"})),
        Example((User("3 days in Rome"),), Call("get_weather", {"city": "Rome", "days": 3})),
        Example((User("wake me at 7"),), Call("set_alarm", {"time": "7"})),
        Example((User("hello <you>"),), RESPOND_CALL),
    ]


@pytest.fixture
def scripted() -> type[ScriptedAgent]:
    return ScriptedAgent


@pytest.fixture
def agent(weather_toolset: Toolset) -> ScriptedAgent:
    return ScriptedAgent(
        weather_toolset,
        {
            "rain in Oslo?": ("get_weather", {"get_weather": {"city": "Oslo"}}),
            "3 days in Rome": ("get_weather", {"get_weather": {"days": 3, "city": "Roma"}}),
            "wake me at 7": (
                "get_weather",
                {"get_weather": {"city": "7"}, "set_alarm": {"time": "7"}},
            ),
            "hello <you>": (RESPOND, {}),
        },
    )
