"""The two-stage loop: the right prompt under the right adapter, and always a valid call."""

import dataclasses

import jsonschema
import numpy as np
import pytest

from edgetune_runtime.agent import Agent
from edgetune_runtime.assets import Assets
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.calls import RESPOND
from edgetune_runtime.decode import decode_arguments
from edgetune_runtime.engines import open_engine
from edgetune_runtime.errors import InputError
from edgetune_runtime.options import Options
from edgetune_runtime.prompt import Called, Result, User, render_prompt

REQUEST = [User("set an alarm for 7:30")]


def knowing(assets: Assets, vocab_size: int, text: str, sees: list):
    """Logits of a model that wants to write `text` as its call; `sees` collects (text, adapter)."""
    mark = assets.tokenizer.token_to_id("<tool_call>")

    def logits(ids, adapter):
        at = max(place for place, token in enumerate(ids) if token == mark)
        sees.append((assets.tokenizer.decode(list(ids[:at]), skip_special_tokens=False), adapter))
        target = assets.tokenizer.encode(text, add_special_tokens=False).ids
        found = np.zeros(vocab_size, np.float32)
        written = len(ids) - at
        if written < len(target):
            found[target[written]] = 20
        return found

    def any_logits(ids, adapter):
        return logits(ids, adapter) if mark in ids else np.zeros(vocab_size, np.float32)

    return any_logits


ALARM = '<tool_call>\n{"name": "set_alarm", "arguments": {"time": "7:30", "label": "up"}}'


@pytest.fixture
def alarm_agent(mock_assets, mock_engine, vocabulary, asking):
    def make(system="decoupled", text=ALARM, **options):
        sees: list = []
        engine = mock_engine(logits=knowing(mock_assets, len(vocabulary), text, sees))
        return asking(mock_assets, engine, system=system, **options), sees

    return make


def test_decoupled_stages_have_their_own_prompt_and_adapter(alarm_agent, mock_assets):
    agent, sees = alarm_agent()
    step = agent.step(REQUEST)
    assert (step.toolset, step.tool) == ("home", "set_alarm")
    assert step.arguments == {"time": "7:30", "label": "up"}
    assert step.probability > 0.99
    prompts = mock_assets.toolsets["home"].prompts
    pieces = mock_assets.pieces
    first = render_prompt(pieces, prompts.selector, REQUEST)
    second = render_prompt(pieces, prompts.arguments["set_alarm"], REQUEST)
    stages = {(text, next(iter(adapter))) for text, adapter in sees}
    assert stages == {(first, "home.selector"), (second, "home.arguments.set_alarm")}


@pytest.mark.parametrize("system", ["monolithic", "base"])
def test_one_context_serves_both_stages(alarm_agent, mock_assets, system):
    agent, sees = alarm_agent(system)
    step = agent.step(REQUEST)
    assert step.arguments == {"time": "7:30", "label": "up"}
    prompts = mock_assets.toolsets["home"].prompts
    prefix = prompts.base if system == "base" else prompts.selector
    text = render_prompt(mock_assets.pieces, prefix, REQUEST)
    assert {text for text, _ in sees} == {text}
    bound = {next(iter(adapter)) if adapter else None for _, adapter in sees}
    assert bound == {"home.monolithic" if system == "monolithic" else None}
    whole = mock_assets.tokenizer.encode(text, add_special_tokens=False).ids
    assert step.timing["prefill_tokens"] == len(whole)


@pytest.mark.parametrize("system", ["decoupled", "monolithic", "base"])
def test_the_stages_alone_agree_with_the_step(alarm_agent, system):
    agent, _ = alarm_agent(system)
    step = agent.step(REQUEST)
    assert agent.select(REQUEST, "home").name == step.tool
    assert agent.arguments(REQUEST, "home", step.tool).arguments == step.arguments


def test_a_static_prefix_is_prefilled_once_for_each_adapter(alarm_agent):
    agent, _ = alarm_agent()
    first, second = agent.step(REQUEST), agent.step(REQUEST)
    assert second.timing["prefill_tokens"] < first.timing["prefill_tokens"]
    assert (second.tool, second.arguments) == (first.tool, first.arguments)


def test_a_step_does_not_depend_on_the_steps_before(mock_assets, mock_engine, asking):
    def steps(requests):
        agent = asking(mock_assets, mock_engine(seed=5), exact=True)
        return [agent.step([User(request)]) for request in requests]

    alone = steps(["and the weather?"])[0]
    later = steps(["wake me up", "and the weather?"])[1]
    assert (alone.tool, alone.arguments) == (later.tool, later.arguments)
    assert alone.probabilities == later.probabilities


