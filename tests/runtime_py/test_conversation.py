"""A conversation goes through calls and results to a reply, and can go on from its turns."""

import json

import pytest

from edgetune_runtime.agent import Agent, Step
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.calls import RESPOND
from edgetune_runtime.conversation import Finished, Words, converse, turn_after
from edgetune_runtime.engines import open_engine
from edgetune_runtime.options import Options
from edgetune_runtime.prompt import Assistant, Called, Result, User

WEATHER = Step("home", "get_weather", {"city": "Oslo"}, 0.9, {}, {}, text='{"city": "Oslo"}')
ANSWER = Step("home", RESPOND, {}, 0.9, {}, {})


class Scripted:
    """An agent that takes these steps in turn, then says these words; keeps what it was shown."""

    def __init__(self, *steps, words=("It is ", "sunny.")):
        self.steps, self.words, self.shown = list(steps), words, []

    def step(self, turns, toolset, options):
        self.shown.append((tuple(turns), toolset, options))
        return self.steps.pop(0)

    def reply(self, turns, options):
        self.shown.append((tuple(turns), None, options))
        yield from self.words


def test_a_step_becomes_the_turn_that_follows_it():
    assert turn_after(WEATHER) == Called("get_weather", '{"city": "Oslo"}')
    assert turn_after(ANSWER) == Assistant()


def test_calls_are_executed_and_followed_by_words():
    agent = Scripted(WEATHER, ANSWER)
    executed = []
    asked = [User("weather in Oslo?")]
    options = Options(seed=3)

    def execute(step):
        executed.append((step.tool, step.arguments))
        return "sunny"

    events = list(converse(agent, asked, execute, options, toolset="home"))
    assert executed == [("get_weather", {"city": "Oslo"})]
    called = Called("get_weather", '{"city": "Oslo"}')
    turns = (*asked, called, Result("sunny"), Assistant("It is sunny."))
    assert events == [
        WEATHER,
        Result("sunny"),
        ANSWER,
        Words("It is "),
        Words("sunny."),
        Finished(turns, "replied"),
    ]
    before_reply = (*asked, called, Result("sunny"))
    assert agent.shown == [
        (tuple(asked), "home", options),
        (before_reply, "home", options),
        (before_reply, None, options),
    ]


def test_it_ends_after_as_many_calls_as_are_allowed():
    agent = Scripted(*[WEATHER] * 5)
    events = list(converse(agent, [User("hi")], lambda step: "again", max_steps=2))
    assert [type(event) for event in events] == [Step, Result, Step, Result, Finished]
    assert events[-1].because == "too many steps"
    assert len(events[-1].turns) == 5


def test_nothing_is_executed_before_the_step_was_seen():
    executed = []
    events = converse(Scripted(WEATHER, ANSWER), [User("hi")], executed.append)
    assert next(events) == WEATHER
    assert executed == []
    events.close()
    assert executed == []


def test_without_words_the_reply_is_empty():
    agent = Scripted(ANSWER)
    events = list(converse(agent, [User("hi")], lambda step: "", words=False))
    assert events == [ANSWER, Finished((User("hi"), Assistant("")), "replied")]


@pytest.mark.parametrize("system", ["decoupled", "base"])
def test_a_real_bundle_converses_and_goes_on(tiny_bundle, weather_toolset, system):
    """Random weights: what they say means nothing, but each turn can be rendered and read again."""
    bundle = open_bundle(tiny_bundle)
    agent = Agent(bundle.assets, open_engine(bundle, threads=1))
    options = Options(system=system, max_tokens=24, max_reply_tokens=6)
    turns = (User("weather in Oslo?"),)
    for _ in range(2):
        events = list(converse(agent, turns, lambda step: "done", options, max_steps=2))
        for event in events:
            if isinstance(event, Step):
                assert json.loads(event.text) == event.arguments
        said = "".join(event.text for event in events if isinstance(event, Words))
        finished = events[-1]
        assert finished.turns[: len(turns)] == turns
        if finished.because == "replied":
            assert finished.turns[-1] == Assistant(said)
        turns = (*finished.turns, User("and tomorrow?"))


def test_the_bare_base_says_words_that_fit_its_budget(mock_assets, mock_engine, vocabulary):
    agent = Agent(mock_assets, mock_engine(seed=1))
    agent.pool.activate("home.selector")
    turns = [User("hello"), Assistant("Hi."), User("again")]
    pieces = list(agent.reply(turns, Options(max_reply_tokens=7)))
    assert agent.pool.active is None
    assert len(agent.engine.fed[-1]) == 1
    fed = mock_assets.tokenizer.decode(
        [token for ids in agent.engine.fed for token in ids], skip_special_tokens=False
    )
    assert fed.startswith(mock_assets.reply)
    assert "Hi." in fed
    assert 0 < len("".join(pieces)) <= 7 * vocabulary.longest
    again = Agent(mock_assets, mock_engine(seed=1)).reply(turns, Options(max_reply_tokens=7))
    assert list(again) == pieces
