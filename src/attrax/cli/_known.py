"""The option --known: which part of each cue recall goes by."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attrax._base.arguments import printable
from attrax.cli._output import number, spread

if TYPE_CHECKING:  # help and wrong usage don't wait for NumPy
    import numpy as np

Known = Annotated[
    str | None,
    typer.Option(
        "--known",
        metavar="SIDE:F|FILE|auto",
        help="Recall from a part of each cue: the fraction F of the rows or columns on a side (upper, lower, left, "
        "right), the white part of a picture or array FILE, or, with --corrupt, auto: the pixels that the corruption "
        "leaves as they are.",
        show_default=False,
    ),
]


def read_known(given: str | None, patterns: Any, *, corrupted: bool = False) -> np.ndarray | str | None:
    """What --known stands for, as `attrax.recall` and `attrax.recovery` take it.

    **Raises** `ValueError` for anything but a side with a fraction, a file, or `auto` where attrax itself makes the
    cues.
    """
    if given is None:
        return None
    if given == "auto":
        if not corrupted:
            raise ValueError(
                "--known auto is for the cues that --corrupt makes of all examples; of other cues only you can say which "
                "part is right: give SIDE:F, such as upper:0.25, or a FILE that is white there"
            )
        return given
    if os.path.exists(given):
        return _mask_of(given, patterns)
    from attrax.corruptions import SIDES

    if given.partition(":")[0] not in SIDES:
        raise ValueError(
            f"--known must be SIDE:F with a side of {', '.join(SIDES)}, a file, or auto; got {printable(given)!r}, and "
            "there is no such file"
        )
    return given


def _mask_of(path: str, patterns: Any) -> np.ndarray:
    """The mask in a file, or one for each cue: true where a picture or array is at least halfway to white."""
    import numpy as np

    from attrax.sources import load

    shape = patterns.cue_shape
    values = load(path, gray=False).values
    if values.ndim == 4:  # a mask in color counts by its mean
        values = values.mean(axis=-1)
    mask = np.asarray(values >= 0.5)
    whole = shape[:2] if len(shape) == 3 else shape
    if mask.shape[1:] == whole and len(mask) == 1:
        mask = mask[0]
    if mask.shape == whole or mask.shape[1:] == whole:
        spread = mask[..., None] if whole != shape else mask
        return np.broadcast_to(spread, (*mask.shape[: mask.ndim - len(whole)], *shape))
    raise ValueError(
        f"--known {path}: a mask must have the pixels of a stored state, {'×'.join(map(str, whole))}; it holds "
        f"{'×'.join(map(str, mask.shape[1:]))}"
    )


def held_record(held: Sequence[Any]) -> dict[str, Any] | None:
    """How iterations with the known part held ended, for the record; `None` if nothing was held."""
    if not held:
        return None
    counted = Counter(str(status) for one in held for status in one.status)
    return {"status_counts": dict(counted), "steps": spread([steps for one in held for steps in one.num_steps])}


def print_held(record: dict[str, Any]) -> None:
    if record["known_part"] is None:
        return
    held, part = record["held"], printable(record["known_part"])
    if held is None:
        print(f"known part {part}; not held: the states of these sequences do not come back")
        return
    ended = ", ".join(f"{count} {status}" for status, count in held["status_counts"].items())
    print(f"known part {part}, held: {ended}; steps: median {number(held['steps']['median'])}")
