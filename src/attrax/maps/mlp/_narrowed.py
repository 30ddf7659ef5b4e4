"""The part of a network that its Jacobians near given states consist of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from attrax._base.shown import Record
from attrax.maps.mlp._factors import Factors
from attrax.maps.mlp._layers import HiddenLayers

_WORTHWHILE = 0.5
"""A network is narrowed if no more than this share of its weights is left: the part is copied, and has norms and
factorizations of its own."""

_NEAR = 1e-6
"""Units so near a kink, relative to the largest pre-activation of their layer, are kept: a ball around the states may
reach the kink."""


@dataclass(frozen=True, slots=True, eq=False)
class Narrowed(Record):
    """A network without units that are off: `factors` of the others, and which these are, `kept`, layer by layer.

    Norms of its weights take a fraction of the time, and are smaller. What differs from one state to another in the
    whole network, and all products of its layers, are those of this part as long as the other units stay off.
    """

    factors: Factors
    kept: tuple[Bool[np.ndarray, " k"], ...]

    def met(
        self, factors: Factors, slopes: Sequence[np.ndarray], errors: Sequence[np.ndarray]
    ) -> tuple[Factors, Sequence[np.ndarray], Sequence[np.ndarray]]:
        """This part with its slopes and their errors, layer by layer, once or several times round. If a unit that was
        not kept may be on, everything as it was given, with the `factors` of the whole network."""
        kept = list(self.kept) * (len(slopes) // len(self.kept))
        if any(
            ((slope != 0) | (error != 0))[~units].any()
            for slope, error, units in zip(slopes, errors, kept, strict=True)
        ):
            return factors, slopes, errors
        few, off = ([row[units] for row, units in zip(group, kept, strict=True)] for group in (slopes, errors))
        return self.factors, few, off


def nearby(pre: Float[np.ndarray, "p k"]) -> Float[np.ndarray, "p k"]:
    """How far pre-activations of a layer, at p states, are changed to see which units are near a kink."""
    return np.broadcast_to(_NEAR * np.abs(pre).max(axis=1, keepdims=True, initial=0.0), pre.shape)


def narrowed(factors: Factors, kept: Sequence[Bool[np.ndarray, " k"]]) -> Narrowed | None:
    """`Narrowed` to the units that are `kept`; `None` where that is not worth its time, or not possible.

    Of one hidden layer, units cancel in pairs (`Factors.twins`), which have to stay together.
    """
    if factors.depth == 1 or factors.scores or not all(isinstance(weight, np.ndarray) for weight in factors.weights):
        return None
    sizes = [factors.size, *(int(np.count_nonzero(layer)) for layer in kept), factors.size]
    widths = [factors.size, *(len(layer) for layer in kept), factors.size]
    left, whole = (sum(one * other for one, other in zip(part[1:], part, strict=False)) for part in (sizes, widths))
    if min(sizes) == 0 or left > _WORTHWHILE * whole:
        return None
    units = [np.flatnonzero(layer) for layer in kept]
    weights = [np.asarray(factors.weights[0])[units[0]]]
    for layer in range(1, factors.depth):
        weights.append(np.asarray(factors.weights[layer])[np.ix_(units[layer], units[layer - 1])])
    weights.append(factors.last[:, units[-1]])
    biases = [None if bias is None else bias[layer] for bias, layer in zip(factors.biases[:-1], units, strict=True)]
    part = replace(
        factors,
        hidden=HiddenLayers(tuple(weights[:-1]), tuple(biases), factors.activation),
        weights=tuple(weights),
        biases=(*biases, factors.biases[-1]),
        row_norms=tuple(norms[layer] for norms, layer in zip(factors.row_norms, units, strict=True)),
        column_norms=factors.column_norms[units[-1]],
        linear=tuple(
            None if plain is None else plain[layer] for plain, layer in zip(factors.linear, units, strict=True)
        ),
    )
    return Narrowed(part, tuple(kept))
