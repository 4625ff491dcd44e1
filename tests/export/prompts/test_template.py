"""Cutting prompt pieces from chat templates of the shapes that the supported families use."""

import json
from pathlib import Path

import pytest

from edgetune_export.prompts.prefixes import show_tool, toolset_prompts
from edgetune_export.prompts.template import cut_pieces, rendered_by_template, template_sha256
from edgetune_runtime.calls import RESPOND_TOOL, Call
from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import Called, Result, User, render_call, render_prompt

NANO_TEMPLATE = Path(__file__).parents[3] / "toolkit/edgetune/nano/template.jinja"

# A default system message, tools after it, one user turn around all results of a step.
QWEN25_LIKE = """\
{%- set system = 'You are a helpful assistant.' %}
{%- if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}{% endif %}
{{- '<|im_start|>system\\n' + system }}
{%- if tools %}
    {{- '\\n\\n# Tools\\n\\nFunction signatures:\\n<tools>' }}
    {%- for tool in tools %}{{- '\\n' }}{{- tool | tojson }}{%- endfor %}
    {{- '\\n</tools>\\n\\nReturn a json object within <tool_call></tool_call>' }}
{%- endif %}
{{- '<|im_end|>\\n' }}
{%- for message in messages %}
    {%- if message.role == 'user' %}
        {{- '<|im_start|>user\\n' + message.content + '<|im_end|>\\n' }}
    {%- elif message.role == 'assistant' %}
        {{- '<|im_start|>assistant' }}
        {%- if message.content %}{{- '\\n' + message.content }}{%- endif %}
        {%- for tool_call in message.tool_calls %}
            {{- '\\n<tool_call>\\n{"name": "' + tool_call.function.name + '", "arguments": ' }}
            {{- tool_call.function.arguments | tojson }}
            {{- '}\\n</tool_call>' }}
        {%- endfor %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == 'tool' %}
        {%- if loop.index0 == 0 or messages[loop.index0 - 1].role != 'tool' %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' + message.content + '\\n</tool_response>' }}
        {%- if loop.last or messages[loop.index0 + 1].role != 'tool' %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
"""

# As above, but generation starts with an empty reasoning block that earlier turns do not keep.
QWEN3_LIKE = QWEN25_LIKE.replace(
    "{{- '<|im_start|>assistant' }}",
    "{{- '<|im_start|>assistant' }}"
    "{%- if loop.last %}{{- '\\n<think>\\n\\n</think>\\n' }}{%- endif %}",
).replace(
    "{{- '<|im_start|>assistant\\n' }}",
    "{{- '<|im_start|>assistant\\n' }}{%- if enable_thinking is defined and not "
    "enable_thinking %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}",
)

PLAIN = (
    "{% for message in messages %}{{ '[' + message['role'] + ']' + message['content'] + '[/]' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}"
)

TEMPLATES = {"qwen2.5": QWEN25_LIKE, "qwen3": QWEN3_LIKE, "plain": PLAIN, "none": None}
if NANO_TEMPLATE.exists():
    TEMPLATES["nano"] = NANO_TEMPLATE.read_text()


@pytest.fixture(params=["fixture", *TEMPLATES])
def tokenizer(request, tiny_checkpoint):
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(tiny_checkpoint("qwen2"))
    if request.param != "fixture":
        loaded.chat_template = TEMPLATES[request.param]
    return loaded


def test_prompts_equal_the_template_over_a_whole_conversation(tokenizer, weather_toolset):
    pieces = cut_pieces(tokenizer)
    prompts = toolset_prompts(tokenizer, weather_toolset, "full")
    weather = weather_toolset["get_weather"]
    turns = [
        User('Weather in "São Paulo"?'),
        Called(weather, Call("get_weather", {"city": "São Paulo", "days": 3})),
        Result('{"sky": "clear"}'),
        User("And tomorrow?"),
    ]
    every = [show_tool(tool, "full") for tool in (*weather_toolset.tools, RESPOND_TOOL)]
    for count in (1, 3, 4):
        shown = turns[:count]
        assert render_prompt(pieces, prompts.selector, shown) == rendered_by_template(
            tokenizer, every, shown
        )
        assert render_prompt(
            pieces, prompts.arguments["get_weather"], shown
        ) == rendered_by_template(tokenizer, [show_tool(weather, "full")], shown)


