"""Cutting prompt pieces from chat templates of the shapes that the supported families use."""

import json
from pathlib import Path

import pytest

from edgetune_export.prompts.jinja import OPTIONS
from edgetune_export.prompts.messages import as_hermes, messages_of
from edgetune_export.prompts.prefixes import reply_prefix, show_tool, toolset_prompts
from edgetune_export.prompts.template import Template
from edgetune_runtime.calls import RESPOND_TOOL
from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import Assistant, Called, Result, User, render_call, render_prompt

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
def tokenizer(request, tiny_checkpoint, with_template):
    from transformers import AutoTokenizer

    if request.param == "fixture":
        return AutoTokenizer.from_pretrained(tiny_checkpoint("qwen2"))
    return with_template(TEMPLATES[request.param])


@pytest.fixture
def template(tokenizer):
    return Template.of(tokenizer)


WEATHER = Called("get_weather", '{"city": "São Paulo", "days": 3}')
TURNS = [User('Weather in "São Paulo"?'), WEATHER, Result('{"sky": "clear"}'), User("Tomorrow?")]


def test_prompts_equal_the_template_over_a_whole_conversation(template, weather_toolset):
    prompts = toolset_prompts(template, weather_toolset, "full")
    every = [show_tool(tool, "full") for tool in (*weather_toolset.tools, RESPOND_TOOL)]
    alone = [show_tool(weather_toolset["get_weather"], "full")]
    for count in (1, 3, 4):
        shown = TURNS[:count]
        for prefix, tools in (
            (prompts.selector, every),
            (prompts.arguments["get_weather"], alone),
        ):
            rendered = render_prompt(template.pieces, prefix, shown)
            assert rendered == template.conversation(shown, tools)


def test_a_reply_sees_the_words_and_a_selector_the_respond_that_they_followed_from(template):
    turns = [User("Hello"), Assistant("Hello, “you”."), User("And <b>?"), *TURNS]
    prefix = reply_prefix(template)
    said = render_prompt(template.pieces, prefix, turns, words=True)
    assert said == template.conversation(turns, words=True)
    assert "Hello, “you”." in said
    chosen = render_prompt(template.pieces, prefix, turns)
    assert chosen == template.conversation(turns)
    assert '"respond"' in chosen
    assert "Hello, “you”." not in chosen


def test_it_renders_what_transformers_renders(tokenizer, template, weather_toolset):
    """Over all templates: tools, calls, results, words, with and without what begins an answer."""
    if tokenizer.chat_template is None:
        pytest.skip("transformers renders nothing without a template")
    tools = [tool.as_openai() for tool in weather_toolset.tools]
    messages = messages_of([*TURNS, Assistant("Rain."), User("Thanks")], words=True)
    for shown in (None, tools):
        for count in range(1, len(messages) + 1):
            for generate in (False, True):
                said, listed = messages[:count], shown
                if not template.native:
                    said, listed = as_hermes(said, shown), None
                wanted = tokenizer.apply_chat_template(
                    said, tools=listed, tokenize=False, add_generation_prompt=generate, **OPTIONS
                )
                assert template.render(messages[:count], shown, generate=generate) == wanted


