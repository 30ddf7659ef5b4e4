"""Networks that are computed without training: one hidden layer that stores the examples.

Both have the form f(x) = r + Σᵢ s(aᵢ(x)) (yᵢ − r) with one affine function aᵢ an example and a piecewise-linear step s
from 0 to 1, the difference of two ReLU units, so one hidden layer has 2n units, or 2n + 2 with a rest state (below).
Where aᵢ is near 1 at example i and near 0 or below at all others, f sends a whole neighborhood of each example to its
target, and its Jacobian there is 0: every example is an attractor, and a cycle has the product 0.

If every example is a fixed point, r is the mean of the targets and s rises from ¼ to ¾. Far from all examples no aᵢ is
large and f(x) = r, which is a fixed point of its own: it shows that a cue was not recognized.

A film should start from any cue (`fallback`). For this, r lies outside the affine span of the examples, at the distance
R from their mean along a unit vector u. It is an additional stored state, with a₀ = 1 at r and 0 at all examples, and
its target is a state of the film. All other aᵢ are tilted along u so that they equal c = 0.4 at r, which does not
change them at the examples. That tilt is an inhibition: on a superposition r + Σⱼ tⱼ (xⱼ − r) every aᵢ is at most c +
tᵢ(1 − c) − c Σ_{j≠i} tⱼ, so with s rising from 0.45 to 0.65 two states that noise activates together suppress each
other, until only the larger one is left or, at a tie, r, from which the film starts again.
"""

import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import numpy as np
from jaxtyping import Float, Int, PRNGKeyArray

from attrax._base import checks
from attrax._base.arguments import mention
from attrax._base.budget import refuse_beyond_memory
from attrax._base.processes import one_blas_thread
from attrax._base.types import HostStates, Map
from attrax.maps import MLP, init_linear

CONSTRUCTIONS = ("pseudoinverse", "margin")
"""Names of the constructions."""
_STEP = (0.25, 0.75)
"""The values of aᵢ between which the step s rises."""
_FALLBACK_STEP, _INHIBITION = (0.45, 0.65), 0.4
"""The same if r leads to an example, and c, the value of every other aᵢ at r, which must lie below the step."""
_FIRST, _NEXT = 33, 32
"""How many examples a margin is computed for at first, and how many are added to these at once."""
_WITHIN = 1e-4
"""The value of aᵢ that still counts as 0 at another example."""


def pseudoinverse(points: HostStates, targets: HostStates | None = None, *, fallback: HostStates | None = None) -> MLP:
    """The network whose aᵢ are the affine functions of least norm with aᵢ(xⱼ) = 1 for i = j and 0 otherwise.

    They exist for affinely independent examples; with the centered examples as the rows of X_c their gradients are the
    rows of (X_cᵀ)⁺, and each has the value 1/n at the mean. Without a fallback, the ball of radius ¼/‖∇aᵢ‖ around an
    example is mapped to its target in one step. For dependent examples the least-squares solution is used, which does
    not store all of them; the certificate shows which.

    **Arguments:** `points`, n×state shape; `targets`, what each goes to, by default itself; `fallback`, the state that
    unknown cues go to, by way of r; by default there is none, and they go to the mean of the targets. Where the
    examples span the whole space, there is no room for an inhibition, and f is `fallback` wherever no aᵢ is large.

    **Returns:** an `MLP` in float64. **Raises** `ValueError` for a fallback that is not a finite state.

    ```python
    >>> import numpy as np
    >>> from attrax import training
    >>> network = training.pseudoinverse(np.eye(3))
    >>> np.allclose(network(np.eye(3)[0]), np.eye(3)[0], atol=1e-6)
    True

    ```
    """
    fallback = _checked_fallback(fallback, points)
    vectors = np.asarray(points, np.float64).reshape(len(points), -1)
    middle = vectors.mean(axis=0)
    centered = vectors - middle
    # Centered rows always have one null direction, which rounding lifts above a cut at 1e-15.
    slopes = np.linalg.pinv(centered.T, rcond=max(centered.shape) * np.finfo(np.float64).eps)
    return _assembled(slopes, 1 / len(vectors) - slopes @ middle, points, targets, fallback)


