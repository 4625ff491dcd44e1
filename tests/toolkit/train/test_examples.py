"""Which examples each adapter gets, and that their tokens are what the runtime will see."""

import json
import re

import numpy as np
import pytest

from edgetune.data.records import Example, parse_record
from edgetune.train.examples import adapters_data
from edgetune.train.masked_names import mask_names
from edgetune_export.prompts.prefixes import toolset_prompts
from edgetune_export.prompts.template import Template
from edgetune_runtime.calls import RESPOND_CALL, Call, Toolset
from edgetune_runtime.prompt import Called, Result, User, call_opening, render_prompt


@pytest.fixture(scope="module")
def template(tiny_checkpoint):
    return Template.read(tiny_checkpoint("qwen2"))


@pytest.fixture
def tokenizer(template):
    return template.tokenizer


def asked(text: str, call: Call = RESPOND_CALL) -> Example:
    return Example((User(text),), call)


TRAIN = [
    asked("weather in Zürich 東京?", Call("get_weather", {"city": "Zürich 東京"})),
    asked("wake me at 7:30", Call("set_alarm", {"time": "7:30"})),
    asked("no alarms, please", Call("cancel_alarms")),
    asked("hello there"),
]


@pytest.fixture
def build(template, weather_toolset):
    def make(train=TRAIN, dev=(), shown="names", toolset=weather_toolset, share=0.0, **options):
        prompts = toolset_prompts(template, toolset, shown)
        masked = mask_names(template, toolset, shown, train, share, 0)
        data = adapters_data(template, prompts, toolset, train, dev, masked=masked, **options)
        return {adapter.name: adapter for adapter in data}

    return make


def learnt(tokenizer, example) -> str:
    return tokenizer.decode(example.ids[example.loss].tolist(), skip_special_tokens=False)


def test_the_selector_sees_every_step_and_an_arguments_adapter_its_tools(build):
    adapters = build()
    assert {name: len(adapter.train) for name, adapter in adapters.items()} == {
        "home.selector": 4,
        "home.arguments.get_weather": 1,
        "home.arguments.set_alarm": 1,
        "home.monolithic": 4,
    }  # cancel_alarms has no parameters, and so no adapter
    assert "home.monolithic" not in build(monolithic=False)


def test_a_tool_that_is_never_called_has_no_adapter(build):
    assert "home.arguments.set_alarm" not in build(train=TRAIN[:1])


def test_every_role_learns_its_part_and_nothing_of_the_prompt(build, tokenizer):
    adapters = build()
    selected = [learnt(tokenizer, example) for example in adapters["home.selector"].train]
    for name, text in zip(
        ["get_weather", "set_alarm", "cancel_alarms", "respond"], selected, strict=True
    ):
        assert name in text
        assert '"' in text.split(name)[1]  # what closes the name
        assert "arguments" not in text
    [weather] = adapters["home.arguments.get_weather"].train
    assert '"city": "Zürich 東京"}}\n</tool_call>' in learnt(tokenizer, weather)
    assert "get_weather" not in learnt(tokenizer, weather)
    whole = learnt(tokenizer, adapters["home.monolithic"].train[0])
    assert "get_weather" in whole
    assert whole.endswith('{"city": "Zürich 東京"}}\n</tool_call>')


def test_nothing_follows_the_last_token_with_loss(build):
    for adapter in build().values():
        assert all(example.loss[-1] for example in adapter.train)


def test_tokens_before_the_loss_agree_with_those_that_the_runtime_feeds(build, template):
    """What has no loss is a prefix of the tokens of prompt and opening, encoded by themselves."""
    adapters = build()
    pieces = template.pieces
    [example] = adapters["home.arguments.set_alarm"].train
    context = example.ids[: int(np.flatnonzero(example.loss)[0])].tolist()
    text = template.tokenizer.decode(context, skip_special_tokens=False)
    opening = call_opening(pieces, "set_alarm")
    prompt = text[: text.index(pieces.call_open)]
    alone = template.ids(prompt + opening)
    assert alone[: len(context)] == context
    assert prompt.endswith(render_prompt(pieces, "", [User("wake me at 7:30")]))


