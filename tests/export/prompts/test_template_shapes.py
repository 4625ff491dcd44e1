"""Templates in the shapes that people bring: what they refuse, and what prompts they get instead.

The templates are ours, made in the shapes that families of models use.
"""

import pytest

from edgetune_export.prompts.messages import HERMES_SYSTEM, UNDERSTOOD
from edgetune_export.prompts.prefixes import reply_prefix, show_tool, toolset_prompts
from edgetune_export.prompts.template import Template
from edgetune_runtime.calls import RESPOND_TOOL
from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import Assistant, Called, Result, User, render_prompt

ALTERNATE = """\
{%- for message in messages %}
    {%- if (message.role == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('Roles must go user, assistant, user, assistant') }}
    {%- endif %}
{%- endfor %}
"""

# Roles alternate; a system message is put into the first user turn.
LLAMA_2 = """\
{%- if messages[0]['role'] == 'system' %}
    {%- set system = '<<SYS>>\\n' + messages[0]['content'] + '\\n<</SYS>>\\n\\n' %}
    {%- set messages = messages[1:] %}
{%- else %}{% set system = '' %}{% endif %}
ALTERNATE
{%- for message in messages %}
    {%- if message['role'] == 'user' %}
        {{- '<|im_start|>[INST] ' + (system if loop.first else '') + message['content'] | trim
            + ' [/INST]' }}
    {%- elif message['role'] == 'assistant' %}
        {{- ' ' + message['content'] | trim + ' <|im_end|>' }}
    {%- endif %}
{%- endfor %}
""".replace("ALTERNATE", ALTERNATE)

# As above, but the system message and the tools stand in the last user turn, and calls need an id.
MISTRAL = """\
{%- if messages[0].role == 'system' %}
    {%- set system = messages[0].content %}{% set loop_messages = messages[1:] %}
{%- else %}{% set loop_messages = messages %}{% endif %}
{%- set ns = namespace(index=0) %}
{%- for message in loop_messages if message.role in ('user', 'assistant')
    and not message.tool_calls %}
    {%- if (message.role == 'user') != (ns.index % 2 == 0) %}
        {{- raise_exception('After the optional system message, roles must alternate') }}
    {%- endif %}
    {%- set ns.index = ns.index + 1 %}
{%- endfor %}
{{- '<|endoftext|>' }}
{%- for message in loop_messages %}
    {%- if message.role == 'user' %}
        {%- if tools and loop.last %}
            {{- '[AVAILABLE_TOOLS] ' + tools | tojson + '[/AVAILABLE_TOOLS]' }}
        {%- endif %}
        {%- if loop.last and system is defined %}
            {{- '[INST] ' + system + '\\n\\n' + message.content + '[/INST]' }}
        {%- else %}{{- '[INST] ' + message.content + '[/INST]' }}{%- endif %}
    {%- elif message.tool_calls %}
        {%- for call in message.tool_calls %}
            {%- if call.id is not defined or call.id | length != 9 %}
                {{- raise_exception('Tool call ids must be nine letters or digits') }}
            {%- endif %}
        {%- endfor %}
    {%- elif message.role == 'assistant' %}
        {{- ' ' + message.content + '<|im_end|>' }}
    {%- else %}{{- raise_exception('Only user and assistant roles are supported') }}{%- endif %}
{%- endfor %}
"""

# No system role, the assistant is called model, and roles alternate.
GEMMA = """\
{{- '<|endoftext|>' }}
{%- if messages[0]['role'] == 'system' %}
    {{- raise_exception('System role not supported') }}
{%- endif %}
ALTERNATE
{%- for message in messages %}
    {%- set role = 'model' if message['role'] == 'assistant' else message['role'] %}
    {{- '<|im_start|>' + role + '\\n' + message['content'] | trim + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>model\\n' }}{%- endif %}
""".replace("ALTERNATE", ALTERNATE)

