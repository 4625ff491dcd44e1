"""Golden vectors: what a runtime in another language must do with a bundle, as one JSON file.

    version  bundle  engine  seed
    tokens      nasty texts and their ids
    prompts     conversations and the ids that each stage reads, by the base's own chat template
    masks       along whole calls: the state, what may come next, what is forced
    selections  probabilities of every name (of every toolset, where one is to be picked)
    steps       complete greedy steps: toolset, tool, the text of the arguments
    replies     what the bare base says

Prompts come from the chat template itself, not from the pieces that a runtime joins. The first
three depend on the bundle and the seed alone; the others are an engine's, whose rounding moves
probabilities a little and could turn over a choice that is close.
`docs/bundle.md` describes each entry.
"""

import json
import random
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgetune_export.prompts.prefixes import as_tools, bare_prefix, reply_prefix, show_tool
from edgetune_export.prompts.template import Template
from edgetune_runtime.agent import Agent, Step
from edgetune_runtime.automaton import Automaton
from edgetune_runtime.bundle import DIGEST, Bundle
from edgetune_runtime.calls import RESPOND_TOOL, Tool
from edgetune_runtime.engine import Engine
from edgetune_runtime.options import Options, System
from edgetune_runtime.prompt import (
    NO_ARGUMENTS,
    Assistant,
    Called,
    Result,
    ToolsShown,
    Turn,
    User,
)
from edgetune_runtime.vocabulary import Vocabulary

VERSION = 1

CALL_TOKENS = 48
"""Token budget of a call, more where its tool's shortest takes more."""
REPLY_TOKENS = 16
REQUESTS = ("Hello there.", "wake me at 7:30 tomorrow", "Wie spät ist es in São Paulo?")

NASTY = (
    "",
    " ",
    "  two  spaces   three ",
    "tab\tnewline\nreturn\r\nform\fvertical\v",
    "I'll we've HE'S don't 'S 'Ll",
    "0123456789 1,234.50 3e-7 ٣٤٥ ¾",
    "snake_case camelCase UPPER kebab-case",
    "a" * 70,
    "  \n\n \n  leading",
    "trailing \n\n  ",
    'quotes " and \\ back\\slashes / {"json": ["in", {"json": null}]}',
    "café café noël q̃ Ǆ ß ẞ İ ı",
    "日本語のテキスト、中文字符。한국어",
    "עברית العربية हिन्दी ไทย",
    "👍🏽 👩‍👩‍👧‍👦 🇳🇴 ❤️ 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈",
    "zero​width non breaking\ufeffbom­soft",
    "control \x00\x01\x1f\x7f\x80\x9f",
    "<|im_start|>user\nnot a turn<|im_end|>",
    '<tool_call>\n{"name": "x", "arguments": {}}\n</tool_call>',
    "https://example.org/a?b=c&d=%20#e mail@example.org C:\\dir\\file.txt",
)


@dataclass(frozen=True)
class Amounts:
    """How many vectors of each kind: by default a file that is small enough to be kept."""

    texts: int = 20
    """Random ones, beside the nasty ones."""
    tools: int | None = 4
    """Of each toolset, those whose calls are walked, and whose prompts are rendered where there
    are more requests; None is all of them."""
    walks: int = 1
    """Random calls of each tool."""
    requests: Sequence[str] = ()
    """More to be asked, at each stage, than are always asked."""
    steps: int | None = None
    """About how many complete steps, evenly of what is asked; None is all of it."""


FEW = Amounts()


def make_golden(
    bundle: Bundle, engine: Engine, seed: int = 0, amounts: Amounts = FEW
) -> dict[str, Any]:
    """The vectors of `bundle`, whose engine-dependent ones are those of `engine`."""
    template = Template.read(bundle.path)
    return {
        "version": VERSION,
        "bundle": {
            "name": bundle.manifest.name,
            "manifest_sha256": manifest_digest_of(bundle.path),
        },
        "engine": engine.name,
        "seed": seed,
        "tokens": [
            {"text": text, "ids": template.ids(text)} for text in texts(seed, amounts.texts)
        ],
        "prompts": list(_prompts(bundle, template, amounts)),
        "masks": list(_masks(bundle, seed, amounts)),
        "selections": list(_selections(bundle, engine, amounts)),
        "steps": list(_steps(bundle, engine, amounts)),
        "replies": list(_replies(bundle, engine)),
    }


