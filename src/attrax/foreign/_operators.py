"""The table of all operators, filled by the modules of their families."""

import importlib

from attrax.foreign._operator import OPERATORS as OPERATORS

_FAMILIES = (
    "control",
    "conv",
    "elementwise",
    "gather",
    "linear",
    "normalize",
    "pool",
    "quantized",
    "recurrent",
    "reduce",
    "resize",
    "sample",
    "shape",
    "signal",
)

for _family in _FAMILIES:
    importlib.import_module(f"attrax.foreign._operators_{_family}")
