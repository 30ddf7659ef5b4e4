"""The options of attrax store, one record for each panel of its help."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from attrax._base import checks
from attrax.activations import ACTIVATIONS
from attrax.cli._options import (
    As,
    Context,
    CycleLength,
    End,
    Fit,
    Gray,
    Indices,
    Json,
    Number,
    RecoveryAtol,
    Recursive,
    Resume,
    Seed,
    Shuffle,
    Single,
    Size,
    SkipUnreadable,
    ValueRange,
    known_activation,
)
from attrax.cli._pairs import With
from attrax.corruptions import parse_corruption
from attrax.writing import WRITERS

_KAIMING = [name for name, record in ACTIVATIONS.items() if record.init == "kaiming_uniform"]


def _known_corruptions(texts: list[str] | None) -> list[str] | None:
    """The texts, if they are corruptions. Otherwise they are refused before any work, as wrong usage."""
    for text in texts or ():
        parse_corruption(text)
    return texts


def _named_writer(name: str) -> str:
    """The name, if there is such a writer. Otherwise it is refused before any work, as wrong usage."""
    if name not in WRITERS:
        near = checks.did_you_mean(name, WRITERS)
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(map(repr, WRITERS))}{near or '.'}")
    return name


def _rate(text: str | None) -> float | str | None:
    """The number, or `edge`."""
    if text is None or text == "edge":
        return text
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither a number nor edge.") from None


def _writers_help() -> str:
    """All writers with their lines of help; those with the same line are joined to save space."""
    lines: dict[str, list[str]] = {}
    for name, (_, line) in WRITERS.items():
        lines.setdefault(line, []).append(name)
    return " ".join(f"{', '.join(names)}: {line}." for line, names in lines.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """Options that say what to store."""

    kind: As = None
    n: Number = None
    shuffle: Shuffle = False
    indices: Indices = None
    size: Size = None
    fit: Fit = "squash"
    gray: Gray = False
    value_range: ValueRange = None
    recursive: Recursive = True
    skip_unreadable: SkipUnreadable = False
    cycle_length: CycleLength = None
    end: End = "loop"
    context_frames: Context = "1"
    single: Single = None
    targets: Annotated[str | None, With] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodOptions:
    """Options that say how to store it."""

    writer: Annotated[
        str,
        typer.Option(
            metavar="NAME", callback=_named_writer, autocompletion=lambda: list(WRITERS), help=_writers_help()
        ),
    ] = "auto"
    noise: Annotated[
        float | None,
        typer.Option(metavar="SIGMA", help="Standard deviation of Gaussian noise on the inputs in training."),
    ] = None
    train_corruption: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND:LEVEL",
            callback=_known_corruptions,
            help="Train on examples corrupted up to this level, such as occlude:0.7; repeatable. attrax "
            "recall --help lists the kinds.",
        ),
    ] = None
    seed: Seed = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkOptions:
    """Options of the network. The writer, or `_recipe`, chooses those that are not given."""

    width: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Units of each hidden layer. [default: 512; for winner-take-all by the data]",
        ),
    ] = None
    depth: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Number of hidden layers. [default: 5]",
        ),
    ] = None
    activation: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            callback=known_activation,
            help=f"{', '.join(ACTIVATIONS)}, or a power such as z^2. [default: relu]",
        ),
    ] = None
    init: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="pytorch, xavier_uniform, xavier_normal, kaiming_uniform, kaiming_normal or uniform:A. [default: "
            f"kaiming_uniform for {' and '.join(_KAIMING)}, else pytorch]",
        ),
    ] = None
    bias: Annotated[
        bool | None,
        typer.Option(
            "--bias/--no-bias",
            help="Use biases in every layer. Without them, ReLU and Leaky ReLU networks cannot store "
            "anything. [default: bias]",
            show_default=False,
        ),
    ] = None
    dtype: Annotated[
        Literal["float32", "float64"] | None,
        typer.Option(metavar="NAME", help="Precision of training: float32 or float64. [default: float32]"),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """Options of training. The writer chooses those that are not given."""

    optimizer: Annotated[
        Literal["gd", "momentum", "momentum_decay", "rmsprop", "adam", "kfac"] | None,
        typer.Option(
            metavar="NAME",
            help="gd, momentum, momentum_decay, rmsprop, adam or kfac. [default: adam; with --lr edge rmsprop]",
        ),
    ] = None
    lr: Annotated[
        str | None,
        typer.Option(
            metavar="RATE",
            callback=_rate,
            help="Learning rate; edge: find the largest stable rate, train there, and anneal. [default: the writer's "
            "choice]",
        ),
    ] = None
    epochs: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="N", help="Maximum number of passes through the data. [default: the writer's choice]"
        ),
    ] = None
    tol: Annotated[
        float | None,
        typer.Option(
            metavar="LOSS",
            help="Loss on the clean examples to reach; training by gradient without noise stops there. [default: 1e-8]",
        ),
    ] = None
    time_limit: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Stop training after this time. [default: no limit]"),
    ] = None
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Save training here, and certificates in FILE.certificate, every few seconds."
        ),
    ] = None
    resume: Resume = False
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any other setting, such as training.batch=32, augmentation.copies=4 or "
            "source.start=2.5; repeatable. A wrong name lists all names.",
        ),
    ] = None
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A TOML file with settings in tables [training], [augmentation], [source]."),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """Options of the file and of what is printed."""

    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The memory file to write.")]
    patterns: Annotated[bool, typer.Option("--patterns/--no-patterns", help="Keep the examples in the file.")] = True
    recovery_atol: RecoveryAtol = None
    as_json: Json = False
