"""How errors made in one layer of a network reach the later ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attrax.linalg import frobenius, gamma
from attrax.maps.mlp._factors import MORE, Factors, row_norms


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """How errors spread through the slopes at one state, as bounds on 2-norms.

    **Fields:** `state[l]`, of the rows from the state to the pre-activations of layer l; `layers[s][l − s − 1]`, of
    those from the activations of layer s; `outputs[s]`, from the activations of layer s to the output.
    """

    state: list[np.ndarray]
    layers: list[list[np.ndarray]]
    outputs: list[float]


def reach_of(factors: Factors, slopes: Sequence[np.ndarray]) -> Reach:
    depth = factors.depth
    live = [np.flatnonzero(slope) for slope in slopes]
    through = [factors.weights[layer + 1][:, live[layer]] * slopes[layer][live[layer]] for layer in range(depth - 1)]
    sizes = [frobenius(part) for part in through]
    exit = factors.exit[:, live[-1]] * slopes[-1][live[-1]]
    exit_norm = float(np.abs(slopes[-1]).max(initial=0.0)) * factors.norms[-1]

    def onward(matrix: np.ndarray, error: float, layer: int) -> tuple[list[np.ndarray], float]:
        """From the pre-activations of `layer` on: bounds on the rows at later layers, and on the output."""
        found = []
        for later in range(layer, depth - 1):
            part = matrix[live[later]]
            length = frobenius(part)
            rounding = gamma(len(part) + 4) * sizes[later] * length
            steepest = float(np.abs(slopes[later]).max(initial=0.0))
            error = (min(sizes[later], steepest * factors.norms[later + 1]) * error + rounding) * MORE
            matrix = through[later] @ part
            found.append(row_norms(matrix) + error)
        part = matrix[live[-1]]
        rounding = gamma(len(part) + 4) * frobenius(exit) * frobenius(part)
        rounding += factors.exit_error * float(np.abs(slopes[-1]).max(initial=0.0)) * (frobenius(part) + error)
        return found, (frobenius(exit @ part) + rounding + exit_norm * error) * MORE

    state, _ = onward(factors.entry, factors.entry_error, 0) if depth > 1 else ([], 0.0)
    layers, outputs = [], []
    for source in range(depth):
        if source == depth - 1:
            # The activations of the last layer meet W_{L+1} alone.
            layers.append([])
            outputs.append(factors.norms[-1])
            continue
        later, output = onward(factors.weights[source + 1], 0.0, source + 1)
        layers.append([factors.rows[source + 1], *later])
        outputs.append(output)
    return Reach([factors.rows[0], *state], layers, outputs)
