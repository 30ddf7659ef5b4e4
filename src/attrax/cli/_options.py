"""Options that several commands share, and checks made before any work."""

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from attrax.activations import activation
from attrax.cli._progress import waiting

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")]
Seed = Annotated[
    int,
    typer.Option(
        min=0, max=2**32 - 1, metavar="N", help="Seed of all randomness; the same seed gives the same result."
    ),
]
Number = Annotated[
    int | None, typer.Option("--n", min=1, metavar="N", help="Take the first N (with --shuffle: N at random).")
]
Shuffle = Annotated[bool, typer.Option("--shuffle", help="Take examples at random, by --seed.")]
Size = Annotated[str | None, typer.Option(metavar="HxW", help="Resize images to this height and width.")]
Fit = Annotated[
    Literal["squash", "crop", "pad"],
    typer.Option(
        metavar="squash|crop|pad",
        help="For images with another aspect ratio than --size: stretch, crop, or add black borders.",
    ),
]
ValueRange = Annotated[
    str | None,
    typer.Option(
        "--range",
        metavar="LOW:HIGH",
        help="Values to map to 0 and 1. [default: by the type of the numbers]",
        show_default=False,
    ),
]
Recursive = Annotated[
    bool, typer.Option("--recursive/--no-recursive", help="Read subfolders too; their names become labels.")
]
Gray = Annotated[bool, typer.Option("--gray", help="One channel instead of color.")]
SkipUnreadable = Annotated[bool, typer.Option("--skip-unreadable", help="Skip unreadable image files.")]
_ATOL = "How far an attractor may lie from its example, as a Euclidean distance. "
_PAPERS = "a mean squared distance of 1e-7, for entries between 0 and 1"
RecoveryAtol = Annotated[
    float | None, typer.Option("--recovery-atol", metavar="DISTANCE", help=f"{_ATOL}[default: {_PAPERS}]")
]
StoredRecoveryAtol = Annotated[
    float | None, typer.Option("--recovery-atol", metavar="DISTANCE", help=f"{_ATOL}[default: the one in the file]")
]
PatternSource = Annotated[
    list[str] | None,
    typer.Option("--patterns", metavar="SOURCE", help="The examples of a memory that was saved with --no-patterns."),
]
MemoryLimit = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="Compute in pieces that take at most about this much memory, such as 4GB; the network, the examples and "
        "JAX come on top. [default: pieces of a fixed number]",
        show_default=False,
    ),
]
Dask = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS", help="Address of a Dask scheduler whose workers compute instead.", show_default=False
    ),
]
Checkpoint = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Save what is finished here regularly.", show_default=False)
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue from --checkpoint if it exists.")]

# What to take of a film, a sound or a text.
Fps = Annotated[
    float | None,
    typer.Option(metavar="RATE", help="Frames per second to take from a film (nearest frames).", show_default=False),
]
Start = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="Where to begin in a film or a sound.", show_default=False)
]
Duration = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="How much to take from there.", show_default=False)
]
Hop = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="Length of sound in one state. [default: 1]", show_default=False)
]
Rate = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="HERTZ",
        help="Resample sound to this many samples per second. [default: its own]",
        show_default=False,
    ),
]
Mono = Annotated[bool, typer.Option("--mono", help="Average the channels of a sound.")]
By = Annotated[
    Literal["word", "character"] | None,
    typer.Option(metavar="word|character", help="What a state of a text is. [default: word]", show_default=False),
]

# How states follow each other.
As = Annotated[
    Literal["images", "sequence"] | None,
    typer.Option(
        "--as",
        metavar="KIND",
        help="images: each state is an example of its own. sequence: each SOURCE is one cycle; images "
        "of a folder follow in the order of their names. [default: sequence for films, sound and "
        "text, else images]",
        show_default=False,
    ),
]
CycleLength = Annotated[
    int | None,
    typer.Option(
        "--cycle-length", min=1, metavar="L", help="Cut each source into cycles of L states.", show_default=False
    ),
]
Indices = Annotated[
    str | None,
    typer.Option(
        "--indices",
        metavar="I,J,...",
        help="Take these states of each source (with --as images, of all sources together) in this "
        "order, counted from 0.",
        show_default=False,
    ),
]
Single = Annotated[
    list[str] | None,
    typer.Option(metavar="SOURCE", help="Also store each state of this source as a single example; repeatable."),
]
End = Annotated[
    Literal["loop", "hold"],
    typer.Option(
        metavar="loop|hold",
        help="loop: the last state of a sequence leads to the first. hold: it leads to itself (an open sequence).",
    ),
]
Context = Annotated[
    str,
    typer.Option(
        "--context",
        metavar="K|auto",
        help="Make each state of the last K frames, so that equal frames can have different "
        "successors. auto takes the least K that is enough.",
    ),
]


