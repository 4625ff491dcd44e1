"""`edgetune nano`: make the embedded base again."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Reproduce the embedded base, nano.")


@app.command("pretrain")
def pretrain(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="configs/nano/pretrain.yaml or one like it.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Checkpoints and curves.")
    ] = Path("runs/nano"),
) -> None:
    """Train nano from scratch; run the same command again to resume.

    Example: `edgetune nano pretrain configs/nano/pretrain.yaml --output runs/nano`
    """
    from edgetune.nano.pretrain import pretrain as train

    train(config, output)


@app.command("ship")
def ship(
    run: Annotated[Path, typer.Argument(metavar="DIR", help="A finished `nano pretrain`.")],
    checkpoints: Annotated[Path, typer.Option(help="Where the bf16 checkpoint is kept.")] = Path(
        "checkpoints"
    ),
) -> None:
    """Quantize a finished pretraining into the package.

    Example: `edgetune nano ship runs/nano`
    """
    from edgetune.nano.ship import ship as put

    base = put(run, checkpoints)
    print(f"{base.directory}: weights {base.weights_sha256}")
