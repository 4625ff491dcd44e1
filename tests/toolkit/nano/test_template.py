"""nano's chat template, case by case, and its light renderer against transformers' own."""

from typing import Any

from transformers import PreTrainedTokenizerFast

from edgetune.invent.records import RESPOND, invent_record
from edgetune.nano.rendering import render

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Look up the weather.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "the city"},
                "days": {"type": "integer", "description": "how many days"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["city"],
        },
    },
}
USER = {"role": "user", "content": "Is it raining in Oslo"}


def assistant(arguments: Any, flat: bool = False) -> dict[str, Any]:
    call = {"name": "get_weather", "arguments": arguments}
    entry = call if flat else {"type": "function", "function": call}
    return {"role": "assistant", "content": "", "tool_calls": [entry]}


def tool(**function: Any) -> dict[str, Any]:
    return {"type": "function", "function": function}


def line(**function: Any) -> str:
    return render([USER], [tool(**function)]).split("\n")[2]


CALL = (
    '<|im_start|>assistant\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n'
    "</tool_call><|im_end|>\n"
)


def test_the_whole_of_a_record() -> None:
    assert render([USER, assistant({"city": "Oslo"})], [WEATHER, RESPOND]) == (
        "<|im_start|>system\n"
        "<tools>\n"
        "get_weather: Look up the weather. city (string, required): the city; "
        "days (integer): how many days; unit (celsius|fahrenheit)\n"
        "respond: No tool fits: answer in words.\n"
        "</tools><|im_end|>\n"
        "<|im_start|>user\n"
        "Is it raining in Oslo<|im_end|>\n" + CALL
    )


def test_without_tools_there_is_no_system_block() -> None:
    assert render([USER]) == "<|im_start|>user\nIs it raining in Oslo<|im_end|>\n"


def test_the_generation_prompt_does_not_open_the_call() -> None:
    assert render([USER], add_generation_prompt=True).endswith(
        "<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_system_message_stands_before_the_tools() -> None:
    system = {"role": "system", "content": "Be brief."}
    assert render([system, USER]).startswith("<|im_start|>system\nBe brief.<|im_end|>\n")
    assert render([system, USER], [RESPOND]).startswith(
        "<|im_start|>system\nBe brief.\n<tools>\nrespond: No tool fits"
    )


def test_a_tool_with_a_name_alone_is_its_name() -> None:
    assert line(name="stop") == "stop"
    assert line(name="stop", description="") == "stop"
    assert line(name="stop", parameters={"type": "object", "properties": {}}) == "stop"


def test_parameters_without_a_description_of_the_tool() -> None:
    parameters = {"type": "object", "properties": {"a": {"type": "number"}, "b": {}}}
    assert line(name="add", parameters=parameters) == "add: a (number); b (any)"


def test_arrays_and_unions() -> None:
    properties = {
        "names": {"type": "array", "items": {"type": "string"}},
        "days": {"type": "array", "items": {"type": "string", "enum": ["mon", "tue"]}},
        "any": {"type": "array"},
        "maybe": {"type": ["string", "null"]},
    }
    assert line(name="f", parameters={"properties": properties}) == (
        "f: names ([string]); days ([mon|tue]); any ([any]); maybe (string|null)"
    )


def test_arguments_as_object_or_string_and_calls_nested_or_flat_render_alike() -> None:
    for arguments in ({"city": "Oslo"}, '{"city": "Oslo"}'):
        for flat in (False, True):
            assert render([assistant(arguments, flat)]) == CALL


def test_letters_beyond_ascii_stay_as_they_are() -> None:
    assert '{"city": "Tromsø"}' in render([assistant({"city": "Tromsø"})])


def test_content_before_a_call_and_several_calls() -> None:
    message = assistant({"city": "Oslo"})
    message["content"] = "One moment."
    message["tool_calls"] *= 2
    text = render([message])
    assert text.startswith("<|im_start|>assistant\nOne moment.\n<tool_call>\n")
    assert text.count("</tool_call>\n<tool_call>") == 1


def test_tool_results() -> None:
    assert render([{"role": "tool", "content": "rain"}]) == "<|im_start|>tool\nrain<|im_end|>\n"
    assert '{"rain": true}' in render([{"role": "tool", "content": {"rain": True}}])


def test_the_light_renderer_equals_apply_chat_template(tokenizer: PreTrainedTokenizerFast) -> None:
    for index in range(60):
        record = invent_record(2, index)
        for tools in (record["tools"], None):
            for prompt in (False, True):
                messages = record["messages"][:1] if prompt else record["messages"]
                assert render(messages, tools, prompt) == tokenizer.apply_chat_template(
                    messages, tools=tools, tokenize=False, add_generation_prompt=prompt
                )
