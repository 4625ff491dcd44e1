"""The errors that edgetune raises on purpose.

Each carries one sentence that names the file or field, what was found, what was expected and what
to do. The command line prints that sentence and exits with 2; nothing else is caught there.
"""

from collections.abc import Iterable


class EdgetuneError(Exception):
    """Base of every error raised on purpose; its message is written for the user."""


class InputError(EdgetuneError):
    """A file, record, configuration or option that the user gave is not as it must be."""


class ContextError(InputError):
    """A prompt, or a prompt with its call, is longer than the engine's context."""


class BundleError(EdgetuneError):
    """A bundle, blob or artifact is damaged, incomplete or does not belong to its base."""


class AdapterError(EdgetuneError):
    """An adapter does not fit the base: unknown slot, wrong shape or dtype, or two at once."""


class GrammarError(EdgetuneError):
    """A tool's JSON Schema cannot be compiled into a grammar."""


def unknown(what: str, found: str, known: Iterable[str]) -> InputError:
    """The error for a name that a table lacks; `what` is the option or field that gave it."""
    return InputError(f"{what} {found}: unknown, expected one of {', '.join(known)}.")
