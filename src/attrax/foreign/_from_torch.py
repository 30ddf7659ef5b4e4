"""Modules and exported programs of PyTorch as maps, by way of the exporter that PyTorch recommends."""

import importlib
import io
import logging
import os
import tempfile
import warnings
from collections.abc import Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from attrax.foreign._convert import Conversion, compared, map_of
from attrax.foreign._error import ForeignError
from attrax.foreign._program import Program
from attrax.foreign._read import load, need_onnx

_OPERATORS = 18
"""Version of ONNX's operators that is asked for; PyTorch's exporter is written for it."""


def need_torch() -> Any:
    """PyTorch. **Raises** `ForeignError`, with what to install, where it is not there."""
    try:
        return importlib.import_module("torch")
    except ImportError:
        raise ForeignError("this needs PyTorch: run pip install 'attrax[torch]'") from None


def program_from_torch(module: Any, example: Any) -> Program:
    """The program of a `torch.nn.Module` or a `torch.export.ExportedProgram`, called with `example`.

    **Arguments:** `example`: a tensor, or a tuple of all arguments.

    **Raises** `ForeignError` where PyTorch can't export the module, or attrax lacks an operator.

    ```python
    >>> from attrax import foreign
    >>> import torch  # doctest: +SKIP
    >>> program = foreign.program_from_torch(torch.nn.Linear(4, 4), torch.zeros(1, 4))  # doctest: +SKIP
    >>> len(program.inputs), len(program.outputs)  # doctest: +SKIP
    (1, 1)

    ```
    """
    torch = need_torch()
    need_onnx()
    arguments = example if isinstance(example, tuple) else (example,)
    exported = isinstance(module, torch.export.ExportedProgram)
    if not exported and not isinstance(module, torch.nn.Module):
        raise ForeignError(f"module must be a torch.nn.Module or an ExportedProgram; got {type(module).__name__}")
    if not exported and module.training:
        raise ForeignError("module is in training mode, where it draws random numbers; call module.eval() first")
    with tempfile.TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / "model.onnx"
        try:
            made = torch.onnx.export(
                module, () if exported else arguments, dynamo=True, opset_version=_OPERATORS, verbose=False
            )
            made.save(os.fspath(path), external_data=True)
        except Exception as error:  # of many classes, some of the module's own code
            said = (str(error).strip().splitlines() or [""])[0][:200]
            raise ForeignError(f"PyTorch can't export the module ({type(error).__name__}: {said})") from None
        return load(path)


def from_torch(
    module: Any,
    example: Any,
    *,
    input: str | None = None,
    output: str | None = None,
    shape: Sequence[int] | None = None,
) -> Conversion:
    """A `torch.nn.Module`, or a `torch.export.ExportedProgram`, as a map of one state.

    The module is exported by `torch.onnx.export(dynamo=True)`, translated, and compared with itself on random states.
    Call `module.eval()` first. A saved `.pt2` file holds pickles, which can run any code: where you trust one, load it
    by `torch.export.load` and pass the program.

    **Arguments:**

    - `example`: an input, a tensor with a batch axis; its first row is used. For a module with more inputs, a tuple:
      the first is the state, and the others are fixed to the values given.
    - `input`, `output`, `shape`: as for `from_onnx`.

    **Raises** `ForeignError`, a `ValueError`, where PyTorch can't export the module, attrax lacks an operator, the
    output has another shape than the input, or the outputs differ by more than 1e-5 of the largest.

    ```python
    >>> from attrax import foreign
    >>> import torch  # doctest: +SKIP
    >>> module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 4))  # doctest: +SKIP
    >>> foreign.from_torch(module.eval(), torch.zeros(1, 4)).map.shape  # doctest: +SKIP
    (4,)

    ```
    """
    torch = need_torch()
    arguments = example if isinstance(example, tuple) else (example,)
    if not arguments or not all(isinstance(one, torch.Tensor) for one in arguments):
        raise ForeignError("example must be a tensor, or a tuple of tensors")
    exported = isinstance(module, torch.export.ExportedProgram)
    rows = arguments if exported else (arguments[0][:1], *arguments[1:])
    program = program_from_torch(module, rows)
    names = [*program.inputs]
    fixed = {name: one.detach().cpu().numpy() for name, one in zip(names[1:], rows[1:], strict=False)}
    made = map_of(program, input=input or names[0], output=output, fixed=fixed, shape=shape)
    place = [*program.outputs].index(made.output)
    run = module.module() if exported else module

    def original(states: np.ndarray) -> np.ndarray:
        found = []
        with torch.no_grad():
            for state in states:
                given = torch.as_tensor(state[None] if made.batched else state).to(rows[0])
                result = run(given, *rows[1:])
                result = result[place] if isinstance(result, tuple | list) else result
                found.append(result.cpu().numpy().reshape(made.shape))
        return np.stack(found)

    return compared(made, program, original, f"PyTorch {torch.__version__}")


@contextmanager
def _quiet() -> Any:
    """The exporter writes to the screen, warns of its own parts, and logs which optional packages are not there."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(before)
