"""The temperature that makes a selector's probabilities true, fitted once on dev records.

A trained selector is surer than it is right, or less sure. Dividing the logits of each branching
point by one number T, chosen so that the right tools of records that it did not learn are as likely
as can be, mends that (Guo et al. 2017, arXiv:1706.04599) and leaves every choice as it is
(`edgetune_runtime.decode.select`). How well it works is for `edgetune eval` to say.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgetune.data.records import Example
from edgetune.train.interrupt import Interrupted
from edgetune_export.progress import console, track
from edgetune_export.run import open_run, run_assets
from edgetune_export.run_record import AdapterRecord, read_run_record, write_run_record
from edgetune_export.torch_engine import TorchEngine
from edgetune_runtime.agent import Agent
from edgetune_runtime.calls import RESPOND
from edgetune_runtime.errors import InputError
from edgetune_runtime.options import Options, System
from edgetune_runtime.prompt import Turn
from edgetune_runtime.trie import NameTrie

EXAMPLES = 350
"""How many dev examples are asked at the most: one number needs no more, and each costs a prefill
and a forward for each branching point."""

DOUBT = 0.3
"""How far ln T may lie from 0 before dev has said anything (the standard deviation of a normal
prior): the few mistakes of a good selector must not move T far, many may."""

WIDEST = 10.0
"""T is looked for between 1 / `WIDEST` and `WIDEST`."""

_SYSTEMS: Mapping[str, System] = {
    "router": "decoupled",
    "selector": "decoupled",
    "monolithic": "monolithic",
}
"""Which system an adapter of a role selects in."""

Asked = tuple[Sequence[Turn], str]
"""What is asked of an adapter that selects, and the right name."""


@dataclass(frozen=True)
class Choice:
    """One branching point on the way to the right name."""

    logits: NDArray[np.float64]
    """`[k]`: of the tokens that go on to some name, up to a constant."""
    right: int


def calibrate(
    directory: Path, dev: Mapping[str, Sequence[Example]], stop: Callable[[], bool]
) -> None:
    """Give the adapters that select in the finished run at `directory` a temperature each.

    `dev` are the dev examples of each toolset. A temperature is written into `run.json`; an adapter
    that has one keeps it. A router is asked for the toolset of those that call a tool: where none
    is called, any toolset can say so. Without dev examples there is nothing to fit, and
    probabilities stay what the softmax says. Raises Interrupted, with nothing written, once `stop`
    says so.
    """
    record = read_run_record(directory)
    asked = {
        entry.name: _asked(entry, dev)
        for entry in record.adapters
        if entry.role in _SYSTEMS and entry.selection_temperature is None
    }
    fitted = {entry.name: entry for entry in record.adapters}
    waiting = [entry for entry in record.adapters if asked.get(entry.name)]
    if not waiting:
        return
    run = open_run(directory)
    assets = run_assets(run, grammars=False)
    agent = Agent(assets, TorchEngine(run.base))
    for entry in waiting:
        options = Options(system=_SYSTEMS[entry.role], exact=True)
        toolset = entry.toolset
        among = assets.toolsets[toolset] if toolset else assets.router
        assert among is not None  # a run with a router has several toolsets
        everything = asked[entry.name]
        thinned = everything[:: -(-len(everything) // EXAMPLES)]
        answers: list[list[Choice]] = []
        for turns, right in track(thinned, f"Calibrating {entry.name}"):
            if stop():
                raise Interrupted
            try:
                if toolset:
                    found = agent.select(turns, toolset, options)
                else:
                    found = agent.route(turns, options)
            except InputError:
                continue  # longer than the context: training left such ones out, too
            answers.append(list(choices_towards(among.trie, found.probabilities, right)))
        choices = [choice for answer in answers for choice in answer]
        temperature = round(fit_temperature(choices), 4)
        fitted[entry.name] = entry.model_copy(update={"selection_temperature": temperature})
        before, after = (loss(choices, each) / max(1, len(answers)) for each in (1.0, temperature))
        console.print(
            f"{entry.name}: temperature {temperature:.3f} from {len(answers)} dev examples, "
            f"loss of the right tool {before:.4f}, then {after:.4f}",
            highlight=False,
            soft_wrap=True,
        )
    adapters = tuple(fitted.values())
    write_run_record(directory, record.model_copy(update={"adapters": adapters}))


def _asked(entry: AdapterRecord, dev: Mapping[str, Sequence[Example]]) -> list[Asked]:
    """What the adapter of `entry` is asked: a tool of its toolset, or a router for the toolset."""
    if entry.toolset is not None:
        return [(example.turns, example.call.tool) for example in dev.get(entry.toolset, ())]
    return [
        (example.turns, toolset)
        for toolset, examples in dev.items()
        for example in examples
        if example.call.tool != RESPOND
    ]


def choices_towards(
    trie: NameTrie, probabilities: Mapping[str, float], name: str
) -> Iterator[Choice]:
    """The branching points on the way to `name`, out of the joint probabilities of all names.

    What a branch's children share is the mass of the names below each, which the logits are the
    logarithm of.
    """
    node: int | str = 0 if trie.branches else name
    while isinstance(node, int):
        children = list(trie.branches[node].children.values())
        below = [set(_names(trie, child)) for child in children]
        masses = np.array([sum(probabilities[each] for each in names) for names in below])
        right = next(place for place, names in enumerate(below) if name in names)
        yield Choice(np.log(np.maximum(masses, np.finfo(np.float64).tiny)), right)
        node = children[right]


def fit_temperature(choices: Sequence[Choice]) -> float:
    """The most probable temperature after `choices`: `loss` and the prior (`DOUBT`) at their least.

    Without the prior a selector that makes no mistake would become the surer the better, and one
    that makes five would follow these five.
    """

    def cost(log: float) -> float:
        return loss(choices, np.exp(log)) + (log / DOUBT) ** 2 / 2

    best, width = 0.0, float(np.log(WIDEST))
    while width > 1e-4:
        around = np.linspace(best - width, best + width, 21)
        best, width = float(min(around, key=cost)), width / 10
    return float(np.exp(best))


def loss(choices: Sequence[Choice], temperature: float = 1.0) -> float:
    """The summed negative log-likelihood of the right choices, in nats."""
    scaled = [(choice.logits / temperature, choice.right) for choice in choices]
    return float(sum(np.logaddexp.reduce(logits) - logits[right] for logits, right in scaled))


def _names(trie: NameTrie, node: int | str) -> Iterator[str]:
    """The names below `node`, which is one of them or a branch."""
    if isinstance(node, str):
        yield node
    else:
        for child in trie.branches[node].children.values():
            yield from _names(trie, child)
