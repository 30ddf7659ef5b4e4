"""Networks of every kind, as attrax's maps and as chains of operations that share only their weights."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import attrax as ax
from attacks.exact import Op

JAX_PHI = {"abs": jnp.abs, "z^2": lambda z: z * z}


@dataclass(frozen=True, slots=True)
class Design:
    """The parameters of a network.

    **Fields:** `kind`: `mlp`, `conv`, `argmax`, `softmax`, `foreign` (a layered network that attrax does not know) or
    `attention` (softmax over stored keys, and a residual); `settings` of a convolutional one.
    """

    kind: str
    activation: str
    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray | None, ...]
    shape: tuple[int, ...]
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def tuned(self) -> int:
        """Of the weight and bias that are changed to make a radius or a gap."""
        return 0 if self.kind in ("argmax", "softmax") else len(self.weights) - 1

    def scaled(self, factor: float) -> "Design":
        """With that weight times `factor`."""
        return self.with_weight(self.tuned, self.weights[self.tuned] * factor)

    def with_weight(self, number: int, weight: np.ndarray) -> "Design":
        """With another weight."""
        return replace(self, weights=(*self.weights[:number], weight, *self.weights[number + 1 :]))

    def shifted(self, number: int, change: np.ndarray) -> "Design":
        """With `change` added to a bias."""
        bias = self.biases[number]
        bias = change if bias is None else bias + change
        return replace(self, biases=(*self.biases[:number], bias, *self.biases[number + 1 :]))

    def ops(self) -> list[Op]:
        """The chain."""
        if self.kind == "conv":
            return _conv_ops(self)
        layers = [Op("affine", weight, bias) for weight, bias in zip(self.weights, self.biases, strict=True)]
        if self.kind in ("argmax", "softmax"):
            return _recurrent_ops(self)
        if self.kind == "attention":
            first, second, third = layers
            keys = len(self.weights[0])
            return [Op("save"), first, Op("softmax", last=keys), second, Op("join"), third]
        found = []
        for layer in layers[:-1]:
            found += [layer, Op("phi", name=self.activation)]
        return [*found, layers[-1]]

    def map(self) -> Any:
        """The map that attrax is given."""
        if self.kind == "mlp":
            return ax.maps.MLP(self.weights, self.biases, self.shape, self.activation)
        if self.kind == "conv":
            levels, strided, skips = (self.settings[name] for name in ("levels", "strided", "skips"))
            return ax.maps.ConvAutoencoder(
                self.weights, self.biases, self.shape, self.activation, levels, strided, skips
            )
        if self.kind in ("argmax", "softmax"):
            heard, scored = self.weights
            units = len(heard)
            parts = (heard[:, :units], heard[:, units:], self.biases[0], scored, self.biases[1])
            return ax.maps.Recurrent(*parts, feedback=self.kind)
        return Foreign(self.weights, self.biases, self.kind, self.activation)


class Foreign(eqx.Module):
    """A map that attrax knows nothing of but that it is callable."""

    weights: tuple[Any, ...]
    biases: tuple[Any, ...]
    kind: str = eqx.field(static=True)
    activation: str = eqx.field(static=True)

    def __call__(self, x: Any) -> Any:
        def layer(number: int, x: Any) -> Any:
            value = jnp.asarray(self.weights[number]) @ x
            return value if self.biases[number] is None else value + jnp.asarray(self.biases[number])

        if self.kind == "attention":
            found = layer(1, jax.nn.softmax(layer(0, x)))
            return layer(2, jnp.concatenate([found, x]))
        phi = JAX_PHI.get(self.activation) or ax.activations.activation(self.activation)
        for number in range(len(self.weights) - 1):
            x = phi(layer(number, x))
        return layer(len(self.weights) - 1, x)


def _recurrent_ops(design: Design) -> list[Op]:
    heard, scored = design.weights
    units, symbols = len(heard), len(scored)
    scored = np.concatenate([np.eye(units), scored])
    offset = np.concatenate([np.zeros(units), np.asarray(design.biases[1])])
    return [
        Op("affine", heard, design.biases[0]),
        Op("phi", name="tanh"),
        Op("affine", scored, offset),
        Op(design.kind, last=symbols),
    ]


def _conv_ops(design: Design) -> list[Op]:
    height, width = design.shape[:2]
    strided, skips = design.settings["strided"], design.settings["skips"]
    levels, phi = design.settings["levels"], Op("phi", name=design.activation)
    layers = iter(zip(design.weights, design.biases, strict=True))
    found: list[Op] = []

    def convolve(stride: int = 1) -> None:
        nonlocal height, width
        found.append(_convolution(*next(layers), height, width, stride))
        height, width = height // stride, width // stride

    convolve()
    for _ in range(levels):
        if skips:
            found.append(Op("save"))
        convolve(2 if strided else 1)
        found.append(phi)
    for _ in range(2):
        convolve()
        found.append(phi)
    hidden = design.weights[0].shape[-1]
    for _ in range(levels):
        if strided:
            found.append(_doubling(height, width, hidden))
            height, width = 2 * height, 2 * width
        if skips:
            pixels = np.arange(height * width * hidden).reshape(height * width, hidden)
            found.append(Op("join", order=np.concatenate([pixels, pixels.size + pixels], axis=1).ravel()))
        convolve()
        found.append(phi)
    convolve()
    found.append(phi)
    convolve()
    return found


def _convolution(kernel: np.ndarray, bias: np.ndarray | None, height: int, width: int, stride: int) -> Op:
    """A 3×3 convolution with a border of zeros, as a matrix, entry by entry."""
    into, out = kernel.shape[2:]
    rows, columns = height // stride, width // stride
    matrix = np.zeros((rows, columns, out, height, width, into))
    for row in range(rows):
        for column in range(columns):
            for down in range(3):
                for across in range(3):
                    y, x = stride * row + down - 1, stride * column + across - 1
                    if 0 <= y < height and 0 <= x < width:
                        matrix[row, column, :, y, x, :] = kernel[down, across].T
    offset = None if bias is None else np.tile(bias, rows * columns)
    return Op("affine", matrix.reshape(rows * columns * out, -1), offset)


def _doubling(height: int, width: int, channels: int) -> Op:
    """Linear interpolation to twice the size, corners kept."""
    down, across = _interpolation(height), _interpolation(width)
    return Op("affine", np.kron(np.kron(down, across), np.eye(channels)))


def _interpolation(side: int) -> np.ndarray:
    found = np.zeros((2 * side, side))
    for row, place in enumerate(np.linspace(0, side - 1, 2 * side)):
        low = min(int(place), max(side - 2, 0))
        found[row, low] = 1 - (place - low)
        if side > 1:
            found[row, low + 1] = place - low
    return found


def layered(
    rng: np.random.Generator, kind: str, size: int, widths: Sequence[int], activation: str, *, bias: bool = True
) -> Design:
    """Random weights, and biases unless they are unwanted."""
    sizes = [size, *widths, size]
    pairs = list(itertools.pairwise(sizes))
    weights = tuple(rng.normal(size=(out, into)) / np.sqrt(into) * 10 ** rng.uniform(-0.3, 0.5) for into, out in pairs)
    biases = tuple(0.5 * rng.normal(size=out) if bias else None for _, out in pairs)
    return Design(kind, activation, weights, biases, (size,))


def attention(rng: np.random.Generator, size: int, keys: int) -> Design:
    """Softmax over random keys, and a share of the state itself."""
    stored = rng.normal(size=(keys, size))
    rest = rng.uniform(0.0, 0.5)
    weights = (rng.uniform(0.5, 6) * stored, stored.T, np.concatenate([np.eye(size), rest * np.eye(size)], axis=1))
    return Design("attention", "", weights, (None, None, np.zeros(size)), (size,))


def convolutional(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    channels: int,
    activation: str,
    *,
    strided: bool,
    skips: bool,
    bias: bool,
) -> Design:
    """Random kernels, one level."""
    ends = shape[2] if len(shape) == 3 else 1
    pairs = [(ends, channels), *[(channels, channels)] * 3, (2 * channels if skips else channels, channels)]
    pairs += [(channels, channels), (channels, ends)]
    weights = tuple(
        rng.normal(size=(3, 3, into, out)) / np.sqrt(9 * into) * 10 ** rng.uniform(0.0, 0.4) for into, out in pairs
    )
    biases = tuple(0.3 * rng.normal(size=out) if bias else None for _, out in pairs)
    return Design("conv", activation, weights, biases, shape, {"levels": 1, "strided": strided, "skips": skips})


def speaking(rng: np.random.Generator, kind: str, units: int, symbols: int) -> Design:
    """A recurrent network."""
    heard = np.concatenate(
        [rng.normal(size=(units, units)) / np.sqrt(units), rng.normal(size=(units, symbols))], axis=1
    )
    scored = rng.normal(size=(symbols, units)) * 10 ** rng.uniform(-0.5, 0.5)
    biases = (0.5 * rng.normal(size=units), 0.5 * rng.normal(size=symbols))
    return Design(kind, "tanh", (heard, scored), biases, (units + symbols,))
