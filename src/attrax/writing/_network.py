"""The network that a writer is given: a map, or a recipe for one."""

import math
from functools import partial
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._base.numerics import output_of
from attrax._base.types import Map
from attrax.maps import Recipe, dense_map, mlp
from attrax.training import Layered

DEFAULT_NETWORK = partial(mlp, width=512, depth=5, init="kaiming_uniform")
"""The network that `Gradient` trains if none is given."""


def checked_network(network: Any, shape: tuple[int, ...]) -> Any:
    """`network`, if it is a recipe, or a map that keeps states of `shape` and can be trained.

    **Raises** `ValueError` otherwise.
    """
    if network is None or is_recipe(network):
        return network
    wanted = f"network must be a module from a state of shape {shape} to one of the same shape, or a recipe for one"
    if not callable(network) or isinstance(network, type):
        raise ValueError(f"{wanted}, such as functools.partial(attrax.maps.mlp, width=512, depth=5); got {network!r}")
    network = dense_map(network)  # training takes each weight as a parameter of its own
    if isinstance(network, Layered) and network.shape != shape:
        raise ValueError(f"network must map states of shape {shape}, as the examples have; got {network.shape}")
    dtypes = {leaf.dtype for leaf in jax.tree.leaves(network) if eqx.is_inexact_array(leaf)}
    if len(dtypes) != 1 or not np.issubdtype(next(iter(dtypes)), np.floating):
        has = f"arrays of {', '.join(sorted(map(str, dtypes)))}" if dtypes else "none"
        raise ValueError(
            f"network must have arrays of one real floating-point type to be trained; {_name(network)} "
            f"has {has}. Give an Equinox module; a map that needs no training becomes a memory by "
            "attrax.Memory(map, attrax.Patterns.from_examples(points))"
        )
    dtype = dtypes.pop()
    try:
        output = output_of(network, shape, dtype)
    except Exception as error:  # whatever goes wrong, the module is not a map of such states
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"{wanted}; {_name(network)} fails on such a state: {reason.rstrip('.')}{_remedy(network, shape, dtype)}"
        ) from error
    if getattr(output, "shape", None) != shape:
        raise ValueError(f"{wanted}; {_name(network)} gives {getattr(output, 'shape', type(output).__name__)}")
    return network


def _remedy(network: Any, shape: tuple[int, ...], dtype: Any) -> str:
    """What to do about a network that fails on states of `shape`, if that is known."""
    if any(map(_draws, jax.tree.leaves(network, is_leaf=_draws))):
        return ". Dropout and the like must be in inference mode (equinox.nn.inference_mode)"
    vector = (math.prod(shape),)
    try:
        takes_vector = getattr(output_of(network, vector, dtype), "shape", None) == vector
    except Exception:  # whatever goes wrong, vectors are no remedy
        takes_vector = False
    return ". It takes states as vectors: write examples.reshape(len(examples), -1)" if takes_vector else ""


def _draws(node: Any) -> bool:
    """Whether this part of an Equinox module is dropout, or something like it, in training mode."""
    return getattr(node, "inference", None) is False and getattr(node, "p", 1) != 0


def is_recipe(network: Any) -> bool:
    """Whether `network` is a recipe for a new network. A `jax.tree_util.Partial` may hold arrays and counts as a
    map."""
    return isinstance(network, partial) and not isinstance(network, jax.tree_util.Partial)


def _name(network: Any) -> str:
    return getattr(network, "__name__", type(network).__name__)


def drawn_once(network: Map | Recipe | None, shape: tuple[int, ...], *, key: PRNGKeyArray) -> Any:
    """The network, or the shapes of what a recipe makes, without allocating arrays where possible."""
    chosen: Any = DEFAULT_NETWORK if network is None else network
    if not is_recipe(chosen):
        return chosen
    try:
        return eqx.filter_eval_shape(chosen, shape, key=key)
    except Exception:  # it draws on the host; any other problem shows when it is called
        return made_from(chosen, shape, key)


def made_from(recipe: Any, shape: tuple[int, ...], key: PRNGKeyArray) -> Any:
    """Makes a new network on states of `shape`."""
    try:
        network = recipe(shape, key=key)
    except TypeError as error:
        raise ValueError(f"network must be a recipe that is called as recipe(shape, key=key); {error}") from error
    return checked_network(network, shape)
