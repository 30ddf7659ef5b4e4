"""Iteration in the coordinates of the state itself."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from attrax._base.differentiation import name_of
from attrax._base.types import Map
from attrax.maps._on_host import HostFunction, host_function
from attrax.maps._reduced_map import ReducedMap


class VectorMap(eqx.Module):
    """A map whose values are vectors, of states or of their vectors."""

    map: Map
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, z: Any) -> Any:
        return jnp.ravel(self.map(z.reshape(self.shape)))

    def on_host(self) -> HostFunction | None:
        host = host_function(self.map)
        if host is None:
            return None

        def rows(states: np.ndarray) -> np.ndarray:
            return host.rows(states.reshape(len(states), *self.shape)).reshape(len(states), -1)

        return HostFunction(rows, host.push)


class _ToState(eqx.Module):
    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, z: Any) -> Any:
        return z.reshape(self.shape)

    def on_host(self) -> HostFunction:
        return HostFunction(
            lambda rows: rows.reshape(len(rows), *self.shape),
            lambda value, tangents: np.eye(len(value)) if tangents is None else tangents,
        )


def check_map(map: Map, shape: tuple[int, ...]) -> None:
    """**Raises** `ValueError`, naming the map and what to change, unless it takes a state to one of the same shape in
    64 bits. Call it within `float64()`."""
    name, errors = name_of(map), jax.errors
    try:
        program, found = jax.make_jaxpr(lambda x: map(x), return_shape=True)(jax.ShapeDtypeStruct(shape, np.float64))
    except (errors.TracerBoolConversionError, errors.TracerIntegerConversionError) as error:
        raise ValueError(
            f"map {name} branches in Python on the values of a state, which JAX cannot follow; write the branch with "
            "jax.numpy.where or jax.lax.cond"
        ) from error
    except errors.TracerArrayConversionError as error:
        raise ValueError(
            f"map {name} passes a state to NumPy, which JAX cannot follow; use jax.numpy instead"
        ) from error
    except errors.ConcretizationTypeError as error:
        raise ValueError(
            f"map {name} needs the values of a state where JAX knows only its shape; use jax.numpy and jax.lax"
        ) from error
    except Exception as error:  # whatever a foreign map makes of such a state, it is no map of it
        first = str(error).strip().split("\n")[0][:200]
        raise ValueError(
            f"map {name} cannot be applied to a float64 state of shape {shape} ({type(error).__name__}: {first}); it "
            "must take one state, without a batch axis, and compute in the dtype of that state"
        ) from error
    if not (hasattr(found, "shape") and hasattr(found, "dtype")):
        raise ValueError(
            f"map {name} must return one array of shape {shape}, the next state; it returns a {type(found).__name__}"
        )
    if tuple(found.shape) != tuple(shape):
        raise ValueError(
            f"map {name} must keep the shape of a state; it takes {shape} to {tuple(found.shape)}. Reshape its result, "
            "or store states of the shape that it keeps"
        )
    if found.dtype != np.float64:
        raise ValueError(
            f"map {name} must compute in the dtype of its state; it turns a float64 state into {found.dtype}. Remove "
            "casts such as astype(float32)"
        )
    if (rounded := _rounded_to(program.jaxpr)) is not None:
        raise ValueError(
            f"map {name} must compute in the dtype of its state; it casts float64 values to {rounded} on the way, "
            "which makes it a step function. Remove casts such as astype(float32)"
        )


def _rounded_to(program: Any) -> str | None:
    """The first shorter floating-point type that a program casts 64-bit values to, those in its loops and branches
    included."""
    for equation in program.eqns:
        if equation.primitive.name == "convert_element_type" and equation.invars[0].aval.dtype == np.float64:
            wanted = equation.params["new_dtype"]
            if jnp.issubdtype(wanted, jnp.floating) and wanted != np.float64:
                return str(np.dtype(wanted))
        for value in equation.params.values():
            for one in value if isinstance(value, list | tuple) else (value,):
                inner = getattr(one, "jaxpr", one)
                if hasattr(inner, "eqns") and (found := _rounded_to(inner)) is not None:
                    return found
    return None


def plain_map(map: Map, shape: tuple[int, ...]) -> ReducedMap:
    """Any callable, iterated on the state as one vector. **Raises** `ValueError` if it is not a map of such states.

    ```python
    >>> import jax.numpy as jnp
    >>> from attrax.extending import float64
    >>> from attrax.maps.wrapped import plain_map
    >>> with float64():
    ...     reduced = plain_map(jnp.tanh, (2, 2))
    >>> reduced.size
    4

    ```
    """
    check_map(map, shape)
    step = VectorMap(map, shape)
    return ReducedMap(step, step, _ToState(shape), None, math.prod(shape))
