"""Errors of maps that JAX cannot differentiate, in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

from attrax._base.types import Map


def name_of(map: Map) -> str:
    """What a message calls a map."""
    return getattr(map, "__name__", None) or type(map).__name__


@contextmanager
def differentiating(map: Map) -> Iterator[None]:
    """**Raises** `ValueError`, naming the map and what to change, where JAX refuses to differentiate it in this
    block."""
    try:
        yield
    except (TypeError, ValueError, NotImplementedError) as error:
        first = str(error).strip().split("\n")[0][:200]
        raise ValueError(
            f"map {name_of(map)} cannot be differentiated by JAX ({type(error).__name__}: {first}); use jax.custom_jvp "
            "instead of custom_vjp, jax.lax.scan instead of while_loop, and no callbacks"
        ) from error
