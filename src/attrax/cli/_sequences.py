"""Sequences on the command line: from sources to patterns, and from frames to files.

A reader of another kind of file takes its place in `attrax.sources`; every source that opens there is a sequence here.
A writer of another kind of file takes its place in `WRITERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from attrax._base.arguments import printable
from attrax.cli._maps import named_map
from attrax.cli._media import write_clip
from attrax.cli._options import check_output_file, check_output_folder, parse_range, parse_size
from attrax.cli._output import number
from attrax.cli._progress import waiting

if TYPE_CHECKING:  # help and wrong usage don't wait for NumPy
    import numpy as np

_DIGITS = 19  # of a number that no machine counts to


def parse_indices(text: str | None) -> list[int] | None:
    """Numbers from `I,J,...`. **Raises** `ValueError` for anything else."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and len(part) < _DIGITS for part in parts):
        raise ValueError(f"--indices must be numbers from 0 with commas between, such as 3,0,5; got {text[:80]!r}")
    return [int(part) for part in parts]


def parse_context(given: int | str) -> int | str:
    """A number of frames, or `auto`. **Raises** `ValueError` for anything else."""
    if isinstance(given, int) or given == "auto":
        return given
    if not (given.isascii() and given.isdigit() and len(given) < _DIGITS and int(given) > 0):
        raise ValueError(f"--context must be a number of frames, at least 1, or auto; got {given[:80]!r}")
    return int(given)


def read_selected(sources: list[str], selection: dict[str, Any]) -> Any:
    """`attrax.sources.read` with the options as the command line has them and as they stand on record.

    Records from before there were `fit`, `range` and `recursive` have none of these.
    """
    from attrax.sources import read

    indices = selection.get("indices")
    return read(
        *sources,
        kind=selection.get("kind", "images"),
        size=parse_size(selection.get("size")),
        fit=selection.get("fit", "squash"),
        gray=selection.get("gray", False),
        value_range=parse_range(selection.get("range")),
        n=selection.get("n"),
        shuffle=selection.get("shuffle", False),
        seed=selection.get("seed", 0),
        indices=parse_indices(indices) if isinstance(indices, str) else indices,
        recursive=selection.get("recursive", False),
        skip_unreadable=selection.get("skip_unreadable", False),
        cycle_length=selection.get("cycle_length"),
        single=selection.get("single") or (),
        end=selection.get("end", "loop"),
        context=parse_context(selection.get("context", 1)),
        **(selection.get("media") or {}),
    )


def tell(examples: Any) -> None:
    """Says on stderr what was left out of the sources, and what is odd in them."""
    for text in [*(f"left out {one}" for one in examples.skipped), *examples.notes]:
        typer.echo(f"attrax: {printable(text)}", err=True)


def merged_names(examples: Any) -> list[list[str]]:
    """The names of the duplicates, each with that of the example that it became."""
    patterns = examples.patterns
    # Of states that several frames make, positions are not those of the names.
    whole = len(examples.names) == len(patterns) + len(patterns.merged)
    return [[_called(examples, one, whole) for one in pair] for pair in patterns.merged]


def tell_merged(pairs: list[list[str]]) -> None:
    """Says on stderr which examples were merged."""
    if not pairs:
        return
    shown = "; ".join(f"{printable(one)} equals {printable(other)}" for one, other in pairs[:3])
    more = f"; and {len(pairs) - 3} more" if len(pairs) > 3 else ""
    typer.echo(
        f"attrax: {len(pairs)} duplicate{'s were' if len(pairs) > 1 else ' was'} merged: {shown}{more}", err=True
    )


def _called(examples: Any, index: int, whole: bool) -> str:
    return examples.names[index] if whole else f"state {index}"


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
        return files.with_patterns(memory, read_selected(patterns, selection).patterns)
    if patterns:
        raise ValueError(f"{file} holds its patterns; leave --patterns out")
    return memory


def near_record(patterns: Any) -> list[dict[str, Any]]:
    """States that are nearly equal and go different ways, for the record."""
    return [
        {"states": list(pair.states), "distance": pair.distance, "successor_distance": pair.successor_distance}
        for pair in patterns.ambiguities()
    ]


