"""One training loop for a map, inputs and targets."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._base import checks
from attrax._base.arguments import mention
from attrax._base.budget import refuse_beyond_memory
from attrax._base.devices import agreed, local, over_devices
from attrax._base.digests import digest
from attrax._base.files import alone
from attrax._base.lazy import lazy
from attrax._base.numerics import device_array, float64, output_of
from attrax._base.shown import Record
from attrax._base.status import TrainingStatus
from attrax._base.types import HostStates, Map, Progress
from attrax.training._checkpoint import first_state, read_checkpoint, write_checkpoint
from attrax.training._draws import drawing_key
from attrax.training._epochs import Problem, Running, loss_of, run
from attrax.training._losses import Loss, squared_error
from attrax.training._objective import Objective
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
    - `loss`: the mean over the clean inputs of the loss that was minimized (by default the squared error), at that map
      and in the arithmetic of training.
    - `epochs`: number of passes through the data.
    - `seconds`: wall-clock time of this call, compilation included.
    - `status`: a `TrainingStatus`.
    - `time_limited`: whether the time limit ended training.
    - `optimizer_state`: what the optimizer keeps from step to step; `fit` continues from it.
    """

    map: M
    loss: float
    epochs: int
    seconds: float
    status: TrainingStatus
    time_limited: bool = False
    optimizer_state: Any = None


def status_of(loss: float, done: int, tol: float, epochs: int) -> TrainingStatus:
    """How training ended at this loss after `done` epochs; a negative `tol` stands for none."""
    if not np.isfinite(loss):
        return TrainingStatus.DIVERGED
    if loss <= tol or (tol < 0 and done >= epochs):
        return TrainingStatus.REACHED
    return TrainingStatus.EPOCHS_OVER if done >= epochs else TrainingStatus.TIME_OVER


