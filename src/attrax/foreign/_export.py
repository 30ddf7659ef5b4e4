"""Memories and maps as files that other programs read."""

import importlib.util
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from attrax._base import checks
from attrax._base.files import check_writable, write_atomically
from attrax._base.numerics import apply_rows, cast, float64
from attrax._base.shown import Record
from attrax._base.types import Map
from attrax.foreign._convert import against_onnx, largest_difference
from attrax.foreign._error import ForeignError
from attrax.foreign._from_torch import need_torch
from attrax.foreign._read import need_onnx, program_of
from attrax.foreign._sketch import INPUT, OUTPUT, sketch_of
from attrax.foreign._write_onnx import onnx_model
from attrax.foreign._write_torch import torch_program
from attrax.maps import describe, shapes_of

FORMATS = (".onnx", ".pt2")
_PROBES = 4
_CLOSE, _ROUNDING = 1e-6, 4
"""Largest difference between an exported map and the original, relative to the largest output; and relative to what
rounding changes in the original."""
_DTYPES = ("float32", "float64")


@dataclass(frozen=True, slots=True)
class Export(Record):
    """A file that another program reads.

    **Fields:**

    - `path`: the file.
    - `difference`: the largest difference between its outputs and those of the map on random states, relative to the
      largest output.
    - `against`: the program that computed the outputs of the file.
    """

    path: Path
    difference: float
    against: str


def export(map: Any, path: str | os.PathLike[str], *, dtype: str = "float32") -> Export:
    """Writes a memory, or a map, as an ONNX file or as a program of `torch.export`.

    The file takes batches of states, n×state shape, to the batches of next states. Its outputs for random states are
    compared with those of the map before it is written: by onnxruntime where that is installed, else by attrax; a
    program of PyTorch by PyTorch.

    **Arguments:**

    - `map`: a `Memory`, or one of attrax's own networks, or a map with the method `write_operators`.
    - `path`: the file; its ending, `.onnx` or `.pt2`, says the format.
    - `dtype`: of its weights, states and arithmetic: `float32` or `float64`.

    **Raises** `ForeignError`, a `ValueError`, for a map that has no such form; where a package is missing; where the
    outputs differ from those of the map in 64 bits by more than 1e-6 of the largest, and by more than four times what
    rounding to `dtype` changes in the map itself; and `ValueError` for a wrong argument, or a file that can't be
    written.

        >>> import jax.random as jr
        >>> import attrax as ax
        >>> network = ax.maps.mlp((2,), width=3, depth=1, key=jr.key(0))
        >>> written = export(network, "network.onnx")
        >>> written.path.name, written.difference < 1e-6
        ('network.onnx', True)
    """
    path = Path(path)
    checks.one_of("dtype", dtype, _DTYPES)
    if path.suffix not in FORMATS:
        raise ForeignError(f"path must end in {' or '.join(FORMATS)}; got {os.fspath(path)!r}")
    check_writable(path)
    map = getattr(map, "map", map)
    shapes = shapes_of(map)
    if not shapes:
        raise ForeignError("map must say the shape of its states by an attribute shape, a tuple of integers")
    sketch = sketch_of(map, dtype)
    states = np.random.default_rng(0).standard_normal((_PROBES, *shapes[0])).astype(dtype)
    if path.suffix == ".onnx":
        need_onnx()
        model = onnx_model(sketch, shapes[0], describe(map).text)
        content, (run, against) = model.SerializeToString(), _reader(model)
        difference = _compared(map, states, run(states))
        return Export(write_atomically(path, content), difference, against)
    torch = need_torch()
    program = torch_program(sketch, shapes[0])
    with torch.no_grad():
        found = program.module()(torch.from_numpy(states)).numpy()
    difference = _compared(map, states, found)
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    return Export(write_atomically(path, buffer.getvalue()), difference, f"PyTorch {torch.__version__}")


def _outputs(map: Map, states: np.ndarray, dtype: str) -> np.ndarray:
    with float64():
        return apply_rows(cast(map, np.dtype(dtype)), states.astype(dtype), chunk=_PROBES)


def _compared(map: Map, states: np.ndarray, found: np.ndarray) -> float:
    """The largest relative difference from the outputs of the map. **Raises** `ForeignError` if it is too large."""
    wanted = _outputs(map, states, "float64")
    difference = largest_difference(found, wanted)
    limit = max(_CLOSE, _ROUNDING * largest_difference(_outputs(map, states, states.dtype.name), wanted))
    if not difference <= limit:
        raise ForeignError(
            f"the exported map differs from the original by {difference:.2g} of its largest output on random states; "
            f"at most {limit:.2g} is accepted. Report it with the memory"
        )
    return difference


def _reader(model: Any) -> tuple[Callable[[np.ndarray], np.ndarray], str]:
    if importlib.util.find_spec("onnxruntime") is not None:
        session, against = against_onnx(model.SerializeToString())
        if session is not None:
            return lambda states: np.asarray(session.run([OUTPUT], {INPUT: states})[0]), against
    program = program_of(model, None)

    def run(states: np.ndarray) -> np.ndarray:
        with float64():
            return np.asarray(program.call({INPUT: states})[OUTPUT])

    return run, "attrax"
