"""How errors made in one layer of a network spread to later layers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attrax.linalg import Factor, frobenius_bound, gamma
from attrax.maps.mlp._factors import Factors
from attrax.maps.mlp._weights import MORE, block, columns_times, row_norms


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """How errors spread through the slopes at one state: bounds on 2-norms of products of layers.

    **Fields:**

    - `state[l]`: the norms of the rows of the product from the state to the pre-activations of layer l.
    - `layers[s][l − s − 1]`: those of the product from the activations of layer s to the pre-activations of layer l.
    - `outputs[s]`: the norm of the product from the activations of layer s to the output.
    """

    state: list[np.ndarray]
    layers: list[list[np.ndarray]]
    outputs: list[float]


def reach_of(factors: Factors, slopes: Sequence[np.ndarray]) -> Reach:
    """`Reach` at a state where the units have these slopes, one array per layer."""
    depth = factors.depth
    live = [np.flatnonzero(slope) for slope in slopes]
    through = [
        columns_times(block(factors.weights[layer + 1], None, live[layer]), slopes[layer][live[layer]])
        for layer in range(depth - 1)
    ]
    sizes = [frobenius_bound(part) for part in through]
    exit = factors.exit[:, live[-1]] * slopes[-1][live[-1]]
    exit_norm = float(np.abs(slopes[-1]).max(initial=0.0)) * factors.norms[-1]

    def onward(matrix: np.ndarray, error: float, layer: int) -> tuple[list[np.ndarray], float]:
        """Carries on `matrix`, which ends at the pre-activations of `layer` and is known to within `error`.

        Returns bounds on the norms of its rows at each later layer, and on its norm at the output.
        """
        found = []
        for later in range(layer, depth - 1):
            part = matrix[live[later]]
            length = frobenius_bound(part)
            rounding = gamma(len(part) + 4) * sizes[later] * length
            steepest = float(np.abs(slopes[later]).max(initial=0.0))
            error = (min(sizes[later], steepest * factors.norms[later + 1]) * error + rounding) * MORE
            matrix = through[later] @ part
            found.append(row_norms(matrix) + error)
        part = matrix[live[-1]]
        rounding = gamma(len(part) + 4) * frobenius_bound(exit) * frobenius_bound(part)
        rounding += factors.exit_error * float(np.abs(slopes[-1]).max(initial=0.0)) * (frobenius_bound(part) + error)
        return found, (frobenius_bound(exit @ part) + rounding + exit_norm * error) * MORE

    state, _ = onward(factors.entry, factors.entry_error, 0) if depth > 1 else ([], 0.0)
    layers, outputs = [], []
    for source in range(depth):
        if source == depth - 1:
            # Only W_{L+1} lies between the last hidden layer and the output.
            layers.append([])
            outputs.append(factors.norms[-1])
            continue
        later, output = onward(*Factor(block(factors.weights[source + 1], None, None), 0.0, 0.0).formed(), source + 1)
        layers.append([factors.row_norms[source + 1], *later])
        outputs.append(output)
    return Reach([factors.row_norms[0], *state], layers, outputs)
