"""The coordinates in which a map is iterated: those of the state itself, or fewer if the map provides them."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from attrax._base.shown import Record


class ReducedMap(Record, eqx.Module):
    """A map f in the coordinates in which it is iterated.

    `to_state(first_step(x)) = f(x)`, and `to_state(step(z)) = f(to_state(z))`.

    **Fields:**

    - `first_step`: takes a state x to the coordinates of f(x). If the coordinates are the entries of the state, it is
      the same object as `step`, which then takes states of both shapes.
    - `step`: takes the coordinates of a state to those of the next one.
    - `to_state`: takes coordinates to the state that they stand for.
    - `norm_factor`: a matrix R with ‖to_state(z) − to_state(w)‖₂ = ‖R(z − w)‖₂, or `None` if that is the Euclidean norm
      of z − w.
    - `size`: the number of coordinates.
    - `batch`: how many rows to compute at once.
    """

    first_step: Callable[[Any], Any]
    step: Callable[[Any], Any]
    to_state: Callable[[Any], Any]
    norm_factor: Float[Array, "k k"] | None
    size: int = eqx.field(static=True)
    batch: int = eqx.field(static=True, default=1)

    def each(self, function: Callable[[Any], Any], rows: Any) -> Any:
        """`function`, one of the three above or composed of them, applied to each row."""
        # Few rows are computed one by one, because a matrix product copies the weights first.
        return jax.lax.map(function, rows, batch_size=self.batch if 1 < self.batch <= len(rows) else None)

    def jacobian(self, z: Float[Array | np.ndarray, " k"]) -> Float[Array, "k k"]:
        """The Jacobian of `step` at the coordinates `z`."""
        return formed(self.step, z)

    def distance(self, z: Float[Array, " k"], w: Float[Array, " k"]) -> Float[Array, ""]:
        """Euclidean distance between the states with the coordinates `z` and `w`."""
        difference = z - w if self.norm_factor is None else self.norm_factor @ (z - w)
        return jnp.sqrt(jnp.sum(difference**2))


@eqx.filter_jit
def formed(function: Callable[[Any], Any], z: Any) -> Any:
    """The Jacobian of `function` at a vector."""
    return jax.jacfwd(function)(z)