def known_activation(name: str | None) -> str | None:
    """The name, if there is such an activation. Otherwise it is refused before any work, as wrong usage."""
    if name is not None:
        activation(name)
    return name


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Height and width from `HxW`. **Raises** `ValueError` for anything else."""
    if text is None:
        return None
    height, cross, width = text.lower().partition("x")
    if not cross or not height.isascii() or not height.isdigit() or not width.isascii() or not width.isdigit():
        raise ValueError(f"--size must be HEIGHTxWIDTH in pixels, such as 32x32; got {text!r}")
    return int(height), int(width)


def parse_range(text: str | None) -> tuple[float, float] | None:
    """The numbers that become 0 and 1 from `LOW:HIGH`. **Raises** `ValueError` for anything else."""
    if text is None:
        return None
    low, colon, high = text.partition(":")
    try:
        found = float(low), float(high)
    except ValueError:
        found = (math.nan, math.nan)
    if not colon or not all(map(math.isfinite, found)):
        raise ValueError(f"--range must be LOW:HIGH, the numbers that become 0 and 1, such as 0:4095; got {text!r}")
    return found


def load_sources(sources: list[str], **selection: Any) -> Any:
    """`attrax.sources.read` for single examples; the `selection` is as `_selected` takes it."""
    with waiting("reading " + " ".join(sources[:3])):
        from attrax.sources import read

        return read(*sources, kind="images", **_selected(**selection))


def load_pieces(sources: list[str], *, rows: int, **selection: Any) -> Iterator[Any]:
    """`attrax.sources.load_pieces`; the `selection` is as `_selected` takes it."""
    from attrax.sources import is_sequence, load_pieces

    films = [source for source in sources if is_sequence(source)]
    if films:
        raise ValueError(f"--memory reads pictures and arrays in pieces; {films[0]} is a film, a sound or a text")
    pieces = load_pieces(*sources, rows=rows, **_selected(**selection))
    while True:
        with waiting("reading " + " ".join(sources[:3])):
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece


def _selected(
    *,
    n: int | None = None,
    shuffle: bool = False,
    seed: int = 0,
    size: str | None = None,
    gray: bool = False,
    skip_unreadable: bool = False,
    like: Any = None,
) -> dict[str, Any]:
    """Options of the command line as the library takes them.

    `like`: a memory, with whose sources these are to agree in all that has no option here.
    """
    shape = parse_size(size)
    selection = {} if like is None else like.written.get("selection") or {}
    return {
        "n": n,
        "shuffle": shuffle,
        "seed": seed,
        "size": shape,
        "gray": gray,
        "value_range": parse_range(selection.get("range")),
        "fit": selection.get("fit", "squash") if shape else "squash",
        "skip_unreadable": skip_unreadable,
    }


def check_output_file(path: Path, option: str) -> None:
    """**Raises** `ValueError` where a file can't be written to `path`, so that it is said before hours of work."""
    if path.is_dir():
        raise ValueError(f"{option} must be a file; {path} is a folder")
    if path.exists() and not path.is_file():
        raise ValueError(f"{option} must be a regular file; {path} is a device or the like")
    parent = path.parent
    if not parent.is_dir():
        raise ValueError(f"{option}: the folder {parent} does not exist; make it first")
    if not os.access(parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise ValueError(f"{option}: {path} can't be written; choose another place or change its permissions")


def check_differ(path: Path, option: str, others: list[Path], name: str) -> None:
    """**Raises** `ValueError` where `path` is one of the files `others`, which are to be read."""
    for other in others:
        # A source may be a text that is too long for a path, of which `exists` of `os` says that it is none.
        if path.exists() and os.path.exists(other) and path.samefile(other):
            raise ValueError(f"{option}: {path} is one of {name}; choose another place")


_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT]?)B", re.ASCII | re.IGNORECASE)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def parse_bytes(text: str | None) -> int | None:
    """A number of bytes from a text such as `4GB`. **Raises** `ValueError` for anything else."""
    if text is None:
        return None
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(f"--memory must be a number of B, kB, MB, GB or TB, such as 500MB or 4GB; got {text!r}")
    return int(float(found[1]) * _UNITS[found[2].upper()])


def check_checkpoint(path: Path | None, resume: bool, output: Path | None = None) -> None:
    """**Raises** `ValueError` where work can't be saved to `path`, or something there would be lost."""
    if path is None:
        if resume:
            raise ValueError("--resume continues from a checkpoint; name it with --checkpoint FILE")
        return
    check_output_file(path, "--checkpoint")
    if output is not None and path.absolute() == output.absolute():
        raise ValueError(f"--checkpoint and --output must be two files; both are {path}")
    if path.exists() and not resume:
        raise ValueError(
            f"--checkpoint: {path} exists; add --resume to continue from it, or delete it to start from the beginning"
        )


def check_output_folder(path: Path, option: str) -> None:
    """**Raises** `ValueError` where `path` is not, and can't become, a folder that can be written to."""
    if path.exists() and not path.is_dir():
        raise ValueError(f"{option} must be a folder; {path} is a file")
    nearest = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise ValueError(f"{option}: {path} can't be made or written to; choose another place")
