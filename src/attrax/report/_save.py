"""Figures in files, written beside and renamed."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from attrax._base.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save_figure(figure: "Figure", path: str | os.PathLike[str], *, dpi: int = 130) -> Path:
    """Writes a figure in the format that the suffix names; without a date, so that the same record gives the same file.

    **Returns:** the path. **Raises** `ValueError` where it can't be written.

    ```python
    >>> from matplotlib.figure import Figure
    >>> from attrax import report
    >>> report.save_figure(Figure(), "empty.svg").name
    'empty.svg'

    ```
    """
    kind = Path(path).suffix.removeprefix(".").lower()
    metadata = {"Date": None} if kind == "svg" else None
    return write_atomically(
        path, lambda stream: figure.savefig(stream, format=kind, dpi=dpi, metadata=metadata), sync=False
    )
