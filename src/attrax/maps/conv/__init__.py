"""Convolutional autoencoders."""

from attrax.maps.conv._network import BIASES as BIASES
from attrax.maps.conv._network import ConvAutoencoder as ConvAutoencoder
from attrax.maps.conv._network import conv_autoencoder as conv_autoencoder
