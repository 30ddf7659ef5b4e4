"""Frames with a bar for the phase error."""

import numpy as np

from attrax._base.types import HostStates


def with_phase_bar(frames: HostStates, errors: np.ndarray) -> HostStates:
    """Frames with a bar below whose length is the phase error: empty when on time, full width when half a cycle off.

    If the error is unknown (NaN), the bar is gray over the full width.

    **Arguments:** `frames`, T×H×W or T×H×W×3 in [0, 1]; `errors`, T numbers from 0 to ½, as
    `attrax.phase_errors` gives them.

    **Returns** frames that are taller by a sixteenth, at least by two rows.

    **Raises** `ValueError` for frames that are not pictures, or if the numbers of frames and errors differ.

        >>> with_phase_bar(np.zeros((2, 16, 8)), np.array([0.0, 0.25]))[:, -1].sum(axis=1).tolist()
        [0.0, 4.0]
    """
    frames, errors = np.asarray(frames), np.asarray(errors, np.float64)
    if frames.ndim not in (3, 4) or errors.shape != (len(frames),):
        raise ValueError(
            f"frames must be T×H×W or T×H×W×3 with as many errors; got the shapes {frames.shape} and {errors.shape}"
        )
    height, width = frames.shape[1:3]
    rows = max(2, height // 16)
    lengths = np.round(2 * np.clip(np.nan_to_num(errors, nan=0.5), 0.0, 0.5) * width)
    bar = (np.arange(width) < lengths[:, None]).astype(frames.dtype)
    bar[np.isnan(errors)] *= frames.dtype.type(0.5)
    bar = np.repeat(bar[:, None], rows, axis=1).reshape(len(frames), rows, width, *(1,) * (frames.ndim - 3))
    return np.concatenate([frames, np.broadcast_to(bar, (len(frames), rows, width, *frames.shape[3:]))], axis=1)