def test_call_has_the_form_of_the_base(tokenizer, weather_toolset):
    text = render_call(
        cut_pieces(tokenizer), weather_toolset["set_alarm"], Call("set_alarm", {"time": "7:30"})
    )
    assert text == (
        '<tool_call>\n{"name": "set_alarm", "arguments": {"time": "7:30"}}\n</tool_call>'
    )


def test_call_opens_at_a_token_boundary(tokenizer, weather_toolset):
    pieces = cut_pieces(tokenizer)
    prompt = render_prompt(pieces, "", [User("Set an alarm")])
    call = render_call(pieces, weather_toolset["set_alarm"], Call("set_alarm", {"time": "7:30"}))
    assert tokenizer.encode(prompt) + tokenizer.encode(call) == tokenizer.encode(prompt + call)


def test_selector_lists_respond_and_arguments_prompt_its_own_tool_alone(tokenizer, weather_toolset):
    prompts = toolset_prompts(tokenizer, weather_toolset, "full")
    for name in weather_toolset.names:
        assert name in prompts.selector
    assert "set_alarm" in prompts.arguments["set_alarm"]
    assert "get_weather" not in prompts.arguments["set_alarm"]
    assert "respond" not in prompts.arguments["set_alarm"]


def test_a_shared_prompt_is_the_selectors(tokenizer, weather_toolset):
    prompts = toolset_prompts(tokenizer, weather_toolset, "names", shared=True)
    assert set(prompts.arguments.values()) == {prompts.selector}
    assert prompts.selector == toolset_prompts(tokenizer, weather_toolset, "names").selector


def test_less_of_the_tools_is_a_shorter_prompt_and_base_stays_full(tokenizer, weather_toolset):
    full, compact, names, none = (
        toolset_prompts(tokenizer, weather_toolset, shown)
        for shown in ("full", "compact", "names", "none")
    )
    assert len(full.selector) > len(compact.selector) > len(names.selector) > len(none.selector)
    assert "the city" in full.selector
    assert "the city" not in compact.selector
    assert "Look up the weather" in compact.selector
    assert "Look up the weather" not in names.selector
    assert "get_weather" not in none.selector
    assert full.base == compact.base == names.base == none.base


def test_compact_keeps_a_parameter_that_is_called_description(weather_toolset):
    from edgetune_runtime.calls import Tool

    schema = {"type": "object", "properties": {"description": {"type": "string"}}}
    shown = show_tool(Tool("note", "Takes a note.", schema), "compact")
    assert shown["function"]["parameters"] == schema
    assert shown["function"]["description"] == "Takes a note."


def test_pieces_survive_json(tokenizer):
    pieces = cut_pieces(tokenizer)
    assert type(pieces)(**json.loads(pieces.model_dump_json())) == pieces


def test_template_hash_follows_the_template(tiny_checkpoint):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint("qwen2"))
    before = template_sha256(tokenizer)
    tokenizer.chat_template = QWEN25_LIKE
    assert template_sha256(tokenizer) != before


def test_empty_reasoning_block_stands_only_where_it_generates(tiny_checkpoint):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint("qwen2"))
    tokenizer.chat_template = QWEN3_LIKE
    pieces = cut_pieces(tokenizer)
    assert pieces.assistant[0].endswith("<think>\n\n</think>\n\n")
    assert pieces.earlier == "<|im_start|>assistant\n"


def test_template_without_turns_is_refused(tiny_checkpoint):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_checkpoint("qwen2"))
    tokenizer.chat_template = "nothing"
    with pytest.raises(InputError, match="chat template cannot be used"):
        cut_pieces(tokenizer)


def test_tokenizer_that_joins_prompt_and_call_is_refused(tiny_checkpoint):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    alphabet = {mark: i for i, mark in enumerate(pre_tokenizers.ByteLevel.alphabet())}
    joined = Tokenizer(models.BPE({**alphabet, "Ċ<": len(alphabet)}, [("Ċ", "<")]))
    joined.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=joined)
    tokenizer.chat_template = AutoTokenizer.from_pretrained(tiny_checkpoint("qwen2")).chat_template
    with pytest.raises(InputError, match="joins the end of the prompt"):
        cut_pieces(tokenizer)
