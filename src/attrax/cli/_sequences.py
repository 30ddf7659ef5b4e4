"""Sequences on the command line: from sources to patterns, and from frames to files.

A reader of another kind of file takes its place in `attrax.sources`; every source that opens there is a sequence here.
A writer of another kind of file takes its place in `WRITERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from attrax.cli._maps import named_map
from attrax.cli._media import Part, common_facts, is_clip, read_part, write_clip
from attrax.cli._options import check_output_file, check_output_folder, load_sources
from attrax.cli._output import number
from attrax.cli._progress import waiting

if TYPE_CHECKING:  # help and wrong usage don't wait for NumPy
    import numpy as np

KINDS = ("images", "sequence")


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What the sources hold: `patterns`, a name for each frame in the order of the sources, and files left out."""

    patterns: Any
    names: tuple[str, ...]
    skipped: tuple[str, ...]
    lengths: tuple[int, ...]
    facts: dict[str, Any] | None = None
    """What is needed to write states back as the medium they are of."""


def kind_of(kind: str | None, sources: list[str]) -> str:
    """What the sources are stored as, where nothing was asked for."""
    if kind is not None:
        return kind
    return "sequence" if any(is_clip(source) for source in sources) else "images"


def parse_indices(text: str | None) -> list[int] | None:
    """Numbers from `I,J,...`. **Raises** `ValueError` for anything else."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError(f"--indices must be numbers from 0 with commas between, such as 3,0,5; got {text!r}")
    return [int(part) for part in parts]


def read_sequences(sources: list[str], selection: dict[str, Any]) -> Given:
    """Patterns from sources.

    **Arguments:** `selection`, the options that stand on record: those of `load_sources`, and `kind`, `cycle_length`,
    `indices`, `single`, `end`, `context` and `media`.

    **Raises** `ValueError` for options that don't go together and for sources that can't be read.
    """
    import numpy as np

    from attrax.patterns import ENDS, Patterns

    options = dict(selection)
    kind, length = options.pop("kind", "images"), options.pop("cycle_length", None)
    indices, single = options.pop("indices", None), options.pop("single", None) or []
    end, context = options.pop("end", "loop"), _context(options.pop("context", 1))
    media = options.pop("media", None) or {}
    _check(kind, end, ENDS, length, context, single, indices, options)
    picked = parse_indices(indices) if isinstance(indices, str) else indices
    if kind == "images" and not any(is_clip(source) for source in sources):
        if media:
            raise ValueError(
                f"--{next(iter(media))} is for films, sound and text, of which there is none; leave it out"
            )
        examples = load_sources(sources, **options)
        part = _pick(
            Part(examples.values, tuple(examples.names), tuple(str(text) for text in examples.skipped), None),
            picked,
            "the sources",
        )
        patterns = Patterns.from_examples(part.values)
        return Given(patterns, part.names, part.skipped, (1,) * len(patterns))
    parts = [_pick(read_part(source, options, media), picked, source) for source in sources]
    singles = [read_part(source, {**options, "n": None}, {}) for source in single]
    facts = common_facts([*parts, *singles], [*sources, *single])
    names = tuple(name for part in (*parts, *singles) for name in part.names)
    skipped = tuple(text for part in (*parts, *singles) for text in part.skipped)
    if kind == "images":
        patterns = Patterns.from_examples(np.concatenate(_alike([part.values for part in parts])))
        return Given(patterns, names, skipped, (1,) * len(patterns), facts)
    cycles = [
        (piece, True)
        for part, source in zip(parts, sources, strict=True)
        for piece in _cut(part.values, length, source)
    ]
    cycles += [(value[None], False) for part in singles for value in part.values]
    arrays = _alike([values for values, _ in cycles])
    ends = [end if moving else "loop" for _, moving in cycles]
    patterns = Patterns.from_sequences(arrays, end=ends, context=context, names=names)
    return Given(patterns, names, skipped, tuple(len(values) for values in arrays), facts)


def _context(given: int | str) -> int | str:
    if isinstance(given, int) or given == "auto":
        return given
    if not (given.isascii() and given.isdigit() and int(given) > 0):
        raise ValueError(f"--context must be a number of frames, at least 1, or auto; got {given!r}")
    return int(given)


def _check(
    kind: str,
    end: str,
    ends: tuple[str, ...],
    length: int | None,
    context: int | str,
    single: list[str],
    indices: Any,
    options: dict[str, Any],
) -> None:
    from attrax._base import checks

    checks.one_of("--as", kind, KINDS)
    checks.one_of("--end", end, ends)
    if indices is not None and (options.get("n") is not None or options.get("shuffle")):
        raise ValueError("--indices says which states to take; leave --n and --shuffle out")
    if kind == "images":
        for option, given in (
            ("--cycle-length", length is not None),
            ("--single", bool(single)),
            ("--end", end != "loop"),
            ("--context", context != 1),
        ):
            if given:
                raise ValueError(f"{option} is for sequences; add --as sequence, or leave it out")
    elif options.get("shuffle"):
        raise ValueError("a sequence has an order, which --shuffle would destroy; leave it out, or use --indices")


def _pick(part: Part, indices: list[int] | None, source: str) -> Part:
    if indices is None:
        return part
    beyond = [index for index in indices if index >= len(part)]
    if beyond:
        raise ValueError(f"--indices: {source} holds {len(part)} states, counted from 0; there is no {beyond[0]}")
    return Part(part.values[indices], tuple(part.names[index] for index in indices), part.skipped, part.facts)


def _cut(values: np.ndarray, length: int | None, source: str) -> list[np.ndarray]:
    if length is None:
        return [values]
    rest = len(values) % length
    if rest:
        raise ValueError(
            f"--cycle-length {length}: {source} holds {len(values)} states, which leaves a remainder of {rest}; take "
            f"--n {len(values) - rest} or choose the states with --indices"
            if len(values) > rest
            else f"--cycle-length {length}: {source} holds only {len(values)} states; choose a shorter cycle"
        )
    return [values[start : start + length] for start in range(0, len(values), length)]


def _alike(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Gray pictures as color ones where others have color, as within one source."""
    import numpy as np

    colored = {array.shape[1:3] for array in arrays if array.ndim == 4 and array.shape[3] == 3}
    return [
        np.repeat(array[..., None], 3, axis=3) if array.ndim == 3 and array.shape[1:] in colored else array
        for array in arrays
    ]


