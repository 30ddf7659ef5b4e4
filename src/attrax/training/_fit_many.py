"""Many networks of one shape trained together, each with its own stop."""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float, Int

from attrax._base import checks
from attrax._base.numerics import device_array, float64, output_of
from attrax._base.shown import Record
from attrax._base.status import TrainingStatus
from attrax._base.types import HostStates, Map, Progress
from attrax.training._fit import status_of
from attrax.training._losses import Loss, squared_error

_BLOCK_SECONDS = 0.5
_ONLY_LOSS = -1
"""In place of the epoch to stop at."""

M = TypeVar("M", bound=Map)


@dataclass(frozen=True, slots=True, eq=False)
class FitMany(Record, Generic[M]):
    """Trained maps, in the given order.

    **Fields:**

    - `maps`: each map after its own last step.
    - `loss`: mean squared error of each at these weights, in the arithmetic of training.
    - `epochs`: number of passes through the data of each map.
    - `seconds`: wall-clock time of the call, compilation included.
    - `status`: one `TrainingStatus` per map.
    """

    maps: tuple[M, ...]
    loss: Float[np.ndarray, " m"]
    epochs: Int[np.ndarray, " m"]
    seconds: float
    status: tuple[TrainingStatus, ...]


class _Rows(eqx.Module):
    """One row per network."""

    parameters: Any
    optimizer_state: Any
    epoch: Any
    loss: Any
    done: Any


class _Problem(eqx.Module):
    inputs: Any
    targets: Any
    tol: Any
    own_data: bool = eqx.field(static=True)
    loss: Loss = eqx.field(static=True)


def fit_many(
    maps: Sequence[M],
    inputs: HostStates,
    targets: HostStates,
    *,
    optimizer: optax.GradientTransformation,
    epochs: int = 1_000_000,
    tol: float | None = 1e-8,
    own_data: bool = False,
    loss: Loss = squared_error,
    seconds: float | None = None,
    progress: Progress | None = None,
) -> FitMany[M]:
    """Trains maps that differ only in their weights, all in one compiled loop, each as `fit` would train it.

    Full batch, without noise. A map that has reached `tol` does not change any more while the others continue. Once
    half of the maps are done, the loop continues with the rest only. This depends on epochs and not on time, so the
    same maps give the same result.

    **Arguments:**

    - `maps`: at least one; of one structure, with arrays of the same shapes and one floating-point dtype.
    - `inputs`, `targets`: n×state shape, for all maps; with `own_data`, m×n×state shape, one part for each of the m
      maps.
    - `optimizer`: an Optax transformation, such as `optimizer("adam")`. Passing the same object again avoids compiling
      again.
    - `epochs`, `tol`, `loss`: as in `fit`, for each map.
    - `seconds`: stop all at the first report after this time.
    - `progress`: called from time to time with the epochs done, the largest loss and the number of maps `left`.

    **Returns:** `FitMany`. **Raises** `ValueError` for a wrong argument.

    Source: Figs. 15 and 16 of Radhakrishnan, Belkin, Uhler (2020) are tables of such runs.

        >>> import jax.random as jr
        >>> from attrax.maps import mlp
        >>> from attrax.training import fit_many, optimizer
        >>> points = np.eye(3, dtype=np.float32)
        >>> networks = [mlp((3,), width=32, depth=1, key=jr.key(seed)) for seed in range(4)]
        >>> found = fit_many(networks, points, points, optimizer=optimizer("adam", learning_rate=0.01), tol=1e-4)
        >>> [str(status) for status in found.status], bool((found.loss <= 1e-4).all())
        (['reached', 'reached', 'reached', 'reached'], True)
    """
    started = time.perf_counter()
    maps = list(maps)
    epochs = checks.integer("epochs", epochs, least=0, most=2**31 - 1)  # a counter of the compiled loop
    least = -1.0 if tol is None else checks.real("tol", tol, least=0)
    limit = np.inf if seconds is None else checks.real("seconds", seconds, least=0)
    inputs, targets = np.asarray(inputs), np.asarray(targets)
    parameters, static, dtype = _one_structure(maps)
    _check_data(maps, inputs, targets, own_data, dtype)
    with float64() if dtype == np.float64 else contextlib.nullcontext():
        problem = _Problem(
            device_array(inputs, dtype), device_array(targets, dtype), device_array(least, dtype), own_data, loss
        )
        stacked = jax.tree.map(lambda *leaves: device_array(np.stack(leaves), dtype), *parameters)
        count = len(maps)
        rows = _Rows(
            stacked,
            _first_states(optimizer, stacked),
            device_array(np.zeros(count, np.int32)),
            device_array(np.full(count, np.inf, dtype)),
            device_array(np.zeros(count, bool)),
        )
        rows = _train(rows, static, problem, optimizer, epochs, started, limit, progress)
    trained = tuple(
        eqx.combine(jax.tree.map(lambda leaf, row=row: np.array(leaf[row]), rows.parameters), static)
        for row in range(count)
    )
    status = tuple(
        status_of(float(reached), int(done), least, epochs) for reached, done in zip(rows.loss, rows.epoch, strict=True)
    )
    return FitMany(
        trained, np.asarray(rows.loss, float), np.asarray(rows.epoch, int), time.perf_counter() - started, status
    )


