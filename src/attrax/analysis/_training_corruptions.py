"""Which corruptions were used in training; recovering from others is harder."""

import math
from typing import Any

from attrax.corruptions import parse_corruption
from attrax.memory import Memory, check_memory


def used_in_training(memory: Memory, name: str) -> str:
    """Whether the corruption called `name` was used in training.

    **Returns:** `"yes"`; `"kind only, …"` if only weaker ones of the kind, or another σ, were used; `"parts only"` if
    each part of a composition was used, but not together; `"no"`; `"unknown"` for a memory without a record or a
    corruption without a name.

    **Raises** `ValueError` if `memory` is not a `Memory`.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> memory = ax.Memory(np.tanh, ax.Patterns.from_examples(np.eye(2)), written={"writer": "Gradient", "noise": 0.3})
    >>> [ax.analysis.used_in_training(memory, name) for name in ("gaussian:0.3", "gaussian:0.5", "occlude:0.5")]
    ['yes', 'kind only, at σ = 0.3', 'no']

    ```
    """
    check_memory(memory)
    written: dict[str, Any] = memory.written
    if "writer" not in written:
        return "unknown"
    sigma = written.get("noise") or 0.0
    try:
        asked = parse_corruption(name)
        used = [parse_corruption(text) for text in written.get("corruptions") or []]
    except ValueError:
        return "unknown"
    if asked.kind == "none":
        return "yes"
    alike = [corruption for corruption in used if corruption.kind == asked.kind]
    if asked.kind == "gaussian" and sigma:
        if not alike:
            return "yes" if math.isclose(asked.levels[0], sigma) else f"kind only, at σ = {sigma:g}"
        alike.append(parse_corruption(f"gaussian:{sigma}"))
    if any(corruption.covers(asked) for corruption in alike):
        return "yes"
    if alike:
        return f"kind only, up to {'+'.join(f'{level:g}' for level in alike[0].levels)}"
    parts = {kind for corruption in used for kind in corruption.kind.split("+")} | ({"gaussian"} if sigma else set())
    return "parts only" if "+" in asked.kind and set(asked.kind.split("+")) <= parts else "no"
