"""Maps from a state to a state: fully connected, convolutional and recurrent networks. Any callable is a map too."""

from attrax.activations import ACTIVATIONS as ACTIVATIONS
from attrax.maps._initializers import INITIALIZERS as INITIALIZERS
from attrax.maps.conv import BIASES as BIASES
from attrax.maps.conv import ConvAutoencoder as ConvAutoencoder
from attrax.maps.conv import conv_autoencoder as conv_autoencoder
from attrax.maps.mlp import MLP as MLP
from attrax.maps.mlp import Recipe as Recipe
from attrax.maps.mlp import mlp as mlp
from attrax.maps.recurrent import FEEDBACKS as FEEDBACKS
from attrax.maps.recurrent import Recurrent as Recurrent
from attrax.maps.recurrent import recurrent as recurrent
