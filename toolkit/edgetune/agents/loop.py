"""The loop: route, select, arguments, check, ask, execute, observe, until the base has words.

`edgetune_runtime.conversation` drives the steps; here each call is decided on, executed and kept.
The one place where that is done: the command line and Python functions use it alike. Where tools
live (`sources`), what may run (`policy`) and who says yes are given.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from edgetune.agents.execution import carry_out
from edgetune.agents.grounding import ungrounded
from edgetune.agents.guarded import GuardedAgent
from edgetune.agents.observation import cut
from edgetune.agents.policy import Policy
from edgetune.agents.served import Served
from edgetune.agents.sources import How, Outcome, SourceGone
from edgetune.agents.transcript import Transcript
from edgetune_runtime.agent import Step
from edgetune_runtime.calls import RESPOND
from edgetune_runtime.conversation import MAX_STEPS, Finished, Words, converse, turn_after
from edgetune_runtime.errors import ContextError, InputError
from edgetune_runtime.options import DEFAULTS, Options
from edgetune_runtime.prompt import Assistant, Result, Turn, User


@dataclass(frozen=True)
class Limits:
    """How far an answer may go."""

    steps: int = MAX_STEPS
    """Calls that an answer may take."""
    repeats: int = 2
    """How often the same call, with the same arguments, is executed for one answer."""
    call_seconds: float = 60.0
    """How long a call may take."""
    result_tokens: int = 512
    """The most tokens of a tool's answer that the model reads."""


@dataclass(frozen=True)
class Proposed:
    """A call that the model wants; nothing has been executed yet."""

    step: Step
    ungrounded: tuple[str, ...]
    """Paths of arguments that stand neither in the request nor in a result."""
    untrained: bool
    """No adapter was trained for this tool: the skill made the call, or the bare base."""

    def as_json(self) -> dict[str, Any]:
        """The step's fields, with what is known of the call."""
        found: dict[str, Any] = {**self.step.as_json(), "untrained": self.untrained}
        return found | {"grounded": not self.ungrounded, "ungrounded": list(self.ungrounded)}


@dataclass(frozen=True)
class Observed:
    """What came of the call, as the model reads it."""

    text: str
    how: How
    ms: float


@dataclass(frozen=True)
class Ended:
    """Nothing more is coming."""

    turns: tuple[Turn, ...]
    """The whole conversation, to go on from with the user's next words."""
    because: Literal["replied", "too many steps", "repeated", "context", "gone"]
    sentence: str = ""
    """Why it ended without a reply."""


Event = Proposed | Observed | Words | Ended

Ask = Callable[[Proposed], bool]
"""Whether a call may be executed; it is asked where the policy says so."""


def nobody(_: Proposed) -> bool:
    """The answer where there is nobody to ask."""
    return False


