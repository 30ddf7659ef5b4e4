"""Fully connected networks, and all that only they have."""

from ._linearize import linearize_network as linearize_network
from ._network import MLP as MLP
from ._network import Recipe as Recipe
from ._network import mlp as mlp
from ._slopes import Factors as Factors
from ._slopes import layer_factors as layer_factors
