"""Options go with a request: an agent outlives them; one out of its range is named."""

import dataclasses

import pytest

from edgetune_runtime.adapters import AdapterPool
from edgetune_runtime.agent import Agent
from edgetune_runtime.errors import InputError
from edgetune_runtime.options import Options
from edgetune_runtime.prompt import User
from edgetune_runtime.trie import Branch, NameTrie
from edgetune_runtime.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -1),
        ("temperature", float("nan")),
        ("seed", -1),
        ("max_tokens", 0),
        ("max_reply_tokens", -5),
        ("abstain_below", 1.5),
        ("abstain_below", float("nan")),
    ],
)
def test_a_value_out_of_its_range_is_named(name, value):
    with pytest.raises(InputError, match=f"{name}: found {value}"):
        Options(**{name: value})


REQUEST = [User("set an alarm for 7:30")]
VARIED = [
    Options(system=system, exact=exact, abstain_below=threshold, temperature=temperature, seed=seed)
    for system in ("decoupled", "monolithic", "base")
    for exact, threshold, temperature, seed in (
        (False, 0.0, 0.0, 0),
        (True, 0.4, 0.0, 0),
        (False, 0.0, 1.5, 7),
    )
]
REQUESTS = ("wake me up", "and the weather?", "set an alarm for 7:30", "no more alarms")


def test_one_agent_serves_a_thousand_requests_each_with_its_own_options(
    mock_assets, mock_engine, monkeypatch
):
    """Its calls are those of fresh agents, and it builds nothing that it has."""
    cases = [(options, request) for options in VARIED for request in REQUESTS]

    def step(agent, case):
        options, request = case
        made = agent.step([User(request)], options=options)
        return made.tool, made.arguments, made.probabilities, made.abstained_from

    wanted = [step(Agent(mock_assets, mock_engine(seed=5)), case) for case in cases]
    agent = Agent(mock_assets, mock_engine(seed=5))
    step(agent, cases[0])
    built = []

    def counted(cls, name):
        monkeypatch.setattr(cls, "__init__", lambda self, *_, **__: built.append(name))

    counted(Vocabulary, "vocabulary")
    counted(NameTrie, "trie")
    counted(Branch, "branch")
    counted(AdapterPool, "pool")
    counted(type(agent.engine), "engine")
    for number in range(1000):
        place = number * 7 % len(cases)
        assert step(agent, cases[place]) == wanted[place]
    assert built == []


def test_a_toolset_that_the_assets_do_not_have_is_given_with_the_request(
    mock_assets, mock_engine, weather_toolset
):
    home = mock_assets.toolsets["home"]
    alone = dataclasses.replace(mock_assets, toolsets={}, adapters={})
    bare = dataclasses.replace(home, selector=None, arguments={}, monolithic=None)
    options = Options(system="base", exact=True)
    agent = Agent(alone, mock_engine(seed=5))
    found = agent.step(REQUEST, bare, options)
    wanted = Agent(mock_assets, mock_engine(seed=5)).step(
        [User("set an alarm for 7:30")], "home", options
    )
    assert (found.tool, found.arguments, found.probabilities) == (
        wanted.tool,
        wanted.arguments,
        wanted.probabilities,
    )


def test_adapters_in_memory_are_bounded(mock_assets, mock_engine):
    agent = Agent(mock_assets, mock_engine(seed=5), max_resident=1)
    for tool in ("get_weather", "set_alarm"):
        agent.arguments(REQUEST, "home", tool)
        assert list(agent.pool.resident_bytes) == [f"home.arguments.{tool}"]
