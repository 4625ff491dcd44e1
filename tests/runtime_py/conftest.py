"""The runtime's tests: a byte-level tokenizer, small grammars, an engine of known logits.

Those need neither torch nor a model, so that what they prove holds whatever a model says. Beside
them stands one small real bundle, put together from the parts that export offers.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from edgetune_export.grammar.token_bytes import read_vocabulary
from edgetune_export.prompts.names import name_trie
from edgetune_runtime.agent import Agent
from edgetune_runtime.assets import AdapterSource, Assets, ToolsetAssets
from edgetune_runtime.automaton import UNREACHABLE, Automaton
from edgetune_runtime.calls import Toolset
from edgetune_runtime.errors import ContextError
from edgetune_runtime.files import sha256_bytes, sha256_file, write_bytes, write_json
from edgetune_runtime.options import Options
from edgetune_runtime.prompt import Pieces, ToolsetPrompts
from edgetune_runtime.vocabulary import Vocabulary

MARKS = ["<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>"]


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    """A byte-level BPE tokenizer with chat marks and merges for the words of the tests' calls."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[AddedToken(mark, special=True) for mark in MARKS],
        show_progress=False,
    )
    text = (
        '{"name": "get_weather", "arguments": {"city": "Oslo", "days": 3, "unit": "celsius"}}\n'
        '{"name": "set_alarm", "arguments": {"time": "7:30", "label": "wake up"}}\n'
        '{"name": "cancel_alarms", "arguments": {}}\n'
    )
    made.train_from_iterator([text] * 8, trainer)
    return made


@pytest.fixture(scope="session")
def vocabulary(tokenizer: Tokenizer) -> Vocabulary:
    return read_vocabulary(tokenizer)


@pytest.fixture(scope="session")
def pieces() -> Pieces:
    """The Hermes form of calls in ChatML."""
    return Pieces(
        user=("<|im_start|>user\n", "<|im_end|>\n"),
        assistant=("<|im_start|>assistant\n", "<|im_end|>\n"),
        result=("<|im_start|>tool\n", "<|im_end|>\n"),
        call_open='<tool_call>\n{"name": "',
        call_middle='", "arguments": ',
        call_close="}\n</tool_call>",
    )


@pytest.fixture(scope="session")
def regex_automaton(vocabulary: Vocabulary) -> Callable[..., Automaton]:
    """A factory: the automaton of `pending` + an object matching an ASCII regex + `}\\n`."""

    def make(
        object_regex: str, *, pending: str = "", opening_ids: Sequence[int] = (), force: bool = True
    ) -> Automaton:
        return _regex_automaton(object_regex, pending, tuple(opening_ids), vocabulary, force)

    return make


def _regex_automaton(
    object_regex: str,
    pending: str,
    opening_ids: tuple[int, ...],
    vocabulary: Vocabulary,
    force: bool,
) -> Automaton:
    import re

    import interegular

    fsm = interegular.parse_pattern(re.escape(pending) + object_regex).to_fsm()
    live = [state for state in fsm.map if fsm.islive(state)]
    number = {state: index for index, state in enumerate(live, start=1)}
    tail = b"}\n"
    states = len(live) + 1 + len(tail)
    transitions = np.zeros((states, 256), np.uint16)
    for state in live:
        for byte in range(128):
            after = fsm.map[state].get(fsm.alphabet[chr(byte)])
            transitions[number[state], byte] = number.get(after, 0)
    done = np.zeros(states, bool)
    for place, byte in enumerate(tail):
        last = len(live) + place
        for state in [number[final] for final in fsm.finals] if place == 0 else [last]:
            transitions[state, byte] = len(live) + 1 + place
    done[[number[final] for final in fsm.finals]] = True
    done[len(live) + 1 :] = True
    automaton = Automaton(
        byte_class=np.arange(256, dtype=np.uint8),
        transitions=transitions,
        start=number[fsm.initial],
        done=done,
        distance=np.zeros(states, np.uint32),
        forced_offsets=np.zeros(states + 1, np.uint32),
        forced_ids=np.zeros(0, np.uint32),
        opening_ids=opening_ids,
        pending=pending.encode(),
    )
    automaton.distance[:] = _distances(automaton, vocabulary)
    if force:
        forced = [_forced(automaton, vocabulary, state) for state in range(states)]
        automaton.forced_offsets[1:] = np.cumsum([len(ids) for ids in forced])
        ids = np.array([token for ids in forced for token in ids], np.uint32)
        object.__setattr__(automaton, "forced_ids", ids)
    return automaton


