"""Evaluating several toolsets at once: a wrong toolset is a wrong call, and is counted apart."""

from types import SimpleNamespace

import pytest

from edgetune.data.records import Example
from edgetune.data.routed import RoutedStep
from edgetune.evaluate.routed import evaluate_routed
from edgetune.evaluate.table import result_view
from edgetune_runtime.agent import Step
from edgetune_runtime.calls import RESPOND, RESPOND_CALL, Call, Tool, Toolset
from edgetune_runtime.decode import Decoded, Selection
from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import User

OFFICE = Toolset("office", "Work.", (Tool("cancel_alarms"), Tool("print_page")))
SCRIPT = {
    "rain?": ("home", "get_weather"),
    "print": ("home", "set_alarm"),
    "no alarms at work": ("home", "cancel_alarms"),
    "hello": ("office", RESPOND),
}
ARGUMENTS = {"get_weather": {"city": "Oslo"}, "set_alarm": {"time": "7"}}


class ScriptedRouter:
    """Answers as SCRIPT says: the toolset and the tool for each request."""

    engine = SimpleNamespace(name="scripted")

    def __init__(self, toolsets):
        self.assets = SimpleNamespace(
            toolsets={each.name: SimpleNamespace(toolset=each) for each in toolsets}
        )

    def step(self, turns, toolset, _options):
        assert toolset is None  # it is to be picked
        toolset, tool = SCRIPT[turns[-1].text]
        timing = {"ms": 3.0, "prefill_tokens": 20, "decode_steps": 4, "forced_tokens": 9}
        return Step(toolset, tool, ARGUMENTS.get(tool, {}), 0.9, {tool: 0.9}, timing)

    def route(self, turns, _options):
        return Selection(SCRIPT[turns[-1].text][0], 0.9, {}, False, 1, 5)

    def select(self, turns, toolset, _options, *, sure):
        return Selection(SCRIPT[turns[-1].text][1], 0.9 * sure, {}, False, 1, 5)

    def arguments(self, turns, toolset, tool, _options):
        return Decoded(ARGUMENTS.get(tool, {}), "", (), 3, 4)


@pytest.fixture
def agent(weather_toolset):
    return ScriptedRouter([weather_toolset, OFFICE])


def step(text, call, toolset):
    return RoutedStep(Example((User(text),), call), toolset)


STEPS = [
    step("rain?", Call("get_weather", {"city": "Oslo"}), "home"),
    step("print", Call("print_page"), "office"),
    step("no alarms at work", Call("cancel_alarms"), "office"),
    step("hello", RESPOND_CALL, None),
]


def test_routing_is_counted_over_the_calls_and_a_wrong_toolset_is_a_wrong_call(agent):
    found = evaluate_routed(agent, STEPS, progress=False).as_json()
    assert found["routing_accuracy"] == pytest.approx(1 / 3)
    assert found["routing_confusion"] == {"home": {"home": 1}, "office": {"home": 2}}
    # The tool of that name in the other toolset is another tool; `respond` is the same everywhere.
    assert found["selection_accuracy"] == found["call_exact_match"] == 0.5
    assert found["per_tool"]["office.cancel_alarms"]["confused_with"] == "home.cancel_alarms"
    assert found["schema_valid"] == 1.0
    assert found["toolset"] == "home, office"


def test_the_stages_alone(agent):
    selection = evaluate_routed(agent, STEPS, "selection", progress=False)
    assert selection.score.selection_accuracy == 0.5
    assert selection.routing_accuracy == pytest.approx(1 / 3)
    assert selection.timing["decode_steps"] == 2
    arguments = evaluate_routed(agent, STEPS, "arguments", progress=False)
    assert arguments.score.arguments_exact_match == 1.0
    assert arguments.routing_accuracy is None
    with pytest.raises(InputError, match="no example to evaluate"):
        evaluate_routed(agent, STEPS[3:], "arguments", progress=False)


def test_tools_of_several_toolsets_are_reported_by_their_servers_names():
    home = Toolset("home", "", (Tool("get_weather", original="get.weather"), Tool("set_alarm")))
    office = Toolset("office", "", (Tool("print_page", original="print.page"),))
    steps = [
        step("rain?", Call("get_weather"), "home"),
        step("print", Call("print_page"), "office"),
    ]
    found = evaluate_routed(ScriptedRouter([home, office]), steps, progress=False)
    assert found.score.confusion == {
        "get.weather": {"get.weather": 1},
        "print.page": {"set_alarm": 1},
    }


def test_the_table_shows_routing(agent):
    from rich.console import Console

    console = Console(width=120)
    with console.capture() as captured:
        console.print(result_view(evaluate_routed(agent, STEPS, progress=False)))
    assert "routing" in captured.get()
    assert "0.333" in captured.get()
