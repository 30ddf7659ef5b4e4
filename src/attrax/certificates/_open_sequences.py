"""Open sequences: whether the map, started at the first state, runs through the states that were stored."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from attrax._base.types import HostStates
from attrax.dynamics import trajectory
from attrax.maps import ReducedMap
from attrax.patterns import Patterns

_STAY = 64
"""Number of steps for which the final state has to stay the same."""


def open_sequence_errors(
    reduced: Callable[[], ReducedMap], patterns: Patterns, originals: HostStates
) -> Float[np.ndarray, " w"]:
    """For each of w open sequences, the largest mean squared distance from the states as given, in units
    of the patterns.

    The sequence is run from its first state as given, in 64 bits, to the state it ends in, around the cycle of that
    state, and for 64 more steps. Infinite if a state is not finite.
    """
    sequences = [list(sequence[1:]) for sequence in patterns.open_sequences]
    if not sequences:
        return np.zeros(0)
    for sequence in sequences:
        for _ in range(_STAY):
            sequence.append(int(patterns.successor[sequence[-1]]))
    starts = np.asarray([originals[sequence[0]] for sequence in patterns.open_sequences], np.float64)
    runs = trajectory(reduced(), starts, max(map(len, sequences)))
    errors = []
    for sequence, states in zip(sequences, runs, strict=True):
        if len(states) < len(sequence):
            errors.append(np.inf)
            continue
        difference = (states[: len(sequence)] - np.asarray(originals[sequence], np.float64)) / patterns.unit
        errors.append(float(np.mean(difference.reshape(len(sequence), -1) ** 2, axis=1).max()))
    return np.array(errors, float)