def golden_text(golden: Mapping[str, Any]) -> str:
    """The vectors as JSON, an entry a line: small, and a difference shows where it is."""
    parts = []
    for key, value in golden.items():
        if isinstance(value, list):
            lines = ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in value)
            parts.append(f'"{key}": [\n{lines}\n]')
        else:
            parts.append(f'"{key}": {json.dumps(value, ensure_ascii=False)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _turn_json(turn: Turn) -> dict[str, Any]:
    match turn:
        case User(text):
            return {"user": text}
        case Assistant(text):
            return {"assistant": text}
        case Called(tool, arguments):
            return {"call": {"tool": tool, "arguments": arguments}}
        case Result(text):
            return {"result": text}


def manifest_digest_of(path: Path) -> str:
    """What tells a bundle from another."""
    return (path / DIGEST).read_text().split()[0]


# --- tokens and prompts --------------------------------------------------------------------------


def texts(seed: int, count: int) -> Iterator[str]:
    """Texts on which tokenizers differ, then `count` random ones."""
    yield from NASTY
    rng = random.Random(seed)
    # Letters of many scripts, combining marks, symbols, and the planes beyond the first.
    ranges = [(0x20, 0x7E), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x5FF), (0x900, 0x97F)]
    ranges += [(0x2000, 0x206F), (0x3040, 0x30FF), (0x4E00, 0x4FFF), (0x1F300, 0x1F6FF)]
    for _ in range(count):
        yield "".join(chr(rng.randint(*rng.choice(ranges))) for _ in range(rng.randint(1, 24)))


def _conversations(
    tool: Tool | None, alternating: bool, requests: Sequence[str] = ()
) -> Iterator[list[Turn]]:
    """Those to be rendered; `alternating` is the template's."""
    first, second = User('What\'s "this"?\n<b> ü 東京'), User("And {now}?")
    yield [first]
    yield [first, Assistant("Words, “said”."), second]
    if tool is not None:
        called = Called(tool.name, '{"é": [1, 2.5, "a\\"b"]}')
        yield [first, called, Result('{"ok": true}')]
        between = [Assistant("Done.")] if alternating else []
        yield [first, called, Result(""), *between, second]
    for request in requests:
        yield [User(request)]


def _prompts(bundle: Bundle, template: Template, amounts: Amounts) -> Iterator[dict[str, Any]]:
    """What each stage reads, rendered by the chat template over the tools that it is shown."""
    for name, served in bundle.assets.toolsets.items():
        tools = served.toolset.tools
        tool = next(iter(tools), None)
        more = tools[1 : amounts.tools] if amounts.requests else ()
        every, shown = (*tools, RESPOND_TOOL), served.prompts.tools_shown
        stages: list[tuple[str, Sequence[Tool], ToolsShown]] = [
            ("base", every, "full"),
            ("selector", every, shown),
            ("reply", (), "none"),
        ]
        for each in (*tools[:1], *more):
            alone = every if served.prompts.shared else (each,)
            stages.append((f"arguments.{each.name}", alone, shown))
        for stage, listed, how in stages:
            for turns in _conversations(tool, template.alternating, amounts.requests):
                text = _conversation(template, turns, listed, how, words=stage == "reply")
                yield _prompt(name, stage, turns, text, template)
    if bundle.assets.router is not None:
        listed = as_tools(each.toolset for each in bundle.assets.toolsets.values())
        shown = next(iter(bundle.assets.toolsets.values())).prompts.tools_shown
        for stage, how in (("base", "full"), ("router", shown)):
            for turns in _conversations(None, template.alternating, amounts.requests):
                text = _conversation(template, turns, listed, how)
                yield _prompt(None, stage, turns, text, template)


def _conversation(
    template: Template,
    turns: Sequence[Turn],
    listed: Sequence[Tool],
    how: ToolsShown,
    *,
    words: bool = False,
) -> str:
    """The chat template's own text; where nothing is shown, without the system message that it puts
    in by itself."""
    if how != "none":
        return template.conversation(turns, [show_tool(tool, how) for tool in listed])
    text = template.conversation(turns, words=words)
    return text if words else bare_prefix(template) + text.removeprefix(reply_prefix(template))


def _prompt(
    toolset: str | None, stage: str, turns: Sequence[Turn], text: str, template: Template
) -> dict[str, Any]:
    told = [_turn_json(turn) for turn in turns]
    return {"toolset": toolset, "stage": stage, "turns": told, "ids": template.ids(text)}


# --- masks ---------------------------------------------------------------------------------------


def _masks(bundle: Bundle, seed: int, amounts: Amounts) -> Iterator[dict[str, Any]]:
    """Walks of random calls: in each state the allowed ids (their count and CRC-32) and the forced
    ones, and the id with which the walk goes on."""
    vocabulary = bundle.assets.vocabulary
    for toolset, tool, automaton, call in _walked(bundle, amounts):
        rng = random.Random(f"{seed} {toolset} {tool}" + (f" {call}" if call else ""))
        state = automaton.start
        walk: list[dict[str, Any]] = []
        while not automaton.done[state]:
            token = _chosen(automaton, vocabulary, state, CALL_TOKENS - len(walk), rng)
            walk.append({"state": state, **mask(automaton, vocabulary, state), "next": token})
            state = automaton.walk(state, vocabulary[token])
        opening = list(automaton.opening_ids)
        yield {"toolset": toolset, "tool": tool, "opening_ids": opening, "walk": walk}


