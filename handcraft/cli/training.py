"""Runs `train`: weights by gradient descent, to stand beside those made by hand."""

from __future__ import annotations

import re
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from handcraft.cli.completing import programs
from handcraft.cli.numbers import real, whole
from handcraft.cli.terminal import (
    Json,
    ProgressBar,
    given_path,
    print_json,
    writing,
)
from handcraft.core.errors import HandcraftError, in_quotes


def _option(name: str, metavar: str | None, text: str) -> Any:
    return typer.Option(name, metavar=metavar, help=text)


_Sequence = Annotated[
    str | None,
    _option(
        "--sequence", "TEXT", "Train on all windows of a short text at once."
    ),
]
_Window = Annotated[
    str | None, _option("--window", "N", "Tokens of a window (64 for a text).")
]
_ClaimFile = Annotated[
    str | None,
    _option(
        "--claim", "FILE", "The claim of this file, for a program without one."
    ),
]
_Layers = Annotated[
    str | None, _option("--layers", "N", "Blocks of a new shape.")
]
_Heads = Annotated[str | None, _option("--heads", "N", "Heads of each block.")]
_Width = Annotated[str | None, _option("--width", "N", "Lanes of the stream.")]
_Norms = Annotated[
    bool | None,
    _option(
        "--norms/--no-norms",
        None,
        "Layer norms in a new shape (the default), or none.",
    ),
]
_Biases = Annotated[
    bool | None,
    _option("--biases/--no-biases", None, "Biases, or none: they stay 0."),
]
_Tied = Annotated[
    bool | None,
    _option(
        "--tied/--untied",
        None,
        "Read out with wte, or with weights of its own.",
    ),
]
_Begin = Annotated[
    str | None,
    _option(
        "--from",
        "PROGRAM",
        "Begin with these weights, made by hand or trained.",
    ),
]
_Freeze = Annotated[
    list[str] | None,
    _option(
        "--freeze",
        "RULE",
        "Leave the cells of this rule as they are, such as 'layers[0]'.",
    ),
]
_Steps = Annotated[
    str | None, _option("--steps", "N", "So many updates of the weights.")
]
_Rate = Annotated[str | None, _option("--rate", "X", "AdamW's learning rate.")]
_Schedule = Annotated[
    str | None,
    _option("--schedule", "NAME", "The rate over time: constant or cosine."),
]
_Warmup = Annotated[
    str | None,
    _option("--warmup", "N", "Steps in which the rate rises from 0."),
]
_Final = Annotated[
    str | None,
    _option(
        "--final",
        "X",
        "Where a cosine ends, as a share of the rate (0.1).",
    ),
]
_Decay = Annotated[str | None, _option("--decay", "X", "AdamW's weight decay.")]
_Beta2 = Annotated[
    str | None, _option("--beta2", "X", "AdamW's second decay rate.")
]
_Clip = Annotated[
    str | None, _option("--clip", "X", "The greatest norm of a gradient.")
]
_Batch = Annotated[
    str | None, _option("--batch", "N", "Rows of a step, or all.")
]
_Seed = Annotated[
    str | None,
    _option("--seed", "N", "Of the first weights and of what is drawn."),
]
_Seeds = Annotated[
    str | None,
    _option(
        "--seeds",
        "A:B",
        "A model for each seed from A to before B, all at once.",
    ),
]
_Jobs = Annotated[
    str | None,
    _option("--jobs", "N", "Train the seeds in N processes (0: one per core)."),
]
_Backend = Annotated[
    str,
    _option(
        "--backend",
        "BACKEND",
        "Run the processes with loky (on this machine), dask or ray.",
    ),
]
_Address = Annotated[
    str | None,
    _option(
        "--address", "ADDRESS", "Use the dask or ray cluster at this address."
    ),
]
_Every = Annotated[
    str | None,
    _option("--every", "N", "Evaluate after so many steps."),
]
_Patience = Annotated[
    str | None,
    _option(
        "--patience",
        "N",
        "Stop after so many evaluations that are no better; keep the best.",
    ),
]
_HeldOut = Annotated[
    str | None,
    _option("--held-out", "X", "The share of a text that is held out (0.1)."),
]
_Out = Annotated[
    str | None,
    _option(
        "--out",
        "DIR",
        "The directory to write (build/NAME_trained by default).",
    ),
]


