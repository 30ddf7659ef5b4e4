"""Activations by name."""

from attrax.activations._named import ACTIVATIONS as ACTIVATIONS
from attrax.activations._named import PIECEWISE_LINEAR as PIECEWISE_LINEAR
from attrax.activations._named import Elementwise as Elementwise
from attrax.activations._named import activation as activation
