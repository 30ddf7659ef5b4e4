"""attrax recall --from: one cue, and the whole way from it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from attrax.cli._output import number, print_json
from attrax.cli._progress import progress_bar
from attrax.cli._sequences import check_frames_output, name_of, read_selected, write_frames
from attrax.cli._words import plain

if TYPE_CHECKING:  # help and wrong usage don't wait for NumPy
    import numpy as np


def recall_from(
    memory: Any,
    begin: str,
    *,
    file: Path,
    corrupt: str | None,
    cycles: int,
    output: Path | None,
    selection: dict[str, Any],
    atol: float | None,
    recovery_atol: float | None,
    max_steps: int,
    seed: int,
    as_json: bool,
) -> int:
    """Recalls the sequence that `begin` leads to: `noise`, `frame:I` or a source of a single state."""
    import jax.random as jr

    from attrax.corruptions import corrupt as corrupted
    from attrax.dynamics import phase_errors, recall_sequence

    facts = memory.written.get("media")
    if output is not None:
        check_frames_output(output, facts, memory.examples().frame_shape)
    patterns = memory.examples()
    cue, expected = _cue(memory, begin, selection, seed)
    if corrupt is not None:
        cue = corrupted(corrupt, cue, key=jr.key(seed))
    with progress_bar() as progress:
        found = recall_sequence(
            memory,
            cue,
            cycles=cycles,
            expected=expected,
            atol=atol,
            recovery_atol=recovery_atol,
            max_steps=max_steps,
            progress=progress,
        )
    frames = found.frames[0]
    names = [f"frame-{step:05d}" for step in range(len(frames))]
    errors = phase_errors(memory, found)
    notes = [] if output is None else write_frames(output, frames, names, facts, errors, memory.originals)
    for note in notes:
        typer.echo(f"attrax: {note}", err=True)
    cycle, measured = int(found.cycle[0]), len(found.psnr[0]) > 0
    record = {
        "from": begin,
        "corruption": corrupt,
        "status": str(found.status[0]),
        "cycle": cycle,
        "length": len(patterns.cycles[cycle]) if cycle >= 0 else None,
        "index": found.index[0],
        "name": name_of(patterns, int(found.index[0])),
        "phase": found.phase[0],
        "transient": found.transient[0],
        "period": found.period[0],
        "psnr": {
            "median": float(found.psnr_median[0]) if measured else None,
            "min": float(found.psnr_min[0]) if measured else None,
        },
        "frames": len(frames),
        "file": str(file),
        "output": None if output is None else str(output),
    }
    if as_json:
        print_json(record)
        return 0
    if cycle >= 0:
        at = "" if record["name"] is None else f" {plain(record['name'])},"
        print(
            f"{record['status']}: cycle {cycle} of {record['length']} states, entered at{at} phase {record['phase']} "
            f"after {record['transient']} steps"
        )
    else:
        print(f"{record['status']} after {record['transient']} steps: {found.status[0].advice}")
    print(
        f"period {record['period']}; PSNR: median {number(record['psnr']['median'])} dB, "
        f"least {number(record['psnr']['min'])} dB"
    )
    if output is not None:
        print(f"{len(frames)} frames written to {output}")
    return 0


def start_of(memory: Any, begin: str, seed: int) -> np.ndarray:
    """The one state that `begin`, `noise` or `frame:I`, names. **Raises** `ValueError` for anything else."""
    if begin != "noise" and not begin.startswith("frame:"):
        raise ValueError(f"--from must be noise or frame:I with the position of a stored state; got {begin!r}")
    return _cue(memory, begin, {}, seed)[0]


def _cue(memory: Any, begin: str, selection: dict[str, Any], seed: int) -> tuple[np.ndarray, np.ndarray | None]:
    """The cue, and where it is a stored state that state's index."""
    import numpy as np

    patterns, originals = memory.examples(), np.asarray(memory.originals)
    kind, colon, place = begin.partition(":")
    if begin == "noise":
        draw = np.random.default_rng(seed)
        return draw.uniform(originals.min(), originals.max(), (1, *patterns.shape)), None
    if kind == "frame" and colon:
        if not (place.isascii() and place.isdigit() and int(place) < len(patterns)):
            raise ValueError(
                f"--from frame:I takes a state from 0 to {len(patterns) - 1}, in the order they were stored; got {begin!r}"
            )
        return originals[[int(place)]], np.array([int(place)])
    cues = _frames(memory, begin, selection)
    if len(cues) == patterns.context > 1 and cues.shape[1:] == patterns.frame_shape:
        return patterns.one_state(cues), None
    if len(cues) != 1:
        single = "" if patterns.context == 1 else f", or of {patterns.context} frames"
        raise ValueError(
            f"--from takes noise, frame:I or a source of one state{single}; {begin} holds {len(cues)}. "
            "--n 1 takes the first"
        )
    return cues, None


def _frames(memory: Any, begin: str, selection: dict[str, Any]) -> np.ndarray:
    """The frames of a source, brought to what the memory stores as its own sources were."""
    import numpy as np

    from attrax.sources import is_sequence

    stored, facts = memory.written.get("selection") or {}, memory.written.get("media") or {}
    size, gray = selection["size"] or stored.get("size"), bool(selection["gray"] or stored.get("gray"))
    options = {**selection, "size": size, "gray": gray, "range": stored.get("range"), "kind": None}
    options["fit"] = stored.get("fit", "squash") if size else "squash"
    if is_sequence(begin):
        options["media"] = {name: facts[name] for name in ("hop", "rate", "by") if facts.get(name) is not None}
        if (stored.get("media") or {}).get("mono"):
            options["media"]["mono"] = True
    part = read_selected([begin], options)
    vocabulary = facts.get("vocabulary")
    if vocabulary is None or part.facts is None or "vocabulary" not in part.facts:
        return part.values
    unknown = [entry for entry in part.names if entry not in vocabulary]
    if unknown:
        raise ValueError(f"--from {begin}: {unknown[0]!r} is not in the text that the memory stores; leave it out")
    return np.eye(len(vocabulary))[[vocabulary.index(entry) for entry in part.names]]
