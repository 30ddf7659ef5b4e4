"""The compiled part of the training loop: one epoch after another until a stop."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from attrax._base.lazy import lazy
from attrax.training._losses import Loss
from attrax.training._objective import Objective, weighted_mean

if TYPE_CHECKING:
    import optax
else:
    optax = lazy("optax")  # a memory is recalled and certified without it


class Running(eqx.Module):
    """The state that the next epoch starts from."""

    parameters: Any
    optimizer_state: Any
    carry: Any
    epoch: Any
    loss: Any


class Problem(eqx.Module):
    """What stays the same from epoch to epoch."""

    inputs: Any
    targets: Any
    tol: Any
    key: Any
    objective: Objective | None
    batch: int = eqx.field(static=True)
    copies: int = eqx.field(static=True)
    loss: Loss = eqx.field(static=True)


def _clean_loss(static: Any, problem: Problem, parameters: Any) -> Any:
    outputs = jax.vmap(eqx.combine(parameters, static))(problem.inputs)
    return jnp.mean(problem.loss(outputs, problem.targets))


first_loss = eqx.filter_jit(_clean_loss)
"""The loss before the first epoch, of what is not trained of the map, the problem and the parameters."""


@eqx.filter_jit(donate="all-except-first")
def run(fixed: tuple[Any, Problem, optax.GradientTransformation, Any, Any, Any], state: Running) -> Running:
    """Makes epochs until the loss is at most the tolerance or not finite, or `stop` epochs are done.

    **Arguments:** `fixed` holds what is not trained of the map, the problem, the optimizer, `stop`, the last epoch of
    the run, and `None` or the two epochs between which the steps fall to zero. `stop` and the last epoch are traced:
    other numbers need no new compilation.

    **Returns:** the state there. Its loss is that of its weights if the run is over, otherwise in a full batch that of
    the weights before the last step, which is good enough for reports.
    """
    static, problem, optimizer, stop, epochs, annealing = fixed
    num, clean_loss = len(problem.inputs), partial(_clean_loss, static, problem)
    optimizer = optax.with_extra_args_support(optimizer)

    def update(epoch: Any, parameters: Any, optimizer_state: Any, gradient: Any, **data: Any) -> tuple[Any, Any]:
        # The data and the loss are for optimizers that look at more than the gradient, such as K-FAC.
        change, optimizer_state = optimizer.update(gradient, optimizer_state, parameters, **data)
        if annealing is not None:
            turn, end = annealing
            share = (epoch - turn) / jnp.maximum(end - turn, 1)
            factor = 0.5 * (1 + jnp.cos(jnp.pi * share))
            change = jax.tree.map(lambda leaf: leaf * factor.astype(leaf.dtype), change)
        return optax.apply_updates(parameters, change), optimizer_state

    # A turn of the loop makes an epoch, or none if all have been made and only the loss is wanted; the program then
    # contains the map once for each use.

    def clean_epoch(now: Running) -> tuple[Running, Any]:
        # The loss that comes with the gradient is that of the weights before the step, which is good enough for
        # reports.
        loss, gradient = jax.value_and_grad(clean_loss)(now.parameters)

        def step(_: Any) -> Running:
            data = {"inputs": problem.inputs, "targets": problem.targets, "value": loss}
            parameters, optimizer_state = update(now.epoch, now.parameters, now.optimizer_state, gradient, **data)
            return Running(parameters, optimizer_state, now.carry, now.epoch + 1, loss)

        def stop_here(_: Any) -> Running:
            return Running(now.parameters, now.optimizer_state, now.carry, now.epoch, loss)

        last = (loss <= problem.tol) | (now.epoch >= epochs)
        return jax.lax.cond(last, stop_here, step, None), last  # NaN continues, and leaves the loop

    def drawn_loss(
        parameters: Any, carry: Any, rows: Any, weights: Any, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], tuple[Any, Any]]:
        map, inputs, targets = eqx.combine(parameters, static), problem.inputs[rows], problem.targets[rows]
        if problem.objective is None:
            return weighted_mean(problem.loss(jax.vmap(map)(inputs), targets), weights), (carry, inputs)
        return problem.objective(map, carry, inputs, targets, weights, rows, key, problem.loss)

    def drawn_epoch(now: Running) -> tuple[Running, Any]:
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
            drawn = jax.value_and_grad(drawn_loss, has_aux=True)(parameters, carry, rows, weights, key)
            (value, (carry, disturbed)), gradient = drawn
            data = {"inputs": disturbed, "targets": problem.targets[rows], "weights": weights, "value": value}
            return *update(now.epoch, parameters, optimizer_state, gradient, **data), carry

        inner = (now.parameters, now.optimizer_state, now.carry)
        parameters, optimizer_state, carry = jax.lax.fori_loop(0, batches, step, inner)
        epoch = now.epoch + 1
        # With a tolerance, the clean loss is checked every epoch; without one, it is needed only at the end of a block.
        loss = jax.lax.cond((problem.tol >= 0) | (epoch >= stop), clean_loss, lambda _: now.loss, parameters)
        return Running(parameters, optimizer_state, carry, epoch, loss), jnp.asarray(True)

    plain = problem.batch == num and problem.objective is None
    turn = clean_epoch if plain else drawn_epoch

    def running(carry: tuple[Running, Any]) -> Any:
        now, known = carry
        unfinished = (now.epoch < stop) | (plain & (now.epoch >= epochs) & ~known)
        return unfinished & ~(now.loss <= problem.tol) & ((now.epoch == 0) | jnp.isfinite(now.loss))

    return jax.lax.while_loop(running, lambda carry: turn(carry[0]), (state, jnp.asarray(False)))[0]
