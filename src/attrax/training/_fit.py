"""One training loop for a map, inputs and targets."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from attrax._base import checks
from attrax._base.arguments import mention
from attrax._base.budget import refuse_beyond_memory
from attrax._base.files import alone
from attrax._base.lazy import lazy
from attrax._base.numerics import float64
from attrax._base.shown import Record
from attrax._base.status import TrainingStatus
from attrax._base.types import HostStates, Map, Progress
from attrax.training._checkpoint import first_state, read_checkpoint, write_checkpoint
from attrax.training._losses import Loss, squared_error
from attrax.training._objective import Objective, weighted_mean
from attrax.training._objective import objective as made_objective

if TYPE_CHECKING:
    import optax
else:
    optax = lazy("optax")  # a memory is recalled and certified without it

_CHECKPOINT_SECONDS = 5.0
_WRITING_TIMES = 20.0
"""Training runs at least this many times as long as writing the last checkpoint took, which is many seconds for large
maps."""
_PROGRESS_SECONDS = 0.5
_ANNEALING = 0.25
"""The share of a time limit that is reserved for lowering the steps to zero."""
_CAREFUL = 0.9
"""The share of the epochs that should fit into the remaining time that is planned."""

M = TypeVar("M", bound=Map)


@dataclass(frozen=True, slots=True, eq=False)
class Fit(Record, Generic[M]):
    """A trained map.

    **Fields:**

    - `map`: the map after the last step.
    - `loss`: mean squared error on the clean inputs at that map, in the arithmetic of training.
    - `epochs`: number of passes through the data.
    - `seconds`: wall-clock time of this call, compilation included.
    - `status`: a `TrainingStatus`.
    - `time_limited`: whether the time limit ended training.
    """

    map: M
    loss: float
    epochs: int
    seconds: float
    status: TrainingStatus
    time_limited: bool = False


def status_of(loss: float, done: int, tol: float, epochs: int) -> TrainingStatus:
    """How training ended at this loss after `done` epochs; a negative `tol` stands for none."""
    if not np.isfinite(loss):
        return TrainingStatus.DIVERGED
    if loss <= tol or (tol < 0 and done >= epochs):
        return TrainingStatus.REACHED
    return TrainingStatus.EPOCHS_OVER if done >= epochs else TrainingStatus.TIME_OVER


class _Training(eqx.Module):
    """The state that the next epoch starts from."""

    parameters: Any
    optimizer_state: Any
    carry: Any
    epoch: Any
    loss: Any


class _Problem(eqx.Module):
    """What stays the same from epoch to epoch."""

    inputs: Any
    targets: Any
    tol: Any
    key: Any
    objective: Objective | None
    batch: int = eqx.field(static=True)
    copies: int = eqx.field(static=True)
    loss: Loss = eqx.field(static=True)


def fit(
    map: M,
    inputs: HostStates,
    targets: HostStates,
    *,
    optimizer: optax.GradientTransformation,
    epochs: int = 1_000_000,
    tol: float | None = 1e-8,
    batch: int | None = None,
    copies: int = 1,
    noise: float | np.ndarray = 0.0,
    objective: Objective | None = None,
    loss: Loss = squared_error,
    seconds: float | None = None,
    anneal: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    fingerprint: str = "",
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> Fit[M]:
    """Trains `map` to send each input to its target: by default the mean squared error over all entries, full batch.

    It stops as soon as the loss on the clean inputs is at most `tol`, or after `epochs`. The loop is compiled as a
    whole and returns to the host only about twice per second. It computes in the precision of the parameters of `map`.

    **Arguments:**

    - `map`: an Equinox module from a state to a state; its floating-point arrays are trained.
    - `inputs`, `targets`: n×state shape.
    - `optimizer`: any Optax transformation.
    - `epochs`: maximum number of passes through the data.
    - `tol`: loss at which to stop; `None` to run all epochs.
    - `batch`: examples per step; `None` or n for the full batch. The order is drawn again each epoch.
    - `copies`: how often each example occurs in a step, each time with a disturbance of its own.
    - `noise`: standard deviation of Gaussian noise on the inputs of the loss, drawn again for every step: one number,
      or one for each entry of a state.
    - `objective`: replaces the plain loss when training uses more than `noise`; made by `attrax.training.objective`.
    - `loss`: of outputs and targets, one number for each row; by default the mean squared error.
    - `seconds`: stop at the first report after this time. With `anneal`, the steps in the last quarter of this time
      fall to zero, for optimizers whose rate would have fallen by the last epoch; the checkpoint is from before that.
    - `checkpoint`: file to write the state to every few seconds; `resume` continues from it if it exists, and reaches
      the same weights bit for bit. `fingerprint` names settings that a resumed run must share besides the data.
    - `progress`: called regularly with the loss.
    - `key`: random key for noise and order.

    **Returns:** `Fit`. **Raises** `ValueError` for a wrong argument, a checkpoint of another run, or one that another
    run is writing to.
    """
    checks.random_key(key)
    begun = time.perf_counter()
    inputs, targets = np.asarray(inputs), np.asarray(targets)
    rows = inputs.ndim > 1 and targets.ndim > 1 and len(inputs) == len(targets) and len(inputs) > 0
    if not rows or np.iscomplexobj(inputs) or np.iscomplexobj(targets):
        raise ValueError(
            f"inputs and targets must be real, with the same number of rows; got {inputs.shape} and {targets.shape}"
        )
    limit = np.inf if seconds is None else checks.real("seconds", seconds, least=0)
    epochs = checks.integer("epochs", epochs, least=0, most=2**31 - 1)  # a counter of the compiled loop
    tol = -1.0 if tol is None else checks.real("tol", tol, least=0)
    num = len(inputs)
    batch = num if batch is None else checks.integer("batch", batch, least=1, most=num)
    copies = checks.integer("copies", copies, least=1)
    # Each kind of disturbance needs an example.
    copies = max(copies, -(-(1 if objective is None else objective.kinds) // batch))
    noise = _noise(noise, inputs.shape[1:])
    if np.any(noise) and objective is not None:
        raise ValueError("noise must be omitted if objective is given, which has its own noise")
    parameters, static = eqx.partition(map, _is_trained)
    dtypes = {np.asarray(leaf).dtype for leaf in jax.tree.leaves(parameters)}
    if len(dtypes) != 1:
        found = ", ".join(sorted(str(dtype) for dtype in dtypes)) or "none"
        raise ValueError(f"map must have trainable arrays of one floating-point dtype; it has {found}")
    dtype = dtypes.pop()
    # Weights, their gradients and what an optimizer keeps of them; then each example as it is disturbed.
    weights = sum(np.size(leaf) for leaf in jax.tree.leaves(parameters))
    rows = 2 * copies * batch * (inputs[0].size + targets[0].size)
    what = f"{mention('copies')}={copies}: " if copies > 1 else ""
    refuse_beyond_memory(
        f"{what}training {weights:,} weights on {copies * batch:,} examples per step",
        (4 * weights + rows) * dtype.itemsize,
        f"take fewer {mention('copies')}, a smaller {mention('batch')} or a narrower network",
    )
    with float64():
        found = jax.eval_shape(map, jax.ShapeDtypeStruct(inputs.shape[1:], dtype)).shape
    if found != targets.shape[1:]:
        raise ValueError(f"map must give the shape of a target, {targets.shape[1:]}; it gives {found}")
    with float64() if dtype == np.float64 else contextlib.nullcontext():
        # New arrays, because the loop overwrites its state and must not change the caller's map.
        parameters = jax.tree.map(lambda leaf: jnp.asarray(np.array(leaf, dtype)), parameters)
        problem = _Problem(
            inputs=jnp.asarray(inputs, dtype),
            targets=jnp.asarray(targets, dtype),
            tol=jnp.asarray(tol, dtype),
            key=key,
            objective=made_objective(noise=noise, dtype=dtype) if np.any(noise) else objective,
            batch=batch,
            copies=copies,
            loss=loss,
        )
        carry = None if problem.objective is None else problem.objective.start(problem.inputs)
        state = _Training(
            parameters, first_state(optimizer, parameters), carry, jnp.zeros((), jnp.int32), jnp.asarray(jnp.inf, dtype)
        )
        stamp = _stamp(problem, map, fingerprint)
        end = _End(epochs, tol, begun, limit, anneal)
        with contextlib.nullcontext() if checkpoint is None else alone(checkpoint):
            if resume and checkpoint is not None and Path(checkpoint).exists():
                state, _ = read_checkpoint(checkpoint, state, stamp)
                state = jax.tree.map(jnp.array, state)
            state, time_limited = _train(state, static, problem, optimizer, end, checkpoint, stamp, progress)
        trained = eqx.combine(jax.tree.map(np.asarray, state.parameters), static)
    reached, done = float(state.loss), int(state.epoch)
    status = status_of(reached, done, tol, epochs)
    return Fit(trained, reached, done, time.perf_counter() - begun, status, time_limited)


def _is_trained(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray | jax.Array) and np.issubdtype(leaf.dtype, np.inexact)


def _noise(noise: float | np.ndarray, shape: tuple[int, ...]) -> float | np.ndarray:
    if not isinstance(noise, np.ndarray):
        return checks.real("noise", noise, least=0)
    if noise.shape != shape or not (noise >= 0).all() or not np.isfinite(noise).all():
        raise ValueError(f"noise must be one number or finite numbers from 0 of the shape {shape}; got {noise!r}")
    return noise


_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
"""The memory address of a function, which differs between processes."""


def _stamp(problem: _Problem, map: Map, fingerprint: str) -> str:
    digest = hashlib.sha256(_ADDRESS.sub("", fingerprint).encode())
    data = (problem.inputs, problem.targets, problem.objective, problem.tol, jr.key_data(problem.key))
    for leaf in jax.tree.leaves((data, eqx.filter(map, eqx.is_array))):
        digest.update(np.asarray(leaf).tobytes())
    static = (jax.tree.structure(map), jax.tree.structure(problem), problem.inputs.shape, problem.inputs.dtype)
    digest.update(_ADDRESS.sub("", str(static)).encode())
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _End:
    """When a run ends: by epochs, by loss or by time."""

    epochs: int
    tol: float
    begun: float
    limit: float
    anneal: bool


def _train(
    state: _Training,
    static: Any,
    problem: _Problem,
    optimizer: optax.GradientTransformation,
    end: _End,
    checkpoint: str | os.PathLike[str] | None,
    stamp: str,
    progress: Progress | None,
) -> tuple[_Training, bool]:
    """Runs the compiled loop in blocks of about half a second, between which the host reports and saves.

    The second value says whether the time limit ended it.
    """
    block, saved, writing, compiling = 1, time.perf_counter(), 0.0, 0.0
    # A short limit is checked more often.
    wanted = min(_PROGRESS_SECONDS, end.limit / 20)
    last, annealing, since = end.epochs, None, (0.0, 0)
    if checkpoint is not None:
        write_checkpoint(checkpoint, state, {}, stamp)
    while True:
        start = time.perf_counter()
        before = int(state.epoch)
        stop = np.asarray(min(before + block, last))
        state = _run((static, problem, optimizer, stop, np.asarray(last), annealing), state)
        jax.block_until_ready(state.loss)
        loss, done = float(state.loss), int(state.epoch)
        now = time.perf_counter()
        late, was_annealing = now - end.begun > end.limit, annealing is not None
        finished = done >= last or loss <= end.tol or not np.isfinite(loss) or late
        if progress is not None:
            progress("training", done, end.epochs, {"loss": loss, "seconds": now - end.begun})
        each = (now - start) / max(done - before, 1)
        # The annealing program has to be compiled too; a run that ends in time never uses it.
        left = end.begun + end.limit - now - (0.0 if was_annealing else compiling)
        if end.anneal and compiling and not finished and (was_annealing or 0 < left < _ANNEALING * end.limit):
            # Assumes the average speed so far, reports and checkpoints included; planned again as the time runs out.
            average = (now - since[0]) / (done - since[1])
            last = min(end.epochs, done + max(1, int(_CAREFUL * left / max(average, 1e-7))))
            if annealing is not None or last < end.epochs:
                annealing = (np.asarray(done) if annealing is None else annealing[0], np.asarray(last))
        # Training can't continue from an annealed state; a resumed run uses the state before it.
        long_ago = now - saved > max(_CHECKPOINT_SECONDS, _WRITING_TIMES * writing)
        if checkpoint is not None and not was_annealing and (finished or annealing is not None or long_ago):
            write_checkpoint(checkpoint, state, {"loss": loss}, stamp)
            saved = time.perf_counter()
            writing = saved - now
        if finished:
            return state, bool(done < end.epochs and np.isfinite(loss) and not loss <= end.tol)
        # The first block's time is mostly compilation.
        if compiling:
            block = int(np.clip(wanted / max(each, 1e-7), 1, 4 * block))
        else:
            compiling, since = now - start, (now, done)


@eqx.filter_jit(donate="all-except-first")
def _run(fixed: tuple[Any, _Problem, optax.GradientTransformation, Any, Any, Any], state: _Training) -> _Training:
    static, problem, optimizer, stop, epochs, annealing = fixed
    num = len(problem.inputs)

    def clean_loss(parameters: Any) -> Any:
        outputs = jax.vmap(eqx.combine(parameters, static))(problem.inputs)
        return jnp.mean(problem.loss(outputs, problem.targets))

    optimizer = optax.with_extra_args_support(optimizer)

    def update(epoch: Any, parameters: Any, optimizer_state: Any, gradient: Any, **data: Any) -> tuple[Any, Any]:
        # The data are for optimizers that look at more than the gradient, such as K-FAC.
        change, optimizer_state = optimizer.update(gradient, optimizer_state, parameters, **data)
        if annealing is not None:
            turn, end = annealing
            share = (epoch - turn) / jnp.maximum(end - turn, 1)
            factor = 0.5 * (1 + jnp.cos(jnp.pi * share))
            change = jax.tree.map(lambda leaf: leaf * factor.astype(leaf.dtype), change)
        return optax.apply_updates(parameters, change), optimizer_state

    def clean_epoch(now: _Training) -> _Training:
        # The loss that comes with the gradient is that of the weights before the step. The stored loss is deliberately
        # one step old; the last one is updated after the loop.
        loss, gradient = jax.value_and_grad(clean_loss)(now.parameters)

        def step(_: Any) -> _Training:
            parameters, optimizer_state = update(
                now.epoch, now.parameters, now.optimizer_state, gradient, inputs=problem.inputs, targets=problem.targets
            )
            return _Training(parameters, optimizer_state, now.carry, now.epoch + 1, loss)

        def stop_here(_: Any) -> _Training:
            return _Training(now.parameters, now.optimizer_state, now.carry, now.epoch, loss)

        return jax.lax.cond(loss <= problem.tol, stop_here, step, None)  # NaN continues, and leaves the loop

    def drawn_loss(
        parameters: Any, carry: Any, rows: Any, weights: Any, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], tuple[Any, Any]]:
        map, inputs, targets = eqx.combine(parameters, static), problem.inputs[rows], problem.targets[rows]
        if problem.objective is None:
            return weighted_mean(problem.loss(jax.vmap(map)(inputs), targets), weights), (carry, inputs)
        return problem.objective(map, carry, inputs, targets, weights, rows, key, problem.loss)

    def drawn_epoch(now: _Training) -> _Training:
        order_key, step_key = jr.split(jr.fold_in(problem.key, now.epoch))
        batches = -(-num // problem.batch)
        order = jr.permutation(order_key, num) if batches > 1 else jnp.arange(num)
        # The last batch is padded with rows of weight 0, so that every step has the same shape.
        order = jnp.concatenate([order, jnp.zeros(batches * problem.batch - num, order.dtype)])
        weight = (jnp.arange(batches * problem.batch) < num).astype(problem.inputs.dtype)

        def step(index: Any, inner: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
            parameters, optimizer_state, carry = inner
            rows = jax.lax.dynamic_slice_in_dim(order, index * problem.batch, problem.batch)
            weights = jax.lax.dynamic_slice_in_dim(weight, index * problem.batch, problem.batch)
            rows, weights = jnp.tile(rows, problem.copies), jnp.tile(weights, problem.copies)
            key = jr.fold_in(step_key, index)
            gradient, (carry, disturbed) = jax.grad(drawn_loss, has_aux=True)(parameters, carry, rows, weights, key)
            data = {"inputs": disturbed, "targets": problem.targets[rows], "weights": weights}
            return *update(now.epoch, parameters, optimizer_state, gradient, **data), carry

        inner = (now.parameters, now.optimizer_state, now.carry)
        parameters, optimizer_state, carry = jax.lax.fori_loop(0, batches, step, inner)
        # With a tolerance, the clean loss is checked every epoch; without one, it is needed only after the loop.
        loss = jax.lax.cond(problem.tol >= 0, clean_loss, lambda _: now.loss, parameters)
        return _Training(parameters, optimizer_state, carry, now.epoch + 1, loss)

    plain = problem.batch == num and problem.objective is None

    def running(now: _Training) -> Any:
        unfinished = (now.epoch < stop) & ~(now.loss <= problem.tol)
        return unfinished & ((now.epoch == 0) | jnp.isfinite(now.loss))

    state = jax.lax.while_loop(running, clean_epoch if plain else drawn_epoch, state)
    # During training, the loss of the previous step is good enough for reports; at the end it must be that of the
    # weights.
    known = (state.loss <= problem.tol) | (plain & (state.epoch < epochs))
    loss = jax.lax.cond(known, lambda _: state.loss, clean_loss, state.parameters)
    return _Training(state.parameters, state.optimizer_state, state.carry, state.epoch, loss)
