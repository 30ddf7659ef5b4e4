"""Maps from a state to a state: fully connected, convolutional and recurrent networks. Any callable is a map too."""

from attrax._activations import ACTIVATIONS as ACTIVATIONS
from attrax.maps._conv import BIASES as BIASES
from attrax.maps._conv import ConvAutoencoder as ConvAutoencoder
from attrax.maps._conv import conv_autoencoder as conv_autoencoder
from attrax.maps._initializers import INITIALIZERS as INITIALIZERS
from attrax.maps._mlp import MLP as MLP
from attrax.maps._mlp import Recipe as Recipe
from attrax.maps._mlp import mlp as mlp
from attrax.maps._recurrent import FEEDBACKS as FEEDBACKS
from attrax.maps._recurrent import Recurrent as Recurrent
from attrax.maps._recurrent import recurrent as recurrent
