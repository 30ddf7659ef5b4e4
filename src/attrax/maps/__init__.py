"""Maps from a state to a state: fully connected networks. Any callable of one array is a map too."""

from attrax._activations import ACTIVATIONS as ACTIVATIONS
from attrax.maps._initializers import INITIALIZERS as INITIALIZERS
from attrax.maps._mlp import MLP as MLP
from attrax.maps._mlp import Recipe as Recipe
from attrax.maps._mlp import mlp as mlp
