"""The largest stable learning rate, by short runs; and optimizers whose rate changes without compiling again."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from attrax._base.lazy import lazy
from attrax._base.shown import Record
from attrax._base.types import Map
from attrax.training._fit import Fit

if TYPE_CHECKING:
    import optax
else:
    optax = lazy("optax")  # a memory is recalled and certified without it

_PARTS = 50, 200, 50
"""Epochs of a short run, in parts."""
_EXCURSION = 10.0
"""A rate is unstable if the loss exceeds this many times that of the start."""
_SLOWER = 1.25
"""A rate is also unstable if its loss at the end exceeds that of a smaller rate this many times, unless it is low."""
_BISECTIONS = 2
_RATES = 16
"""Rates tried, at most."""


class Rated(NamedTuple):
    """The state of a `rated` optimizer: the rate, and what the loss did since the rate was set."""

    inner: Any
    rate: Any
    highest: Any
    total: Any
    steps: Any

    @property
    def mean(self) -> float:
        """The mean loss."""
        return float(self.total) / max(int(self.steps), 1)

    def at(self, rate: float) -> Rated:
        """The same state with another rate."""
        zero = np.zeros_like(self.total)
        return Rated(self.inner, zero + zero.dtype.type(rate), zero, zero, np.zeros_like(self.steps))


@lru_cache(maxsize=32)
def rated(inner: optax.GradientTransformation) -> optax.GradientTransformationExtraArgs:
    """The steps of `inner`, whose own rate is 1, times the rate in the state. The same object for the same argument."""

    def init(params: Any) -> Rated:
        zero = jnp.zeros((), jax.tree.leaves(params)[0].dtype)
        return Rated(inner.init(params), zero, zero, zero, jnp.zeros((), jnp.int32))

    def update(updates: Any, state: Any, params: Any = None, **data: Any) -> tuple[Any, Rated]:
        value = data["value"]
        change, kept = inner.update(updates, state.inner, params)
        change = jax.tree.map(lambda leaf: leaf * state.rate, change)
        highest = jnp.maximum(state.highest, value)  # NaN stays
        return change, Rated(kept, state.rate, highest, state.total + value, state.steps + 1)

    return optax.GradientTransformationExtraArgs(init, update)


@dataclass(frozen=True, slots=True)
class RateTried(Record):
    """A short run at one learning rate.

    **Fields:** `rate`; `loss`, the mean over the last part of the run; `highest`, the largest loss of the whole run;
    `stable`, whether the rate passed.
    """

    rate: float
    loss: float
    highest: float
    stable: bool


def largest_stable_rate(
    segment: Callable[..., Fit[Any]], map: Map, state: Rated, first: float, low: float, report: Callable[..., None]
) -> tuple[float, tuple[RateTried, ...], float]:
    """The largest stable rate for training `map` from here, by doubling or halving `first` and bisection.

    A rate is stable if the mean loss of the last part of a short run is at most that of its first part and at most a
    quarter above that of a smaller stable rate (or at most `low`), and if the loss never exceeds ten times that of the
    start (or of `low`, for a network that is already trained).

    **Arguments:** `segment(map, state, rate, epochs, number)` trains for some epochs at a rate, with a random key of
    that number.

    **Returns:** the rate, the rates tried, and the seconds it took. Where none was stable, the rate is half the least
    one tried.
    """
    started = time.perf_counter()
    bound = _EXCURSION * max(segment(map, state, 0.0, 0, 0).loss, low)
    tried: list[RateTried] = []
    rate, good, bad, bisected = first, 0.0, math.inf, 0
    while len(tried) < _RATES and bisected <= _BISECTIONS:
        report("finding the rate", len(tried), _RATES, rate=rate)
        slower = min((one.loss for one in tried if one.stable and one.rate < rate), default=math.inf)
        tried.append(_short_run(segment, map, state, rate, bound, max(_SLOWER * slower, low)))
        good, bad = (rate, bad) if tried[-1].stable else (good, rate)
        if good and bad < math.inf:
            rate = math.sqrt(good * bad)
            bisected += 1
        else:
            rate = 2 * good if good else bad / 2
    report("finding the rate", _RATES, _RATES, rate=good or rate)
    return good or rate, tuple(tried), time.perf_counter() - started


def _short_run(
    segment: Callable[..., Fit[Any]], map: Map, state: Rated, rate: float, highest: float, last: float
) -> RateTried:
    means, top = list[float](), 0.0
    for part, epochs in enumerate(_PARTS):
        fitted = segment(map, state, rate, epochs, part)
        map, state = fitted.map, fitted.optimizer_state
        means.append(state.mean)
        top = max(top, float(state.highest)) if math.isfinite(fitted.loss) else math.inf
        if top > highest:
            break
    return RateTried(rate, means[-1], top, bool(top <= highest and means[-1] <= min(means[0], last)))