def _walked(bundle: Bundle, amounts: Amounts) -> Iterator[tuple[str, str, Automaton, int]]:
    for name, served in bundle.assets.toolsets.items():
        for tool in list(served.automata)[: amounts.tools]:
            for call in range(amounts.walks):
                yield name, tool, served.automata[tool], call


def _chosen(
    automaton: Automaton, vocabulary: Vocabulary, state: int, left: int, rng: random.Random
) -> int:
    """A token at random among those from which the call can be ended with `left` tokens, or with
    as few as can be."""
    moves = vocabulary.moves(automaton, state)
    distance = automaton.distance[moves.states]
    near = moves.ids[distance <= max(left - 1, int(distance.min()))]
    return int(near[rng.randrange(len(near))])


def mask(automaton: Automaton, vocabulary: Vocabulary, state: int) -> dict[str, Any]:
    """What may come next in a state, and what is forced there."""
    ids = vocabulary.moves(automaton, state).ids
    return {
        "allowed": len(ids),
        "crc32": zlib.crc32(ids.astype("<i4").tobytes()),
        "forced": automaton.forced(state),
    }


# --- what an engine says -------------------------------------------------------------------------


def _asked(bundle: Bundle, amounts: Amounts) -> Iterator[tuple[str | None, System, list[Turn]]]:
    """Each toolset, and None where one is to be picked, by each system that it has."""
    toolsets = bundle.assets.toolsets
    requests = (*REQUESTS, *amounts.requests)
    for name, served in toolsets.items():
        adapters: dict[System, str | None] = {
            "decoupled": served.selector,
            "monolithic": served.monolithic,
            "skill": bundle.assets.skill,
        }
        systems: list[System] = ["base", *(s for s, adapter in adapters.items() if adapter)]
        earlier = [Called(tool, NO_ARGUMENTS) for tool in list(served.automata)[:1]]
        for system in systems:
            for request in requests:
                yield name, system, [User(request)]
            for called in earlier:
                yield name, system, [User(REQUESTS[1]), called, Result("done"), User(REQUESTS[2])]
    if bundle.assets.router is not None:
        for system in ("base", "decoupled") if bundle.assets.router.adapter else ("base",):
            for request in requests:
                yield None, system, [User(request)]


def _selections(bundle: Bundle, engine: Engine, amounts: Amounts) -> Iterator[dict[str, Any]]:
    agent = Agent(bundle.assets, engine)
    for toolset, system, turns in _asked(bundle, amounts):
        options = Options(system=system, exact=True)
        found = probabilities(agent, toolset, turns, options)
        yield {
            "toolset": toolset,
            "system": system,
            "turns": [_turn_json(turn) for turn in turns],
            "probabilities": {name: round(share, 6) for name, share in found.items()},
        }


def probabilities(
    agent: Agent, toolset: str | None, turns: Sequence[Turn], options: Options
) -> dict[str, float]:
    """Of every name of the toolset, or of every toolset where none is named."""
    if toolset is None:
        return agent.route(turns, options).probabilities
    return agent.select(turns, toolset, options).probabilities


def _steps(bundle: Bundle, engine: Engine, amounts: Amounts) -> Iterator[dict[str, Any]]:
    agent = Agent(bundle.assets, engine)
    automata = [a for each in bundle.assets.toolsets.values() for a in each.automata.values()]
    most = max(CALL_TOKENS, *(int(each.distance[each.start]) for each in automata), 0)
    asked = list(_asked(bundle, amounts))
    every = 1 if amounts.steps is None else max(1, len(asked) // amounts.steps)
    for toolset, system, turns in asked[::every]:
        step = agent.step(turns, toolset, Options(system=system, max_tokens=most))
        yield {
            "toolset": toolset,
            "system": system,
            "max_tokens": most,
            "turns": [_turn_json(turn) for turn in turns],
            "step": step_json(step),
        }


def _replies(bundle: Bundle, engine: Engine) -> Iterator[dict[str, Any]]:
    agent = Agent(bundle.assets, engine)
    for turns in _conversations(None, False):
        text = "".join(agent.reply(turns, Options(max_reply_tokens=REPLY_TOKENS)))
        told = [_turn_json(turn) for turn in turns]
        yield {"turns": told, "max_tokens": REPLY_TOKENS, "text": text}


def step_json(step: Step) -> dict[str, Any]:
    """What of a step has to be the same everywhere."""
    return {"toolset": step.toolset, "tool": step.tool, "arguments": step.text}
