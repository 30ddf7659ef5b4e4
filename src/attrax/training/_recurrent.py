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
from attrax.training._fit import Fit, fit


class _Reader(eqx.Module):
    """The network as `fit` takes maps: from all inputs to all scores."""

    network: Recurrent

    def __call__(self, inputs: Any) -> Any:
        return self.network.read(inputs)


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
    rounds = checks.integer("rounds", rounds, least=1)
    most = network.num_symbols - 1
    symbols = np.array([checks.integer("each of symbols", symbol, least=0, most=most) for symbol in symbols], int)
    if not len(symbols):
        raise ValueError("symbols must name at least one symbol; got none")
    targets = np.tile(np.eye(network.num_symbols, dtype=np.float32)[symbols], (rounds, 1))
    inputs = np.concatenate([np.zeros_like(targets[:1]), targets[:-1]])
    fitted = fit(
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
    return Fit(fitted.map.network, fitted.loss, fitted.epochs, fitted.seconds, fitted.status)


def _next_symbol(outputs: Float[Array, "b t m"], targets: Float[Array, "b t m"]) -> Float[Array, " b"]:
    """Mean cross-entropy over the steps of each sequence."""
    return -jnp.mean(jnp.sum(targets * jax.nn.log_softmax(outputs, axis=-1), axis=-1), axis=-1)