def _distances(automaton: Automaton, vocabulary: Vocabulary) -> np.ndarray:
    reached = [vocabulary.advance(automaton, state) for state in range(len(automaton.done))]
    distance = np.where(automaton.done, 0, UNREACHABLE).astype(np.int64)
    while True:
        nearer = [distance[np.unique(after)].min() + 1 for after in reached]
        update = np.minimum(distance, np.where(automaton.done, 0, nearer))
        if (update == distance).all():
            return distance.astype(np.uint32)
        distance = update


def _forced(automaton: Automaton, vocabulary: Vocabulary, state: int) -> list[int]:
    """Tokens of the only way on, one byte each: enough to exercise the runtime's bookkeeping."""
    single = {vocabulary[token]: token for token in range(len(vocabulary))}
    ids = []
    while not automaton.done[state]:
        ways = np.flatnonzero(automaton.transitions[state])
        if len(ways) != 1:
            break
        ids.append(single[bytes([ways[0]])])
        state = automaton.step(state, int(ways[0]))
    return ids


class MockEngine:
    """An Engine whose logits are a function of the tokens in its cache and the active adapter."""

    name = "mock"

    def __init__(
        self,
        logits: Callable[[tuple[int, ...], object], np.ndarray],
        vocab_size: int,
        context_length: int = 512,
    ) -> None:
        self.vocab_size = vocab_size
        self.context_length = context_length
        self.ids: list[int] = []
        self.adapter: object = None
        self.fed: list[tuple[int, ...]] = []
        self._logits = logits

    @property
    def position(self) -> int:
        return len(self.ids)

    def prepare(self, tensors):
        return dict(tensors)

    def activate(self, handle):
        self.adapter = handle

    def forward(self, ids):
        assert len(ids) > 0
        if len(self.ids) + len(ids) > self.context_length:
            raise ContextError("context: too long")
        self.ids += ids
        self.fed.append(tuple(ids))
        return self._logits(tuple(self.ids), self.adapter)

    def rewind(self, position):
        assert 0 <= position <= len(self.ids)
        del self.ids[position:]

    def snapshot(self):
        return tuple(self.ids)

    def restore(self, snapshot):
        self.ids = list(snapshot)
        return 0

    def kv_bytes(self):
        return 4 * self.context_length


@pytest.fixture
def mock_engine(vocabulary: Vocabulary) -> Callable[..., MockEngine]:
    """A factory: `mock_engine(logits=f)`, or `mock_engine(seed=n)` for random logits."""

    def make(logits=None, seed: int = 0, spread: float = 5.0, **options) -> MockEngine:
        def random(ids, adapter):
            generator = np.random.default_rng([seed, *ids[-8:], len(ids), len(adapter or ())])
            return (spread * generator.standard_normal(len(vocabulary))).astype(np.float32)

        return MockEngine(logits or random, len(vocabulary), **options)

    return make


@pytest.fixture(scope="session")
def weather_schema():
    """The schema that the tests' weather grammar stands for, as an independent judge."""
    import jsonschema

    return jsonschema.Draft202012Validator(
        {
            "type": "object",
            "properties": {
                "city": {"type": "string", "maxLength": 20},
                "days": {"type": "integer", "minimum": 1, "maximum": 14},
                "unit": {"enum": ["celsius", "fahrenheit"]},
            },
            "required": ["city"],
            "additionalProperties": False,
        }
    )