def margin(points: HostStates, targets: HostStates | None = None, *, fallback: HostStates | None = None) -> MLP:
    """The network whose aᵢ separate example i from all others with the widest margin: hard support vectors.

    With wᵢ·x + bᵢ at least 1 at example i and at most −1 at the others, and ‖wᵢ‖ least, aᵢ = (wᵢ·x + bᵢ + 1)/2. The
    basins are wider than those of `pseudoinverse`: without a fallback, the ball of radius ½/‖wᵢ‖ goes to the target in
    one step. An example inside the convex hull of the others can't be separated; its certificate says so.

    **Arguments:** `points`, n×state shape; `targets`, what each goes to, by default itself; `fallback`, the state that
    unknown cues go to, by way of r; by default there is none, and they go to the mean of the targets. Where the
    examples span the whole space, there is no room for an inhibition, and f is `fallback` wherever no aᵢ is large.

    **Returns:** an `MLP` in float64. **Raises** `ValueError` for a fallback that is not a finite state.

    ```python
    >>> import numpy as np
    >>> from attrax import training
    >>> network = training.margin(np.eye(3))
    >>> np.allclose(network(np.array([0.9, 0.1, 0.1])), np.eye(3)[0], atol=1e-6)
    True

    ```
    """
    fallback = _checked_fallback(fallback, points)
    vectors = np.asarray(points, np.float64).reshape(len(points), -1)
    nothing = np.full_like(vectors, np.nan), np.full(len(vectors), np.nan)
    return _assembled(*_separators(vectors, *nothing), points, targets, fallback)


def changed_margin(
    network: Map,
    before: HostStates,
    kept: Sequence[int],
    points: HostStates,
    targets: HostStates | None = None,
    *,
    fallback: HostStates | None = None,
) -> MLP:
    """The network of `margin` after examples were added or removed, up to the tolerance of its solver. Only those aᵢ
    are computed for which the change matters: most keep their support vectors and are right for all new examples.

    **Arguments:** `network`, as `margin` made it of the examples `before`, n×state shape (of another one, an aᵢ that
    separates its example counts as having the widest margin); `kept`, the indices of the examples that are left, with
    which `points` begins, in this order; `points`, `targets` and `fallback` as for `margin`.

    **Returns** and **raises** as `margin` does.

    ```python
    >>> import numpy as np
    >>> from attrax import training
    >>> network = training.margin(np.eye(4)[:3])
    >>> larger = training.changed_margin(network, np.eye(4)[:3], [0, 1, 2], np.eye(4))
    >>> np.allclose(larger.weights[0], training.margin(np.eye(4)).weights[0], atol=1e-3)
    True

    ```
    """
    fallback = _checked_fallback(fallback, points)
    vectors, old = (np.asarray(states, np.float64).reshape(len(states), -1) for states in (points, before))
    slopes, offsets = np.full_like(vectors, np.nan), np.full(len(vectors), np.nan)
    made: Any = network
    # With a rest state all aᵢ are tilted, and there are two units more.
    if np.shape(getattr(made, "weights", (0,))[0]) == (2 * len(old), old.shape[1]) and made.biases[0] is not None:
        low, high = _STEP
        rows, removed = list(kept), np.delete(old, kept, axis=0)
        first, bias = np.asarray(made.weights[0], np.float64), np.asarray(made.biases[0], np.float64)
        begun, at_zero = first[rows] * (high - low), bias[rows] * (high - low) + low
        values, lost = (begun @ states.T + at_zero[:, None] for states in (vectors, removed))
        own = np.diagonal(values).copy()
        np.fill_diagonal(values, -np.inf)
        right = (np.abs(own - 1) <= _WITHIN) & (values.max(axis=1, initial=-np.inf) <= _WITHIN)
        # What did not hold it back can go.
        right &= lost.max(axis=1, initial=-np.inf) < -_WITHIN
        slopes[: len(rows)][right], offsets[: len(rows)][right] = begun[right], at_zero[right]
    return _assembled(*_separators(vectors, slopes, offsets), points, targets, fallback)


