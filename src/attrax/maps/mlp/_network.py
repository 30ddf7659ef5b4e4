"""Fully connected networks."""

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import groupby, pairwise
from typing import Any, Self, TypeAlias

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from attrax._base import checks
from attrax._base.arguments import mention
from attrax._base.budget import refuse_beyond_layers, refuse_beyond_memory
from attrax._base.numerics import float64
from attrax._base.shown import Record
from attrax._base.types import HostStates
from attrax.activations import Activation, ActivationLike, name_for_file, reference
from attrax.activations import activation as activation_of
from attrax.maps._description import Description, count_parameters
from attrax.maps._ends import ends_in_units
from attrax.maps._from_file import shape_from
from attrax.maps._initializers import check_initializer, init_linear
from attrax.maps._linearization import Linearizer
from attrax.maps._on_host import HostFunction
from attrax.maps._reduced_map import ReducedMap
from attrax.maps.mlp._factors import network_factors
from attrax.maps.mlp._growth import StepAt, row_space, steps_at
from attrax.maps.mlp._inhibition import rounds_of
from attrax.maps.mlp._layers import HiddenLayers, readout_on_host
from attrax.maps.mlp._linearize import NetworkLinearizer
from attrax.maps.mlp._masked import MaskedScores, masked_scores
from attrax.maps.mlp._reduced import network_reduced_map
from attrax.maps.mlp._weights import DiagonalPlusRankOne, formed, weight_arrays, weight_from

_ROWS = 512
"""States that NumPy computes at once."""
_MANY = 100
"""From so many states on it is worth preparing what `Rounds` need."""
_COMPILED_LAYER = 2_000_000
"""Bytes that JAX takes to compile a layer, whatever its width."""


