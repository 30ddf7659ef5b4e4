"""Networks of scikit-learn as maps."""

from typing import Any

import numpy as np

from attrax._base.numerics import apply_rows, cast, float64
from attrax.foreign._convert import Conversion, difference_of
from attrax.foreign._error import ForeignError
from attrax.maps import MLP

_ACTIVATIONS = {"identity": "identity", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu"}
_PROBES = 5


def from_sklearn(model: Any, scaler: Any = None) -> Conversion:
    """A fitted `sklearn.neural_network.MLPRegressor` with as many outputs as inputs, as a fully connected network.

    **Arguments:**

    - `model`: the fitted regressor.
    - `scaler`: a fitted scaler such as `StandardScaler` or `MinMaxScaler`, if the regressor was trained to take scaled
      states to scaled states. The map then is of states that are not scaled; the scaler becomes part of its first and
      last layer.

    **Returns** a `Conversion` to an `MLP`, compared with `model.predict` on random states. **Raises** `ForeignError`, a
    `ValueError`, for a model that is not fitted or has another number of outputs, and a scaler that does not scale and
    shift each entry by itself.

        >>> import numpy as np
        >>> from sklearn.neural_network import MLPRegressor
        >>> points = np.random.default_rng(0).normal(size=(4, 3))
        >>> fitted = MLPRegressor(hidden_layer_sizes=(8,), solver="lbfgs", random_state=0).fit(points, points)
        >>> from_sklearn(fitted).map.widths
        (8,)
    """
    missing = [name for name in ("coefs_", "intercepts_", "activation") if not hasattr(model, name)]
    if missing:
        raise ForeignError(f"model must be a fitted MLPRegressor; {type(model).__name__} has no {missing[0]}")
    activation = _ACTIVATIONS.get(model.activation)
    if activation is None or getattr(model, "out_activation_", "identity") != "identity":
        raise ForeignError(f"model must be a regressor with one of the activations {', '.join(_ACTIVATIONS)}")
    weights = [np.asarray(weight, np.float64).T for weight in model.coefs_]
    biases = [np.asarray(bias, np.float64) for bias in model.intercepts_]
    size = weights[0].shape[1]
    if len(weights[-1]) != size:
        raise ForeignError(f"model must have as many outputs as inputs; it takes {size} to {len(weights[-1])}")
    if len(weights) == 1:
        weights, biases, activation = [*weights, np.eye(size)], [*biases, np.zeros(size)], "identity"
    spread = 1.0
    if scaler is not None:
        factor, offset = _affine(scaler, size)
        spread = 1 / np.abs(factor)
        biases[0] = biases[0] + weights[0] @ offset
        weights[0] = weights[0] * factor
        # What comes out is scaled back.
        weights[-1], biases[-1] = weights[-1] / factor[:, None], (biases[-1] - offset) / factor
    network = MLP(tuple(weights), tuple(biases), (size,), activation)
    states = np.random.default_rng(0).standard_normal((_PROBES, size)) * spread
    wanted = np.asarray(model.predict(states if scaler is None else scaler.transform(states))).reshape(_PROBES, size)
    wanted = wanted if scaler is None else scaler.inverse_transform(wanted)
    difference = difference_of(_applied(network, states), wanted, "scikit-learn")
    import sklearn

    return Conversion(network, None, difference, f"scikit-learn {sklearn.__version__}")


def _applied(network: MLP, states: np.ndarray) -> np.ndarray:
    with float64():
        return apply_rows(cast(network, np.float64), states, chunk=_PROBES)


def _affine(scaler: Any, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The factor and the offset by which a scaler transforms each entry."""
    probes = np.random.default_rng(1).standard_normal((_PROBES, size)) * 0.1
    try:
        offset = np.asarray(scaler.transform(np.zeros((1, size))), np.float64)[0]
        factor = np.asarray(scaler.transform(np.ones((1, size))), np.float64)[0] - offset
        found = np.asarray(scaler.transform(probes), np.float64)
    except Exception as error:  # of the classes of scikit-learn
        said = (str(error).splitlines() or [""])[0][:200]
        raise ForeignError(f"scaler can't transform states of {size} entries ({said}); fit it first") from None
    wanted = probes * factor + offset
    if found.shape != wanted.shape or not np.allclose(found, wanted, rtol=1e-9, atol=1e-9) or not np.all(factor != 0):
        raise ForeignError("scaler must scale and shift each entry by itself, as StandardScaler and MinMaxScaler do")
    return factor, offset
