"""Maps from elsewhere and back: ONNX graphs, PyTorch modules and scikit-learn's networks as maps; memories as ONNX."""

from ._convert import Conversion as Conversion
from ._convert import from_onnx as from_onnx
from ._convert import map_of as map_of
from ._error import ForeignError as ForeignError
from ._export import FORMATS as FORMATS
from ._export import Export as Export
from ._export import export as export
from ._from_sklearn import from_sklearn as from_sklearn
from ._from_torch import from_torch as from_torch
from ._from_torch import program_from_torch as program_from_torch
from ._graph import Value as Value
from ._program import Program as Program
from ._read import load as load
from ._state_map import ProgramMap as ProgramMap
