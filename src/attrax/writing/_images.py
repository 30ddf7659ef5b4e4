"""What a map does to the points that it stores, computed once for its loss and for its certificates."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from attrax._base.processes import one_blas_thread
from attrax._base.types import HostStates, Map
from attrax.maps import ConstantLinearizer, Linearization, each_row, linearizer
from attrax.patterns import Patterns

_FEW, _PIECE = 32, 512
"""From so many points on, they are looked at together; and the number that a thread takes at once, at most."""


def images_at(map: Map, patterns: Patterns) -> tuple[HostStates, Sequence[Linearization | None]]:
    """The map's values in float64 at the points of patterns, n×state shape, and its linearizations at those where they
    were found on the way: at fixed points around which the map is certainly constant.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> from attrax import Patterns, training
    >>> points = np.eye(40)
    >>> scores = training.encoder(points, widths=(80,), key=jr.key(0))
    >>> network = training.winner_take_all_network(scores, points)
    >>> images, linear = images_at(network, Patterns.from_examples(points))
    >>> np.allclose(images, points, atol=1e-6), all(one is not None for one in linear)
    (True, True)

    ```
    """
    points, linearize = np.asarray(patterns.points, np.float64), linearizer(map)
    images = np.empty_like(points)
    found: list[Linearization | None] = [None] * len(points)
    fixed = np.flatnonzero(np.asarray(patterns.successor) == np.arange(len(points)))
    if len(fixed) >= _FEW and isinstance(linearize, ConstantLinearizer):
        workers = os.cpu_count() or 1
        piece = min(max(_FEW, -(-len(fixed) // workers)), _PIECE)
        pieces = [fixed[start : start + piece] for start in range(0, len(fixed), piece)]
        with one_blas_thread(), ThreadPoolExecutor(workers) as pool:
            results = pool.map(lambda those: linearize.constant_at(points[those]), pieces)
            for number, one in zip(fixed, (one for result in results for one in result), strict=True):
                found[number] = one
    unknown = []
    for number, one in enumerate(found):
        if one is None or one.image is None:
            unknown.append(number)
        else:
            images[number] = one.image.reshape(points.shape[1:])
    if unknown:
        images[unknown] = each_row(map, points[unknown])
    return images, found
