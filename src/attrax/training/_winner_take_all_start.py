"""A winner-take-all network that nothing has been trained in yet, with soft competition, as a start for training."""

import jax.random as jr
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from attrax._base import checks
from attrax._base.arguments import mention
from attrax._base.budget import refuse_beyond_memory
from attrax._base.types import HostStates
from attrax.maps import MLP, init_linear
from attrax.training._coordinates import Coordinates
from attrax.training._templates import logarithms
from attrax.training._winner_take_all import encoder

_ONSET, _LAST = 5.0, 0.25
"""Two rounds of inhibition, by this times 1/n and by a quarter. A round with ε = 1, which leaves only one unit active,
would leave training nothing to weigh up."""
_SATURATED = 0.5
"""What the winner has at a typical example, as a share of which it shows its picture in full."""


def winner_take_all_start(
    points: HostStates, targets: HostStates | None = None, *, spare: int = 128, key: PRNGKeyArray
) -> MLP:
    """A nearest-neighbor rule as a fully connected network, to be trained as an autoencoder, in float32.

    It is `winner_take_all_network` for the scores that `encoder` starts from, with two soft rounds of inhibition and a
    small gain: the output is a picture where one score is clearly the largest, and a mixture where several are close.
    Its units read only in what the examples differ, and in what their logarithms differ if they are nonnegative. With
    `coordinates=0` training takes place there (`Coordinates.with_directions`), and the network ignores all else.

    **Arguments:**

    - `points`: n×state shape; `targets`: the target of each, by default itself.
    - `spare`: hidden units of each layer beside those of the rule, twice as many in the first two layers, which carry
      each score as a pair of units. They start from Kaiming's initialization and reach the output little.
    - `key`: for the spare units.

    **Returns:** an `MLP` with six hidden layers, two of 2n + 2·`spare` units and four of n + `spare`. **Raises**
    `ValueError` for a wrong argument.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> from attrax import training
    >>> training.winner_take_all_start(np.eye(3), spare=4, key=jr.key(0)).widths
    (14, 14, 7, 7, 7, 7)

    ```
    """
    checks.random_key(key)
    spare = checks.integer("spare", spare, least=0)
    points = np.asarray(points)
    num, vectors = len(points), points.reshape(len(points), -1).astype(np.float64)
    goals = vectors if targets is None else np.asarray(targets, np.float64).reshape(num, -1)
    refuse_beyond_memory(
        f"{mention('spare')}={spare:,}", 16 * (num + spare) * (2 * vectors.shape[1] + 8 * (num + spare)), "take fewer"
    )
    coordinates = Coordinates.of(points)
    if vectors.min() >= 0:  # with negative values the rule compares the examples as they are
        values = logarithms(vectors)
        coordinates = coordinates.with_directions(values - values.mean(axis=0))
    keys = iter(jr.split(key, 5))
    start = encoder(points, coordinates, widths=(2 * (num + spare),) * 2, dtype=np.float64, key=next(keys))
    weights, biases = [np.asarray(weight) for weight in start.weights], [np.asarray(bias) for bias in start.biases]
    weights[0] = weights[0] @ coordinates.basis.T
    biases[0] = biases[0] - weights[0] @ coordinates.center
    scores, level = weights.pop(), biases.pop()
    scores, level = scores - scores.mean(axis=0), level - level.mean()
    values = vectors
    for weight, bias in zip(weights, biases, strict=True):
        values = np.maximum(values @ weight.T + bias, 0.0)
    size = np.abs(values @ scores.T + level).mean() or 1.0
    rules = [(scores / size, level / size)]
    rules += [
        ((1 + strength) * np.eye(num) - strength, np.zeros(num)) for strength in (min(_ONSET / num, _LAST), _LAST)
    ]
    for number, (weight, bias) in enumerate([*rules, (-np.eye(num), np.ones(num))]):
        core = np.zeros((num, values.shape[1]))
        core[:, : weight.shape[1]] = weight
        if 0 < number < len(rules):
            winners = (values @ core.T).max(axis=1)
            core /= _SATURATED * float(np.median(winners[winners > 0])) if (winners > 0).any() else 1.0
        weights.append(np.concatenate([core, _free(values, spare, next(keys))]))
        biases.append(np.concatenate([bias, np.zeros(spare)]))
        values = np.maximum(values @ weights[-1].T + biases[-1], 0.0)
    # The output is m + Σᵢ (1 − tᵢ) (yᵢ − m), in which Σᵢ (yᵢ − m) is 0.
    middle = goals.mean(axis=0)
    weights.append(np.concatenate([(middle - goals).T, np.zeros((len(middle), spare))], axis=1))
    biases.append(middle)
    return MLP(
        tuple(weight.astype(np.float32) for weight in weights),
        tuple(bias.astype(np.float32) for bias in biases),
        points.shape[1:],
        "relu",
    )


def _free(values: Float[np.ndarray, "n k"], units: int, key: PRNGKeyArray) -> Float[np.ndarray, "units k"]:
    """Weights of new units, as by Kaiming for inputs of unit root mean square."""
    drawn, _ = init_linear("kaiming_normal", values.shape[1], units, bias=True, dtype=np.float32, key=key)
    return np.asarray(drawn, np.float64) / (np.sqrt(np.mean(values**2)) or 1.0)
