"""Puts a finished pretraining where the package and the repository keep it.

The canonical int4 base goes into the package (`nano/base`), the bf16 checkpoint that it was
quantized from stays in the repository outside it (`checkpoints/nano`), for studies of quantization.
"""

import shutil
from pathlib import Path

from edgetune_export.weights.base import Base, load_base
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import replaced_directory, require_own_directory

PACKAGE_BASE = Path(__file__).parent / "base"
"""Where the embedded base lies."""

MOST_BYTES = 12_000_000
"""The package may not grow by more than this."""


def ship(run: Path, checkpoints: Path) -> Base:
    """Quantize `run/hf` into the package and copy it to `checkpoints/nano`.

    Raises InputError where `run` holds no model, the base would be larger than `MOST_BYTES`, or
    `checkpoints/nano` is something else.
    """
    source = run / "hf"
    if not (source / "model.safetensors").is_file():
        raise InputError(
            f"{source}: no model there; run `edgetune nano pretrain` to its end first."
        )
    kept = checkpoints / "nano"
    require_own_directory(kept, ("model.safetensors",), "checkpoint")
    with replaced_directory(PACKAGE_BASE) as fresh:
        load_base(source, fresh, name="nano")
        size = sum(file.stat().st_size for file in fresh.iterdir())
        if size > MOST_BYTES:
            raise InputError(
                f"{source}: as int4 the base takes {size} bytes, at most {MOST_BYTES} may be "
                "shipped; pretrain a smaller one."
            )
    with replaced_directory(kept) as fresh:
        for file in sorted(source.iterdir()):
            shutil.copyfile(file, fresh / file.name)
    return Base(PACKAGE_BASE)