def fit(
    map: M,
    inputs: HostStates,
    targets: HostStates,
    *,
    optimizer: optax.GradientTransformation,
    optimizer_state: Any = None,
    epochs: int = 1_000_000,
    tol: float | None = 1e-8,
    batch: int | None = None,
    copies: int = 1,
    noise: float | np.ndarray = 0.0,
    objective: Objective | None = None,
    loss: Loss = squared_error,
    in_batch: bool = False,
    seconds: float | None = None,
    anneal: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    fingerprint: str = "",
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> Fit[M]:
    """Trains `map` to send each input to its target: by default the mean squared error over all entries, full batch.

    It stops when the loss on the clean inputs is at most `tol` (in a full batch before and after a step, as the first
    of the two comes with the gradient), or after `epochs`. A map that is within `tol` is returned as it is.

    The loop is compiled as a whole and returns to the host only about twice per second. It computes in the precision of
    the parameters of `map`.

    **Arguments:**

    - `map`: an Equinox module from a state to a state; its floating-point arrays are trained.
    - `inputs`, `targets`: n×state shape. With another `loss`, a target may be one number.
    - `optimizer`: any Optax transformation. It is also passed the loss of each step (`value`).
    - `optimizer_state`: what an earlier run with the same optimizer ended with (`Fit.optimizer_state`); by default the
      optimizer starts fresh.
    - `epochs`: maximum number of passes through the data.
    - `tol`: loss at which to stop; `None` to run all epochs.
    - `batch`: examples per step; `None` or n for the full batch. The order is drawn again each epoch.
    - `copies`: how often each example occurs in a step, each time with a disturbance of its own.
    - `noise`: standard deviation of Gaussian noise on the inputs of the loss, drawn again for every step: one number,
      or one for each entry of a state.
    - `objective`: replaces the plain loss when training uses more than `noise`; made by `attrax.training.objective`.
    - `loss`: of outputs and targets, one number for each row; by default the mean squared error.
    - `in_batch`: the outputs are scores, one for each example, and a step compares only those of its own examples
      (in-batch negatives): the map has a method `among` as `LinearScores` has it, and row i has the target i. The
      loss of all is then that of each among `batch` examples too.
    - `seconds`: stop at the first report after this time. With `anneal`, the steps in the last quarter of this time
      fall to zero, for optimizers whose rate would have fallen by the last epoch; the checkpoint is from before that.
    - `checkpoint`: file to write the state to every few seconds; `resume` continues from it if it exists, and reaches
      the same weights bit for bit. `fingerprint` names settings that a resumed run must share besides the data.
    - `progress`: called regularly with the loss.
    - `key`: random key for noise and order.

    **Returns:** `Fit`. **Raises** `ValueError` for a wrong argument, a checkpoint of another run, or one that another
    run is writing to.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> network = ax.maps.mlp((2,), width=3, depth=1, key=jr.key(0))
    >>> points = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> adam = ax.training.optimizer("adam", learning_rate=0.01)
    >>> found = ax.training.fit(network, points, points, optimizer=adam, epochs=20, tol=None, key=jr.key(1))
    >>> found.epochs, found.status.value
    (20, 'reached')

    ```
    """
    checks.random_key(key)
    started = time.perf_counter()
    inputs, targets = np.asarray(inputs), np.asarray(targets)
    # One number as a target is that of a class.
    several = targets.ndim > (1 if loss is squared_error else 0)
    rows = inputs.ndim > 1 and several and len(inputs) == len(targets) and len(inputs) > 0
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
    parameters, static = eqx.partition(map, eqx.is_inexact_array)
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
    output_shape = output_of(map, inputs.shape[1:], dtype).shape
    if targets.shape[1:] not in ((output_shape,) if loss is squared_error else (output_shape, ())):
        raise ValueError(f"map must give the shape of a target, {targets.shape[1:]}; it gives {output_shape}")
    with float64() if dtype == np.float64 else contextlib.nullcontext(), over_devices() as everywhere:
        # New arrays, because the loop overwrites its state and must not change the caller's map.
        parameters = jax.tree.map(lambda leaf: device_array(leaf, dtype), parameters)
        problem = Problem(
            inputs=device_array(inputs, dtype),
            targets=device_array(targets, dtype),
            tol=device_array(tol, dtype),
            key=drawing_key(key),
            objective=made_objective(noise=noise, dtype=dtype) if np.any(noise) else objective,
            batch=batch,
            copies=copies,
            loss=loss,
            in_batch=in_batch,
        )
        parameters, problem = everywhere((parameters, problem))
        carry = None if problem.objective is None else problem.objective.start(problem.inputs)
        if optimizer_state is None:
            kept = first_state(optimizer, parameters)
        else:
            kept = everywhere(jax.tree.map(_copy, optimizer_state))
        # A map that is good enough is not trained.
        start = loss_of(static, problem, parameters) if tol >= 0 else device_array(np.inf, dtype)
        state = Running(parameters, kept, carry, device_array(0, np.int32), start)
        stamp = "" if checkpoint is None else digest(fingerprint, problem, map)
        end = _End(epochs, tol, agreed(started), limit, anneal)
        with contextlib.nullcontext() if checkpoint is None else alone(checkpoint):
            if resume and checkpoint is not None and Path(checkpoint).exists():
                state, _ = read_checkpoint(checkpoint, state, stamp)
                state = jax.tree.map(device_array, state)
            state, time_limited = _train(state, static, problem, optimizer, end, checkpoint, stamp, progress)
        state = local(state)
        done = int(state.epoch)
        reached = float(state.loss if done or tol >= 0 else loss_of(static, problem, state.parameters))
        trained = eqx.combine(jax.tree.map(np.asarray, state.parameters), static)
    status = status_of(reached, done, tol, epochs)
    return Fit(trained, reached, done, time.perf_counter() - started, status, time_limited, state.optimizer_state)


def _copy(leaf: Any) -> Any:
    """On the host, so that it is free to go to other devices than those it was computed on."""
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jr.wrap_key_data(device_array(jr.key_data(leaf)), impl=jr.key_impl(leaf))
    return device_array(leaf)


def _noise(noise: float | np.ndarray, shape: tuple[int, ...]) -> float | np.ndarray:
    if not isinstance(noise, np.ndarray):
        return checks.real("noise", noise, least=0)
    if noise.shape != shape or not (noise >= 0).all() or not np.isfinite(noise).all():
        raise ValueError(f"noise must be one number or finite numbers from 0 of the shape {shape}; got {noise!r}")
    return noise


@dataclass(frozen=True, slots=True)
class _End:
    """When a run ends: by epochs, by loss or by time."""

    epochs: int
    tol: float
    started: float
    limit: float
    anneal: bool


def _train(
    state: Running,
    static: Any,
    problem: Problem,
    optimizer: optax.GradientTransformation,
    end: _End,
    checkpoint: str | os.PathLike[str] | None,
    stamp: str,
    progress: Progress | None,
) -> tuple[Running, bool]:
    """Runs the compiled loop in blocks of about half a second, between which the host reports and saves.

    The second value says whether the time limit ended it.
    """
    block, saved, writing, compiling = 1, time.perf_counter(), 0.0, 0.0
    # A step needs nothing else of it, so what only its first state depends on, such as a seed, compiles nothing again.
    rule = optimizer._replace(init=None)
    # A short limit is checked more often.
    wanted = min(_PROGRESS_SECONDS, end.limit / 20)
    last, annealing, since = end.epochs, None, (0.0, 0)
    if checkpoint is not None:
        write_checkpoint(checkpoint, state, {}, stamp)
    if int(state.epoch) >= end.epochs or float(state.loss) <= end.tol:
        return state, False  # without compiling a loop that would make no step
    while True:
        start = agreed(time.perf_counter())
        before = int(state.epoch)
        stop = np.asarray(min(before + block, last))
        state = run((static, problem, rule, stop, annealing), state)
        jax.block_until_ready(state.loss)
        loss, done = float(state.loss), int(state.epoch)
        now = agreed(time.perf_counter())
        late, was_annealing = now - end.started > end.limit, annealing is not None
        if problem.plain and (done >= last or late or loss <= end.tol):
            # What the loop knows is the loss before the last step. If that has missed the tolerance, it goes on.
            state = eqx.tree_at(lambda state: state.loss, state, loss_of(static, problem, state.parameters))
            loss = float(state.loss)
        finished = done >= last or loss <= end.tol or not np.isfinite(loss) or late
        if progress is not None:
            progress("training", done, end.epochs, {"loss": loss, "seconds": now - end.started})
        each = (now - start) / max(done - before, 1)
        # The annealing program has to be compiled too; a run that ends in time never uses it.
        left = end.started + end.limit - now - (0.0 if was_annealing else compiling)
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
