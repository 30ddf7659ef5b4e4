"""What a map does to many states, computed once for all that need it."""

import os
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b

import numpy as np

from attrax._base.processes import one_blas_thread
from attrax._base.types import HostStates, Map
from attrax.maps._contract import linearizer
from attrax.maps._linearization import Linearization
from attrax.maps._on_host import each_row
from attrax.maps.mlp._linearize import NetworkLinearizer

_MANY, _LEAST, _PIECE = 100, 64, 512
"""From so many states on, `each_row` too leaves out the units of a network that are off; and the least and the largest
number that a thread takes at once, as in `certify`."""


class Images:
    """The values of a map at n states and, where they were found on the way, its linearizations there: of networks with
    rounds of inhibition, at the fixed points around which they are constant.

    All of this is computed here. So a certificate may rest on it, and on nothing that was handed in.

    **Arguments:** `map`; `states`, n×state shape.

    **Fields:** `values`, n×state shape, in float64.

    **Raises** what the map raises for such a state.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> from attrax import training
    >>> points = np.eye(100)
    >>> scores = training.encoder(points, widths=(200,), key=jr.key(0))
    >>> images = Images(training.winner_take_all_network(scores, points), points)
    >>> np.allclose(images.values, points, atol=1e-6), bool(images.linearization(points[7]).enclosure_radius < 1e-6)
    (True, True)

    ```
    """

    def __init__(self, map: Map, states: HostStates) -> None:
        states, linearize = np.asarray(states, np.float64), linearizer(map)
        self._map, self.values = map, np.full_like(states, np.nan)
        # By what the states are, as their array may change.
        self._digests, self._found = [_digest(state) for state in states], dict[bytes, Linearization]()
        if len(states) >= _MANY and isinstance(linearize, NetworkLinearizer) and linearize.inhibits:
            workers = os.cpu_count() or 1
            step = min(max(_LEAST, len(states) // workers), _PIECE)
            pieces = [slice(start, start + step) for start in range(0, len(states), step)]
            with one_blas_thread(), ThreadPoolExecutor(workers) as pool:
                results = pool.map(lambda piece: linearize.with_images(states[piece]), pieces)
                for piece, (found, values) in zip(pieces, results, strict=True):
                    self.values[piece] = values
                    together = zip(self._digests[piece], found, strict=True)
                    self._found |= {key: one for key, one in together if one is not None}
        unknown = np.flatnonzero(np.isnan(self.values).reshape(len(states), -1).any(axis=1))
        if len(unknown):
            self.values[unknown] = each_row(map, states[unknown])

    def are_of(self, map: Map) -> bool:
        """Whether these are images of this very map."""
        return self._map is map

    def values_at(self, states: HostStates) -> HostStates | None:
        """The values, if they are those at these n states."""
        return self.values if self._digests == [_digest(state) for state in states] else None

    def linearization(self, state: HostStates) -> Linearization | None:
        """The `Linearization` at one of the states, if it was found."""
        return self._found.get(_digest(state))


def _digest(state: HostStates) -> bytes:
    return blake2b(np.asarray(state, np.float64).tobytes(), digest_size=32).digest()
