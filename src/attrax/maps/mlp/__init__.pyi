"""Fully connected networks, and all that only they have."""

from ._network import MLP as MLP
from ._network import Recipe as Recipe
from ._network import mlp as mlp