def train(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="PROGRAM|TEXT",
            help="A program, trained on its claim; or a text file, whose last tenth is held"
            " out.",
            autocompletion=programs,
        ),
    ] = None,
    sequence: _Sequence = None,
    window: _Window = None,
    claim: _ClaimFile = None,
    layers: _Layers = None,
    heads: _Heads = None,
    width: _Width = None,
    norms: _Norms = None,
    biases: _Biases = None,
    tied: _Tied = None,
    begin: _Begin = None,
    freeze: _Freeze = None,
    steps: _Steps = None,
    rate: _Rate = None,
    schedule: _Schedule = None,
    warmup: _Warmup = None,
    final: _Final = None,
    decay: _Decay = None,
    beta2: _Beta2 = None,
    clip: _Clip = None,
    batch: _Batch = None,
    seed: _Seed = None,
    seeds: _Seeds = None,
    jobs: _Jobs = None,
    backend: _Backend = "loky",
    address: _Address = None,
    every: _Every = None,
    patience: _Patience = None,
    held_out: _HeldOut = None,
    out: _Out = None,
    json: Json = False,
) -> None:
    """Train weights for a claim or a text.

    Writes a built directory like any other, with loss.json and loss.svg. A run that was killed
    goes on where it was, to the same weights. The exit code is 1 where the loss is not finite.
    Needs the extra `train`.
    """
    from handcraft.proof.task import Spread
    from handcraft.results.train import train as train_model

    workers = None if jobs is None else whole("--jobs", jobs, 0)
    spread = Spread(workers, backend, address)
    directory = _directory(out, what or "sequence")
    with TrainingBar() as bar, redirect_stdout(sys.stderr):
        found = writing(
            lambda: train_model(
                what,
                sequence=sequence,
                window=_whole("--window", window),
                claim=claim,
                layers=_whole("--layers", layers),
                heads=_whole("--heads", heads),
                width=_whole("--width", width),
                norms=norms,
                biases=biases,
                tied=tied,
                begin=begin,
                freeze=freeze or (),
                held_out=_real("--held-out", held_out),
                batch=_batch(batch),
                seeds=_seeds(seed, seeds),
                out=directory,
                spread=spread,
                progress=bar.told,
                steps=_whole("--steps", steps),
                rate=_real("--rate", rate),
                schedule=schedule,
                warmup=_whole("--warmup", warmup),
                final=_real("--final", final),
                decay=_real("--decay", decay),
                beta2=_real("--beta2", beta2),
                clip=_real("--clip", clip),
                every=_whole("--every", every),
                patience=_whole("--patience", patience),
            )
        )
    print_json(found.to_json()) if json else print(found)
    raise typer.Exit(found.exit_code)


def _whole(option: str, given: str | None) -> int | None:
    return None if given is None else whole(option, given)


def _real(option: str, given: str | None) -> float | None:
    return None if given is None else real(option, given)


def _batch(given: str | None) -> int | Literal["all"] | None:
    if given == "all":
        return "all"
    return None if given is None else whole("--batch", given, 1)


def _seeds(one: str | None, several: str | None) -> int | range:
    """The seed, or the range of seeds. Raises HandcraftError for what is neither."""
    if several is None:
        return 0 if one is None else whole("--seed", one, 0)
    found = re.fullmatch(r"([0-9]{1,10}):([0-9]{1,10})", several)
    if one is not None or not found or int(found[1]) >= int(found[2]):
        both = " (and --seed is left out then)" if one is not None else ""
        raise HandcraftError(
            f"--seeds takes the first and the end of a range, such as 0:20{both}, found"
            f" {in_quotes(several[:40])}"
        )
    return range(int(found[1]), int(found[2]))


def _directory(out: str | None, subject: str) -> Path:
    """The directory that was asked for, or one in build/."""
    if out is not None:
        return given_path("--out", out)
    stem = Path(subject).name.removesuffix(".py").removesuffix(".txt")
    return Path("build") / f"{stem or 'model'}_trained"


class TrainingBar(ProgressBar):
    """A progress bar on stderr with the loss, tokens a second, and the time that is left."""

    def __enter__(self) -> TrainingBar:
        return self

    def __init__(self) -> None:
        super().__init__("training")
        self.shown = 0.0

    def told(self, step: int, steps: int, loss: float, rate: float) -> None:
        """Show where the run is."""
        self(step, steps)
        if self.bar is not None and time.monotonic() - self.shown > 0.1:
            self.shown = time.monotonic()
            words = f"step {step:,}, loss {loss:.4f}, {rate:,.0f} tokens/s"
            self.bar.update(self.task, description=words)