@waiting("reading the memory")
def load_memory(file: Path, patterns: list[str] | None, map: str | None = None) -> Any:
    """A memory from its file, completed by `patterns` and by the `map` where it was saved without them."""
    from attrax import files

    memory = files.load(file, map=named_map(map))
    if isinstance(memory.map, files.MissingMap):
        raise ValueError(f"{file} does not hold its map, {memory.map.text}; name it with --map MODULE:NAME")
    if memory.patterns is None:
        if not patterns:
            raise ValueError(
                f"{file} was saved without its patterns, and only they tell what its attractors are; "
                "name the source it was written from with --patterns SOURCE"
            )
        # Which of its examples were taken, and how, is on record.
        selection = memory.written.get("selection") or {}
        return files.with_patterns(memory, read_sequences(patterns, selection).patterns)
    if patterns:
        raise ValueError(f"{file} holds its patterns; leave --patterns out")
    return memory


def near_record(patterns: Any) -> list[dict[str, Any]]:
    """States that are nearly equal and go different ways, for the record."""
    return [
        {"states": list(pair.states), "distance": pair.distance, "successor_distance": pair.successor_distance}
        for pair in patterns.ambiguities()
    ]


def warn_of_near(near: list[dict[str, Any]], given: Given) -> None:
    """Says on stderr which frames are nearly equal and go different ways."""
    if not near:
        return
    # Merged states, and those that an open sequence ends with, have no names of their own.
    plain = len(given.names) == len(given.patterns)

    def name(index: int) -> str:
        return given.names[index] if plain else f"state {index}"

    shown = "; ".join(" and ".join(name(index) for index in pair["states"]) for pair in near[:3])
    more = f"; and {len(near) - 3} more pairs" if len(near) > 3 else ""
    typer.echo(
        f"attrax: nearly equal frames with different successors: {shown}{more} (--context may tell them apart)",
        err=True,
    )