@eqx.filter_jit
def _first_states(optimizer: optax.GradientTransformation, parameters: Any) -> Any:
    """What the optimizer keeps of each map at first, by one program instead of one for each shape."""
    return jax.vmap(optimizer.init)(parameters)


def _one_structure(maps: list[Any]) -> tuple[list[Any], Any, np.dtype]:
    """The trained arrays of each map, what all share, and the dtype. **Raises** `ValueError` if maps differ."""
    if not maps:
        raise ValueError("maps must hold at least one map; got none")
    parts = [eqx.partition(one, eqx.is_inexact_array) for one in maps]  # not `map`, which the next line calls
    shapes = [[(leaf.shape, leaf.dtype) for leaf in map(np.asarray, jax.tree.leaves(part))] for part, _ in parts]
    first = parts[0][1]
    for number, (part, static) in enumerate(parts[1:], start=1):
        same = (
            shapes[number] == shapes[0]
            and jax.tree.structure(part) == jax.tree.structure(parts[0][0])
            and bool(eqx.tree_equal(static, first))
        )
        if not same:
            raise ValueError(
                f"maps must differ only in the values of their weights; map {number} has another structure, shape, "
                "dtype or activation than map 0: train it in a separate call"
            )
    dtypes = {dtype for _, dtype in shapes[0]}
    if len(dtypes) != 1:
        found = ", ".join(sorted(str(dtype) for dtype in dtypes)) or "none"
        raise ValueError(f"maps must have trainable arrays of one floating-point dtype; they have {found}")
    return [part for part, _ in parts], first, dtypes.pop()


def _check_data(maps: list[Any], inputs: np.ndarray, targets: np.ndarray, own_data: bool, dtype: np.dtype) -> None:
    axes = 2 if own_data else 1
    rows = inputs.ndim > axes and targets.ndim > axes and inputs.shape[:axes] == targets.shape[:axes] and inputs.size
    if not rows or np.iscomplexobj(inputs) or np.iscomplexobj(targets):
        raise ValueError(
            f"inputs and targets must be real, with the same number of rows; got {inputs.shape} and {targets.shape}"
        )
    if own_data and len(inputs) != len(maps):
        raise ValueError(
            f"inputs and targets must have one part for each of the {len(maps)} maps if own_data is set; "
            f"got {len(inputs)}"
        )
    shape = inputs.shape[axes:]
    try:
        output_shape = output_of(maps[0], shape, dtype).shape
    except (TypeError, ValueError):  # how JAX refuses arrays that do not fit
        raise ValueError(f"maps must take a state of shape {shape}, as a row of inputs is; they don't") from None
    if output_shape != targets.shape[axes:]:
        raise ValueError(f"maps must give the shape of a target, {targets.shape[axes:]}; they give {output_shape}")


