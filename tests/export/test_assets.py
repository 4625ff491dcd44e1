"""Assets for tools that nobody trained: without torch, and calls that their schemas allow."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from edgetune_export.assets import make_assets, read_toolset
from edgetune_export.prompts.template import Template
from edgetune_export.run import open_run, run_assets
from edgetune_runtime.agent import Agent
from edgetune_runtime.calls import RESPOND, Toolset
from edgetune_runtime.conversation import converse
from edgetune_runtime.errors import GrammarError, InputError
from edgetune_runtime.options import Options
from edgetune_runtime.prompt import Called, Result, User

SERVERS = Path(__file__).with_name("mcp_servers.json")
"""Names and schemas of the tools of three public MCP servers: filesystem, git and time."""

BLOCKED = ("torch", "transformers", "peft", "onnx", "optimum", "edgetune")

SERVE = """
import json, sys
for name in {blocked!r}:
    sys.modules[name] = None
from pathlib import Path
from edgetune_export.assets import make_assets, read_toolset
from edgetune_export.prompts.template import Template
from edgetune_runtime.agent import Agent
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.engines import open_engine
from edgetune_runtime.options import Options
from edgetune_runtime.prompt import Called, Result, User

bundle = open_bundle(Path({bundle!r}))
servers = json.loads(Path({servers!r}).read_text())
toolsets = [read_toolset(name, tools) for name, tools in servers.items()]
assets = make_assets(
    Template.read(bundle.path), toolsets, end_tokens=bundle.manifest.base.end_tokens
)
agent = Agent(assets, open_engine(bundle, threads=1))
options = Options(system="base", max_tokens=64)
calls = []
for request in ("what time is it in Oslo", "show the last commits of /srv/site", "hello"):
    for toolset in (None, *servers):
        step = agent.step([User(request)], toolset, options)
        calls.append([step.toolset, step.tool, step.arguments])
for toolset in toolsets:
    for tool in toolset.tools:
        decoded = agent.arguments([User("a.txt, please")], toolset.name, tool.name, options)
        calls.append([toolset.name, tool.name, decoded.arguments])
