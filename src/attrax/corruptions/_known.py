"""Which part of a state is known: what a corruption left as it was, and masks that have a name."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, PRNGKeyArray

from attrax._base import checks
from attrax._base.arguments import ArgumentError, mention
from attrax._base.types import HostStates
from attrax.corruptions._corrupt import corrupt
from attrax.corruptions._named import as_corruption
from attrax.corruptions._record import Corruption

SIDES = ("upper", "lower", "left", "right")
"""The sides from which a named mask counts the rows or columns that are known."""
_PROBES = (7.25, -3.5)


def known_mask(text: str, shape: tuple[int, ...]) -> Bool[np.ndarray, "*state"]:
    """The mask written as SIDE:F: true in the fraction F of the rows or columns on that side, at least one of them.

    **Arguments:** `text`, such as `upper:0.25`, with a side from `SIDES` and F above 0 and at most 1; the number of
    rows or columns is rounded. `shape`, of a state; of a vector, `upper` and `lower` are its first and last entries.

    **Returns:** booleans of that shape. **Raises** `ValueError` for another text, and for columns of a vector.

        >>> known_mask("upper:0.5", (2, 2)).tolist()
        [[True, True], [False, False]]
    """
    side, colon, written = text.partition(":") if isinstance(text, str) else ("", "", "")
    try:
        share = float(written)
    except ValueError:
        share = 0.0
    if side not in SIDES or not colon or not 0 < share <= 1:
        raise ArgumentError(
            f"{mention('known')} must be SIDE:F with a side of {', '.join(SIDES)} and a fraction F above 0 and at most "
            f"1, such as upper:0.25; got {text!r}"
        )
    axis = 0 if side in ("upper", "lower") else 1
    if axis >= len(shape):
        raise ArgumentError(f"{mention('known')}: a state of shape {shape} has no columns; got {text!r}")
    size = shape[axis]
    count, place = max(1, round(share * size)), np.arange(size)
    seen = place < count if side in ("upper", "left") else place >= size - count
    return np.broadcast_to(seen.reshape([-1 if at == axis else 1 for at in range(len(shape))]), shape)


def known_entries(
    corruption: Corruption | str, states: HostStates, *, key: PRNGKeyArray
) -> Bool[np.ndarray, "n *state"] | None:
    """Which entries `corrupt` leaves unchanged with this key; `None` for corruptions that change every entry.

    The draws depend only on the key, so the same draw is applied to two constant states that no corruption of this kind
    produces: an entry is known if both come through unchanged. An entry that stays the same by chance, such as a black
    pixel that is set to black, is not known.

    **Raises** `ValueError` for a key or a corruption that is none.

        >>> import jax.random as jr
        >>> known_entries("occlude:0.5", np.ones((1, 2, 2)), key=jr.key(0))[0].tolist()
        [[True, True], [False, False]]
    """
    checks.random_key(key)
    corruption = as_corruption(corruption)
    if not corruption.masks:
        return None
    # In the precision of the states: in another precision the draws differ.
    states = np.asarray(states)
    dtype = states.dtype if states.dtype.kind == "f" else np.float32
    first, second = (np.full(states.shape, probe, dtype) for probe in _PROBES)
    kept = [
        corrupt(corruption, one, partners=other, key=key) == one for one, other in ((first, second), (second, first))
    ]
    return kept[0] & kept[1]
