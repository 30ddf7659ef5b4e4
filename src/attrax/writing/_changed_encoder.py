"""The encoder of a winner-take-all network, changed to other examples."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import PRNGKeyArray

from attrax.patterns import Patterns
from attrax.training import Coordinates, Encoder, encoder, points_in_units, training_unit


def changed_encoder(
    network: Any,
    record: Mapping[str, Any],
    patterns: Patterns,
    kept: list[int],
    coordinates: Coordinates | None,
    key: PRNGKeyArray,
) -> tuple[Encoder, list[list[int]]]:
    """The encoder in the first layers of a memory's network, changed to `patterns`, and the units of each score."""
    layers = len(record["encoder_widths"])
    weights = [np.asarray(weight, np.float64) for weight in network.weights[: layers + 1]]
    biases = [np.asarray(bias, np.float64) for bias in network.biases[: layers + 1]]
    weights[0] = weights[0] * training_unit(patterns)
    if coordinates is not None:
        biases[0] = biases[0] + weights[0] @ coordinates.center
        weights[0] = (weights[0] @ coordinates.basis) * coordinates.scale
    pairs: list[list[int]] = record["carriers"]
    lost = sorted({unit for index, pair in enumerate(pairs) if index not in set(kept) for unit in pair})
    weights[-1], biases[-1] = weights[-1][kept], biases[-1][kept]
    for layer in range(layers):
        weights[layer], biases[layer] = np.delete(weights[layer], lost, axis=0), np.delete(biases[layer], lost)
        weights[layer + 1] = np.delete(weights[layer + 1], lost, axis=1)
    left = np.setdiff1d(np.arange(record["encoder_widths"][0]), lost)
    carrying = [np.searchsorted(left, pairs[index]).tolist() for index in kept]
    fresh = len(patterns) - len(kept)
    if fresh:
        model = encoder(points_in_units(patterns), coordinates, widths=[2 * len(patterns)], key=key)
        rows = np.concatenate(
            [np.arange(len(kept), len(patterns)), len(patterns) + np.arange(len(kept), len(patterns))]
        )
        carrying += (weights[0].shape[0] + np.arange(2 * fresh).reshape(2, fresh).T).tolist()
        weights[0] = np.concatenate([weights[0], np.asarray(model.weights[0], np.float64)[rows]])
        biases[0] = np.concatenate([biases[0], np.asarray(model.biases[0], np.float64)[rows]])
        for layer in range(1, layers + 1):
            old = weights[layer]
            outputs = fresh if layer == layers else 2 * fresh
            corner = np.eye(outputs) if layer < layers else np.concatenate([np.eye(fresh), -np.eye(fresh)], axis=1)
            grown = np.zeros((old.shape[0] + outputs, old.shape[1] + 2 * fresh))
            grown[: old.shape[0], : old.shape[1]] = old
            grown[old.shape[0] :, old.shape[1] :] = corner
            weights[layer] = grown
            # A new score begins at the level of the old ones, whose common level the winner-take-all does not see.
            biases[layer] = np.concatenate([biases[layer], np.zeros(outputs)])
    changed = Encoder(tuple(w.astype(np.float32) for w in weights), tuple(b.astype(np.float32) for b in biases))
    return changed, carrying
