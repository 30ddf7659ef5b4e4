"""Fully connected networks, and all that only they have."""

from ._growth import SAFETY as SAFETY
from ._growth import BallGrowth as BallGrowth
from ._growth import RowSpace as RowSpace
from ._growth import StepAt as StepAt
from ._growth import rate_of as rate_of
from ._growth import row_space as row_space
from ._network import MLP as MLP
from ._network import Recipe as Recipe
from ._network import mlp as mlp
from ._product import network_norm as network_norm
from ._product import network_product as network_product
from ._slope_deviation import slope_deviation as slope_deviation
from ._slopes import Factors as Factors
from ._slopes import network_factors as network_factors
from ._slopes import network_slopes as network_slopes
from ._slopes import slopes_at as slopes_at
