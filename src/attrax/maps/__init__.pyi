"""Maps from a state to a state: fully connected, convolutional and recurrent networks. Any callable is a map too."""

from ._initializers import INITIALIZERS as INITIALIZERS
from .conv import BIASES as BIASES
from .conv import ConvAutoencoder as ConvAutoencoder
from .conv import conv_autoencoder as conv_autoencoder
from .mlp import MLP as MLP
from .mlp import Recipe as Recipe
from .mlp import mlp as mlp
from .recurrent import FEEDBACKS as FEEDBACKS
from .recurrent import Recurrent as Recurrent
from .recurrent import recurrent as recurrent
