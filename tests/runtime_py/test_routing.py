"""Picking the toolset: by the right adapter behind the right prompt, again at every step."""

import dataclasses

import numpy as np
import pytest

from edgetune_export.prompts.names import name_trie
from edgetune_export.prompts.prefixes import as_tools
from edgetune_runtime.agent import Agent
from edgetune_runtime.assets import AdapterSource, Assets, RouterAssets
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.calls import Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import Called, Result, RouterPrompts, User, render_prompt

REQUEST = [User("set an alarm for 7:30")]
SYSTEM = "<|im_start|>system\nwhere requests can go, "
PROMPTS = RouterPrompts(
    base=SYSTEM + "every toolset in full<|im_end|>\n", adapter=SYSTEM + "names<|im_end|>\n"
)


@pytest.fixture
def two(mock_assets: Assets) -> Assets:
    """The home's toolset, the same again as the office's, and a router between them."""
    home = mock_assets.toolsets["home"]
    office = dataclasses.replace(
        home, toolset=Toolset("office", "Alarms at work.", home.toolset.tools)
    )
    router = AdapterSource(
        "router", 1, "sha of router", 4, lambda: {"router": np.zeros(1, np.float32)}
    )
    trie = name_trie(mock_assets.tokenizer, mock_assets.pieces, ("home", "office"))
    return dataclasses.replace(
        mock_assets,
        toolsets={"home": home, "office": office},
        adapters={**mock_assets.adapters, "router": router},
        router=RouterAssets(PROMPTS, trie, "router"),
    )


@pytest.fixture
def routed(two, mock_engine, vocabulary, asking):
    """A factory of agents that want `toolset` first and `tool` then; and what the engine saw."""

    def make(system="decoupled", toolset="office", tool="set_alarm", assets=two, **options):
        sees: list = []
        tokenizer = assets.tokenizer
        mark = tokenizer.token_to_id("<tool_call>")

        def logits(ids, adapter):
            found = np.zeros(len(vocabulary), np.float32)
            if mark not in ids:
                return found
            at = max(place for place, token in enumerate(ids) if token == mark)
            text = tokenizer.decode(list(ids[:at]), skip_special_tokens=False)
            sees.append((text, next(iter(adapter)) if adapter else None))
            name = toolset if text.startswith(SYSTEM) else tool
            call = f'<tool_call>\n{{"name": "{name}", "arguments": {{"time": "7:30"}}}}\n'
            target = tokenizer.encode(call, add_special_tokens=False).ids
            if len(ids) - at < len(target):
                found[target[len(ids) - at]] = 20
            return found

        return asking(assets, mock_engine(logits=logits), system=system, **options), sees

    return make


@pytest.mark.parametrize("picked", ["home", "office"])
def test_a_step_without_a_toolset_is_routed_by_the_adapter(routed, two, picked):
    agent, sees = routed(toolset=picked)
    step = agent.step(REQUEST)
    assert (step.toolset, step.tool, step.arguments) == (picked, "set_alarm", {"time": "7:30"})
    assert sees[0] == (render_prompt(two.pieces, PROMPTS.adapter, REQUEST), "router")
    stages = list(dict.fromkeys(adapter for _, adapter in sees))
    assert stages == ["router", "home.selector", "home.arguments.set_alarm"]
    assert step.timing["route_ms"] > 0
    parts = ("route_ms", "select_ms", "swap_ms", "arguments_ms")
    assert sum(step.timing[part] for part in parts) == pytest.approx(step.timing["ms"])


@pytest.mark.parametrize("system", ["base", "monolithic"])
def test_other_systems_are_routed_by_the_bare_base(routed, two, system):
    agent, sees = routed(system)
    assert agent.step(REQUEST).toolset == "office"
    assert sees[0] == (render_prompt(two.pieces, PROMPTS.base, REQUEST), None)


def test_without_a_router_adapter_the_bare_base_routes(routed, two):
    bare = dataclasses.replace(two, router=dataclasses.replace(two.router, adapter=None))
    agent, sees = routed(assets=bare)
    assert agent.step(REQUEST).toolset == "office"
    assert sees[0] == (render_prompt(two.pieces, PROMPTS.base, REQUEST), None)


def test_a_named_toolset_is_not_routed(routed):
    agent, sees = routed(toolset="office")
    assert agent.step(REQUEST, "home").toolset == "home"
    assert not [text for text, _ in sees if text.startswith(SYSTEM)]


def test_a_conversation_is_routed_again_at_each_step(routed):
    agent, sees = routed(toolset="office")
    turns = [*REQUEST, Called("set_alarm", '{"time": "7:00"}'), Result("done")]
    assert agent.step(turns).toolset == "office"
    assert '{"time": "7:00"}' in sees[0][0]
    assert sees[0][0].startswith(SYSTEM)


def test_the_probability_of_every_toolset_is_exact(routed):
    agent, _ = routed(exact=True)
    probabilities = agent.route(REQUEST).probabilities
    assert set(probabilities) == {"home", "office"}
    assert sum(probabilities.values()) == pytest.approx(1)


@pytest.mark.parametrize("abstain_below", [0.0, 0.999])
def test_a_tool_is_as_probable_as_its_toolset_allows(routed, two, abstain_below):
    """The engine's 20 nats, divided by the router's temperature, leave the toolset 0.953."""
    lukewarm = dataclasses.replace(two.adapters["router"], selection_temperature=20 / 3)
    unsure = dataclasses.replace(two, adapters={**two.adapters, "router": lukewarm})
    agent, _ = routed(assets=unsure, abstain_below=abstain_below)
    toolset = agent.route(REQUEST).probability
    assert toolset == pytest.approx(1 / (1 + np.exp(-3)))
    step = agent.step(REQUEST)
    assert step.probability == pytest.approx(toolset, abs=1e-6)
    assert (step.tool, step.abstained_from) == (
        ("respond", "set_alarm") if abstain_below else ("set_alarm", None)
    )
    named = agent.step(REQUEST, "office")
    assert (named.tool, named.probability) == ("set_alarm", pytest.approx(1, abs=1e-6))


def test_one_toolset_is_never_routed(two, mock_assets, mock_engine):
    alone = dataclasses.replace(mock_assets, router=two.router)
    agent = Agent(alone, mock_engine())
    assert agent.step(REQUEST).toolset == "home"
    with pytest.raises(InputError, match="nothing here picks"):
        agent.route(REQUEST)


def test_toolsets_that_nothing_routes_have_to_be_named(two, mock_engine):
    with pytest.raises(InputError, match="--toolset: found None"):
        Agent(dataclasses.replace(two, router=None), mock_engine()).step(REQUEST)


def test_a_toolset_is_a_tool_without_parameters(weather_toolset):
    (tool,) = as_tools([weather_toolset])
    assert (tool.name, tool.description) == ("home", "Weather and alarms.")
    assert not tool.has_parameters


def test_a_bundle_without_routing_opens(tiny_bundle):
    assert open_bundle(tiny_bundle).assets.router is None
