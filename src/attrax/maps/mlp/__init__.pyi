"""Fully connected networks, and all that only they have."""

from ._factors import Factors as Factors
from ._factors import layer_factors as layer_factors
from ._linearize import linearize_network as linearize_network
from ._network import MLP as MLP
from ._network import Recipe as Recipe
from ._network import mlp as mlp
from ._weights import DiagonalPlusRankOne as DiagonalPlusRankOne