@pytest.fixture
def activated_agent(mock_assets, mock_engine, vocabulary, asking):
    """An agent of activated adapters, and what was fed under which adapter."""
    home = mock_assets.toolsets["home"]
    one = dict.fromkeys(home.prompts.arguments, home.prompts.selector)
    prompts = home.prompts.model_copy(update={"arguments": one, "shared": True})
    assets = dataclasses.replace(
        mock_assets,
        toolsets={"home": dataclasses.replace(home, prompts=prompts)},
    )
    fed: list = []

    def make(system="decoupled", begins="<tool_call>"):
        invocation = tuple(assets.tokenizer.encode(begins, add_special_tokens=False).ids)
        given = dataclasses.replace(
            assets,
            adapters={
                name: dataclasses.replace(source, invocation=invocation)
                for name, source in assets.adapters.items()
            },
        )
        engine = mock_engine(logits=knowing(assets, len(vocabulary), ALARM, []))
        forward = engine.forward

        def spied(ids):
            bound = next(iter(engine.adapter)) if engine.adapter else None
            text = assets.tokenizer.decode(list(ids), skip_special_tokens=False)
            fed.append((text, bound))
            return forward(ids)

        engine.forward = spied
        return asking(given, engine, system=system), fed

    return make


@pytest.mark.parametrize("system", ["decoupled", "monolithic"])
def test_the_base_reads_an_activated_adapters_prompt_once(activated_agent, mock_assets, system):
    agent, fed = activated_agent(system)
    step = agent.step(REQUEST)
    assert (step.tool, step.arguments) == ("set_alarm", {"time": "7:30", "label": "up"})
    selector = mock_assets.toolsets["home"].prompts.selector
    prompt = render_prompt(mock_assets.pieces, selector, REQUEST)
    assert "".join(text for text, bound in fed if bound is None) == prompt
    calls = [text for text, bound in fed if bound is not None]
    # Each stage feeds the opening itself, so that no K/V of the other one stay.
    assert [text.startswith("<tool_call>") for text in calls].count(True) == 2
    ids = mock_assets.tokenizer.encode(prompt, add_special_tokens=False).ids
    assert step.timing["prefill_tokens"] == len(ids)


def test_an_adapter_that_acts_from_the_users_turn_on_reads_it_itself(activated_agent, mock_assets):
    agent, fed = activated_agent(begins="<|im_start|>user")
    step = agent.step(REQUEST)
    assert (step.tool, step.arguments) == ("set_alarm", {"time": "7:30", "label": "up"})
    selector = mock_assets.toolsets["home"].prompts.selector
    assert "".join(text for text, bound in fed if bound is None) == selector
    user = render_prompt(mock_assets.pieces, "", REQUEST)
    for adapter in ("home.selector", "home.arguments.set_alarm"):
        assert "".join(text for text, bound in fed if bound == adapter).startswith(user)
    fed.clear()
    agent.step([User("and the weather?")])
    assert not any(selector in text for text, _ in fed)  # its K/V serve every request


def test_a_conversations_next_step_reads_only_what_is_new(activated_agent, mock_assets):
    agent, fed = activated_agent()
    agent.step(REQUEST)
    call = Called("set_alarm", '{"time": "7:30", "label": "up"}')
    turns = [*REQUEST, call, Result("done")]
    fed.clear()
    later = agent.step(turns)
    read = "".join(text for text, bound in fed if bound is None)
    assert "wake" not in read
    assert "7:30" in read.split("<|im_start|>tool")[0]  # the call, as it stands in the conversation
    fed.clear()
    other, _ = activated_agent()
    assert other.step(turns).arguments == later.arguments
    # Another request begins anew.
    fed.clear()
    agent.step([User("and the weather?")])
    assert "and the weather?" in "".join(text for text, bound in fed if bound is None)


@pytest.mark.parametrize(
    ("name", "adapters"), [(RESPOND, 1), ("cancel_alarms", 1), ("set_alarm", 2)]
)
def test_no_arguments_means_no_second_stage(alarm_agent, name, adapters):
    agent, _ = alarm_agent(text=f'<tool_call>\n{{"name": "{name}", "arguments": ')
    step = agent.step(REQUEST)
    assert step.tool == name
    assert len(agent.pool.resident_bytes) == adapters
    if adapters == 1:
        assert step.arguments == {}
        assert step.timing["decode_steps"] >= 1


def test_earlier_steps_stand_in_the_prompt(alarm_agent, mock_assets):
    agent, sees = alarm_agent()
    turns = [*REQUEST, Called("set_alarm", '{"time": "7:00"}'), Result("done")]
    agent.select(turns)
    # The earlier call has a mark of its own: the model continues behind the last one.
    assert '{"time": "7:00"}' in sees[-1][0]
    assert sees[-1][0].endswith(mock_assets.pieces.assistant[0])