json.dump(calls, sys.stdout)
"""


@pytest.mark.slow
def test_the_tools_of_three_servers_are_served_where_torch_and_transformers_are_blocked(
    nano_bundle,
):
    program = SERVE.format(blocked=BLOCKED, bundle=str(nano_bundle), servers=str(SERVERS))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    calls = json.loads(done.stdout)
    servers = json.loads(SERVERS.read_text())
    schemas = {
        (name, tool["name"]): tool["inputSchema"]
        for name, tools in servers.items()
        for tool in tools
    }
    assert len(calls) == 3 * 4 + len(schemas)
    assert {tuple(call[:2]) for call in calls} >= set(schemas)
    for toolset, tool, arguments in calls:
        if tool != RESPOND:
            Draft202012Validator(schemas[toolset, tool]).validate(arguments)


@pytest.fixture(scope="module")
def template(tiny_checkpoint):
    return Template.read(tiny_checkpoint("qwen2"))


def test_bare_assets_are_a_runs_without_its_adapters(tiny_run, weather_toolset):
    run = open_run(tiny_run())
    wanted = run_assets(run).toolsets["home"]
    found = make_assets(run.base.template, [weather_toolset], tools_shown=run.tools_shown)
    home = found.toolsets["home"]
    assert (home.prompts, home.trie) == (wanted.prompts, wanted.trie)
    assert list(home.automata) == list(wanted.automata)
    assert (home.selector, home.arguments, home.monolithic, found.adapters) == (None, {}, None, {})


def test_a_lazy_grammar_is_compiled_when_it_is_first_asked_for(
    template, weather_toolset, monkeypatch, mock_engine
):
    compiled = []
    from edgetune_export import assets as module

    real = module.compile_grammar

    def counted(tool, *args):
        compiled.append(tool.name)
        return real(tool, *args)

    monkeypatch.setattr(module, "compile_grammar", counted)
    assets = make_assets(template, [weather_toolset], lazy=True)
    automata = assets.toolsets["home"].automata
    assert list(automata) == ["get_weather", "set_alarm"]
    assert "get_weather" in automata
    assert "cancel_alarms" not in automata
    assert compiled == []
    agent = Agent(assets, mock_engine(len(assets.vocabulary)))
    for _ in range(2):
        agent.arguments([User("rain?")], "home", "get_weather", Options(system="base"))
    assert compiled == ["get_weather"]


@pytest.fixture
def mock_engine():
    """An engine that finds every token as likely: what is chosen is what is allowed."""
    import numpy as np

    class Even:
        name, context_length, position = "even", 4096, 0

        def __init__(self, size):
            self.vocab_size = size

        def activate(self, handle):
            pass

        def forward(self, ids):
            return np.zeros(self.vocab_size, np.float32)

        def rewind(self, position):
            pass

        def snapshot(self):
            return None

        def restore(self, snapshot):
            return 0

        def kv_bytes(self):
            return self.context_length

    return Even


def test_several_toolsets_are_routed_by_the_bare_base(template, weather_toolset, mock_engine):
    other = Toolset("office", "Alarms at work.", weather_toolset.tools)
    assets = make_assets(template, [weather_toolset, other], lazy=True)
    assert assets.router is not None
    assert set(assets.router.trie.names) == {"home", "office"}
    agent = Agent(assets, mock_engine(len(assets.vocabulary)))
    assert agent.route([User("hi")], Options(system="base")).name in ("home", "office")


def test_two_toolsets_of_one_name_are_refused(template, weather_toolset):
    with pytest.raises(InputError, match="two toolsets are named 'home'"):
        make_assets(template, [weather_toolset, weather_toolset], lazy=True)


def test_a_schema_that_no_grammar_holds_is_named(template):
    schema = {"type": "object", "properties": {"a": False}, "required": ["a"]}
    tools = [{"name": "f", "inputSchema": schema}]
    with pytest.raises(GrammarError, match="tool 'f'"):
        make_assets(template, [read_toolset("server", tools)])


def test_openai_and_mcp_tools_are_read_alike():
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    mcp = {"name": "f", "description": "Does it.", "inputSchema": schema}
    function = {"name": "f", "description": "Does it.", "parameters": schema}
    openai = {"type": "function", "function": function}
    assert read_toolset("x", [mcp]) == read_toolset("x", [openai])
    untold = {"name": "f", "title": "The title", "description": None, "inputSchema": schema}
    assert read_toolset("x", [untold]).tools[0].description == "The title"
    nothing = {"type": "function", "function": {"name": "f", "description": None}}
    assert read_toolset("x", [nothing]).tools[0].description == ""


@pytest.mark.parametrize(
    ("tools", "says"),
    [
        ({}, "expected a list"),
        ([3], r"tools\[0\]"),
        ([{"inputSchema": {}}], "name"),
        ([{"name": "f", "description": "\ud83d", "inputSchema": {}}], "no JSON in UTF-8"),
    ],
)
def test_other_tools_are_refused_by_name(tools, says):
    with pytest.raises(InputError, match=says):
        read_toolset("server", tools)


def test_calls_leave_by_the_servers_names_and_come_back_by_them(template, mock_engine):
    schema = {"type": "object", "properties": {"n": {"enum": [1]}}, "required": ["n"]}
    tools = [{"name": name, "inputSchema": schema} for name in ("files.read", "respond")]
    toolset = read_toolset("server", {"result": {"tools": tools}})
    shown, reserved = toolset.names[:2]
    assert shown == "files_read"
    assert reserved != RESPOND
    assets = make_assets(template, [toolset])
    assert set(assets.toolsets["server"].trie.names) == {shown, reserved, RESPOND}
    assert "files.read" not in assets.toolsets["server"].prompts.base
    fed = []

    class Listening(mock_engine):
        def forward(self, ids):
            fed.extend(ids)
            return super().forward(ids)

    agent = Agent(assets, Listening(len(assets.vocabulary)))
    base = Options(system="base", exact=True)
    for called in ("files.read", "files_read"):
        fed.clear()
        turns = [User("go"), Called(called, '{"n": 1}'), Result("ok")]
        step = agent.step(turns, "server", base)
        assert set(step.probabilities) == {"files.read", reserved, RESPOND}
        said = template.tokenizer.decode(fed)
        assert shown in said.split("go", 1)[1]
        assert "files.read" not in said
    for name in ("files.read", shown, reserved):
        assert agent.arguments([User("go")], "server", name, base).arguments == {"n": 1}


def test_a_step_is_told_by_the_servers_name(template, mock_engine):
    tools = [{"name": "files.read"}]

    class Sure(mock_engine):
        """Finds the letters of `files` likelier than those of `respond`."""

        def forward(self, ids):
            logits = super().forward(ids)
            logits[template.ids("f")[0]] = 9
            return logits

    assets = make_assets(template, [read_toolset("server", tools)])
    agent = Agent(assets, Sure(len(assets.vocabulary)))
    executed = []

    def execute(step):
        executed.append(step.tool)
        return "ok"

    options = Options(system="base")
    events = list(converse(agent, [User("go")], execute, options, max_steps=2, words=False))
    assert executed == ["files.read", "files.read"]
    step = events[0]
    assert step.as_json()["tool"] == "files.read"
    assert "files.read" in step.probabilities
    strict = Options(system="base", abstain_below=1.0)
    assert agent.step([User("go")], "server", strict).abstained_from == "files.read"