def _separators(
    vectors: Float[np.ndarray, "n d"], slopes: Float[np.ndarray, "n d"], offsets: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"]]:
    """The gradients of all aᵢ and their values at zero, with those of given ones that are not NaN."""
    from sklearn.exceptions import ConvergenceWarning

    if len(vectors) == 1:  # nothing to be separated from
        return np.zeros_like(vectors), np.ones(1)
    middle = vectors.mean(axis=0)
    centered = vectors - middle
    gram = centered @ centered.T
    # The solver's tolerances are absolute, so it sees examples of unit size.
    size = float(np.mean(np.diagonal(gram))) or 1.0
    gram /= size
    unknown = np.flatnonzero(np.isnan(offsets))

    def separate(index: int, begin: Int[np.ndarray, " k"]) -> None:
        support, strengths, offset = _separated(gram, index, begin)
        slopes[index] = strengths @ centered[support] / size
        offsets[index] = offset - slopes[index] @ middle

    # One example a thread, for the solver holds no lock; threads that share a product wait for each other.
    with warnings.catch_warnings(), one_blas_thread(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore", ConvergenceWarning)  # an inseparable example: its certificate says so
        list(pool.map(separate, unknown.tolist(), _neighbors(gram, unknown)))
    return slopes, offsets


def _neighbors(gram: Float[np.ndarray, "n n"], which: Int[np.ndarray, " m"]) -> Int[np.ndarray, "m k"]:
    """For each of these examples, itself and those nearest to it, from which it is separated first."""
    count = min(_FIRST, len(gram))
    return np.argpartition(np.diagonal(gram) - 2 * gram[which], count - 1, axis=1)[:, :count]


def _separated(
    gram: Float[np.ndarray, "n n"], index: int, near: Int[np.ndarray, " k"]
) -> tuple[Int[np.ndarray, " s"], Float[np.ndarray, " s"], float]:
    """The support vectors of one aᵢ, their strengths, and its value at the origin.

    Few of many examples support it. So example `index` is separated from those `near` first, then also from those that
    the result leaves on the wrong side, until there are none: what is best for some and holds for all is best for all.
    """
    from sklearn.svm import SVC

    working = np.union1d(near, [index])
    while True:
        label = np.where(working == index, 1, -1)
        machine = SVC(C=1e6, kernel="precomputed", tol=1e-4, cache_size=50, max_iter=200_000)
        machine.fit(gram[np.ix_(working, working)], label)
        support, strengths = working[machine.support_], 0.5 * machine.dual_coef_[0]
        offset = 0.5 * (float(machine.intercept_[0]) + 1)
        values = strengths @ gram[support] + offset
        values[working] = -np.inf
        wrong = np.flatnonzero(values > _WITHIN)
        if not len(wrong):
            return support, strengths, offset
        working = np.union1d(working, wrong[np.argsort(-values[wrong])[:_NEXT]])


def constructed_start(
    kind: str,
    points: HostStates,
    targets: HostStates | None = None,
    *,
    spare: int = 0,
    key: PRNGKeyArray,
) -> MLP:
    """A constructed network to be trained further, in float32.

    **Arguments:**

    - `kind`: `"margin"` or `"pseudoinverse"`.
    - `points`, `targets`: as for `margin`.
    - `spare`: hidden units beside those of the construction. They start from Kaiming's initialization, centered at the
      mean of the examples, and reach no output, so the network begins as the construction.
    - `key`: for the spare units.

    **Returns:** an `MLP` with one hidden layer of 2n + `spare` units. **Raises** `ValueError` for another kind.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> from attrax import training
    >>> training.constructed_start("margin", np.eye(3), spare=4, key=jr.key(0)).widths
    (10,)

    ```
    """
    checks.random_key(key)
    checks.one_of("start", kind, CONSTRUCTIONS)
    spare = checks.integer("spare", spare, least=0)
    what = f"{mention('spare')}: {spare:,} units"
    refuse_beyond_memory(what, 3 * 8 * spare * (2 * np.asarray(points[0]).size + 1), "take fewer")
    made = (margin if kind == "margin" else pseudoinverse)(points, targets)
    (first, last), (bias, middle) = (map(np.asarray, made.weights), made.biases)
    assert bias is not None  # a construction has both
    if spare:
        vectors = np.asarray(points, np.float64).reshape(len(points), -1)
        drawn, _ = init_linear("kaiming_normal", vectors.shape[1], spare, bias=True, dtype=np.float32, key=key)
        fresh = np.asarray(drawn, np.float64)
        first, bias = np.concatenate([first, fresh]), np.concatenate([bias, -fresh @ vectors.mean(axis=0)])
        last = np.concatenate([last, np.zeros((len(last), spare))], axis=1)
    assert middle is not None
    weights = (first.astype(np.float32), last.astype(np.float32))
    return MLP(weights, (bias.astype(np.float32), middle.astype(np.float32)), made.shape, "relu")


def _checked_fallback(fallback: HostStates | None, points: HostStates) -> HostStates | None:
    if fallback is None:
        return None
    fallback = np.asarray(fallback)
    if fallback.shape != np.shape(points)[1:] or fallback.dtype.kind not in "fiub" or not np.isfinite(fallback).all():
        raise ValueError(
            f"fallback must be one finite state of shape {np.shape(points)[1:]}; got {fallback.dtype} of shape "
            f"{fallback.shape}"
        )
    return fallback.astype(np.float64).ravel()


def _assembled(
    slopes: Float[np.ndarray, "n d"],
    offsets: Float[np.ndarray, " n"],
    points: HostStates,
    targets: HostStates | None,
    fallback: Float[np.ndarray, " d"] | None,
) -> MLP:
    """The network with aᵢ(x) = slopesᵢ·x + offsetsᵢ."""
    vectors = np.asarray(points, np.float64).reshape(len(points), -1)
    goals = (vectors if targets is None else np.asarray(targets, np.float64).reshape(len(points), -1)).T
    # Between the steps, where no example is meant, f gives the mean of the targets rather than black.
    constant, (low, high) = goals.mean(axis=1) if fallback is None else fallback, _STEP
    away = None if fallback is None else _outside(vectors)
    if fallback is not None and away is not None:
        middle = vectors.mean(axis=0)
        constant, (low, high) = middle + away, _FALLBACK_STEP
        along = away / (away @ away)
        tilt = _INHIBITION - (slopes @ middle + offsets)
        # along·(x − middle) is 1 at r and 0 in the span. r comes first, as a state of its own whose target is the
        # fallback.
        slopes = np.concatenate([along[None], slopes + np.outer(tilt, along)])
        offsets = np.concatenate([[0.0], offsets]) - np.concatenate([[1.0], tilt]) * (along @ middle)
        goals = np.column_stack([fallback, goals])
    rise = high - low
    first = np.concatenate([slopes / rise] * 2)
    bias = np.concatenate([offsets - low, offsets - high]) / rise
    differences = goals - constant[:, None]
    last = np.concatenate([differences, -differences], axis=1)
    return MLP((first, last), (bias, constant), np.asarray(points).shape[1:], "relu")


def _outside(vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, " d"] | None:
    """A vector orthogonal to the affine span of the rows, as long as they typically are from their mean.

    The direction is that of a state at hand, the mean or an even one, without its part in the span. `None` where the
    rows leave no room.
    """
    count, size = vectors.shape
    middle = vectors.mean(axis=0)
    centered = vectors - middle
    if count <= size:
        # At most count - 1 directions, so there is room.
        basis = np.linalg.qr((vectors[1:] - vectors[0]).T)[0]
    else:
        _, strengths, directions = np.linalg.svd(centered, full_matrices=False)
        basis = directions[strengths > max(centered.shape) * np.finfo(np.float64).eps * strengths[0]].T
        if basis.shape[1] == size:
            return None
    length = float(np.sqrt(np.mean(np.sum(centered**2, axis=1)))) or 1.0
    units = (np.eye(1, size, axis)[0] for axis in range(size))  # one of them at least has a part of 1/√size outside
    for state in chain((middle, np.ones(size)), units):
        rest = state - basis @ (basis.T @ state)
        rest -= basis @ (basis.T @ rest)  # once more, as the first difference may be mostly rounding
        if np.linalg.norm(rest) > 1e-3 * np.linalg.norm(state) > 0:
            return rest * (length / np.linalg.norm(rest))
    return None
