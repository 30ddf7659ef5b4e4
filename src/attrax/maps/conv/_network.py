"""Convolutional autoencoders: the paper's, which shrinks a picture to one pixel and back, and its variants."""

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, PRNGKeyArray

from attrax._base import checks
from attrax._base.arguments import mention
from attrax._base.budget import refuse_beyond_layers
from attrax._base.numerics import device_array, float64
from attrax._base.shown import Record
from attrax._base.types import HostStates
from attrax.activations import Activation, ActivationLike, name_for_file, reference
from attrax.activations import activation as activation_of
from attrax.linalg import FORMED
from attrax.maps._description import Description
from attrax.maps._ends import ends_in_units
from attrax.maps._from_file import shape_from, with_axes
from attrax.maps._initializers import check_initializer, init_linear
from attrax.maps._linearization import Linearizer
from attrax.maps.conv._layers import Chain
from attrax.maps.mlp import linearize_network
from attrax.maps.wrapped import general_linearizer

_MOST_HALVED = 62
"""Sides are integers of 64 bits, which can't be halved more often."""
BIASES = ("none", "last", "all")
"""Which convolutions of a `ConvAutoencoder` have biases."""


class ConvAutoencoder(Record, eqx.Module):
    """A convolutional autoencoder of pictures, H×W or H×W×C, channels last. Create a new one with `conv_autoencoder`.

    With n levels its convolutions, all 3×3 and padded by one pixel of zeros, are in this order: one into the hidden
    channels, without activation; n with stride 2; 2 in the middle; n, each after bilinear upsampling to twice the size
    with corners aligned; one more; and one back to the channels of the picture, without activation.

    **Fields:**

    - `weights`: 2n + 5 kernels, height×width×in×out.
    - `biases`: 2n + 5 vectors, or `None` for a convolution without one.
    - `shape`: the shape of a state.
    - `activation`: the name of φ, or its `Activation` record if it has no name. A function is accepted too.
    - `levels`: n, how often the size is halved.
    - `strided`: whether the size is halved and doubled at all; otherwise every convolution works at full size.
    - `skips`: whether the channels before each halving are concatenated with those after the corresponding doubling, as
      in a U-Net. The paper's network has no skip connections.
    """

    weights: tuple[Float[Array, "3 3 in out"] | Float[np.ndarray, "3 3 in out"], ...]
    biases: tuple[Float[Array, " out"] | Float[np.ndarray, " out"] | None, ...]
    shape: tuple[int, ...] = eqx.field(static=True)
    activation: str | Activation = eqx.field(static=True, converter=reference)
    levels: int = eqx.field(static=True)
    strided: bool = eqx.field(static=True)
    skips: bool = eqx.field(static=True)

    def __check_init__(self) -> None:
        check_picture(self.shape, self.levels, self.strided)
        count = 2 * self.levels + 5
        if len(self.weights) != count or len(self.biases) != count:
            raise ValueError(
                f"a convolutional autoencoder of {self.levels} levels needs {count} kernels and as many biases (or "
                f"None); got {len(self.weights)} kernels and {len(self.biases)} biases"
            )
        if not all(hasattr(weight, "shape") for weight in self.weights):
            return  # a tree of placeholders, as JAX creates inside transformations
        hidden = self.weights[0].shape[-1]
        for number, (weight, bias, (into, out)) in enumerate(
            zip(self.weights, self.biases, channels_of(self.shape, hidden, self.levels, self.skips), strict=True),
            start=1,
        ):
            if weight.shape[-4:] != (3, 3, into, out):
                raise ValueError(f"kernel {number} must have the shape {(3, 3, into, out)}; got {weight.shape}")
            if bias is not None and hasattr(bias, "shape") and bias.shape[-1:] != (out,):
                raise ValueError(f"bias {number} must have {out} values; got the shape {bias.shape}")

    def __call__(self, x: Float[Array, "*state"]) -> Float[Array, "*state"]:
        """f(x), of the same shape as `x`."""
        phi = activation_of(self.activation)
        layers = iter(zip(self.weights, self.biases, strict=True))
        stride = 2 if self.strided else 1
        x = _convolve(jnp.reshape(x, (*self.shape[:2], -1)), *next(layers))
        passed = []
        for _ in range(self.levels):
            passed.append(x)
            x = phi(_convolve(x, *next(layers), stride))
        for _ in range(2):
            x = phi(_convolve(x, *next(layers)))
        for _ in range(self.levels):
            x = _double(x) if self.strided else x
            before = passed.pop()
            x = phi(_convolve(jnp.concatenate([x, before], axis=-1) if self.skips else x, *next(layers)))
        x = phi(_convolve(x, *next(layers)))
        return jnp.reshape(_convolve(x, *next(layers)), self.shape)

    @property
    def size(self) -> int:
        """Number of entries of a state."""
        return math.prod(self.shape)

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return sum(array.size for array in (*self.weights, *self.biases) if array is not None)

    # Capabilities, see `attrax.maps._contract`.

    def in_units(self, unit: float) -> Self:
        """x ↦ f(unit·x)/unit: its first and its last layer are scaled."""
        weights, biases = ends_in_units(self.weights, self.biases, unit)
        return replace(self, weights=weights, biases=biases)

    def linearizer(self) -> Linearizer:
        """Its Jacobian products, with bounds that include every rounding error and all possible slopes at kinks.

        This requires layers of at most 2,048 entries each; for larger ones the general method is used.
        """
        if max(self._layer_sizes()) > FORMED:
            return general_linearizer(self)
        chain = Chain((self.shape[0], self.shape[1], math.prod(self.shape[2:])))
        layers = iter(zip(self.weights, self.biases, strict=True))

        def convolve(*, stride: int = 1, activated: bool = True) -> None:
            kernel, bias = next(layers)
            chain.apply(lambda pictures: _convolved(pictures, kernel, stride), bias, activated=activated)

        convolve(activated=False)
        for _ in range(self.levels):
            if self.skips:
                chain.carry()
            convolve(stride=2 if self.strided else 1)
        for _ in range(2):
            convolve()
        for _ in range(self.levels):
            if self.strided:
                chain.apply(_doubled, None, activated=False)
            if self.skips:
                chain.meet()
            convolve()
        convolve()
        convolve(activated=False)
        return partial(linearize_network, chain.factors(self.activation))

    def _layer_sizes(self) -> list[int]:
        """Number of entries of the state, and of each layer together with the channels that skip connections carry
        along."""
        hidden, pixels = self.weights[0].shape[-1], math.prod(self.shape[:2])
        sizes, carried = [self.size], 0
        for _ in range(self.levels):
            carried += pixels * hidden if self.skips else 0
            sizes.append(pixels * hidden + carried)
            pixels = pixels // 4 if self.strided else pixels
        return sizes

    def describe(self) -> Description:
        """Its channels, and how often the picture is halved."""
        channels = self.weights[0].shape[-1]
        facts = {
            "activation": str(self.activation),
            "bias": any(bias is not None for bias in self.biases),
            "channels": channels,
            "levels": self.levels,
            "strided": self.strided,
            "skips": self.skips,
        }
        text = f"convolutional autoencoder, {channels} {self.activation} channels, {self.levels} levels"
        text += ("" if self.strided else ", not strided") + (", skip connections" if self.skips else "")
        return Description(text, self.parameters, len(self.weights) - 1, facts)

    def write_operators(self, write: Any, x: str) -> str:
        """Writes its convolutions, of channels first, between transpositions; see `attrax.maps.Exportable`."""
        height, width = self.shape[:2]
        channels = math.prod(self.shape[2:])
        layers = iter(zip(self.weights, self.biases, strict=True))
        stride = 2 if self.strided else 1

        def convolve(x: str, stride: int = 1, *, activated: bool = True) -> str:
            kernel, bias = next(layers)
            first = np.transpose(np.asarray(kernel), (3, 2, 0, 1))
            arrays = [write.constant(array) for array in (first, bias) if array is not None]
            x = write.apply("Conv", x, *arrays, kernel_shape=[3, 3], strides=[stride, stride], pads=[1, 1, 1, 1])
            return write.activate(self.activation, x) if activated else x

        x = write.apply("Reshape", x, write.constant(np.array([-1, height, width, channels])))
        x = convolve(write.apply("Transpose", x, perm=[0, 3, 1, 2]), activated=False)
        passed = []
        for _ in range(self.levels):
            passed.append((x, height, width))
            x = convolve(x, stride)
            height, width = (height // 2, width // 2) if self.strided else (height, width)
        for _ in range(2):
            x = convolve(x)
        for _ in range(self.levels):
            before, higher, wider = passed.pop()
            if self.strided:
                x = write.apply("MatMul", write.constant(_interpolation(height)), x)
                x = write.apply("MatMul", x, write.constant(_interpolation(width).T))
            height, width = higher, wider
            x = convolve(write.apply("Concat", x, before, axis=1) if self.skips else x)
        x = convolve(convolve(x), activated=False)
        x = write.apply("Transpose", x, perm=[0, 2, 3, 1])
        return write.apply("Reshape", x, write.constant(np.array([-1, *self.shape])))

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays `weight.i` and `bias.i` with i from 0, and the settings for a file."""
        arrays = {f"weight.{i}": np.asarray(weight) for i, weight in enumerate(self.weights)}
        arrays |= {f"bias.{i}": np.asarray(bias) for i, bias in enumerate(self.biases) if bias is not None}
        settings = {
            "shape": list(self.shape),
            "activation": name_for_file(self.activation),
            "levels": self.levels,
            "strided": self.strided,
            "skips": self.skips,
        }
        return arrays, settings

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> "ConvAutoencoder":
        """The network rebuilt from these; see `to_arrays`."""
        levels = checks.integer("levels", settings["levels"], least=1)
        count = range(2 * levels + 5)
        weights = tuple(with_axes(arrays[f"weight.{i}"], 4) for i in count)
        biases = tuple(with_axes(arrays[f"bias.{i}"], 1) if f"bias.{i}" in arrays else None for i in count)
        strided, skips = (checks.truth(name, settings[name]) for name in ("strided", "skips"))
        activation = checks.text("activation", settings["activation"])
        return cls(weights, biases, shape_from(settings), activation, levels, strided, skips)


def conv_autoencoder(
    shape: Sequence[int],
    *,
    channels: int = 64,
    levels: int | None = None,
    activation: ActivationLike = "cosid",
    init: str = "pytorch",
    bias: str = "last",
    strided: bool = True,
    skips: bool = False,
    dtype: Any = jnp.float32,
    key: PRNGKeyArray,
) -> ConvAutoencoder:
    """A newly initialized convolutional autoencoder; with the defaults and a 64×64×3 picture, the paper's.

    The paper's released example has a bias in one convolution. Which one is unknown; here it is the last.

    **Arguments:**

    - `shape`: the shape of a picture, `(H, W)` or `(H, W, C)`. If `strided`, H and W must be multiples of 2^levels.
    - `channels`: number of channels of all hidden layers.
    - `levels`: how often the size is halved; by default until the shorter side is one pixel or a side can't be halved.
    - `activation`: as for `mlp`.
    - `init`: a name of `attrax.maps.INITIALIZERS`; the fan-in is 9 times the number of input channels.
    - `bias`: one of `BIASES`.
    - `strided`: whether the size is halved and doubled.
    - `skips`: whether there are skip connections.
    - `dtype`: the dtype of the weights.

    **Returns:** a `ConvAutoencoder`. **Raises** `ValueError` for a wrong argument.

        >>> import jax.random as jr
        >>> network = conv_autoencoder((64, 64, 3), key=jr.key(0))
        >>> network.levels, network.parameters
        (6, 556419)

    Source: Radhakrishnan, Belkin, Uhler (2020), the U-Net of its supplement, without skip connections.
    """
    checks.random_key(key)
    shape = tuple(checks.integer("each entry of shape", side, least=1) for side in shape)
    hidden = checks.integer("channels", channels, least=1)
    if levels is None:
        levels = 0
        while all(side % 2 ** (levels + 1) == 0 for side in shape[:2]):
            levels += 1
    levels = checks.integer("levels", levels, least=1)
    refuse_beyond_layers(mention("levels"), 2 * levels + 5)
    check_picture(shape, levels, strided)
    activation = reference(activation)
    check_initializer(init)
    checks.one_of("bias", bias, BIASES)
    sizes = channels_of(shape, hidden, levels, skips)
    with float64() if np.dtype(dtype) == np.float64 else contextlib.nullcontext():
        weights, biases = [], []
        for number, (into, out) in enumerate(sizes):
            biased = bias == "all" or (bias == "last" and number == len(sizes) - 1)
            weight, offset = init_linear(init, 9 * into, out, bias=biased, dtype=dtype, key=jr.fold_in(key, number))
            weights.append(_kernel(weight, into, out))
            biases.append(offset)
    return ConvAutoencoder(tuple(weights), tuple(biases), shape, activation, levels, strided, skips)


def _kernel(weight: Any, into: int, out: int) -> Any:
    """The kernel of a layer with these weights, out×9·into."""
    if isinstance(weight, Tracer):
        return jnp.reshape(weight.T, (3, 3, into, out))
    return device_array(np.asarray(weight).T.reshape(3, 3, into, out))


def check_picture(shape: tuple[int, ...], levels: int, strided: bool) -> None:
    """**Raises** `ValueError` for states that are not pictures, or whose sides can't be halved `levels` times."""
    if len(shape) not in (2, 3):
        raise ValueError(f"shape must be that of a picture, (H, W) or (H, W, C); got {shape}")
    if strided and (levels > _MOST_HALVED or any(side % 2**levels for side in shape[:2])):
        multiple = 2**levels if levels <= _MOST_HALVED else f"2^{levels}"
        raise ValueError(
            f"shape must have sides that are multiples of {multiple}, to be halved {levels} times; got {shape}. Take "
            "fewer levels, pictures of another size, or strided=False"
        )


def channels_of(shape: tuple[int, ...], hidden: int, levels: int, skips: bool) -> list[tuple[int, int]]:
    """Number of input and output channels of each convolution."""
    ends = shape[2] if len(shape) == 3 else 1
    inner = [(hidden, hidden)] * (levels + 2)
    outer = [(2 * hidden if skips else hidden, hidden)] * levels
    return [(ends, hidden), *inner, *outer, (hidden, hidden), (hidden, ends)]


@partial(jax.jit, static_argnames="stride", inline=True)
def _convolve(x: Any, kernel: Any, bias: Any, stride: int = 1) -> Any:
    """A 3×3 convolution of one H×W×C picture, padded by a pixel of zeros; with stride 2 it halves even sides."""
    # One matrix product over shifted pictures: inside a compiled loop such as training, XLA's own convolution takes
    # over ten times as long on a CPU.
    kernel = jnp.asarray(kernel)
    height, width = x.shape[:2]
    padded = jnp.pad(x, ((1, 1), (1, 1), (0, 0)))
    shifted = [padded[i : i + height : stride, j : j + width : stride] for i in range(3) for j in range(3)]
    found = jnp.concatenate(shifted, axis=-1) @ kernel.reshape(-1, kernel.shape[-1])
    return found if bias is None else found + jnp.asarray(bias)


def _convolved(pictures: HostStates, kernel: Any, stride: int) -> HostStates:
    """`_convolve` of n×H×W×C pictures, by NumPy, which compiles nothing for each size."""
    height, width = pictures.shape[1:3]
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifted = [padded[:, i : i + height : stride, j : j + width : stride] for i in range(3) for j in range(3)]
    return np.concatenate(shifted, axis=-1) @ np.asarray(kernel, np.float64).reshape(-1, kernel.shape[-1])


def _doubled(pictures: HostStates) -> HostStates:
    """`_double` of n×H×W×C pictures, by NumPy."""
    down, across = (_interpolation(side) for side in pictures.shape[1:3])
    return np.einsum("jb,nibc->nijc", across, np.einsum("ia,nabc->nibc", down, pictures))


def _double(x: Any) -> Any:
    """Doubles the height and width by bilinear interpolation with aligned corners."""
    down, across = (jnp.asarray(_interpolation(side), x.dtype) for side in x.shape[:2])
    return jnp.einsum("ia,jb,abc->ijc", down, across, x)


def _interpolation(side: int) -> Float[np.ndarray, "2*side side"]:
    """The 2n×n matrix of linear interpolation from n points to 2n, with the end points kept."""
    places = np.linspace(0, side - 1, 2 * side)
    low = np.minimum(places.astype(int), max(side - 2, 0))
    matrix = np.zeros((2 * side, side))
    matrix[np.arange(2 * side), low] = 1 - (places - low)
    if side > 1:
        matrix[np.arange(2 * side), low + 1] = places - low
    return matrix
