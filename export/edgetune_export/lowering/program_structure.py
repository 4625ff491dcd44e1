"""What an ExecuTorch program is made of, read without running it."""

from dataclasses import dataclass
from pathlib import Path

from edgetune_runtime.errors import BundleError

METHODS = ("prefill", "decode")
"""For a chunk of a prompt, and for one token."""


@dataclass(frozen=True)
class Method:
    """One method of a program."""

    inputs: int
    delegates: tuple[str, ...]
    kernels: tuple[str, ...]
    """Operators that no delegate took."""


def read_methods(path: Path) -> dict[str, Method]:
    """The methods of a `.pte` file by name. Raises BundleError where it cannot be read."""
    from executorch.exir._serialize._program import deserialize_pte_binary

    try:
        program = deserialize_pte_binary(path.read_bytes()).program
    except Exception as error:
        raise BundleError(
            f"{path}: is no ExecuTorch program ({error}); export the bundle again."
        ) from error
    return {
        plan.name: Method(
            len(plan.inputs),
            tuple(delegate.id for delegate in plan.delegates),
            tuple(operator.name for operator in plan.operators),
        )
        for plan in program.execution_plan
    }


def check_program(path: Path, delegate: str, layers: int, slots: int) -> str:
    """Both methods take what `StaticDecoder` does and are one `delegate` each.

    Returns what was found. Raises BundleError naming what is otherwise.
    """
    inputs = 4 + 2 * layers + 2 * slots
    found = read_methods(path)
    for name in METHODS:
        method = found.get(name)
        if method is None:
            raise BundleError(f"{path}: has no method '{name}'; export the bundle again.")
        if method.inputs != inputs:
            raise BundleError(
                f"{path}: method '{name}' takes {method.inputs} tensors where {inputs} were "
                "expected; export the bundle again."
            )
        if method.delegates != (delegate,) or method.kernels:
            raise BundleError(
                f"{path}: method '{name}' is made of {list(method.delegates)} and the operators "
                f"{list(method.kernels)} where one {delegate} was expected; export it with "
                "the versions that constraints.txt names."
            )
    return f"{' and '.join(METHODS)}: one {delegate} each, nothing left over"