def test_earlier_steps_are_context(build, tokenizer):
    first = Called("get_weather", '{"city": "Oslo"}')
    later = Example(
        (User("alarm if it rains"), first, Result("rain")),
        Call("set_alarm", {"time": "6"}),
    )
    [example] = build(train=[later])["home.selector"].train
    assert "set_alarm" in learnt(tokenizer, example)
    assert "get_weather" not in learnt(tokenizer, example)
    assert "rain" in tokenizer.decode(example.ids.tolist(), skip_special_tokens=False)


def test_a_step_gives_one_selection_example_and_at_most_one_of_arguments(build, weather_toolset):
    call = {"name": "get_weather", "arguments": {"city": "Oslo"}}
    both = [{"function": call}, {"function": {"name": "cancel_alarms", "arguments": {}}}]
    messages = [
        {"role": "user", "content": "rain in Oslo? and no alarms"},
        {"role": "assistant", "tool_calls": both},
        {"role": "tool", "content": "rain"},
        {"role": "tool", "content": "ok"},
        {"role": "assistant", "content": "It rains."},
    ]
    record = parse_record(1, json.dumps({"messages": messages}))
    adapters = build(train=record.steps(weather_toolset))
    assert {name: len(adapter.train) for name, adapter in adapters.items()} == {
        "home.selector": 3,
        "home.arguments.get_weather": 1,
        "home.monolithic": 3,
    }


def test_examples_that_are_too_long_are_left_out_and_counted(build):
    long = asked("x y " * 300, Call("set_alarm", {"time": "7"}))
    adapter = build(train=[*TRAIN, long], dev=[long], max_length=200, shown="none")["home.selector"]
    assert (len(adapter.train), len(adapter.dev), adapter.dropped) == (4, 0, 2)


def test_the_hash_follows_what_is_learnt(build, weather_toolset):
    hashes = {adapter.sha256 for adapter in build().values()}
    assert len(hashes) == 4
    assert build()["home.selector"].sha256 == build()["home.selector"].sha256
    changed = build(train=TRAIN[:3])
    assert changed["home.selector"].sha256 not in hashes
    renamed = Toolset("other", "", weather_toolset.tools)
    assert build(toolset=renamed)["other.selector"].sha256 in hashes


def test_masked_examples_name_in_the_call_what_the_prompt_lists(build, tokenizer):
    adapters = build(shown="full", share=1.0)
    plain = build(shown="full")
    for own, example in zip(
        plain["home.selector"].train, adapters["home.selector"].train, strict=True
    ):
        prompt = tokenizer.decode(example.ids[~example.loss])
        name = learnt(tokenizer, example).split('"')[0].strip()
        assert f'"name": "{name}"' in prompt
        assert "get_weather" not in prompt
        assert "Look up the weather forecast." in prompt
        assert (name in tokenizer.decode(own.ids)) == (name == "respond")
    [alarm] = adapters["home.arguments.set_alarm"].train
    prompt = tokenizer.decode(alarm.ids[~alarm.loss])
    [parameter] = re.findall(r'{"(\w+)": "7:30"}}', learnt(tokenizer, alarm))
    assert f'"required": ["{parameter}"]' in prompt
    assert "set_alarm" not in prompt


def test_as_many_are_masked_as_asked_for_and_the_others_stay(build):
    plain, half = build(shown="full"), build(shown="full", dev=TRAIN, share=0.5)
    changed = [
        not np.array_equal(one.ids, other.ids)
        for one, other in zip(
            plain["home.monolithic"].train, half["home.monolithic"].train, strict=True
        )
    ]
    assert sum(changed) == 2
    dev = [example.ids.tolist() for example in half["home.selector"].dev]
    assert dev == [example.ids.tolist() for example in plain["home.selector"].train]


def test_without_descriptions_of_parameters_only_tools_are_masked(build, tokenizer):
    [alarm] = build(shown="compact", share=1.0)["home.arguments.set_alarm"].train
    assert '"time": "7:30"' in learnt(tokenizer, alarm)
    assert "set_alarm" not in tokenizer.decode(alarm.ids)
