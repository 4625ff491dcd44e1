"""Calls that stand as text are read in every form of the table, or refused; words stay words."""

import pytest

from edgetune.data.written_calls import mentioned_tool, written_calls
from edgetune_runtime.calls import Call
from edgetune_runtime.errors import InputError

PAY = Call("pay", {"to": "Ann", "sum": 3})
STOP = Call("stop", {})


ARGUMENTS = '{"to": "Ann", "sum": 3}'
JSON = f'{{"name": "pay", "arguments": {ARGUMENTS}}}'
LATE = """<functioncall> {"name": "say", "arguments": '{"text": "it's late"}'} <|endoftext|>"""


@pytest.mark.parametrize(
    ("form", "text", "calls"),
    [
        ("hermes", f"<tool_call>\n{JSON}\n</tool_call>", [PAY]),
        ("hermes", "<tool_call>{'name': 'stop', 'arguments': {}}</tool_call>", [STOP]),
        ("hermes", f"<think>pay(x=1)?</think>Paying.<tool_call>{JSON}</tool_call>", [PAY]),
        ("hermes", f"<tool_call>{JSON}</tool_call><tool_call>{JSON}", [PAY, PAY]),
        ("glaive", f"""<functioncall> {{"name": "pay", "arguments": '{ARGUMENTS}'}}""", [PAY]),
        ("glaive", LATE, [Call("say", {"text": "it's late"})]),
        ("llama", f"<|python_tag|>{JSON.replace('arguments', 'parameters')}<|eom_id|>", [PAY]),
        ("llama", f"<|python_tag|>{JSON}; {JSON}", [PAY, PAY]),
        ("llama", '<|python_tag|>pay.call(to="Ann", sum=3)', [PAY]),
        ("function tag", f"<function=pay>{ARGUMENTS}</function>", [PAY]),
        ("mistral", f"[TOOL_CALLS] [{JSON}]</s>", [PAY]),
        ("mistral", f"[TOOL_CALLS]pay[ARGS]{ARGUMENTS}[TOOL_CALLS]stop{{}}", [PAY, STOP]),
        ("granite", f"<|tool_call|>[{JSON}]", [PAY]),
        ("functools", f"functools[{JSON}]", [PAY]),
        ("json", JSON, [PAY]),
        ("json", f"[{JSON}, {JSON}]", [PAY, PAY]),
        ("json", f"{JSON}\n{JSON}", [PAY, PAY]),
        ("json", '{"name": "stop", "arguments": "{}"}', [STOP]),
        ("json", "{'name': 'stop', 'arguments': {}}", [STOP]),
        ("json", f'So:\n```json\n{{"tool": "pay", "args": {ARGUMENTS}}}\n```', [PAY]),
        ("json", '{"tool_calls": [{"function": {"name": "stop", "arguments": {}}}]}', [STOP]),
        ("python", '[pay(to="Ann", sum=3), stop()]', [PAY, STOP]),
        ("python", 'pay(to="Ann", sum=3)\nstop()', [PAY, STOP]),
    ],
)
def test_a_call_is_read_in_the_form_that_it_is_written_in(form, text, calls):
    assert written_calls(text) == (form, calls)


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>{"name": "pay", "arguments": {"to": </tool_call>',
        "<tool_call><function=pay><parameter=to>Ann</parameter></function></tool_call>",
        "Write it between <tool_call> and </tool_call>.",
        "<functioncall> pay Ann",
        "<|python_tag|>import os",
        '[TOOL_CALLS]pay{"to": [}',
        'pay("Ann", 3)',
        "[pay(to=Ann)]",
        "Action: pay\nAction Input: Ann",
        'to=functions.pay {"to": "Ann"}',
        '<invoke name="pay"></invoke>',
        "<tool_call>" + "[" * 100_000 + "</tool_call>",
    ],
)
def test_what_cannot_be_read_for_sure_is_refused(text):
    with pytest.raises(InputError, match="cannot be read for sure"):
        written_calls(text)


@pytest.mark.parametrize(
    "text",
    [
        "Hello!",
        "It costs 3 (or 4, in Rome).",
        '{"temperature": 12}',
        '[{"name": "Ann", "age": 3}]',
        "Hi (there), I paid (twice)",
        "```python\nprint\n```",
        "[1, 2, 3]",
        "",
    ],
)
def test_words_are_no_call(text):
    assert written_calls(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Sure! pay(to='Ann')",
        'I call {"name": "pay", "arguments": {}} now',
        '{"pay": {"to": "Ann"}}',
        "Well:\nAction: pay\nto Ann",
        'pay: {"to": "Ann"}',
        '["pay", {"to": "Ann"}]',
        "<pay><to>Ann</to></pay>",
        "`pay`",
    ],
)
def test_words_that_hold_what_looks_like_a_call_of_a_tool_are_seen(text):
    assert mentioned_tool(text, ["stop", "pay"])


@pytest.mark.parametrize(
    "text", ["You can pay (in cash).", 'I said "pay", not "stop".', "repay(x=1)"]
)
def test_a_tool_that_is_only_spoken_of_is_no_call(text):
    assert mentioned_tool(text, ["stop", "pay"]) is None