def warn_of_near(near: list[dict[str, Any]], patterns: Any) -> None:
    """Says on stderr which frames are nearly equal and go different ways."""
    if not near:
        return
    shown = "; ".join(" and ".join(printable(patterns.name(index)) for index in pair["states"]) for pair in near[:3])
    more = f"; and {len(near) - 3} more pairs" if len(near) > 3 else ""
    typer.echo(
        f"attrax: nearly equal frames with different successors: {shown}{more} (--context may tell them apart)",
        err=True,
    )


def cycle_rows(found: Any, patterns: Any) -> list[dict[str, Any]]:
    """The rows of a certificate, each with the name of its first state and how many states it has."""
    return [
        {"name": name_of(patterns, cycle[0]), "length": len(cycle), **row}
        for cycle, row in zip(found.cycles, found.as_rows(), strict=True)
    ]


def print_reasons(found: Any) -> None:
    """What attractors rest on, and for each reason against one how often it was met and what to do."""
    shown = [
        evidence
        for evidence, verdict in zip(found.evidence, found.verdict, strict=True)
        if verdict in ("attractor", "displaced")
    ]
    for evidence in dict.fromkeys(shown):
        print(f"evidence {evidence} ({shown.count(evidence)}): {evidence.advice}")
    for reason in dict.fromkeys(found.reason):
        if reason != "contracts":
            print(f"{reason} ({found.reason.count(reason)}): {reason.advice}")
    if any(reason in ("displaced", "no_fixed_point_near") for reason in found.reason):
        print(f"recovery threshold: {number(found.recovery_atol)} (--recovery-atol)")


def name_of(patterns: Any, index: int) -> str | None:
    """The name of a stored state for a record, `None` where it has none or nothing was reached."""
    return None if patterns.names is None or index < 0 else patterns.names[index]


def open_sequence_rows(found: Any, patterns: Any) -> list[dict[str, Any]]:
    """One entry an open sequence: where it begins and ends, and whether it runs as it was given."""
    return [
        {
            "start": path[0],
            "start_name": name_of(patterns, path[0]),
            "end": path[-1],
            "end_name": name_of(patterns, path[-1]),
            "length": len(path),
            "error": error,
            "kept": bool(kept),
        }
        for path, error, kept in zip(
            patterns.open_sequences, found.open_sequence_error, found.open_sequences_kept, strict=True
        )
    ]


def print_cycles(record: dict[str, Any]) -> None:
    """The cycles and open sequences of a record, for people."""
    rows = [row for row in record["cycles"] if row["length"] > 1]
    for row in rows:
        print(
            f"cycle of {row['length']}{_from(row['name'])}: {row['verdict']} ({row['reason']}), log of the spectral "
            f"radius {number(row['log_spectral_radius'])}, period {row['period']}"
        )
    if len(record["cycles"]) > len(rows):
        print(f"fixed points: {len(record['cycles']) - len(rows)}")
    for row in record["open_sequences"]:
        outcome = "runs to its end" if row["kept"] else "is not kept"
        print(
            f"open sequence of {row['length']} states{_from(row['start_name'])}: {outcome}, "
            f"largest mean squared error {number(row['error'])}"
        )


def _from(name: str | None) -> str:
    return "" if name is None else f" from {printable(name)} on"


def _write_array(path: Path, frames: np.ndarray, names: list[str], stored: np.ndarray) -> list[str]:
    from attrax.sources import save_array

    save_array(path, frames)
    return []


def _write_pictures(path: Path, frames: np.ndarray, names: list[str], stored: np.ndarray) -> list[str]:
    from attrax.sources import picture_range, save_images, to_unit

    if frames.ndim not in (3, 4):
        raise ValueError(f"--output: states of shape {frames.shape[1:]} are not pictures; name a .npy or .npz file")
    scaled, notes = to_unit(frames, picture_range(stored))
    save_images(path, scaled, names)
    return list(notes)


WRITERS: dict[str, Callable[[Path, np.ndarray, list[str], np.ndarray], list[str]]] = {
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
    path: Path,
    frames: np.ndarray,
    names: list[str],
    facts: dict[str, Any] | None,
    errors: np.ndarray,
    stored: np.ndarray,
) -> list[str]:
    """Writes frames in the format that the suffix of `path` names, a folder of PNG files where it names none.

    What is black and white in pictures is as in `stored`. Returns a sentence on each thing that the file does not hold
    as it was.
    """
    suffix = path.suffix.lower()
    if suffix in CLIPS:
        return write_clip(path, frames, facts, errors, stored)
    return WRITERS[suffix if suffix in WRITERS else ""](path, frames, names, stored)
