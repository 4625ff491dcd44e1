"""Python functions as tools: the schema of their annotations, the words of their docstrings.

A function stays what it was; `tool` only notes beside it what a model is told. pydantic makes the
schema and checks and converts what a function is called with.
"""

import asyncio
import inspect
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, overload

from pydantic import PydanticUserError, TypeAdapter, ValidationError, validate_call

from edgetune.agents.sources import Outcome
from edgetune.tools.reader import tools_from_list
from edgetune_runtime.calls import Toolset
from edgetune_runtime.errors import InputError

_Parameters = ParamSpec("_Parameters")
_Returned = TypeVar("_Returned")
_Function = Callable[_Parameters, _Returned]

_READ_ONLY = "__edgetune_read_only__"
_ARGUMENTS = re.compile(r"^\s*(?:Args|Arguments|Parameters):\s*$", re.MULTILINE)
_ARGUMENT = re.compile(r"^\s+(\w+)(?:\s*\([^)]*\))?:\s*(.+)$")


@overload
def tool(function: _Function[_Parameters, _Returned], /) -> _Function[_Parameters, _Returned]: ...
@overload
def tool(
    *, read_only: bool = False
) -> Callable[[_Function[_Parameters, _Returned]], _Function[_Parameters, _Returned]]: ...
def tool(function: Any = None, /, *, read_only: bool = False) -> Any:
    """Mark a typed function, `async` or not, as a tool; `read_only` says that it changes nothing.

    What a model is told: the function's name, the docstring's first paragraph, and the words of its
    section `Args:`. Raises InputError for a parameter without a type, or of one that JSON cannot
    tell.
    """

    def marked(function: Callable[..., Any]) -> Callable[..., Any]:
        setattr(function, _READ_ONLY, read_only)
        _entry(function)  # what is wrong is told where it stands
        return function

    return marked if function is None else marked(function)


class Functions:
    """Functions as a source of an agent's tools."""

    every_tool = True

    def __init__(self, functions: Sequence[Callable[..., Any]], name: str = "functions") -> None:
        entries = [_entry(function) for function in functions]
        self.toolset: Toolset = tools_from_list(entries, name, name)
        self.secrets: Mapping[str, str] = {}
        self.loop: asyncio.AbstractEventLoop | None = None
        """Where `async` functions run; by default each in a loop of its own."""
        self._functions = {function.__name__: function for function in functions}

    def read_only(self, tool: str) -> bool:
        """Whether its decorator says so."""
        return bool(getattr(self._functions[tool], _READ_ONLY, False))

    def call(self, tool: str, arguments: Mapping[str, Any], seconds: float) -> Outcome:
        """As `Source.call` has it; a function that takes too long runs on, and nobody listens."""
        outcomes: list[Outcome] = []

        def run() -> None:
            outcomes.append(self._run(self._functions[tool], dict(arguments)))

        thread = threading.Thread(target=run, name=tool, daemon=True)
        thread.start()
        thread.join(seconds)
        if not outcomes:
            raise TimeoutError
        return outcomes[0]

    def _run(self, function: Callable[..., Any], arguments: dict[str, Any]) -> Outcome:
        try:
            given = validate_call(function)(**arguments)
            if inspect.isawaitable(given):
                given = self._awaited(given)
            text = given if isinstance(given, str) else TypeAdapter(Any).dump_json(given).decode()
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            return Outcome(f"Error: {place}: {first['msg']}", "error")
        except Exception as error:  # noqa: BLE001 - whatever a tool raises is what it says
            return Outcome(f"Error: {type(error).__name__}: {error}", "error")
        return Outcome(text)

    def _awaited(self, given: Any) -> Any:
        async def wait() -> Any:
            return await given

        if self.loop is None:
            return asyncio.run(wait())
        return asyncio.run_coroutine_threadsafe(wait(), self.loop).result()


def _entry(function: Callable[..., Any]) -> dict[str, Any]:
    """The function in the OpenAI format. Raises InputError."""
    name = getattr(function, "__name__", repr(function))
    for parameter in inspect.signature(function).parameters.values():
        if parameter.annotation is parameter.empty:
            raise InputError(
                f"@edgetune.tool {name}: its parameter '{parameter.name}' has no type; annotate it."
            )
    try:
        schema = TypeAdapter(function).json_schema()  # type: ignore[arg-type]
    except PydanticUserError as error:
        said = " ".join(str(error).split("\n")[0].split())
        raise InputError(
            f"@edgetune.tool {name}: its parameters make no JSON Schema ({said:.200}); take types "
            "that JSON knows, or pydantic models."
        ) from error
    if schema.get("type") != "object":
        raise InputError(
            f"@edgetune.tool {name}: has parameters that cannot be given by name; let all be so."
        )
    doc = inspect.getdoc(function) or ""
    words = dict(_arguments(doc))
    for parameter, each in schema.get("properties", {}).items():
        each.pop("title", None)
        if parameter in words:
            each.setdefault("description", words[parameter])
    description = " ".join(doc.split("\n\n")[0].split())
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": schema},
    }


def _arguments(doc: str) -> Iterator[tuple[str, str]]:
    """What a docstring's section `Args:` says of each parameter."""
    found = _ARGUMENTS.search(doc)
    for line in doc[found.end() :].lstrip("\n").splitlines() if found else ():
        if not line.strip() or not line.startswith(" "):
            return
        if match := _ARGUMENT.match(line):
            yield match[1], match[2].strip()
