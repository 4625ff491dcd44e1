"""The bare base on a file of the Berkeley leaderboard's: tools that differ from case to case."""

import json

import pytest

from edgetune.cli import main
from edgetune.evaluate.bfcl import evaluate_bfcl, json_schema, read_cases
from edgetune.evaluate.open_tools import OpenTools
from edgetune.evaluate.system import open_system
from edgetune_export.grammar.arguments import arguments_language
from edgetune_runtime.calls import Tool
from edgetune_runtime.errors import InputError
from edgetune_runtime.options import Options

FUNCTIONS = [
    {
        "name": "geo.find",
        "description": "Find a place.",
        "parameters": {
            "type": "dict",
            "properties": {
                "name": {"type": "string"},
                "at": {"type": "tuple", "items": {"type": "float"}},
                "exact": {"type": "boolean", "default": True, "optional": True},
                "type": {"type": "any"},
            },
            "required": ["name"],
        },
    },
    {
        "name": "geo.count",
        "description": "Count places.",
        "parameters": {"type": "dict", "properties": {"kind": {"type": "string", "enum": ["a"]}}},
    },
]


@pytest.fixture
def files(tmp_path):
    question = [[{"role": "user", "content": "Find Oslo, please."}]]
    lines = [
        json.dumps({"id": f"multiple_{n}", "question": question, "function": FUNCTIONS})
        for n in range(2)
    ]
    path = tmp_path / "BFCL_v4_multiple.json"
    path.write_text("\n".join(lines))
    answers = tmp_path / "possible_answer" / path.name
    answers.parent.mkdir()
    truth = [{"geo.find": {"name": ["Oslo"], "exact": ["", True]}}]
    answers.write_text(
        "\n".join(json.dumps({"id": f"multiple_{n}", "ground_truth": truth}) for n in range(2))
    )
    return path


def test_types_become_json_schema_that_has_a_grammar():
    schema = json_schema(FUNCTIONS[0]["parameters"])
    assert schema["type"] == "object"
    assert schema["properties"]["at"] == {"type": "array", "items": {"type": "number"}}
    assert schema["properties"]["exact"] == {"type": "boolean", "default": True}
    assert schema["properties"]["type"] == {}
    arguments_language(Tool("f", parameters=schema))


def test_a_run_answers_every_case_by_its_bare_base(tiny_run, files):
    run = tiny_run()
    agent = open_system(run)
    cases = read_cases(files)
    found = evaluate_bfcl(agent, OpenTools(run, agent), cases, Options(system="base"))
    assert found["n"] == 2
    assert 0 <= found["bfcl_score"] <= found["selection_accuracy"] <= 1
    assert len(found["wrong"]) == round(2 * (1 - found["bfcl_score"]))


def test_whoever_abstains_always_is_right_where_no_tool_fits(tiny_run, files):
    run = tiny_run()
    files = files.rename(files.parent / "BFCL_v4_irrelevance.json")
    agent = open_system(run)
    tools = OpenTools(run, agent)
    cases = read_cases(files)
    assert cases[0].answer is None
    assert (
        evaluate_bfcl(agent, tools, cases, Options(system="base", abstain_below=1.0))["bfcl_score"]
        == 1
    )
    never = evaluate_bfcl(agent, tools, cases, Options(system="base"))
    assert never["bfcl_score"] == never["selection_accuracy"]


def test_the_command_writes_its_figures(tiny_run, files, tmp_path, monkeypatch):
    result = tmp_path / "found.json"
    command = ["edgetune", "bfcl", str(tiny_run()), "--data", str(files)]
    monkeypatch.setattr("sys.argv", [*command, "--limit", "1", "--json", str(result)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert json.loads(result.read_text())["n"] == 1


def entry(**changed):
    question = [[{"role": "user", "content": "Find Oslo, please."}]]
    made = {"id": "multiple_0", "question": question, "function": FUNCTIONS}
    return json.dumps({**made, **changed})


@pytest.mark.parametrize(
    "line",
    [
        '{"id": "x"}',
        '{"id": "multiple_0", "question": [], "function": []}',
        entry(function=[]),
        entry(function=[{"name": "go"}]),
        entry(question=[[{"role": "user", "content": "Z\udcfcrich"}]]),
    ],
)
def test_a_line_that_is_no_case_is_named(files, line):
    files.write_text(line)
    with pytest.raises(InputError, match=r"multiple.json:1: is no case"):
        read_cases(files)


def test_a_file_without_cases_is_named(files):
    files.write_text("\n")
    with pytest.raises(InputError, match="holds no cases"):
        read_cases(files)


@pytest.mark.parametrize(
    "truth",
    [
        [],
        [{"geo.find": {}}, {"geo.find": {}}],
        None,
        [5],
        [{}],
        [{"geo.find": 5}],
        [{"geo.find": {"name": "Oslo"}}],
    ],
)
def test_an_answer_of_several_calls_or_none_is_refused(files, truth):
    answers = files.parent / "possible_answer" / files.name
    answers.write_text(json.dumps({"id": "multiple_0", "ground_truth": truth}))
    with pytest.raises(InputError, match="'ground_truth' was expected to hold one call"):
        read_cases(files)


def test_only_irrelevant_tools_need_no_answers(files):
    alone = files.parent / "x.json"
    alone.write_text(files.read_text())
    with pytest.raises(InputError, match="its answers were expected in"):
        read_cases(alone)
    with pytest.raises(InputError, match=r"none\.json: no such file"):
        read_cases(files.parent / "none.json")
    irrelevant = alone.rename(files.parent / "BFCL_v4_live_irrelevance.json")
    assert [case.answer for case in read_cases(irrelevant)] == [None, None]
