"""Training of recurrent networks to predict the next symbol."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PRNGKeyArray

from attrax._base import checks
from attrax._base.types import HostIndices, Progress
from attrax.maps import Recurrent
from attrax.training._edge import fit_at_edge
from attrax.training._edge_log import EdgeFit
from attrax.training._fit import Fit, fit


class _Reader(eqx.Module):
    """The network as `fit` takes maps: from all inputs to all scores."""

    network: Recurrent

    def __call__(self, inputs: Any) -> Any:
        return self.network.read(inputs)


class _Round(eqx.Module):
    """How far a displacement of the state has come after the sequence has been said once more: the closed loop's
    product of Jacobians, once it says what it should."""

    network: Recurrent
    inputs: Any
    last: Any
    length: int = eqx.field(static=True)

    def __call__(self, displacement: Any) -> Any:
        def hear(hidden: Any, symbol: Any) -> tuple[Any, None]:
            return self.network.hear(hidden, symbol), None

        def step(state: Any, _: Any) -> tuple[Any, None]:
            return self.network(state), None

        silence = jnp.zeros(self.network.width, displacement.dtype)
        begin = jnp.concatenate([jax.lax.scan(hear, silence, self.inputs)[0], self.last])
        return jax.lax.scan(step, begin + displacement, None, length=self.length)[0]


def fit_recurrent(
    network: Recurrent,
    symbols: HostIndices,
    *,
    optimizer: optax.GradientTransformation | None = None,
    rounds: int = 3,
    epochs: int = 5_000,
    tol: float = 1e-3,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> Fit[Recurrent]:
    """Trains `network` to repeat a sequence of symbols forever, starting from the input zero.

    The hidden state starts at zero. The inputs are zero and then the symbols themselves (given, not fed back), `rounds`
    times over; the loss is the mean cross-entropy of the next symbol over all steps, by backpropagation through all of
    them.

    **Arguments:**

    - `symbols`: the sequence, as indices of the network's symbols; a symbol may occur more than once.
    - `optimizer`: any Optax transformation; by default Adam at 1e-2.
    - `rounds`: how often the sequence is repeated in training.
    - `epochs`, `tol`: the maximum number of steps, and the loss at which to stop.

    **Returns:** `Fit`, with that loss. **Raises** `ValueError` for a wrong argument.

        >>> import jax.random as jr
        >>> from attrax.maps import recurrent
        >>> trained = fit_recurrent(recurrent(4, width=16, key=jr.key(0)), [0, 1, 2, 3, 0, 1], key=jr.key(0)).map
        >>> trained.speak(7).tolist()
        [0, 1, 2, 3, 0, 1, 0]
    """
    checks.random_key(key)
    inputs, targets = _sequences(network, symbols, rounds)
    found = fit(
        _Reader(network),
        inputs[None],
        targets[None],
        optimizer=optax.adam(1e-2) if optimizer is None else optimizer,
        epochs=epochs,
        tol=tol,
        loss=_next_symbol,
        progress=progress,
        key=key,
    )
    return _heard(found)


def fit_recurrent_at_edge(
    network: Recurrent,
    symbols: HostIndices,
    *,
    optimizer: str = "rmsprop",
    rounds: int = 3,
    epochs: int = 5_000,
    tol: float = 1e-3,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> EdgeFit[Recurrent]:
    """The same at the largest stable rate, which is kept up after the loss has come down, and an anneal; see
    `fit_at_edge`. The radius on the way is that of once round the closed loop, from a state that has been given
    `rounds` repetitions.

    **Arguments:** as in `fit_recurrent`; `optimizer`, a name.

    **Returns:** `EdgeFit`. **Raises** `ValueError` for a wrong argument.

        >>> import jax.random as jr
        >>> from attrax.maps import recurrent
        >>> network = recurrent(4, width=16, key=jr.key(0))
        >>> found = fit_recurrent_at_edge(network, [0, 1, 2, 3], epochs=200, key=jr.key(0))
        >>> found.fit.map.speak(5).tolist(), found.history[-1].largest < 0
        ([0, 1, 2, 3, 0], True)
    """
    checks.random_key(key)
    inputs, targets = _sequences(network, symbols, rounds)
    found = fit_at_edge(
        _Reader(network),
        inputs[None],
        targets[None],
        cycles=[[0]],
        examined=lambda reader: _Round(reader.network, inputs, targets[-1], len(symbols)),
        points=np.zeros((1, *network.shape)),
        loss=_next_symbol,
        optimizer=optimizer,
        epochs=epochs,
        tol=tol,
        progress=progress,
        key=key,
    )
    return EdgeFit(_heard(found.fit), found.rate, found.tried, found.seconds_to_find, found.schedule, found.history)


def _heard(found: Fit[_Reader]) -> Fit[Recurrent]:
    """The same with the network itself."""
    return Fit(found.map.network, found.loss, found.epochs, found.seconds, found.status)


def _sequences(network: Recurrent, symbols: HostIndices, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets, one row per step."""
    rounds = checks.integer("rounds", rounds, least=1)
    most = network.num_symbols - 1
    symbols = np.array([checks.integer("each of symbols", symbol, least=0, most=most) for symbol in symbols], int)
    if not len(symbols):
        raise ValueError("symbols must name at least one symbol; got none")
    targets = np.tile(np.eye(network.num_symbols, dtype=np.float32)[symbols], (rounds, 1))
    return np.concatenate([np.zeros_like(targets[:1]), targets[:-1]]), targets


def _next_symbol(outputs: Float[Array, "b t m"], targets: Float[Array, "b t m"]) -> Float[Array, " b"]:
    """Mean cross-entropy over the steps of each sequence."""
    return -jnp.mean(jnp.sum(targets * jax.nn.log_softmax(outputs, axis=-1), axis=-1), axis=-1)