def _train(
    rows: _Rows,
    static: Any,
    problem: _Problem,
    optimizer: optax.GradientTransformation,
    epochs: int,
    started: float,
    limit: float,
    progress: Progress | None,
) -> Any:
    """Runs the compiled loop in blocks of about half a second, and drops maps as they finish. Returns host arrays."""
    ended = jax.tree.map(np.array, rows)
    active = np.arange(len(ended.done))
    block, epoch, fresh = 1, 0, True
    while True:
        start, before = time.perf_counter(), epoch
        fixed = (static, problem, optimizer, np.asarray(min(epoch + block, epochs)))
        rows = _run(fixed, rows)
        done = np.asarray(rows.done)
        now = time.perf_counter()
        epoch = epochs if done.all() else int(np.asarray(rows.epoch)[~done].max())
        over = epoch >= epochs or now - started > limit
        if over:
            rows = _run((*fixed[:3], np.asarray(_ONLY_LOSS)), rows)
        if progress is not None:
            left = np.asarray(rows.loss)[~done]
            numbers = {"left": float(len(left)), "seconds": now - started}
            progress("training", epoch, epochs, numbers | {"loss": float(left.max(initial=0))})
        if over or 2 * (~done).sum() <= len(done):
            for total, leaf in zip(jax.tree.leaves(ended), jax.tree.leaves(rows), strict=True):
                total[active] = leaf
            if over:
                return ended
            keep = np.flatnonzero(~done)
            active = active[keep]
            rows = jax.tree.map(lambda leaf, keep=keep: device_array(np.asarray(leaf)[keep]), rows)
            if problem.own_data:
                inputs, targets = (device_array(np.asarray(part)[keep]) for part in (problem.inputs, problem.targets))
                problem = _Problem(inputs, targets, problem.tol, problem.own_data, problem.loss)
            fresh = True  # another number of maps has to be compiled
        elif fresh:
            fresh = False  # this block's time was mostly compilation
        else:
            each = (now - start) / max(epoch - before, 1)
            block = int(np.clip(_BLOCK_SECONDS / max(each, 1e-7), 1, 4 * block))


def _clean_loss(static: Any, problem: _Problem, parameters: Any, inputs: Any, targets: Any) -> Any:
    outputs = jax.vmap(eqx.combine(parameters, static))(inputs)
    return jnp.mean(problem.loss(outputs, targets))


@eqx.filter_jit(donate="all-except-first")
def _run(fixed: tuple[Any, _Problem, optax.GradientTransformation, Any], rows: _Rows) -> _Rows:
    """All rows up to the epoch `stop`, or until half of them are done; or, with `_ONLY_LOSS`, no epoch, only the loss
    at the weights of the rows that are not done."""
    static, problem, optimizer, stop = fixed
    optimizer = optax.with_extra_args_support(optimizer)
    data = 0 if problem.own_data else None
    count, only_loss = len(rows.done), stop == _ONLY_LOSS

    def advance(now: _Rows, inputs: Any, targets: Any) -> _Rows:
        # As in `fit`: the loss that comes with the gradient is that of the weights before the step. Training ends when
        # the losses before and after a step are within the tolerance, or after a step from a loss that is not finite.
        loss, gradient = jax.value_and_grad(lambda part: _clean_loss(static, problem, part, inputs, targets))(
            now.parameters
        )
        change, optimizer_state = optimizer.update(
            gradient, now.optimizer_state, now.parameters, inputs=inputs, targets=targets
        )
        reached = (loss <= problem.tol) & ((now.epoch == 0) | (now.loss <= problem.tol))
        moved = _Rows(
            optax.apply_updates(now.parameters, change),
            optimizer_state,
            now.epoch + 1,
            loss,
            ~jnp.isfinite(loss),
        )
        stays = _Rows(now.parameters, now.optimizer_state, now.epoch, jnp.where(now.done, now.loss, loss), reached)
        kept = now.done | reached | only_loss
        picked = jax.tree.map(lambda old, new: jnp.where(kept, old, new), stays, moved)
        done = now.done | reached | (moved.done & ~kept)
        return _Rows(picked.parameters, picked.optimizer_state, picked.epoch, picked.loss, done)

    def running(carry: tuple[Any, _Rows]) -> Any:
        epoch, now = carry
        return (epoch < last) & (only_loss | (2 * jnp.sum(~now.done) > count))

    def sweep(carry: tuple[Any, _Rows]) -> tuple[Any, _Rows]:
        epoch, now = carry
        return epoch + 1, jax.vmap(advance, in_axes=(0, data, data))(now, problem.inputs, problem.targets)

    # Rows that are not done have made the same number of epochs.
    epoch = jnp.max(jnp.where(rows.done, 0, rows.epoch))
    last = jnp.where(only_loss, epoch + 1, stop)
    return jax.lax.while_loop(running, sweep, (epoch, rows))[1]
