"""Maps from elsewhere and back: ONNX graphs, PyTorch modules and scikit-learn's networks as maps; memories as ONNX."""

from ._error import ForeignError as ForeignError
from ._graph import Value as Value
from ._program import Program as Program
from ._read import load as load
