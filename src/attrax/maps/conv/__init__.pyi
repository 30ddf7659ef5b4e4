"""Convolutional autoencoders."""

from ._network import BIASES as BIASES
from ._network import ConvAutoencoder as ConvAutoencoder
from ._network import conv_autoencoder as conv_autoencoder
