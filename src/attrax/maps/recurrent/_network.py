"""Recurrent networks whose output is fed back as the next input, as maps of a hidden state and an input."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from attrax._base import checks
from attrax._base.shown import Record
from attrax.maps._description import Description, count_parameters
from attrax.maps._from_file import with_axes
from attrax.maps._initializers import drawn, placed
from attrax.maps._linearization import Linearizer
from attrax.maps.mlp import layer_factors, linearize_network
from attrax.maps.wrapped import general_linearizer

_ARRAYS = ("recurrent_weight", "input_weight", "bias", "output_weight", "output_bias")
FEEDBACKS = ("argmax", "softmax")
"""How the scores of one step become the input of the next: the one-hot vector of the largest, or their softmax."""


class Recurrent(Record, eqx.Module):
    """A vanilla recurrent network whose output is its next input, as a map of the state (h, x).

    h' = tanh(W h + V x + b), x' = feedback(U h' + c). With `argmax` the input is locally constant, so its derivative is
    zero; with `softmax` the loop is smooth. Create a new one with `recurrent`.

    **Fields:** `recurrent_weight` W, k×k; `input_weight` V, k×m; `bias` b; `output_weight` U, m×k; `output_bias` c;
    `feedback`, one of `FEEDBACKS`.

    Source: J. L. Elman, "Finding structure in time", Cognitive Science 14 (1990); the closed loop is that of
    Radhakrishnan, Belkin and Uhler (2020).
    """

    recurrent_weight: Float[Array, "k k"] | Float[np.ndarray, "k k"]
    input_weight: Float[Array, "k m"] | Float[np.ndarray, "k m"]
    bias: Float[Array, " k"] | Float[np.ndarray, " k"]
    output_weight: Float[Array, "m k"] | Float[np.ndarray, "m k"]
    output_bias: Float[Array, " m"] | Float[np.ndarray, " m"]
    feedback: str = eqx.field(static=True, default="argmax")

    def __check_init__(self) -> None:
        checks.one_of("feedback", self.feedback, FEEDBACKS)
        arrays = [getattr(self, name) for name in _ARRAYS]
        if not all(hasattr(array, "shape") for array in arrays):
            return  # a tree of placeholders, as JAX creates inside transformations
        units, symbols = self.bias.shape[-1], self.output_bias.shape[-1]
        needed = ((units, units), (units, symbols), (units,), (symbols, units), (symbols,))
        for name, array, shape in zip(_ARRAYS, arrays, needed, strict=True):
            if array.shape[-len(shape) :] != shape:
                raise ValueError(f"{name} must have the shape {shape}; got {array.shape}")

    @property
    def width(self) -> int:
        """Number of hidden units, k."""
        return self.bias.shape[0]

    @property
    def num_symbols(self) -> int:
        """Number of entries of an input, m."""
        return self.output_bias.shape[0]

    @property
    def shape(self) -> tuple[int]:
        """Shape of a state: hidden units first, then the input."""
        return (self.width + self.num_symbols,)

    def __call__(self, state: Float[Array, " k+m"]) -> Float[Array, " k+m"]:
        """The next state."""
        hidden = self.hear(state[: self.width], state[self.width :])
        scores = self.scores(hidden)
        if self.feedback == "softmax":
            return jnp.concatenate([hidden, jax.nn.softmax(scores)])
        return jnp.concatenate([hidden, jax.nn.one_hot(jnp.argmax(scores), len(scores), dtype=scores.dtype)])

    def hear(self, hidden: Float[Array, " k"], symbol: Float[Array, " m"]) -> Float[Array, " k"]:
        """The hidden state after an input."""
        return jnp.tanh(jnp.asarray(self.recurrent_weight @ hidden + self.input_weight @ symbol + self.bias))

    def scores(self, hidden: Float[Array, " k"]) -> Float[Array, " m"]:
        """The scores of all symbols for a hidden state."""
        return jnp.asarray(self.output_weight @ hidden + self.output_bias)

    def read(self, inputs: Float[Array, "t m"]) -> Float[Array, "t m"]:
        """The scores after each of the inputs, starting from the hidden state zero. Nothing is fed back."""

        def step(hidden: Any, symbol: Any) -> tuple[Any, Any]:
            hidden = self.hear(hidden, symbol)
            return hidden, self.scores(hidden)

        return jax.lax.scan(step, jnp.zeros_like(jnp.asarray(self.bias)), inputs)[1]

    def run(self, num_steps: int) -> Float[np.ndarray, "t k+m"]:
        """The states after 1, 2, … `num_steps` steps from the state zero, in the arithmetic of the weights."""
        num_steps = checks.integer("num_steps", num_steps, least=1)
        return np.asarray(_run(self, num_steps))

    def speak(self, num_steps: int) -> Int[np.ndarray, " t"]:
        """The symbol with the largest score at each of `num_steps` steps from the state zero."""
        return np.argmax(self.run(num_steps)[:, self.width :], axis=1)

    # Capabilities, see `attrax.maps._contract`.

    def linearizer(self) -> Linearizer:
        """Its Jacobian products with bounds that include every rounding error. With `argmax` there is no bound where
        another symbol may have the largest score; with `softmax` the general method is used."""
        if self.feedback != "argmax":
            return general_linearizer(self)
        width, symbols = self.width, self.num_symbols
        heard = np.concatenate([np.asarray(self.recurrent_weight), np.asarray(self.input_weight)], axis=1)
        scored = np.concatenate([np.eye(width), np.asarray(self.output_weight, np.float64)])
        offset = np.concatenate([np.zeros(width), np.asarray(self.output_bias, np.float64)])
        passed_on = np.arange(width + symbols) < width
        factors = layer_factors(
            (heard, scored, np.eye(width + symbols)),
            (self.bias, offset, None),
            "tanh",
            (np.zeros(width, bool), passed_on),
            symbols,
        )
        return partial(linearize_network, factors)

    def describe(self) -> Description:
        """Its units and symbols."""
        facts = {"activation": "tanh", "units": self.width, "symbols": self.num_symbols, "feedback": self.feedback}
        text = f"recurrent network of {self.width} tanh units, {self.num_symbols} symbols, {self.feedback} feedback"
        return Description(text, count_parameters(self), 1, facts)

    def write_operators(self, write: Any, x: str) -> str:
        """Writes one step of both halves of the state; see `attrax.maps.Exportable`."""
        heard = np.concatenate([np.asarray(self.recurrent_weight), np.asarray(self.input_weight)], axis=1)
        hidden = write.apply("Tanh", write.apply("Gemm", x, write.constant(heard), write.constant(self.bias), transB=1))
        said = (write.constant(self.output_weight), write.constant(self.output_bias))
        scores = write.apply("Gemm", hidden, *said, transB=1)
        if self.feedback == "softmax":
            symbol = write.apply("Softmax", scores, axis=-1)
        else:
            largest = write.apply("ArgMax", scores, axis=1, keepdims=0)
            depth, values = write.constant(np.array(self.num_symbols)), write.constant(np.array([0.0, 1.0]))
            symbol = write.apply("OneHot", largest, depth, values, axis=-1)
        return write.apply("Concat", hidden, symbol, axis=1)

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The arrays under the names of the fields, and the settings for a file."""
        return {name: np.asarray(getattr(self, name)) for name in _ARRAYS}, {"feedback": self.feedback}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> "Recurrent":
        """The network rebuilt from these; see `to_arrays`."""
        of_file = (with_axes(arrays[name], 1 if name in ("bias", "output_bias") else 2) for name in _ARRAYS)
        return cls(*of_file, feedback=settings["feedback"])


@eqx.filter_jit
def _run(network: Recurrent, num_steps: int) -> Any:
    def step(state: Any, _: Any) -> tuple[Any, Any]:
        state = network(state)
        return state, state

    zero = jnp.zeros(network.shape, jnp.asarray(network.bias).dtype)
    return jax.lax.scan(step, zero, None, length=num_steps)[1]


def recurrent(num_symbols: int, *, width: int = 64, feedback: str = "argmax", key: PRNGKeyArray) -> Recurrent:
    """A newly initialized recurrent network, with all weights and biases from U[−1/√k, 1/√k] as in PyTorch.

    **Arguments:** `num_symbols`, m, at least 2; `width`, k; `feedback`, one of `FEEDBACKS`.

    **Returns:** a `Recurrent` in float32. **Raises** `ValueError` for a wrong argument.

        >>> import jax.random as jr
        >>> recurrent(13, key=jr.key(0)).shape
        (77,)
    """
    checks.random_key(key)
    num_symbols = checks.integer("num_symbols", num_symbols, least=2)
    width = checks.integer("width", width, least=1)
    bound = 1 / math.sqrt(width)
    shapes = [(width, width), (width, num_symbols), (width,), (num_symbols, width), (num_symbols,)]
    arrays = [
        placed(drawn(one, shape, np.float32, bound))
        for one, shape in zip(jr.split(key, len(shapes)), shapes, strict=True)
    ]
    return Recurrent(*arrays, feedback=feedback)