class MLP(Record, eqx.Module):
    """A fully connected network f(x) = W_{L+1} φ(W_L φ(… φ(W_1 x + b_1) …) + b_L) + b_{L+1} from a shape to itself.

    L, the number of hidden layers, is its *depth*. Create a new one with `mlp`, or pass your own arrays.

    **Fields:**

    - `weights`: L + 1 matrices, the first k_1×d, the last d×k_L, where d is the number of entries of a state. Others
      may be `DiagonalPlusRankOne`.
    - `biases`: L + 1 vectors, or `None` for a layer without one.
    - `shape`: the shape of a state.
    - `activation`: the name of φ, or its `Activation` record if it has no name. A function is accepted too.

    **Raises** `ValueError` if the shapes do not fit together.
    """

    weights: tuple[Float[Array, "out in"] | Float[np.ndarray, "out in"] | DiagonalPlusRankOne, ...]
    biases: tuple[Float[Array, " out"] | Float[np.ndarray, " out"] | None, ...]
    shape: tuple[int, ...] = eqx.field(static=True)
    activation: str | Activation = eqx.field(static=True, converter=reference)

    def __check_init__(self) -> None:
        size = math.prod(self.shape)
        if len(self.weights) < 2 or len(self.biases) != len(self.weights):
            raise ValueError(
                f"an MLP needs at least two weights and as many biases (or None); got {len(self.weights)} "
                f"weights and {len(self.biases)} biases"
            )
        if not all(hasattr(weight, "shape") for weight in self.weights):
            return  # a tree of placeholders, as JAX creates inside transformations
        width_in = size
        if any(isinstance(self.weights[end], DiagonalPlusRankOne) for end in (0, -1)):
            raise ValueError("the first and the last weight must be matrices; form them with numpy.asarray")
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True), start=1):
            if weight.ndim < 2 or weight.shape[-1] != width_in:
                raise ValueError(f"weight {number} must take {width_in} values; its shape is {weight.shape}")
            if bias is not None and hasattr(bias, "shape") and bias.shape != weight.shape[:-1]:
                raise ValueError(
                    f"bias {number} must have {weight.shape[-2]} values as weight {number} has rows; got {bias.shape}"
                )
            width_in = weight.shape[-2]
        if width_in != size:
            raise ValueError(f"the last weight must have {size} rows, one per entry of a state; it has {width_in}")

    def __call__(self, x: Float[Array, "*state"]) -> Float[Array, "*state"]:
        """f(x), of the same shape as `x`."""
        hidden = self.features(jnp.ravel(x))
        return self.readout(hidden).reshape(self.shape)

    def features(self, x: Float[Array, " d"]) -> Float[Array, " k"]:
        """Activations of the last hidden layer at the state `x`, given as one vector."""
        return self.hidden(x)

    @property
    def hidden(self) -> HiddenLayers:
        """All layers but the last, as a map from the state, as one vector, to the features."""
        return HiddenLayers(self.weights[:-1], self.biases[:-1], self.activation)

    def readout(self, features: Float[Array, " k"]) -> Float[Array, " d"]:
        """The output, as one vector, for given activations of the last hidden layer."""
        output = jnp.asarray(self.weights[-1] @ features)
        return output if self.biases[-1] is None else output + jnp.asarray(self.biases[-1])

    @property
    def size(self) -> int:
        """Number of entries of a state, d."""
        return math.prod(self.shape)

    @property
    def depth(self) -> int:
        """Number of hidden layers, L."""
        return len(self.weights) - 1

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of units of each hidden layer."""
        return tuple(weight.shape[0] for weight in self.weights[:-1])

    # Capabilities, see `attrax.maps._contract`.

    def in_units(self, unit: float) -> Self:
        """x ↦ f(unit·x)/unit: its first and its last layer are scaled."""
        weights, biases = ends_in_units(self.weights, self.biases, unit)
        return replace(self, weights=weights, biases=biases)

    def dense(self) -> Self:
        """The same network with a matrix in every layer, equal to it up to rounding; itself if it has these already."""
        if not any(isinstance(weight, DiagonalPlusRankOne) for weight in self.weights):
            return self
        return replace(self, weights=tuple(formed(weight) for weight in self.weights))

    def completion(self) -> MaskedScores | None:
        """Masked scores in place of the encoder's, if the network is a winner-take-all; else `None`."""
        return masked_scores(self)

    def reduced_map(self) -> ReducedMap | None:
        """The network iterated in the features of its last hidden layer, or `None` if that is not cheaper."""
        return network_reduced_map(self.hidden, self.weights[-1], self.biases[-1], self.shape)

    def on_host(self) -> HostFunction:
        """The network computed by NumPy."""
        hidden, last = self.hidden.on_host(), readout_on_host(self.weights[-1], self.biases[-1], self.shape)
        many = isinstance(self.weights[-2], DiagonalPlusRankOne)
        rounds = cache(lambda: rounds_of(network_factors(self)) if many else None)

        def in_full(vectors: np.ndarray) -> np.ndarray:
            # Layers may be far larger than states.
            starts = range(0, max(len(vectors), 1), _ROWS)
            return np.concatenate([last.rows(hidden.rows(vectors[start : start + _ROWS])) for start in starts])

        def rows(states: np.ndarray) -> np.ndarray:
            vectors = states.reshape(len(states), -1)
            if len(states) < _MANY or states.dtype != np.float64 or (few := rounds()) is None:
                return in_full(vectors)
            found = few.images(vectors).reshape(states.shape)
            unknown = np.flatnonzero(np.isnan(found).reshape(len(found), -1).any(axis=1))
            if len(unknown):
                found[unknown] = in_full(vectors[unknown])
            return found

        return HostFunction(
            rows,
            lambda state, tangents: last.push(state, hidden.push(state.ravel(), tangents)),
        )

    def linearizer(self) -> Linearizer:
        """Its Jacobian products, with bounds that include the rounding error of every slope and product."""
        return NetworkLinearizer(network_factors(self))

    def step_bounds(self) -> Callable[[HostStates], list[StepAt]] | None:
        """Bounds on its slopes over balls, in the coordinates of the row space of W_1; `None` if φ' has no known
        bounds."""
        if activation_of(self.activation).bounds is None:
            return None
        return partial(steps_at, row_space(network_factors(self)))

    def describe(self) -> Description:
        """Number and kind of the units of its hidden layers."""
        groups = [(len(list(equal)), width) for width, equal in groupby(self.widths)]
        layers = f"{self.depth} hidden layer{'s' * (self.depth > 1)} of "
        if len(groups) > 1:
            text = f"{layers}{self.activation} units ({', '.join(f'{count} of {width}' for count, width in groups)})"
        else:
            text = f"{layers}{groups[0][1]} {self.activation} units"
        bias = any(bias is not None for bias in self.biases)
        text += "" if bias else ", no biases"
        facts = {"widths": list(self.widths), "activation": str(self.activation), "bias": bias}
        return Description(text, count_parameters(self), self.depth, facts)

    def write_operators(self, write: Any, x: str) -> str:
        """Writes its layers, between one vector and the shape of a state; see `attrax.maps.Exportable`."""
        x = write.apply("Reshape", x, write.constant(np.array([-1, self.size])))
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            arrays = [write.constant(array) for array in (formed(weight), bias) if array is not None]
            x = write.apply("Gemm", x, *arrays, transB=1)
            x = write.activate(self.activation, x) if number < self.depth else x
        return write.apply("Reshape", x, write.constant(np.array([-1, *self.shape])))

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays `weight.i` and `bias.i` with i from 0, and the settings for a file.

        Of a `DiagonalPlusRankOne` there are `weight.i.diagonal`, `weight.i.left` and `weight.i.right` instead.
        """
        arrays = dict(pair for i, weight in enumerate(self.weights) for pair in weight_arrays(f"weight.{i}", weight))
        arrays |= {f"bias.{i}": np.asarray(bias) for i, bias in enumerate(self.biases) if bias is not None}
        activation = name_for_file(self.activation)
        return arrays, {"shape": list(self.shape), "activation": activation, "layers": len(self.weights)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> "MLP":
        """The network rebuilt from these; see `to_arrays`."""
        layers = range(checks.integer("layers", settings["layers"], least=2))
        weights = tuple(weight_from(f"weight.{i}", arrays) for i in layers)
        biases = tuple(arrays.get(f"bias.{i}") for i in layers)
        return cls(weights, biases, shape_from(settings), checks.text("activation", settings["activation"]))


Recipe: TypeAlias = partial[Any]
"""A function that makes a new map when called as `recipe(shape, key=key)`, such as `functools.partial(mlp, width=512,
depth=5)`."""


def mlp(
    shape: Sequence[int],
    *,
    width: int | Sequence[int],
    depth: int | None = None,
    activation: ActivationLike = "relu",
    init: str = "pytorch",
    bias: bool = True,
    dtype: Any = jnp.float32,
    key: PRNGKeyArray,
) -> MLP:
    """A newly initialized fully connected network.

    Without biases a ReLU or Leaky ReLU network is homogeneous, f(cx) = c·f(x) for c > 0, so 1 is an eigenvalue of
    its Jacobian at every fixed point and it can store nothing; the same holds for the identity.

    **Arguments:**

    - `shape`: shape of a state, such as `(28, 28)` or `(64, 64, 3)`.
    - `width`: number of units of every hidden layer, or a sequence with one number per layer.
    - `depth`: number of hidden layers; may be omitted if `width` is a sequence.
    - `activation`: a name of `attrax.activations.ACTIVATIONS`, an `Activation`, or a function written with `jax.numpy`.
    - `init`: a name of `attrax.maps.INITIALIZERS`.
    - `bias`: whether layers have biases.
    - `dtype`: the dtype of the weights.

    **Returns:** an `MLP`. **Raises** `ValueError` for a wrong argument.

        >>> import jax.random as jr
        >>> network = mlp((28, 28), width=512, depth=5, key=jr.key(0))
        >>> network.depth, network.widths[0]
        (5, 512)
    """
    checks.random_key(key)
    if not isinstance(shape, Sequence) or not shape:
        raise ValueError(f"shape must be a sequence of one number per axis, such as (28, 28); got {shape!r}")
    shape = tuple(checks.integer("each entry of shape", side, least=1) for side in shape)
    if isinstance(width, Sequence):
        widths = [checks.integer("each entry of width", units, least=1) for units in width]
        if depth is not None and depth != len(widths):
            raise ValueError(f"depth must be the number of widths, {len(widths)}, or be omitted; got {depth}")
        if not widths:
            raise ValueError("width must name at least one hidden layer; got an empty sequence")
    else:
        if depth is None:
            raise ValueError("depth (the number of hidden layers) must be given if width is one number")
        width, depth = checks.integer("width", width, least=1), checks.integer("depth", depth, least=1)
        _refuse_large(math.prod(shape), width, depth, dtype)
        widths = [width] * depth
    activation = reference(activation)
    check_initializer(init)
    size = math.prod(shape)
    sizes = [size, *widths, size]
    _refuse_large(size, widths, None, dtype)
    keys = jr.split(key, len(sizes) - 1)
    # A request for float64 is honored whatever the caller's configuration.
    with float64() if np.dtype(dtype) == np.float64 else contextlib.nullcontext():
        layers = [
            init_linear(init, fan_in, fan_out, bias=bias, dtype=dtype, key=layer_key)
            for fan_in, fan_out, layer_key in zip(sizes[:-1], sizes[1:], keys, strict=True)
        ]
    return MLP(tuple(weight for weight, _ in layers), tuple(bias for _, bias in layers), shape, activation)


def _refuse_large(size: int, width: Any, depth: int | None, dtype: Any) -> None:
    """Before the list of layers, which may itself be too long. Compiling takes more than two megabytes per layer."""
    several = isinstance(width, Sequence)
    sizes = [size, *width, size] if several else [size, width, width, size]
    repeats = [1] * (len(sizes) - 1) if several else [1, (depth or 1) - 1, 1]
    weights = sum(times * into * out for times, (into, out) in zip(repeats, pairwise(sizes), strict=True))
    refuse_beyond_memory(
        f"{mention('width')} and {mention('depth')}: a network with {weights:,} weights",
        2 * np.dtype(dtype).itemsize * weights + _COMPILED_LAYER * sum(repeats),
        "take fewer or narrower layers",
    )
    refuse_beyond_layers(mention("width" if several else "depth"), sum(repeats) - 1)
