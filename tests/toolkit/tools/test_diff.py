"""What a change of a server's tools means for a bundle: which adapters no longer fit."""

from dataclasses import replace

import pytest

from edgetune.tools.diff import compare, pair
from edgetune_runtime.assets import ToolsetAssets
from edgetune_runtime.calls import Tool, Toolset
from edgetune_runtime.prompt import ToolsetPrompts

SELECTOR, ARGUMENTS = "home.selector", {"get_weather": "home.arguments.get_weather"}


@pytest.fixture
def served(weather_toolset):
    """A factory of the weather toolset's assets, by how its prompts show tools."""

    def make(shown="compact", *, shared=False):
        prompts = ToolsetPrompts(
            tools_shown=shown, shared=shared, base="", selector="", arguments={}
        )
        arguments = {**ARGUMENTS, "set_alarm": "home.arguments.set_alarm"}
        assets = ToolsetAssets(weather_toolset, prompts, None, {}, SELECTOR, arguments, "home.mono")
        return {"home": assets}

    return make


def changed(toolset, **changes):
    """`toolset` in which its first tool is another one."""
    first, *others = toolset.tools
    return replace(toolset, tools=(replace(first, **changes), *others))


def test_the_same_tools_need_no_training(served, weather_toolset):
    (found,) = compare(served(), [weather_toolset])
    assert found.same
    assert found.train == ()


def test_another_tool_is_learnt_by_selector_and_its_own_adapter(served, weather_toolset):
    schema = {"type": "object", "properties": {"x": {"type": "string"}}}
    new = (*weather_toolset.tools[:2], Tool("call", "Call.", schema))
    (found,) = compare(served("none"), [replace(weather_toolset, tools=new)])
    assert (found.added, found.removed) == (("call",), ("cancel_alarms",))
    assert found.train == (SELECTOR, "home.mono", "home.arguments.call")


def test_a_description_counts_as_far_as_prompts_show_it(served, weather_toolset):
    offered = [changed(weather_toolset, description="Another.")]
    (found,) = compare(served("compact"), offered)
    assert found.changed == {"get_weather": ("description",)}
    assert found.train == (SELECTOR, "home.mono", "home.arguments.get_weather")
    assert compare(served("names"), offered)[0].train == ()
    shared = compare(served("compact", shared=True), offered)[0].train
    assert shared[2:] == ("home.arguments.get_weather", "home.arguments.set_alarm")


def test_other_parameters_are_learnt_whatever_prompts_show(served, weather_toolset):
    properties = {"city": {"type": "string"}, "hour": {"type": "integer"}}
    offered = [changed(weather_toolset, parameters={"type": "object", "properties": properties})]
    (found,) = compare(served("none"), offered)
    assert found.changed == {"get_weather": ("parameters",)}
    assert found.train == ("home.mono", "home.arguments.get_weather")


def test_words_of_parameters_are_told_apart(served, weather_toolset):
    schema = dict(weather_toolset.tools[0].parameters)
    schema["properties"] = {**schema["properties"], "city": {"type": "string", "description": "x"}}
    (found,) = compare(served("compact"), [changed(weather_toolset, parameters=schema)])
    assert found.changed == {"get_weather": ("words",)}
    assert found.train == ()
    assert compare(served("full"), [changed(weather_toolset, parameters=schema)])[0].train


def test_toolsets_are_paired_by_what_they_have_in_common(weather_toolset):
    other = Toolset("notes", "", (Tool("read"), Tool("cancel_alarms")))
    twin = replace(weather_toolset, name="twin")
    assert pair([weather_toolset], [other, twin])["home"] is twin
    assert pair([weather_toolset], [other])["home"] is other
    assert pair([weather_toolset], [Toolset("x", "", (Tool("y"),))]) == {}
    (found,) = compare({"home": ToolsetAssets(weather_toolset, None, None, {})}, [])
    assert not found.same
    assert found.offered is None
