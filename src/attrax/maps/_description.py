"""Short descriptions of maps for people."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import equinox as eqx
import jax
import numpy as np

from attrax._base.shown import Record


@dataclass(frozen=True, slots=True)
class Description(Record):
    """A short description of a map for people.

    **Fields:**

    - `text`: one line, such as `2 hidden layers of 512 relu units`.
    - `parameters`: number of all weights and biases.
    - `depth`: number of hidden layers; `None` where that is meaningless or unknown.
    - `facts`: more details for programs, by name: numbers, texts and lists only.
    """

    text: str
    parameters: int
    depth: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def count_parameters(map: Any) -> int:
    """The total number of entries of a map's floating-point arrays.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> network = ax.maps.mlp((2,), width=3, depth=1, key=jr.key(0))
    >>> ax.maps.count_parameters(network)  # 2×3 + 3 into the hidden layer, 3×2 + 2 out of it
    17

    ```
    """
    return sum(int(np.size(leaf)) for leaf in jax.tree.leaves(map) if eqx.is_inexact_array(leaf))
