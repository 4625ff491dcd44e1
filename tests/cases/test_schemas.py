"""Schemas from public bug reports: what is right is taken, what is wrong is refused, soon."""

import json
import time
from pathlib import Path

import pytest

from edgetune.tools.schema import arguments_problem, schema_problem
from edgetune_export.grammar.arguments import arguments_language
from edgetune_runtime.calls import Tool
from edgetune_runtime.errors import GrammarError

CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"


def case(name: str) -> tuple[list[Tool], dict[str, dict[str, list[object]]]]:
    if not (CASES / name).is_dir():
        pytest.skip(f"{CASES / name} is not here: cases are kept outside the repo")
    functions = [each["function"] for each in json.loads((CASES / name / "tools.json").read_text())]
    tools = [Tool(f["name"], f["description"], f["parameters"]) for f in functions]
    return tools, json.loads((CASES / name / "samples.json").read_text())


@pytest.mark.parametrize("name", ["S04", "S07", "S10", "S12", "S24", "S34", "S35"])
def test_a_schema_of_a_server_is_held_to(name):
    tools, samples = case(name)
    for tool in tools:
        assert schema_problem(tool) is None
        began = time.process_time()
        assert arguments_language(tool).start
        assert time.process_time() - began < 5
        for good in samples["good"].get(tool.name, ()):
            assert arguments_problem(tool, good) is None
        for bad in samples["bad"].get(tool.name, ()):
            assert arguments_problem(tool, bad)


def test_distinct_items_out_of_anything_are_refused_by_keyword():
    (tool,), _ = case("S06")
    with pytest.raises(GrammarError, match=r"parameters\.ids: the schema uses 'uniqueItems'"):
        arguments_language(tool)
