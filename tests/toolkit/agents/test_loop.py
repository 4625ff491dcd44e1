"""Calls are decided on, executed and observed until the base answers, or a sentence why not."""

import pytest
from scripted import Notes, call

from edgetune.agents.loop import Ended, Limits, Observed, Proposed
from edgetune.agents.policy import Policy
from edgetune.agents.sources import Outcome, SourceGone
from edgetune_runtime.conversation import Words
from edgetune_runtime.errors import ContextError
from edgetune_runtime.prompt import Assistant, Called, Result, User

ALL = Policy(approve="never")


def test_a_request_is_served_by_calls_and_answered_in_words(tool_agent):
    source = Notes({"read": "buy milk"})
    agent, model = tool_agent(call("read", text="list"), source=source)
    events = list(agent.answer("what is on the list?"))
    turns = (
        User("what is on the list?"),
        Called("read", '{"text": "list"}'),
        Result("buy milk"),
        Assistant("Done."),
    )
    proposed, observed, *words, ended = events
    assert isinstance(proposed, Proposed)
    assert (proposed.ungrounded, proposed.untrained) == ((), False)
    assert isinstance(observed, Observed)
    assert (observed.text, observed.how) == ("buy milk", "ok")
    assert words == [Words("Done"), Words(".")]
    assert ended == Ended(turns, "replied")
    assert source.called == [("read", {"text": "list"})]
    assert model.shown[-1] == turns[:3]
    again = list(agent.answer("and now?", ended.turns))
    assert again[-1].turns[:5] == (*turns, User("and now?"))


@pytest.mark.parametrize(
    ("answer", "text", "how"),
    [
        (Outcome("no such note", "error"), "no such note", "error"),
        (TimeoutError(), "Error: no answer within 2 seconds.", "timeout"),
    ],
)
def test_what_goes_wrong_is_an_observation(tool_agent, answer, text, how):
    agent, model = tool_agent(
        call("read", text="x"), source=Notes({"read": answer}), limits=Limits(call_seconds=2)
    )
    events = list(agent.answer("read x"))
    assert (events[1].text, events[1].how) == (text, how)
    assert model.shown[1][-1] == Result(text)
    assert events[-1].because == "replied"


def test_arguments_are_held_to_what_the_source_asks_for_today(tool_agent):
    agent, _ = tool_agent(call("read", text=3), source=(source := Notes()))
    observed = list(agent.answer("read 3"))[1]
    assert observed.how == "invalid"
    assert "expected the type string" in observed.text
    assert source.called == []


def test_the_same_call_again_and_again_is_stopped_with_a_sentence(tool_agent):
    agent, _ = tool_agent(*[call("read", text="x")] * 9, source=(source := Notes()))
    *_, ended = agent.answer("read x")
    assert ended.because == "repeated"
    assert ended.sentence.startswith("stopped: read was called 3 times with the same arguments")
    assert len(source.called) == 2
    assert isinstance(ended.turns[-1], Result)


def test_so_are_too_many_calls(tool_agent):
    steps = [call("read", text=str(n)) for n in range(9)]
    agent, _ = tool_agent(*steps, limits=Limits(steps=3))
    *_, ended = agent.answer("read")
    assert (ended.because, len(ended.turns)) == ("too many steps", 7)
    assert ended.sentence == "stopped after 3 calls without an answer."


def test_a_source_that_is_gone_ends_the_answer(tool_agent):
    gone = SourceGone("the server 'x' has ended.")
    agent, _ = tool_agent(call("die"), source=Notes({"die": gone}), policy=ALL)
    *_, observed, ended = agent.answer("die")
    assert observed.how == "error"
    assert (ended.because, ended.sentence) == ("gone", "stopped: the server 'x' has ended.")


def test_a_context_that_is_full_ends_the_answer(tool_agent):
    agent, model = tool_agent()

    def full(*_):
        raise ContextError("the prompt has 9 tokens, the context 8.")

    model.step = full
    (ended,) = agent.answer("hi")
    assert (ended.because, ended.sentence) == ("context", "the prompt has 9 tokens, the context 8.")


def test_a_long_result_is_cut_at_a_line_and_told_so(tool_agent, marked):
    text = "a note line\n" * 100_000
    agent, model = tool_agent(
        call("read", text="x"), source=Notes({"read": text}), limits=Limits(result_tokens=60)
    )
    observed = list(agent.answer("read x"))[1]
    kept, told = observed.text.rsplit("\n", 1)
    assert told == f"[cut: the first {len(kept)} of 1,200,000 characters]"
    assert kept.endswith("a note line")
    assert 30 <= len(marked.tokenizer.encode(kept).ids) <= 60
    assert model.shown[1][-1] == Result(observed.text)


def test_nothing_runs_before_the_call_was_seen(tool_agent):
    agent, _ = tool_agent(call("read", text="x"), source=(source := Notes()))
    events = agent.answer("read x")
    next(events)
    events.close()
    assert source.called == []
