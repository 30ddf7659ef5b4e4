"""Which states are pictures, and their pixels."""

import base64
import io

import numpy as np

from attrax._base.types import HostStates


def is_picture(shape: tuple[int, ...]) -> bool:
    """Whether states of this shape can be drawn as pictures.

    ```python
    >>> from attrax import report
    >>> report.is_picture((25, 25)), report.is_picture((3,))
    (True, False)

    ```
    """
    return len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))


def pixels(states: HostStates, references: HostStates) -> np.ndarray:
    """States as bytes: m×H×W or m×H×W×3. Black is 0 and white is 1; where the references go beyond, their range is
    used.

    Values outside are clipped; NaN is black. **Raises** `ValueError` for states that are not pictures.

    ```python
    >>> import numpy as np
    >>> from attrax import report
    >>> report.pixels(np.array([[[0.0, 0.5, 1.0]]]), np.zeros((1, 1, 3))).tolist()
    [[[0, 128, 255]]]

    ```
    """
    states = np.asarray(states, np.float64)
    if not is_picture(states.shape[1:]):
        raise ValueError(f"only pictures (H×W, H×W×1 or H×W×3) can be drawn; these states are {states.shape[1:]}")
    if states.ndim == 4 and states.shape[-1] == 1:
        states = states[..., 0]
    low, high = min(float(np.min(references)), 0.0), max(float(np.max(references)), 1.0)
    scaled = np.clip((np.nan_to_num(states, nan=low, posinf=high, neginf=low) - low) / (high - low), 0.0, 1.0)
    return np.round(255 * scaled).astype(np.uint8)


def data_uri(picture: np.ndarray) -> str:
    """The pixels of one picture as a PNG in a data URI, so that a page needs no other file."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
