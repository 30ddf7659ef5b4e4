"""Activations by name."""

from ._named import ACTIVATIONS as ACTIVATIONS
from ._named import PIECEWISE_LINEAR as PIECEWISE_LINEAR
from ._named import Elementwise as Elementwise
from ._named import activation as activation