# Tools in the system message; one call a turn, in a form of its own; results are told as JSON.
LLAMA_32 = """\
{{- '<|endoftext|>' }}
{%- if messages[0].role == 'system' %}
    {%- set system = messages[0].content | trim %}{% set messages = messages[1:] %}
{%- else %}{% set system = '' %}{% endif %}
{{- '<|im_start|>system\\n' }}
{%- if tools is not none %}{{- 'Environment: ipython\\n' }}{%- endif %}
{{- 'Today Date: ' + date_string + '\\n\\n' }}
{%- if tools is not none and not tools_in_user_message %}
    {%- for tool in tools %}{{- tool | tojson(indent=4) + '\\n\\n' }}{%- endfor %}
{%- endif %}
{{- system + '<|im_end|>' }}
{%- for message in messages %}
    {%- if not (message.role in ('ipython', 'tool') or 'tool_calls' in message) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content | trim + '<|im_end|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if message.tool_calls | length != 1 %}
            {{- raise_exception('This model only supports single tool-calls at once!') }}
        {%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- '<|im_start|>assistant\\n{"name": "' + call.name + '", "parameters": ' }}
        {{- call.arguments | tojson + '}<|im_end|>' }}
    {%- else %}
        {{- '<|im_start|>ipython\\n' }}
        {%- if message.content is mapping or message.content is iterable %}
            {{- message.content | tojson }}
        {%- else %}{{- message.content }}{%- endif %}
        {{- '<|im_end|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
"""

# Arguments are added to a text (a TypeError); generation opens a thought that no earlier turn has.
DEEPSEEK = """\
{%- set ns = namespace(system='') %}
{%- for message in messages if message['role'] == 'system' %}
    {%- set ns.system = message['content'] %}
{%- endfor %}
{{- '<|endoftext|>' + ns.system }}
{%- for message in messages %}
    {%- if message['role'] == 'user' %}{{- '<|im_start|>User' + message['content'] }}
    {%- elif message['role'] == 'assistant' and message['tool_calls'] %}
        {%- for call in message['tool_calls'] %}
            {{- call['function']['name'] + '\\n' + call['function']['arguments'] }}
        {%- endfor %}
    {%- elif message['role'] == 'assistant' %}
        {{- '<|im_start|>Assistant' + message['content'].split('</think>')[-1] + '<|im_end|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>Assistant<think>\\n' }}{%- endif %}
"""

# Tools are written by their parameters, which `respond` has not (an UndefinedError).
BY_PARAMETERS = """\
{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- for tool in tools %}
        {{- tool.function.name + '(' }}
        {%- for name, schema in tool.function.parameters.properties.items() %}
            {{- name + ': ' + schema.type }}
        {%- endfor %}
        {{- ')\\n' }}
    {%- endfor %}
    {{- '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {{- '<|im_start|>' + ('user' if message.role == 'tool' else message.role) + '\\n'
        + message.content }}
    {%- for call in message.tool_calls or [] %}
        {{- '<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}
        {{- call.function.arguments | tojson + '}\\n</tool_call>' }}
    {%- endfor %}
    {{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
"""

SHAPES = {
    "llama-2": (LLAMA_2, "user"),
    "mistral": (MISTRAL, "user"),
    "gemma": (GEMMA, "user"),
    "llama-3.2": (LLAMA_32, "system"),
    "deepseek": (DEEPSEEK, "system"),
    "by parameters": (BY_PARAMETERS, "system"),
}
"""A template, and who lists the tools in the Hermes format that it falls back to."""

CALL = Called("get_weather", '{"city": "São Paulo", "days": 3}')
TURNS = [User('Weather in "São Paulo"?'), CALL, Result('{"sky": "clear"}'), Assistant("Clear.")]


@pytest.fixture(params=SHAPES)
def shape(request, with_template):
    """A template that falls back, and who lists its tools."""
    source, lister = SHAPES[request.param]
    return Template.of(with_template(source)), lister


def test_a_template_that_refuses_what_calls_need_is_rendered_in_the_hermes_format(
    shape, weather_toolset
):
    template, lister = shape
    assert not template.native
    prefix = toolset_prompts(template, weather_toolset, "full").selector
    begin, _, end = HERMES_SYSTEM.partition("{tools}")
    assert begin in prefix
    assert end.format() in prefix
    assert (UNDERSTOOD in prefix) is (lister == "user")
    for name in weather_toolset.names:
        assert name in prefix


