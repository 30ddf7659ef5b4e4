"""Names for the shapes that attrax works on."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from jaxtyping import Float, Int

if TYPE_CHECKING:
    from jaxtyping import Array

    State: TypeAlias = Float[Array, "*state"]
    """One state: an array of fixed shape (a picture, a vector, a second of sound)."""

    States: TypeAlias = Float[Array, "n *state"]
    """A batch of states, one per row."""


def __getattr__(name: str) -> Any:
    """`State` and `States`, which need JAX. Reading sources does without it, and is what wrong usage ends in."""
    if name not in ("State", "States"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from jaxtyping import Array

    return Float[Array, "*state" if name == "State" else "n *state"]


HostStates: TypeAlias = Float[np.ndarray, "n *state"]
"""A batch of states as a NumPy array, where float64 is always available."""

HostIndices: TypeAlias = Int[np.ndarray, " n"]
"""One index per row."""

Map: TypeAlias = Callable[[Any], Any]
"""Any callable from one state to a state of the same shape. Batches exist only through `jax.vmap`."""

Progress: TypeAlias = Callable[[str, int, int, dict[str, float]], None]
"""Called as `progress(task, done, total, numbers)` from time to time during long work."""
