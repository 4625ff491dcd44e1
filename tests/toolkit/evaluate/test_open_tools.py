"""Toolsets that no bundle holds: what is the same is made once, and no more than is called for."""

import pytest

from edgetune.evaluate.open_tools import OpenTools
from edgetune.evaluate.system import open_system
from edgetune_export import assets
from edgetune_runtime.calls import Tool, Toolset
from edgetune_runtime.errors import GrammarError
from edgetune_runtime.options import Options
from edgetune_runtime.prompt import User

BASE = Options(system="base", max_tokens=24)


def toolset(*names, **properties):
    parameters = {"type": "object", "properties": properties or {"at": {"type": "integer"}}}
    return Toolset("open", "", tuple(Tool(name, "Go.", parameters) for name in names))


@pytest.fixture
def agent(tiny_run):
    return open_system(tiny_run())


@pytest.fixture
def tools(tiny_run, agent):
    return OpenTools(tiny_run(), agent)


def test_toolsets_of_the_same_content_are_made_once(tools):
    first = tools.serve(toolset("go", "stop"))
    assert tools.serve(toolset("go", "stop")) is first
    assert tools.serve(toolset("stop", "go")) is not first


def test_prompts_show_parameters_in_their_order(tools):
    one, other = {"a": {"type": "string"}, "b": {"type": "string"}}, {"b": {}, "a": {}}
    first = tools.serve(toolset("go", **one))
    assert tools.serve(toolset("go", **{key: one[key] for key in other})) is not first


def test_few_are_kept_those_used_last(tools, monkeypatch):
    monkeypatch.setattr("edgetune.evaluate.open_tools._KEPT", 2)
    first, second = tools.serve(toolset("a")), tools.serve(toolset("b"))
    assert tools.serve(toolset("a")) is first
    tools.serve(toolset("c"))
    assert tools.serve(toolset("a")) is first
    assert tools.serve(toolset("b")) is not second


def test_only_the_grammar_of_the_tool_that_is_called_is_compiled_and_once(
    agent, tools, monkeypatch
):
    compiled, compile_grammar = [], assets.compile_grammar
    monkeypatch.setattr(
        assets,
        "compile_grammar",
        lambda tool, *rest: compiled.append(tool.name) or compile_grammar(tool, *rest),
    )
    for _ in range(2):
        agent.arguments([User("go!")], tools.serve(toolset("go", "stop")), "go", BASE)
    assert compiled == ["go"]


def test_a_schema_without_a_grammar_is_no_trouble_until_its_tool_is_called(agent, tools):
    served = tools.serve(toolset("go", at={"type": "array", "uniqueItems": True}))
    agent.select([User("go!")], served, BASE)
    with pytest.raises(GrammarError, match="tool 'go'"):
        agent.arguments([User("go!")], served, "go", BASE)


def test_a_bundle_and_the_run_it_came_from_show_the_same(tiny_bundle, tools):
    of_bundle = OpenTools(tiny_bundle, open_system(tiny_bundle)).serve(toolset("go"))
    assert of_bundle.prompts.base == tools.serve(toolset("go")).prompts.base