class ToolAgent:
    """An agent that executes what it calls.

    `agent` and `served` belong together; without `ask`, calls that need a yes are refused.
    """

    def __init__(
        self,
        agent: GuardedAgent,
        served: Served,
        *,
        policy: Policy | None = None,
        ask: Ask = nobody,
        limits: Limits | None = None,
        transcript: Transcript | None = None,
    ) -> None:
        self.agent = agent
        self.served = served
        self.policy = policy or Policy()
        self.limits = limits or Limits()
        self._ask = ask
        self._transcript = transcript

    def answer(
        self, request: str, before: Sequence[Turn] = (), options: Options = DEFAULTS
    ) -> Iterator[Event]:
        """What happens when the user says `request` after the turns `before`, event by event.

        Ends in Ended, whatever tools do. Leaving it early is safe: nothing is executed that was not
        proposed. Raises InputError for a request that is no text, and as `Agent.step` does.
        """
        try:
            request.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"the request: found bytes that are no UTF-8 ({error.reason}); correct them."
            ) from error
        said: list[Turn] = [*before, User(request)]
        self._write({"role": "user", "content": request})
        for event in self._events(said, options):
            if isinstance(event, Ended):
                if event.because == "replied" and isinstance(reply := event.turns[-1], Assistant):
                    self._write({"role": "assistant", "content": reply.text})
                self._write({"ended": event.because, "sentence": event.sentence})
            yield event

    def _events(self, said: list[Turn], options: Options) -> Iterator[Event]:
        """The events, while `said` grows by the turns that were taken."""
        proposed: Proposed | None = None
        observed: Observed | None = None
        made: Counter[tuple[str, str, str]] = Counter()

        def execute(step: Step) -> str:
            nonlocal observed
            assert proposed is not None  # steps are seen before they are executed
            same = (step.toolset, step.tool, _canonical(step.arguments))
            made[same] += 1
            begin = time.perf_counter()
            outcome, stop = self._outcome(proposed, made[same])
            ms = round(1000 * (time.perf_counter() - begin), 3)
            observed = Observed(self._shortened(outcome.text), outcome.how, ms)
            self._write(
                {"role": "tool", "content": observed.text, "how": observed.how, "ms": observed.ms}
            )
            if stop is not None:
                raise stop
            return observed.text

        try:
            for event in converse(self.agent, said, execute, options, max_steps=self.limits.steps):
                match event:
                    case Step() if event.tool != RESPOND:
                        proposed = self._proposed(event, said)
                        self._write(_called(proposed))
                        yield proposed
                        said.append(turn_after(event))
                    case Result():
                        assert observed is not None
                        said.append(event)
                        yield observed
                    case Words():
                        yield event
                    case Finished(turns, "replied"):
                        yield Ended(turns, "replied")
                    case Finished(turns, because):
                        steps = f"stopped after {self.limits.steps} calls without an answer."
                        yield Ended(turns, because, steps)
        except _Stopped as stop:
            assert observed is not None
            said.append(Result(observed.text))
            yield observed
            yield Ended(tuple(said), stop.because, str(stop))
        except ContextError as error:
            yield Ended(tuple(said), "context", str(error))

    def _proposed(self, step: Step, said: Sequence[Turn]) -> Proposed:
        tool = self.served.assets.toolsets[step.toolset].toolset[step.tool]
        made_up = ungrounded(tool, step.arguments, said)
        return Proposed(step, made_up, step.toolset in self.served.untrained)

    def _outcome(self, proposed: Proposed, times: int) -> tuple[Outcome, "_Stopped | None"]:
        """What comes of a call that is made the `times`-th time, and why the loop ends with it."""
        step, limits = proposed.step, self.limits
        source = self.served.sources[step.toolset]
        if times > limits.repeats:
            sentence = (
                f"stopped: {step.tool} was called {times} times with the same arguments, "
                f"{limits.repeats} times are allowed."
            )
            return Outcome(sentence, "refused"), _Stopped("repeated", sentence)
        try:
            outcome = carry_out(
                source,
                step.toolset,
                step.tool,
                step.arguments,
                policy=self.policy,
                grounded=not proposed.ungrounded,
                allow=lambda: self._ask(proposed),
                seconds=limits.call_seconds,
            )
            return outcome, None
        except SourceGone as gone:
            return Outcome(f"Error: {gone}", "error"), _Stopped("gone", f"stopped: {gone}")

    def _shortened(self, text: str) -> str:
        text = text.encode(errors="replace").decode()  # half of a surrogate pair is no text
        return cut(text, self.limits.result_tokens, self.served.assets.tokenizer)

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._transcript is not None:
            self._transcript.write(line)


class _Stopped(Exception):
    """The loop ends without a reply."""

    def __init__(self, because: Literal["repeated", "gone"], sentence: str) -> None:
        super().__init__(sentence)
        self.because: Literal["repeated", "gone"] = because


def _called(proposed: Proposed) -> dict[str, Any]:
    """A call as a line of a transcript."""
    step = proposed.step
    function = {"name": step.tool, "arguments": dict(step.arguments)}
    about = proposed.as_json()
    kept = ("toolset", "probability", "untrained", "grounded", "ungrounded", "truncated")
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"type": "function", "function": function}],
        **{key: about[key] for key in kept},
    }


def _canonical(arguments: Mapping[str, Any]) -> str:
    return json.dumps(arguments, ensure_ascii=False, sort_keys=True)
