"""The paper's five optimizers (Fig. 15), with PyTorch's semantics."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from inspect import isfunction
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from attrax._base import checks
from attrax._base.lazy import lazy

if TYPE_CHECKING:
    import jax
    import optax
else:
    # Names of optimizers are looked up without JAX, and a memory is recalled and certified without Optax.
    jax, optax = lazy("jax"), lazy("optax")

Schedule = Callable[[Any], Any]

OPTIMIZERS = MappingProxyType(
    {"gd": 1e-1, "momentum": 1e-1, "momentum_decay": 1e-1, "rmsprop": 1e-4, "adam": 1e-4},
)
"""Names of the optimizers, each with its default learning rate."""


def optimizer(
    name: str,
    *,
    learning_rate: float | Schedule | None = None,
    momentum: float | None = None,
    weight_decay: float | None = None,
) -> optax.GradientTransformation:
    """One of the paper's optimizers as an Optax transformation whose steps agree with PyTorch's.

    - `gd`: plain gradient descent. `momentum`: heavy ball v ← μv + g without dampening. `momentum_decay`: the same
      with weight decay.
    - `rmsprop`: g/(√s + 1e-8) with s ← 0.99 s + 0.01 g². `adam`: β = (0.9, 0.999), ε = 1e-8 outside the root.

    **Arguments:**

    - `learning_rate`: a number or a schedule; by default the number in `OPTIMIZERS`.
    - `momentum`: by default 0.9 for `momentum` and `momentum_decay`, 0 otherwise; not for Adam.
    - `weight_decay`: this coefficient times the weights is added to the gradient (L2, as in PyTorch's optimizers); 1e-5
      by default for `momentum_decay`, 0 otherwise.

    **Returns:** the same object for the same arguments (of schedules, plain functions), so that training with it is not
    compiled again.

    **Raises** `ValueError` for an unknown name or a number out of range.

    ```python
    >>> import jax, numpy as np
    >>> from attrax import training
    >>> rule = training.optimizer("momentum", learning_rate=0.1, momentum=0.9)
    >>> update, state = jax.jit(rule.update)(np.ones(1), rule.init(np.ones(1)))
    >>> round(float(update[0]), 6)
    -0.1

    ```
    """
    checks.one_of("optimizer", name, OPTIMIZERS)
    if learning_rate is None:
        learning_rate = OPTIMIZERS[name]
    elif not callable(learning_rate):
        learning_rate = checks.real("learning_rate", learning_rate, above=0)
    if momentum is None:
        momentum = 0.9 if name.startswith("momentum") else 0.0
    momentum = checks.real("momentum", momentum, least=0)
    if momentum >= 1:
        raise ValueError(f"momentum must be below 1; got {momentum:g}")
    if name == "adam" and momentum:
        raise ValueError("momentum does not apply to adam, which has its first moment instead; omit it")
    if weight_decay is None:
        weight_decay = 1e-5 if name == "momentum_decay" else 0.0
    weight_decay = checks.real("weight_decay", weight_decay, least=0)
    if isinstance(learning_rate, float) or isfunction(learning_rate):
        return _known(name, learning_rate, momentum, weight_decay)
    return _made(name, learning_rate, momentum, weight_decay)


@lru_cache(maxsize=128)
def cosine_decay(learning_rate: float, steps: int) -> Schedule:
    """The schedule that falls from `learning_rate` to 0 along half a cosine in `steps` steps. Equal arguments give the
    same object, so that training with it is not compiled again.

    ```python
    >>> import jax
    >>> from attrax import training
    >>> rate = jax.jit(training.cosine_decay(0.1, 100))
    >>> [round(float(rate(step)), 3) for step in (0, 50, 100)]
    [0.1, 0.05, 0.0]

    ```
    """
    return optax.cosine_decay_schedule(learning_rate, steps)


def _made(
    name: str, learning_rate: float | Schedule, momentum: float, weight_decay: float
) -> optax.GradientTransformation:
    parts = [optax.add_decayed_weights(weight_decay)] if weight_decay else []
    if name == "adam":
        parts.append(optax.scale_by_adam(b1=0.9, b2=0.999, eps=1e-8))
    elif name == "rmsprop":
        parts.append(optax.scale_by_rms(decay=0.99, eps=1e-8, eps_in_sqrt=False))
    if momentum:
        parts.append(optax.trace(decay=momentum))
    return _flattened(optax.chain(*parts, optax.scale_by_learning_rate(learning_rate)))


_FEW = 2**16
"""Up to so many weights, copying them into one array takes no longer than operations layer by layer."""


def _flattened(transformation: optax.GradientTransformation) -> optax.GradientTransformation:
    """The same steps, but for few weights computed on all of them in one array: the compiler then has one layer's work
    for a network of any depth."""
    flattened = optax.flatten(transformation)

    def fitting(weights: Any) -> optax.GradientTransformation:
        return flattened if sum(leaf.size for leaf in jax.tree.leaves(weights)) <= _FEW else transformation

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        return fitting(updates).update(updates, state, params)

    return optax.GradientTransformation(lambda params: fitting(params).init(params), update)


_known = lru_cache(maxsize=128)(_made)