def cycle_rows(found: Any) -> list[dict[str, Any]]:
    """One entry a cycle, as `store --json` and `certify --json` have it."""
    return [
        {
            "length": len(cycle),
            "log_spectral_radius": found.log_spectral_radius[row],
            "verdict": str(found.verdict[row]),
            "period": found.period[row],
        }
        for row, cycle in enumerate(found.cycles)
    ]


def way_rows(found: Any, patterns: Any) -> list[dict[str, Any]]:
    """One entry an open sequence: where it begins and ends, and whether it runs as it was given."""
    return [
        {"start": path[0], "end": path[-1], "length": len(path), "error": error, "kept": bool(kept)}
        for path, error, kept in zip(patterns.ways, found.way_error, found.ways_kept, strict=True)
    ]


def print_cycles(record: dict[str, Any]) -> None:
    """The cycles and open sequences of a record, for people."""
    rows = [row for row in record["cycles"] if row["length"] > 1]
    for row in rows:
        print(
            f"cycle of {row['length']}: {row['verdict']}, log of the spectral radius "
            f"{number(row['log_spectral_radius'])}, period {row['period']}"
        )
    if len(record["cycles"]) > len(rows):
        print(f"fixed points: {len(record['cycles']) - len(rows)}")
    for row in record["ways"]:
        print(
            f"open sequence of {row['length']} states: {'runs to its end' if row['kept'] else 'is not kept'}, "
            f"largest mean squared error {number(row['error'])}"
        )


def _write_array(path: Path, frames: np.ndarray, names: list[str]) -> list[Path]:
    from attrax.sources import save_array

    return [save_array(path, frames)]


def _write_pictures(path: Path, frames: np.ndarray, names: list[str]) -> list[Path]:
    from attrax.sources import save_images

    if frames.ndim not in (3, 4):
        raise ValueError(f"--output: states of shape {frames.shape[1:]} are no pictures; name a .npy or .npz file")
    return save_images(path, frames.clip(0.0, 1.0), names)


WRITERS: dict[str, Callable[[Path, np.ndarray, list[str]], list[Path]]] = {
    "": _write_pictures,
    ".npy": _write_array,
    ".npz": _write_array,
}
"""Writers of frames by the suffix of the output; without one that is known, a folder of pictures."""
CLIPS = (".mp4", ".gif", ".wav", ".txt")
"""Suffixes of what `attrax.sources.save_sequence` writes."""


def check_frames_output(path: Path, facts: dict[str, Any] | None, shape: tuple[int, ...]) -> None:
    """**Raises** `ValueError` where frames of this shape can't be written to `path`, so that it is said before work."""
    from attrax.sources import AUDIO_SUFFIXES, IMAGE_SUFFIXES, TEXT_SUFFIXES, VIDEO_SUFFIXES

    suffix = path.suffix.lower()
    kind = "plain arrays" if facts is None else facts["kind"]
    pictures = kind in ("video", "images") or (facts is None and len(shape) in (2, 3))
    clips = {"audio": (".wav",), "text": (".txt",), "plain arrays": ()}.get(kind, (".mp4", ".gif"))
    # A folder may be called anything but what looks like a file of another kind.
    file = suffix in (*CLIPS, *AUDIO_SUFFIXES, *IMAGE_SUFFIXES, *TEXT_SUFFIXES, *VIDEO_SUFFIXES)
    if suffix not in (".npy", ".npz") and (suffix not in clips if file else not pictures):
        allowed = [*(["a folder"] if pictures else []), *clips, ".npy"]
        raise ValueError(f"--output: the memory holds {kind}, written to {', '.join(allowed)} or .npz; got {path}")
    if suffix in (*WRITERS, *CLIPS) and suffix:
        check_output_file(path, "--output")
    else:
        check_output_folder(path, "--output")


def write_frames(
    path: Path, frames: np.ndarray, names: list[str], facts: dict[str, Any] | None, errors: np.ndarray
) -> list[str]:
    """Writes frames in the format that the suffix of `path` names, a folder of PNG files where it names none.

    Returns a sentence on each thing that the file does not hold as it was.
    """
    suffix = path.suffix.lower()
    if suffix in CLIPS:
        return write_clip(path, frames, facts, errors)
    WRITERS[suffix if suffix in WRITERS else ""](path, frames, names)
    return []
