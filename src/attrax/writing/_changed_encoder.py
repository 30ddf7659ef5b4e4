"""The encoder of a winner-take-all network, changed to other examples."""

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, TypeGuard

import numpy as np

from attrax._base.arguments import printable
from attrax.training import Encoder, Layered, LinearScores, nearest_neighbor_scores
from attrax.writing._prepared import TrainingData


def check_record(network: Any, record: Mapping[str, Any], count: int) -> None:
    """**Raises** `ValueError` if a record is not that of this network, which stores `count` examples.

    The record of a file may say anything. What it says of widths, scores and units decides what is cut out of the
    network.
    """
    said = _contradiction(network, record, count)
    if said is not None:
        raise ValueError(
            f"the record of this memory is not that of its network ({said}), so winner_take_all can't change it; store "
            "its examples anew, together with the new ones"
        )


def _contradiction(network: Any, record: Mapping[str, Any], count: int) -> str | None:
    widths, carrying, rounds = (record.get(name) for name in ("encoder_widths", "carriers", "rounds"))
    if not isinstance(network, Layered) or any(bias is None for bias in network.biases):
        return "it has no fully connected layers with biases"
    if not _whole(widths) or not len(widths):
        return "encoder_widths must list the units of at least one layer"
    sizes = [weight.shape[0] for weight in network.weights]
    layers = len(widths)
    if len(sizes) < layers + 3 or sizes[:layers] != list(widths):
        return f"encoder_widths are {_short(widths)}, and its layers have {_short(sizes)} units"
    if set(sizes[layers:-1]) != {count}:
        return f"{count} examples need {count} scores, and its layers have {_short(sizes)} units"
    if not isinstance(carrying, Sequence) or len(carrying) != count or not all(map(_whole, carrying)):
        return f"carriers must list units for each of {count} examples"
    units = [unit for row in carrying for unit in row]
    if len(set(units)) < len(units) or not all(0 <= unit < min(widths) for unit in units):
        return f"carriers must be different units of layers of {_short(widths)}"
    if rounds is not None and (not _whole([rounds]) or not 0 <= rounds <= len(sizes)):
        return f"rounds are {_short(rounds)}, and it has {len(sizes)} layers"
    return None


def _whole(values: Any) -> TypeGuard[Sequence[int]]:
    return isinstance(values, Sequence) and all(
        isinstance(value, Integral) and not isinstance(value, bool) for value in values
    )


def _short(value: Any) -> str:
    return printable(str(value), 80)


def _layers(network: Any, layers: int, data: TrainingData) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The encoder of a network, as training takes its inputs."""
    coordinates = data.coordinates
    weights = [np.asarray(weight, np.float64) for weight in network.weights[: layers + 1]]
    biases = [np.asarray(bias, np.float64) for bias in network.biases[: layers + 1]]
    weights[0] = weights[0] * data.divisor
    if coordinates is not None:
        biases[0] = biases[0] + weights[0] @ coordinates.center
        weights[0] = (weights[0] @ coordinates.basis) * coordinates.scale
    return weights, biases


def changed_scores(network: Any, record: Mapping[str, Any], data: TrainingData, kept: list[int]) -> LinearScores | None:
    """The linear scores in the first layers of a memory's network, changed to other patterns; `None` if its scores are
    others.

    New scores are those of a nearest-neighbor rule, as large as the ones that are there.
    """
    weights, biases = _layers(network, len(record["encoder_widths"]), data)
    scores = LinearScores.of_encoder(Encoder((*weights,), (*biases,)))
    if scores is None:
        return None
    linear, outer, bias = scores.linear[kept], scores.outer[kept], scores.bias[kept]
    fresh = len(data.patterns) - len(kept)
    if fresh:
        templates, offsets = nearest_neighbor_scores(data.points, data.coordinates)
        old = slice(len(kept))
        grown = np.linalg.norm(linear - linear.mean(axis=0)) / np.linalg.norm(
            templates[old] - templates[old].mean(axis=0)
        )
        factor = float(grown) if len(kept) > 1 and np.isfinite(grown) and grown > 0 else 1.0
        # The winner-take-all does not see what all scores have in common.
        added = factor * templates[len(kept) :] + linear.mean(axis=0) - factor * templates[old].mean(axis=0)
        level = factor * offsets[len(kept) :] + bias.mean() - factor * offsets[old].mean()
        linear, bias = np.concatenate([linear, added]), np.concatenate([bias, level])
        outer = np.concatenate([outer, np.tile(outer.mean(axis=0), (fresh, 1))])
    parts = (linear, scores.inner, scores.offset, outer, bias)
    return LinearScores(*(np.asarray(part, np.float32) for part in parts))


def changed_encoder(
    network: Any,
    record: Mapping[str, Any],
    data: TrainingData,
    kept: list[int],
) -> tuple[Encoder, list[list[int]]]:
    """The encoder in the first layers of a memory's network, changed to other patterns, and the units of each score."""
    coordinates, num = data.coordinates, len(data.patterns)
    layers = len(record["encoder_widths"])
    weights, biases = _layers(network, layers, data)
    pairs: list[list[int]] = record["carriers"]
    lost = sorted({unit for index, pair in enumerate(pairs) if index not in set(kept) for unit in pair})
    weights[-1], biases[-1] = weights[-1][kept], biases[-1][kept]
    for layer in range(layers):
        weights[layer], biases[layer] = np.delete(weights[layer], lost, axis=0), np.delete(biases[layer], lost)
        weights[layer + 1] = np.delete(weights[layer + 1], lost, axis=1)
    left = np.setdiff1d(np.arange(record["encoder_widths"][0]), lost)
    carrying = [np.searchsorted(left, pairs[index]).tolist() for index in kept]
    fresh = num - len(kept)
    if fresh:
        templates, offsets = (one[len(kept) :] for one in nearest_neighbor_scores(data.points, coordinates))
        first = min(len(bias) for bias in biases[:-1])
        carrying += (first + np.arange(2 * fresh).reshape(2, fresh).T).tolist()
        weights[0] = np.concatenate([weights[0], templates, -templates])
        biases[0] = np.concatenate([biases[0], offsets, -offsets])
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
        for layer in range(layers):
            # The units that carry a score have the same numbers in every layer, however many units it has.
            old = np.arange(len(biases[layer]) - 2 * fresh)
            order = np.concatenate([old[:first], len(old) + np.arange(2 * fresh), old[first:]])
            weights[layer], biases[layer] = weights[layer][order], biases[layer][order]
            weights[layer + 1] = weights[layer + 1][:, order]
    changed = Encoder(tuple(w.astype(np.float32) for w in weights), tuple(b.astype(np.float32) for b in biases))
    return changed, carrying
