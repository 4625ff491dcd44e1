"""What the tool skill is taught."""

from itertools import pairwise

from edgetune.skill.lessons import MOST_TOOLS, lessons
from edgetune.tools.schema import arguments_problem
from edgetune_runtime.calls import RESPOND, Tool
from edgetune_runtime.prompt import Called, User

COLOUR = {"type": "object", "properties": {"colour": {"type": "string"}}, "required": ["colour"]}
TOOLS = [
    Tool(f"paint_{thing}", f"Paint a {thing}.", COLOUR)
    for thing in ("door", "wall", "fence", "gate", "roof", "shed", "boat", "chair")
]


def taught(count, seed=0, tools=(), **options):
    return list(lessons(count, seed, tools, **options))


def test_a_lesson_is_a_list_of_tools_with_calls_that_fit_them():
    for lesson in taught(12):
        assert 1 <= len(lesson.toolset.tools) <= MOST_TOOLS
        for example in lesson.examples:
            tool, arguments = example.call.tool, example.call.arguments
            if tool != RESPOND:
                assert arguments_problem(lesson.toolset[tool], arguments) is None


def test_the_same_seed_gives_the_same_lessons_and_splits_differ():
    assert taught(3) == taught(3)
    assert taught(3) != taught(3, seed=1)
    assert taught(3) != taught(3, split="dev")


def test_some_requests_call_no_tool_and_some_lessons_have_several_steps():
    examples = [example for lesson in taught(30) for example in lesson.examples]
    first = [example for example in examples if isinstance(example.turns[-1], User)]
    unserved = sum(example.call.tool == RESPOND for example in first) / len(first)
    assert 0.1 < unserved < 0.4
    assert any(isinstance(turn, Called) for example in examples for turn in example.turns)


def test_definitions_of_others_are_listed_beside_their_neighbours():
    names = [tool.name for tool in TOOLS]
    real = [
        lesson.toolset.names
        for lesson in taught(30, tools=TOOLS)
        if lesson.toolset.names[0] in names
    ]
    assert 10 < len(real) < 26  # the others are made up
    for listed in real:
        places = sorted(names.index(name) for name in listed if name != RESPOND)
        gaps = [after - before for before, after in pairwise(places)]
        # Side by side in the file, around its end perhaps.
        assert sum(gap > 1 for gap in gaps) <= 1


def test_a_tool_that_yields_no_requests_is_left_out():
    nothing = Tool(
        "never", "Never.", {"type": "object", "properties": {"x": False}, "required": ["x"]}
    )
    for lesson in taught(6, tools=[nothing]):
        assert "never" not in lesson.toolset
