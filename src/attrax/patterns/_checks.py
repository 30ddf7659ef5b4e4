"""What the states of patterns have to be."""

from collections.abc import Sequence

import numpy as np

from attrax._base.states import state_batch
from attrax._base.types import HostStates


def holds_frames(shape: tuple[int, ...], frame: tuple[int, ...]) -> bool:
    """Whether `stack` makes states of this shape from frames of that shape."""
    if shape == frame:
        return True
    if len(frame) == 2:
        return shape[:-1] == frame
    return shape[:-1] == frame[:-1] and len(shape) == len(frame) and shape[-1] % frame[-1] == 0


def check_names(names: Sequence[str] | None, count: int, what: str) -> None:
    if names is not None and len(names) != count:
        raise ValueError(f"names must be one text for each of the {count} {what}; got {len(names)}")


def check_several(sequences: Sequence[HostStates], name: str) -> None:
    """**Raises** `ValueError` for no sequence, and for an array that is a single one."""
    if hasattr(sequences, "shape") and len(np.shape(sequences)) < 3:
        raise ValueError(
            f"{name} must be a list of sequences of states, or one array with axes for sequences, steps and entries; "
            f"got an array of shape {np.shape(sequences)}. For a single sequence write [{name}]"
        )
    if not len(sequences):
        raise ValueError(f"{name} must hold at least one sequence of states; got none")


def checked(values: HostStates, name: str) -> HostStates:
    values = state_batch(name, values)
    if values.dtype.kind != "f":
        # Pixels fit into float32; larger integers could become equal there.
        narrow = values.astype(np.float32)
        values = narrow if (narrow == values).all() else values.astype(np.float64)
    finite = np.isfinite(values.reshape(len(values), -1)).all(axis=1)
    if not finite.all():
        raise ValueError(f"{name} must be finite; state {int(np.argmin(finite))} holds NaN or an infinity")
    return np.ascontiguousarray(values)