def test_its_prompts_are_what_the_template_makes_of_whole_conversations(shape, weather_toolset):
    template, _ = shape
    prefix = toolset_prompts(template, weather_toolset, "full").selector
    tools = [show_tool(tool, "full") for tool in (*weather_toolset.tools, RESPOND_TOOL)]
    turns = [*TURNS, User("Tomorrow?"), CALL, Result("rain"), CALL, Result("more rain")]
    for count in (1, 3, 5, 7, 9):
        made = render_prompt(template.pieces, prefix, turns[:count])
        assert made == template.conversation(turns[:count], tools)
    spoken = [User("Hello"), Assistant("Hello, “you”."), User("And <b>?")]
    made = render_prompt(template.pieces, reply_prefix(template), spoken, words=True)
    assert made == template.conversation(spoken, words=True)


def test_a_thought_that_generation_opens_stands_before_no_earlier_turn(with_template):
    pieces = Template.of(with_template(DEEPSEEK)).pieces
    assert pieces.assistant[0] == "<|im_start|>Assistant<think>\n"
    assert pieces.earlier == "<|im_start|>Assistant"


def test_who_lists_the_tools_is_part_of_the_hash(with_template):
    hashes = {Template.of(with_template(source)).sha256 for source, _ in SHAPES.values()}
    assert len(hashes) == len(SHAPES)


@pytest.mark.parametrize("listed", [True, False])
def test_a_template_of_a_list_falls_back_as_one_alone_does(with_template, tmp_path, listed):
    tokenizer = with_template({"default": LLAMA_32, "tool_use": MISTRAL})
    tokenizer.save_pretrained(tmp_path, save_jinja_files=not listed)
    wanted = Template.of(with_template(MISTRAL))
    assert Template.read(tmp_path).pieces == wanted.pieces


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{% for message in messages %}", r"line 1 of the chat template is no valid Jinja \(Unex"),
        ("{{ messages[0].content | shout }}", r"no valid Jinja \(No filter named 'shout'"),
        ("{{ raise_exception('Not for\nchats') }}", r"refuses a conversation \(Not for chats\)"),
        ("{{ messages[0].author.name }}", r"refuses a conversation \(.* has no attribute 'author'"),
        ("{{ strftime_now(7) }}", r"refuses a conversation \(.*must be str"),
        ("{{ 1 // 0 }}", r"refuses a conversation \(.*by zero"),
        ("{{ '%d' | format('x') }}", r"refuses a conversation \(%d format"),
        ("{{ {}.popitem() }}", r"refuses a conversation \("),
        ("{{ range(10 ** 9) | list }}", r"refuses a conversation \(Range too big"),
    ],
)
def test_whatever_a_template_raises_is_one_sentence(with_template, source, said):
    with pytest.raises(InputError, match=said) as refused:
        Template.of(with_template(source))
    assert "\n" not in str(refused.value)


def test_a_template_that_raises_over_the_users_own_tools_is_one_sentence(
    with_template, tiny_checkpoint, weather_toolset
):
    own = with_template(None).__class__.from_pretrained(tiny_checkpoint("qwen2")).chat_template
    picky = (
        "{%- for tool in tools or [] if tool.function.name == 'set_alarm' %}"
        "{{- raise_exception('No alarms') }}{%- endfor %}" + own
    )
    template = Template.of(with_template(picky))
    assert template.native
    with pytest.raises(InputError, match=r"refuses a conversation or its tools \(No alarms\)"):
        toolset_prompts(template, weather_toolset, "full")


@pytest.mark.parametrize("found", ["7", '{"default": 1}', '[{"name": "default"}]'])
def test_a_template_that_is_no_text_is_named(with_template, tmp_path, found):
    with_template(None).save_pretrained(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    text = path.read_text().rstrip().removesuffix("}")
    path.write_text(f'{text}, "chat_template": {found}}}')
    with pytest.raises(InputError, match=r"tokenizer_config\.json: 'chat_template' is"):
        Template.read(tmp_path)


def test_a_template_that_is_no_utf8_is_named(with_template, tmp_path):
    with_template(LLAMA_32).save_pretrained(tmp_path)
    (tmp_path / "chat_template.jinja").write_bytes(b"\xff\xfe{{ messages }}")
    with pytest.raises(InputError, match=r"chat_template\.jinja: is no UTF-8 text"):
        Template.read(tmp_path)
