"""The compiled part of the training loop: one epoch after another until a stop."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, PRNGKeyArray

from attrax._base.devices import map_rows, together
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
    in_batch: bool = eqx.field(static=True, default=False)

    @property
    def plain(self) -> bool:
        """Whether a step uses the examples as they are, all of them."""
        return self.batch == len(self.inputs) and self.objective is None


_PIECE = 2000
"""Examples whose outputs are computed at once where no gradient is needed: they may be far larger than an example."""


def _mean_loss(static: Any, loss: Loss, in_pieces: bool, inputs: Any, targets: Any, parameters: Any) -> Any:
    map = eqx.combine(parameters, static)
    if in_pieces:

        def row_loss(input: Any, target: Any) -> Any:
            return loss(map(input)[None], target[None])[0]

        return jnp.mean(map_rows(row_loss, inputs, targets, piece=_PIECE))
    return jnp.mean(loss(map_rows(map, inputs), targets))


def _loss_in_batches(static: Any, problem: Problem, parameters: Any) -> Any:
    """Each example among `batch` of them in the order of their numbers, as a step takes them."""
    map, num = eqx.combine(parameters, static), len(problem.inputs)
    starts = jnp.arange(0, num, problem.batch)

    def batch_loss(start: Any) -> Any:
        rows = start + jnp.arange(problem.batch)
        weights = (rows < num).astype(problem.inputs.dtype)
        rows = jnp.minimum(rows, num - 1)
        losses = problem.loss(map_rows(map.among(rows, weights), problem.inputs[rows]), jnp.arange(problem.batch))
        return jnp.sum(jnp.where(weights > 0, losses, 0.0))

    return jnp.sum(jax.lax.map(batch_loss, starts)) / num


_compiled_in_batches = eqx.filter_jit(_loss_in_batches)


def _clean_loss(static: Any, problem: Problem, parameters: Any, mean_loss: Any = _mean_loss) -> Any:
    if problem.in_batch:
        compute = _loss_in_batches if mean_loss is _mean_loss else _compiled_in_batches
        return compute(static, problem, parameters)
    in_pieces = problem.batch < len(problem.inputs) > _PIECE
    return mean_loss(static, problem.loss, in_pieces, problem.inputs, problem.targets, parameters)


loss_of = partial(_clean_loss, mean_loss=eqx.filter_jit(_mean_loss))
"""The loss on the clean examples: of what is not trained of the map, the problem, and the parameters. It is compiled
once, whatever disturbs the examples in training."""


@eqx.filter_jit(donate="all-except-first")
def run(fixed: tuple[Any, Problem, optax.GradientTransformation, Any, Any], state: Running) -> Running:
    """Makes epochs until the loss is at most the tolerance or not finite, or `stop` epochs are done.

    **Arguments:** `fixed` holds what is not trained of the map, the problem, the optimizer, `stop`, and `None` or the
    two epochs between which the steps fall to zero. `stop` is traced: other numbers need no new compilation.

    **Returns:** the state there. In a full batch without an objective, its loss is that of the weights before the last
    step, which comes with the gradient; `loss_of` has that of its weights.
    """
    static, problem, optimizer, stop, annealing = fixed
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

    def clean_epoch(now: Running) -> Running:
        loss, gradient = jax.value_and_grad(clean_loss)(now.parameters)
        data = {"inputs": problem.inputs, "targets": problem.targets, "value": loss}
        parameters, optimizer_state = update(now.epoch, now.parameters, now.optimizer_state, gradient, **data)
        return Running(parameters, optimizer_state, now.carry, now.epoch + 1, loss)

    def drawn_loss(
        parameters: Any, carry: Any, rows: Any, weights: Any, key: PRNGKeyArray
    ) -> tuple[Float[Array, ""], tuple[Any, Any]]:
        map, inputs, targets = eqx.combine(parameters, static), problem.inputs[rows], problem.targets[rows]
        if problem.in_batch:
            # Only the scores of these examples, and which of those is the right one; the copies share them.
            map = map.among(rows[: problem.batch], weights[: problem.batch])
            targets = jnp.tile(jnp.arange(problem.batch), problem.copies)
        if problem.objective is None:
            return weighted_mean(problem.loss(map_rows(map, inputs), targets), weights), (carry, inputs)
        return problem.objective(map, carry, inputs, targets, weights, rows, key, problem.loss)

    def drawn_epoch(now: Running) -> Running:
        key = jr.fold_in(problem.key, now.epoch)
        batches = -(-num // problem.batch)
        order = jnp.arange(num)
        if batches > 1:
            order_key, key = jr.split(key)
            order = jr.permutation(order_key, num)
        # The last batch is padded with rows of weight 0, so that every step has the same shape.
        order = jnp.concatenate([order, jnp.zeros(batches * problem.batch - num, order.dtype)])
        weight = (jnp.arange(batches * problem.batch) < num).astype(problem.inputs.dtype)

        def step(index: Any, inner: tuple[Any, Any, Any]) -> tuple[Any, Any, Any]:
            parameters, optimizer_state, carry = inner
            rows = jax.lax.dynamic_slice_in_dim(order, index * problem.batch, problem.batch)
            weights = jax.lax.dynamic_slice_in_dim(weight, index * problem.batch, problem.batch)
            rows, weights = jnp.tile(rows, problem.copies), jnp.tile(weights, problem.copies)
            step_key = jr.fold_in(key, index) if batches > 1 else key
            drawn = jax.value_and_grad(drawn_loss, has_aux=True)(parameters, carry, rows, weights, step_key)
            (value, (carry, disturbed)), gradient = drawn
            data = {"inputs": disturbed, "targets": problem.targets[rows], "weights": weights, "value": value}
            return *update(now.epoch, parameters, optimizer_state, gradient, **data), carry

        inner = (now.parameters, now.optimizer_state, now.carry)
        parameters, optimizer_state, carry = jax.lax.fori_loop(0, batches, step, inner)
        epoch = now.epoch + 1
        # With a tolerance, the clean loss is checked every epoch; without one, it is needed only at the end of a block.
        loss = jax.lax.cond((problem.tol >= 0) | (epoch >= stop), clean_loss, lambda _: now.loss, parameters)
        return Running(parameters, optimizer_state, carry, epoch, loss)

    def running(now: Running) -> Any:
        return (now.epoch < stop) & ~(now.loss <= problem.tol) & ((now.epoch == 0) | jnp.isfinite(now.loss))

    return together(jax.lax.while_loop(running, clean_epoch if problem.plain else drawn_epoch, state))