def test_exact_gives_every_probability(alarm_agent):
    agent, _ = alarm_agent(exact=True)
    probabilities = agent.step(REQUEST).probabilities
    assert set(probabilities) == {"get_weather", "set_alarm", "cancel_alarms", RESPOND}
    assert sum(probabilities.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("system", "adapter"), [("decoupled", "home.selector"), ("monolithic", "home.monolithic")]
)
def test_probabilities_are_calibrated_by_the_adapter_that_selects(
    mock_assets, mock_engine, asking, system, adapter
):
    def steps(**temperatures):
        adapters = {
            name: dataclasses.replace(
                source, selection_temperature=temperatures.get(name.removeprefix("home."), 1.0)
            )
            for name, source in mock_assets.adapters.items()
        }
        assets = dataclasses.replace(mock_assets, adapters=adapters)
        return asking(assets, mock_engine(seed=5), system=system, exact=True).step(REQUEST)

    plain = steps(**{each: 3.0 for each in ("selector", "monolithic") if each not in adapter})
    flat = steps(**{adapter.removeprefix("home."): 3.0})
    assert plain == dataclasses.replace(steps(), timing=plain.timing)
    assert (flat.tool, flat.arguments) == (plain.tool, plain.arguments)
    assert flat.probability < plain.probability
    assert sum(flat.probabilities.values()) == pytest.approx(1)


@pytest.mark.parametrize("system", ["decoupled", "monolithic"])
def test_a_tool_that_is_not_probable_enough_is_not_called(alarm_agent, system):
    agent, sees = alarm_agent(system, abstain_below=1.0)
    step = agent.step(REQUEST)
    assert (step.tool, step.arguments) == (RESPOND, {})
    assert step.abstained_from == "set_alarm"
    assert 0.99 < step.probability < 1
    assert not any('"arguments"' in text for text, _ in sees)
    assert agent.select(REQUEST).name == RESPOND
    called = alarm_agent(system, abstain_below=step.probability)[0].step(REQUEST)
    assert (called.tool, called.abstained_from) == ("set_alarm", None)


def test_a_step_tells_that_the_budget_cut_its_arguments(alarm_agent):
    assert not alarm_agent()[0].step(REQUEST).truncated
    assert alarm_agent(max_tokens=8)[0].step(REQUEST).as_json()["truncated"]


def test_a_tool_without_an_adapter_is_written_by_the_base(mock_assets, mock_engine):
    home = dataclasses.replace(mock_assets.toolsets["home"], arguments={})
    agent = Agent(dataclasses.replace(mock_assets, toolsets={"home": home}), mock_engine())
    agent.arguments(REQUEST, "home", "set_alarm")
    assert agent.pool.active is None


def test_a_system_that_the_assets_lack_is_refused(mock_assets, mock_engine):
    home = dataclasses.replace(mock_assets.toolsets["home"], monolithic=None)
    assets = dataclasses.replace(mock_assets, toolsets={"home": home})
    with pytest.raises(InputError, match="monolithic"):
        Agent(assets, mock_engine()).step(REQUEST, options=Options(system="monolithic"))


def test_unknown_toolsets_and_tools_are_refused(mock_assets, mock_engine):
    home = mock_assets.toolsets["home"]
    agent = Agent(mock_assets, mock_engine())
    with pytest.raises(InputError, match="'home'"):
        agent.step(REQUEST, "office")
    with pytest.raises(InputError, match="'fly'"):
        agent.arguments(REQUEST, "home", "fly")
    two = dataclasses.replace(mock_assets, toolsets={"home": home, "office": home})
    with pytest.raises(InputError, match="--toolset"):
        Agent(two, mock_engine()).step(REQUEST)


@pytest.mark.parametrize("system", ["decoupled", "monolithic", "base"])
@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_every_call_of_an_untrained_bundle_satisfies_its_schema(
    tiny_bundle, weather_toolset, system, temperature
):
    bundle = open_bundle(tiny_bundle)
    agent = Agent(bundle.assets, open_engine(bundle, threads=1))
    seen = set()
    for seed, max_tokens in ((0, 256), (1, 12), (2, 40)):
        options = Options(system=system, temperature=temperature, seed=seed, max_tokens=max_tokens)
        for tool in weather_toolset.tools:
            for words in ("weather in Oslo", "wake me at 7:30"):
                decoded = agent.arguments([User(words)], "home", tool.name, options)
                jsonschema.validate(decoded.arguments, tool.parameters)
                assert len(decoded.tokens) <= max_tokens
        step = agent.step([User(f"weather in Oslo, {seed} times")], options=options)
        seen.add(step.tool)
        if step.tool != RESPOND:
            jsonschema.validate(step.arguments, weather_toolset[step.tool].parameters)
    assert seen <= set(weather_toolset.names)


@pytest.mark.parametrize("seed", range(25))
def test_random_logits_never_break_a_compiled_schema(
    mock_assets, mock_engine, vocabulary, weather_toolset, seed
):
    """Strings without a bound and a hot sampler: what ends them is the budget."""
    home = mock_assets.toolsets["home"]
    for name, automaton in home.automata.items():
        shortest = int(automaton.distance[automaton.start])
        for max_tokens in (shortest, shortest + 3, 60):
            decoded = decode_arguments(
                mock_engine(seed=seed),
                automaton,
                vocabulary,
                max_tokens=max_tokens,
                temperature=1.5,
                rng=np.random.default_rng(seed),
            )
            jsonschema.validate(decoded.arguments, weather_toolset[name].parameters)
            assert len(decoded.tokens) <= max_tokens