class Asking:
    """An agent that is asked with the same options each time."""

    def __init__(self, agent: Agent, options: Options) -> None:
        self.agent, self.options = agent, options
        self.pool = agent.pool

    def step(self, turns, toolset=None):
        return self.agent.step(turns, toolset, self.options)

    def select(self, turns, toolset=None):
        return self.agent.select(turns, toolset, self.options)

    def route(self, turns):
        return self.agent.route(turns, self.options)

    def arguments(self, turns, toolset, tool):
        return self.agent.arguments(turns, toolset, tool, self.options)


@pytest.fixture(scope="session")
def asking() -> Callable[..., Asking]:
    """A factory: `asking(assets, engine, **options)`."""
    return lambda assets, engine, **options: Asking(Agent(assets, engine), Options(**options))


def prompts_of(toolset: Toolset) -> ToolsetPrompts:
    """Prefixes that differ for every stage and are long enough to be kept."""
    system = "<|im_start|>system\nthe weather and alarms, "
    return ToolsetPrompts(
        tools_shown="names",
        base=system + "every tool in full<|im_end|>\n",
        selector=system + "which of the tools<|im_end|>\n",
        arguments={
            tool.name: system + f"only the tool {tool.name}<|im_end|>\n" for tool in toolset.tools
        },
    )


@pytest.fixture(scope="session")
def mock_assets(
    tokenizer: Tokenizer, pieces: Pieces, vocabulary: Vocabulary, weather_toolset: Toolset
) -> Assets:
    """Assets whose adapters are empty but for their name: a mock engine sees which one is bound."""
    from edgetune_export.grammar.compile import compile_grammar

    names = ["home.selector", "home.monolithic"]
    writers = {
        tool.name: f"home.arguments.{tool.name}"
        for tool in weather_toolset.tools
        if tool.has_parameters
    }
    return Assets(
        tokenizer,
        vocabulary,
        pieces,
        "<|im_start|>system\nbe kind, in a few words, whatever is said<|im_end|>\n",
        {
            "home": ToolsetAssets(
                weather_toolset,
                prompts_of(weather_toolset),
                name_trie(tokenizer, pieces, weather_toolset.names),
                {
                    name: compile_grammar(weather_toolset[name], pieces, tokenizer, vocabulary)
                    for name in writers
                },
                "home.selector",
                writers,
                "home.monolithic",
            )
        },
        {
            name: AdapterSource(name, 1, f"sha of {name}", 4, _named_tensors(name))
            for name in (*names, *writers.values())
        },
        (1,),
    )


def _named_tensors(name: str) -> Callable[[], dict[str, np.ndarray]]:
    return lambda: {name: np.zeros(1, np.float32)}


@pytest.fixture(scope="session")
def rewrite_manifest() -> Callable[[Path, dict], None]:
    """Write a manifest, whatever it says, with its digest and every file as it is now."""
    return _write_manifest


def _write_manifest(bundle: Path, manifest: dict) -> None:
    files = sorted(
        file
        for file in bundle.rglob("*")
        if file.is_file() and file.name not in ("manifest.json", "manifest.sha256")
    )
    needed_by = {entry["path"]: entry["needed_by"] for entry in manifest["files"]}
    manifest["files"] = [
        {
            "path": (path := file.relative_to(bundle).as_posix()),
            "bytes": file.stat().st_size,
            "sha256": sha256_file(file),
            "needed_by": needed_by.get(path, "any"),
        }
        for file in files
    ]
    write_json(bundle / "manifest.json", manifest)
    digest = sha256_bytes((bundle / "manifest.json").read_bytes())
    write_bytes(bundle / "manifest.sha256", f"{digest}  manifest.json\n".encode())
