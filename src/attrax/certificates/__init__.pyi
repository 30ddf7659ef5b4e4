"""Certificates of stability, and the matrices and bounds behind them."""

from ._certify import certify as certify
from ._contraction import Contraction as Contraction
from ._contraction import contraction as contraction
from ._radius import BasinRadius as BasinRadius
from ._radius import basin_radius as basin_radius
from ._spectrum import Spectrum as Spectrum
from ._spectrum import spectrum as spectrum
