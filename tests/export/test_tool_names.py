"""Every tool gets a name that prompts and files can have, and no two the same."""

from hypothesis import given
from hypothesis import strategies as st

from edgetune_export.tool_names import SAFE_NAME, safe_names, with_safe_names
from edgetune_runtime.calls import RESPOND, Tool


def test_a_safe_name_stays_and_another_is_spelt_with_what_is_allowed():
    names = ["get_time", "files.read", "repo/search", "say hello", "Météo", "天気", "x" * 80]
    assert safe_names(names) == {
        "get_time": "get_time",
        "files.read": "files_read",
        "repo/search": "repo_search",
        "say hello": "say_hello",
        "Météo": "Meteo",
        "天気": "tool",
        "x" * 80: "x" * 64,
    }


def test_names_that_come_out_alike_get_a_hash_but_for_the_one_that_is_safe():
    safe = safe_names(["a.b", "a/b", "a_b"])
    assert safe["a_b"] == "a_b"
    assert safe["a.b"].startswith("a_b_")
    assert len({*safe.values()}) == 3


def test_names_that_differ_in_case_alone_all_get_a_hash():
    safe = safe_names(["Lamp", "lamp", "LAMP"])
    assert len({name.casefold() for name in safe.values()}) == 3
    assert not {*safe} & {*safe.values()}


def test_the_reserved_name_is_never_given():
    safe = safe_names([RESPOND, "Respond", ".respond"])
    assert all(name.casefold().startswith("respond_") for name in safe.values())


def test_a_name_does_not_depend_on_the_order():
    names = ["a.b", "a/b", "A_b", "a_B", "respond", "x" * 70, "x" * 71]
    assert safe_names(names) == safe_names(names[::-1])


@given(st.sets(st.text("aA_. /é天", min_size=1, max_size=3), max_size=30))
def test_safe_names_are_safe_and_differ_in_more_than_case(names):
    safe = safe_names(names)
    assert safe.keys() == names
    assert all(SAFE_NAME.fullmatch(name) for name in safe.values())
    assert len({RESPOND, *(name.casefold() for name in safe.values())}) == len(names) + 1
    # Either name tells the tool: no safe one is another's own.
    assert all(found == name for name, found in safe.items() if found in names)


def test_a_tool_keeps_its_own_name_and_is_named_but_once():
    tools = with_safe_names([Tool("a.b"), Tool("c")])
    assert tools == (Tool("a_b", original="a.b"), Tool("c"))
    assert with_safe_names(tools) == tools