def test_a_template_is_the_same_from_its_files(tokenizer, template, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    read = Template.read(tmp_path)
    assert (read.native, read.pieces, read.sha256) == (
        template.native,
        template.pieces,
        template.sha256,
    )
    text = render_prompt(read.pieces, reply_prefix(read), TURNS)
    assert read.ids(text) == tokenizer.encode(text, add_special_tokens=False)


def test_call_has_the_form_of_the_base(template):
    text = render_call(template.pieces, "set_alarm", '{"time": "7:30"}')
    assert text == (
        '<tool_call>\n{"name": "set_alarm", "arguments": {"time": "7:30"}}\n</tool_call>'
    )


def test_call_opens_at_a_token_boundary(template):
    prompt = render_prompt(template.pieces, "", [User("Set an alarm")])
    call = render_call(template.pieces, "set_alarm", '{"time": "7:30"}')
    assert template.ids(prompt) + template.ids(call) == template.ids(prompt + call)


def test_selector_lists_respond_and_arguments_prompt_its_own_tool_alone(template, weather_toolset):
    prompts = toolset_prompts(template, weather_toolset, "full")
    for name in weather_toolset.names:
        assert name in prompts.selector
    assert "set_alarm" in prompts.arguments["set_alarm"]
    assert "get_weather" not in prompts.arguments["set_alarm"]
    assert "respond" not in prompts.arguments["set_alarm"]


def test_a_shared_prompt_is_the_selectors(template, weather_toolset):
    prompts = toolset_prompts(template, weather_toolset, "names", shared=True)
    assert set(prompts.arguments.values()) == {prompts.selector}
    assert prompts.selector == toolset_prompts(template, weather_toolset, "names").selector


def test_less_of_the_tools_is_a_shorter_prompt_and_base_stays_full(template, weather_toolset):
    full, compact, names, none = (
        toolset_prompts(template, weather_toolset, shown)
        for shown in ("full", "compact", "names", "none")
    )
    assert len(full.selector) > len(compact.selector) > len(names.selector) > len(none.selector)
    assert "the city" in full.selector
    assert "the city" not in compact.selector
    assert "Look up the weather" in compact.selector
    assert "Look up the weather" not in names.selector
    assert "get_weather" not in none.selector
    assert full.base == compact.base == names.base == none.base


def _with_marks(source, tokenizer, **marks):
    return Template("marked", Template.of(tokenizer).tokenizer, source, marks)


def test_where_nothing_is_shown_the_templates_own_system_message_is_left_out(
    with_template, weather_toolset
):
    template = Template.of(with_template(QWEN25_LIKE))
    assert "helpful assistant" in reply_prefix(template)
    assert toolset_prompts(template, weather_toolset, "none").selector == ""


def test_where_nothing_is_shown_the_mark_that_begins_every_text_stays(
    with_template, weather_toolset
):
    source = "{{ bos_token }}" + QWEN25_LIKE
    tokenizer = with_template(source)
    marked = _with_marks(source, tokenizer, bos_token="<|im_end|>")
    assert toolset_prompts(marked, weather_toolset, "none").selector == "<|im_end|>"
    # SmolLM2's is what each turn begins with: nothing has to stand before.
    same = _with_marks(QWEN25_LIKE, tokenizer, bos_token="<|im_start|>")
    assert toolset_prompts(same, weather_toolset, "none").selector == ""


def test_compact_keeps_a_parameter_that_is_called_description(weather_toolset):
    from edgetune_runtime.calls import Tool

    schema = {"type": "object", "properties": {"description": {"type": "string"}}}
    shown = show_tool(Tool("note", "Takes a note.", schema), "compact")
    assert shown["function"]["parameters"] == schema
    assert shown["function"]["description"] == "Takes a note."


def test_pieces_survive_json(template):
    pieces = template.pieces
    assert type(pieces)(**json.loads(pieces.model_dump_json())) == pieces


def test_template_hash_follows_the_template(with_template):
    assert (
        Template.of(with_template(QWEN25_LIKE)).sha256 != Template.of(with_template(PLAIN)).sha256
    )


def test_empty_reasoning_block_stands_only_where_it_generates(with_template):
    pieces = Template.of(with_template(QWEN3_LIKE)).pieces
    assert pieces.assistant[0].endswith("<think>\n\n</think>\n\n")
    assert pieces.earlier == "<|im_start|>assistant\n"


def test_template_without_turns_is_refused(with_template):
    with pytest.raises(InputError, match="chat template cannot be used"):
        Template.of(with_template("nothing"))


@pytest.mark.parametrize("listed", [True, False])
def test_of_several_templates_the_one_for_tools_is_taken(with_template, tmp_path, listed):
    tokenizer = with_template({"default": PLAIN, "tool_use": QWEN25_LIKE})
    wanted = Template.of(with_template(QWEN25_LIKE)).sha256
    assert Template.of(tokenizer).sha256 == wanted
    tokenizer.save_pretrained(tmp_path, save_jinja_files=not listed)
    assert Template.read(tmp_path).sha256 == wanted


def test_templates_for_other_uses_alone_are_refused(with_template):
    with pytest.raises(InputError, match=r"are for \['rag'\]"):
        Template.of(with_template({"rag": PLAIN}))


def test_tokenizer_that_joins_prompt_and_call_is_refused(with_template):
    from tokenizers import Tokenizer, models, pre_tokenizers

    alphabet = {mark: i for i, mark in enumerate(pre_tokenizers.ByteLevel.alphabet())}
    joined = Tokenizer(models.BPE({**alphabet, "Ċ<": len(alphabet)}, [("Ċ", "<")]))
    joined.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    with pytest.raises(InputError, match="joins the end of the prompt"):
        Template("joining", joined, QWEN25_LIKE)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_damaged_files_are_named(with_template, tmp_path, name):
    with_template(QWEN25_LIKE).save_pretrained(tmp_path)
    (tmp_path / name).write_text("{")
    with pytest.raises(InputError, match=name):
        Template.read(tmp_path)
