"""The one gate before the tokenizer: in what was said, nothing is taken for a mark of the template.

Tools, users and the model itself say texts; only the renderer may open turns and calls. A mark in a
text is broken by a space behind its first character, in an earlier call's arguments by an escape,
which leaves the JSON what it was. Tools that no adapter was trained for are left to the skill, or
to the bare base.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from edgetune.tools.control_marks import broken
from edgetune_runtime.agent import Agent, Step
from edgetune_runtime.assets import Assets, ToolsetAssets
from edgetune_runtime.engine import Engine
from edgetune_runtime.options import DEFAULTS, Options
from edgetune_runtime.prompt import Assistant, Called, Result, Turn, User

_IN_PIECES = re.compile(r"<[^<>\s]{2,60}>|\[/?[A-Z_]{3,40}\]")
"""Marks that a template writes and that need not be tokens of their own."""


class Marks:
    """The marks of one base: the tokens that were added to its vocabulary, and its template's."""

    def __init__(self, assets: Assets) -> None:
        pieces = assets.pieces.model_dump().values()
        texts = [
            text for each in pieces if each for text in ([each] if isinstance(each, str) else each)
        ]
        added = assets.tokenizer.get_added_tokens_decoder()
        self._tokenizer = assets.tokenizer
        self._ids = {i for i, token in added.items() if len(token.content.strip()) > 1}
        marks = {added[i].content for i in self._ids}
        marks |= {mark for text in [*texts, assets.reply] for mark in _IN_PIECES.findall(text)}
        longest_first = sorted(map(re.escape, marks), key=len, reverse=True)
        self._marks = re.compile("|".join(longest_first) or r"(?!)")

    def plain(self, text: str) -> str:
        """`text` with its marks broken, so that none of the added tokens comes of it."""
        text = self._marks.sub(lambda found: broken(found[0]), text)
        while True:
            encoded = self._tokenizer.encode(text, add_special_tokens=False)
            # A tokenizer may normalise before it looks for them.
            places = [
                begin + 1
                for token, (begin, end) in zip(encoded.ids, encoded.offsets, strict=True)
                if token in self._ids and end - begin > 1
            ]
            if not places:
                return text
            for place in reversed(places):
                text = f"{text[:place]} {text[place:]}"

    def plain_json(self, text: str) -> str:
        """JSON `text` that says the same without any mark."""
        return self._marks.sub(lambda found: f"\\u{ord(found[0][0]):04x}{found[0][1:]}", text)

    def turn(self, turn: Turn) -> Turn:
        """`turn` with its marks broken."""
        match turn:
            case Called(tool, arguments):
                return Called(tool, self.plain_json(arguments))
            case User(text):
                return User(self.plain(text))
            case Result(text):
                return Result(self.plain(text))
            case Assistant(text):
                return Assistant(self.plain(text))


class GuardedAgent(Agent):
    """An agent to whose prompts nothing comes but through `Marks`."""

    def __init__(
        self,
        assets: Assets,
        engine: Engine,
        *,
        untrained: Collection[str] = (),
        max_resident: int | None = None,
    ) -> None:
        super().__init__(assets, engine, max_resident=max_resident)
        self.marks = Marks(assets)
        self._untrained = frozenset(untrained)

    def step(
        self,
        turns: Sequence[Turn],
        toolset: str | ToolsetAssets | None = None,
        options: Options = DEFAULTS,
    ) -> Step:
        """As `Agent.step`; by the skill, if there is one, or the bare base where nobody trained the
        toolset's tools."""
        turns = [self.marks.turn(turn) for turn in turns]
        sure = 1.0
        if toolset is None and self._untrained:
            toolset = next(iter(self.assets.toolsets))
            if len(self.assets.toolsets) > 1:
                route = self.route(turns, options)
                toolset, sure = route.name, route.probability
        if isinstance(toolset, str) and toolset in self._untrained:
            options = replace(options, system="skill" if self.assets.skill else "base")
        step = super().step(turns, toolset, options)
        return step if sure == 1.0 else replace(step, probability=sure * step.probability)

    def reply(self, turns: Sequence[Turn], options: Options = DEFAULTS) -> Iterator[str]:
        """As `Agent.reply`."""
        return super().reply([self.marks.turn(turn) for turn in turns], options)
