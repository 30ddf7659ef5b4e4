"""Fully connected networks, and all that only they have."""

from attrax.maps.mlp._growth import SAFETY as SAFETY
from attrax.maps.mlp._growth import BallGrowth as BallGrowth
from attrax.maps.mlp._growth import RowSpace as RowSpace
from attrax.maps.mlp._growth import StepAt as StepAt
from attrax.maps.mlp._growth import rate_of as rate_of
from attrax.maps.mlp._growth import row_space as row_space
from attrax.maps.mlp._network import MLP as MLP
from attrax.maps.mlp._network import Recipe as Recipe
from attrax.maps.mlp._network import mlp as mlp
from attrax.maps.mlp._product import network_norm as network_norm
from attrax.maps.mlp._product import network_product as network_product
from attrax.maps.mlp._slope_deviation import slope_deviation as slope_deviation
from attrax.maps.mlp._slopes import Factors as Factors
from attrax.maps.mlp._slopes import network_factors as network_factors
from attrax.maps.mlp._slopes import network_slopes as network_slopes
from attrax.maps.mlp._slopes import slopes_at as slopes_at
