"""Holds this runtime against golden vectors, as a runtime in another language is held against them.

What the vectors are, and how they are made, is `golden`'s.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from edgetune_export.golden import VERSION, manifest_digest_of, mask, probabilities, step_json
from edgetune_runtime.agent import Agent
from edgetune_runtime.bundle import Bundle
from edgetune_runtime.engine import Engine
from edgetune_runtime.errors import InputError
from edgetune_runtime.options import Options
from edgetune_runtime.prompt import Assistant, Called, Result, Turn, User, render_prompt

LISTS = ("tokens", "prompts", "masks", "selections", "steps", "replies")

TOLERANCE = 0.05
"""How far a probability may be from the golden one: engines and processors round differently."""


def check_golden(golden: Mapping[str, Any], bundle: Bundle, engine: Engine | None) -> list[str]:
    """What this runtime does otherwise than `golden` says, a sentence each; none where it holds.

    Without an engine, what depends on none. Raises InputError for vectors of another version, or of
    another bundle.
    """
    if golden.get("version") != VERSION:
        raise InputError(
            f"version: these vectors are of version {golden.get('version')}, this edgetune reads "
            f"{VERSION}; write them again."
        )
    of = golden.get("bundle")
    if not isinstance(of, Mapping) or not all(isinstance(golden.get(key), list) for key in LISTS):
        raise InputError(
            f"golden vectors: expected 'bundle' and the lists {', '.join(LISTS)}; give what "
            "`edgetune golden BUNDLE -o FILE` wrote."
        )
    digest = str(of.get("manifest_sha256"))
    if digest != manifest_digest_of(bundle.path):
        raise InputError(
            f"{bundle.path}: is not the bundle that these vectors are of ({digest[:12]}…); give "
            "that one, or write them again."
        )
    try:
        found = [*_check_tokens(golden, bundle), *_check_prompts(golden, bundle)]
        found += _check_masks(golden, bundle)
        return found if engine is None else [*found, *_check_engine(golden, bundle, engine)]
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise InputError(
            f"golden vectors: an entry is damaged ({error!r}); write them again."
        ) from error


def as_turn(value: Mapping[str, Any]) -> Turn:
    """A turn of the vectors: one key that says its kind."""
    ((kind, content),) = value.items()
    match kind:
        case "user":
            return User(content)
        case "assistant":
            return Assistant(content)
        case "call":
            return Called(content["tool"], content["arguments"])
        case "result":
            return Result(content)
    raise InputError(f"turn: found '{kind}', expected user, assistant, call or result.")


def _check_tokens(golden: Mapping[str, Any], bundle: Bundle) -> Iterator[str]:
    for entry in golden["tokens"]:
        found = bundle.assets.tokenizer.encode(entry["text"], add_special_tokens=False).ids
        if found != entry["ids"]:
            yield f"tokens: {entry['text']!r} has the ids {found}, expected {entry['ids']}"


def _check_prompts(golden: Mapping[str, Any], bundle: Bundle) -> Iterator[str]:
    assets = bundle.assets
    for entry in golden["prompts"]:
        turns = _turns(entry)
        prefix = _prefix(bundle, entry["toolset"], entry["stage"])
        text = render_prompt(assets.pieces, prefix, turns, words=entry["stage"] == "reply")
        if assets.tokenizer.encode(text, add_special_tokens=False).ids != entry["ids"]:
            where = f"{entry['toolset'] or 'router'}, {entry['stage']}"
            yield f"prompts: {where}, {len(turns)} turns: other ids than expected"


def _prefix(bundle: Bundle, toolset: str | None, stage: str) -> str:
    assets = bundle.assets
    if toolset is None and assets.router is not None:
        routing = assets.router.prompts
        return routing.base if stage == "base" else routing.adapter
    prompts = assets.toolsets[str(toolset)].prompts
    if stage == "reply":
        return assets.reply
    if stage.startswith("arguments."):
        return prompts.arguments[stage.removeprefix("arguments.")]
    return prompts.base if stage == "base" else prompts.selector


def _check_masks(golden: Mapping[str, Any], bundle: Bundle) -> Iterator[str]:
    vocabulary = bundle.assets.vocabulary
    for entry in golden["masks"]:
        automaton = bundle.assets.toolsets[entry["toolset"]].automata[entry["tool"]]
        state = automaton.start
        for place, step in enumerate(entry["walk"]):
            wanted = {key: step[key] for key in ("allowed", "crc32", "forced")}
            if state != step["state"] or mask(automaton, vocabulary, state) != wanted:
                yield f"masks: {entry['toolset']}.{entry['tool']}, token {place}: another mask"
                break
            state = automaton.walk(state, vocabulary[step["next"]])
        else:
            if not automaton.done[state]:
                yield f"masks: {entry['toolset']}.{entry['tool']}: the call does not end"


def _check_engine(golden: Mapping[str, Any], bundle: Bundle, engine: Engine) -> Iterator[str]:
    agent = Agent(bundle.assets, engine)
    for entry in golden["selections"]:
        options = Options(system=entry["system"], exact=True)
        found = probabilities(agent, entry["toolset"], _turns(entry), options)
        wanted = entry["probabilities"]
        names = sorted(wanted)
        if sorted(found) != names or not np.allclose(
            [found[name] for name in names], [wanted[name] for name in names], atol=TOLERANCE
        ):
            yield f"selections: {entry['turns']} by {entry['system']}: {found}, expected {wanted}"
    for entry in golden["steps"]:
        options = Options(system=entry["system"], max_tokens=entry["max_tokens"])
        step = step_json(agent.step(_turns(entry), entry["toolset"], options))
        if step != entry["step"]:
            yield f"steps: {entry['turns']} by {entry['system']}: {step}, not {entry['step']}"
    for entry in golden["replies"]:
        options = Options(max_reply_tokens=entry["max_tokens"])
        text = "".join(agent.reply(_turns(entry), options))
        if text != entry["text"]:
            yield f"replies: {entry['turns']}: {text!r}, expected {entry['text']!r}"


def _turns(entry: Mapping[str, Any]) -> list[Turn]:
    return [as_turn(turn) for turn in entry["turns"]]
