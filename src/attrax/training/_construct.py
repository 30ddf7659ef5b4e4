"""Networks that can be written down: one hidden layer that stores examples without training.

Both have the form f(x) = Yᵀ s(a(x)) with one affine function aᵢ an example and the piecewise-linear step
s(z) = clip(2z − ½, 0, 1) = relu(2z − ½) − relu(2z − 3/2), so one hidden layer of 2n ReLU units. Where aᵢ is near 1 at
example i and near 0 or below at all others, f sends a whole neighborhood of each example to its target, and its
Jacobian there is 0: every example is an attractor, and a cycle has the product 0.

Far from all examples no aᵢ is large, and f is constant there: f(x) = r + Σᵢ s(aᵢ(x)) (yᵢ − r). For examples that stay
where they are this *rest* r is the mean of the targets; that r is a fixed point of its own, so whoever is lost says so.
A film that is to begin out of anything takes one of its own frames as r: then the film follows whatever
no aᵢ knows. Noise is not always that: among nearly equal frames the aᵢ are steep, and it may turn several on at once.
"""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Float, PRNGKeyArray

from attrax import _checks
from attrax._types import HostStates
from attrax.maps import MLP
from attrax.maps._initializers import init_linear

CONSTRUCTIONS = ("pseudoinverse", "margin")
"""Names of the constructions."""


def pseudoinverse(points: HostStates, targets: HostStates | None = None, *, rest: HostStates | None = None) -> MLP:
    """The network whose aᵢ are the least affine functions with aᵢ(xⱼ) = 1 for i = j and 0 otherwise.

    They exist for affinely independent examples; with the centered examples as the rows of X_c their gradients are the
    rows of (X_cᵀ)⁺, and each has the value 1/n at the mean. The ball of radius ¼/‖∇aᵢ‖ around an example goes to its
    target in one step. Of dependent examples it takes the least-squares solution, which does not store all of them;
    a certificate tells.

    **Arguments:** `points`, n×state shape; `targets`, what each goes to, by default itself; `rest`, the state that
    follows where no aᵢ is large, by default the mean of the targets.

    **Returns:** an `MLP` in float64. **Raises** `ValueError` for a rest that is no finite state.
    """
    rest = _checked_rest(rest, points)
    flat = np.asarray(points, np.float64).reshape(len(points), -1)
    middle = flat.mean(axis=0)
    slopes = np.linalg.pinv((flat - middle).T)
    return _assembled(slopes, 1 / len(flat) - slopes @ middle, points, targets, rest)


def margin(points: HostStates, targets: HostStates | None = None, *, rest: HostStates | None = None) -> MLP:
    """The network whose aᵢ separate example i from all others with the widest margin: hard support vectors.

    With wᵢ·x + bᵢ at least 1 at example i and at most −1 at the others, and ‖wᵢ‖ least, aᵢ = (wᵢ·x + bᵢ + 1)/2. The
    basins are wider than those of `pseudoinverse`: the ball of radius ½/‖wᵢ‖ goes to the target in one step. An
    example inside the convex hull of the others can't be separated; a certificate tells.

    **Arguments:** `points`, n×state shape; `targets`, what each goes to, by default itself; `rest`, the state that
    follows where no aᵢ is large, by default the mean of the targets.

    **Returns:** an `MLP` in float64. **Raises** `ValueError` for a rest that is no finite state.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import SVC

    rest = _checked_rest(rest, points)
    flat = np.asarray(points, np.float64).reshape(len(points), -1)
    middle = flat.mean(axis=0)
    centered = flat - middle
    if len(flat) == 1:  # nothing to be separated from
        return _assembled(np.zeros_like(flat), np.ones(1), points, targets, rest)
    gram = centered @ centered.T
    # The solver's tolerances are absolute, so it sees examples of unit size.
    size = float(np.mean(np.diagonal(gram))) or 1.0
    offsets = np.zeros(len(flat))
    gram /= size

    strengths = np.zeros_like(gram)

    def separate(index: int) -> None:
        label = np.where(np.arange(len(flat)) == index, 1, -1)
        machine = SVC(C=1e6, kernel="precomputed", tol=1e-4, cache_size=50, max_iter=200_000)
        machine.fit(gram, label)
        strengths[index, machine.support_] = 0.5 * machine.dual_coef_[0] / size
        offsets[index] = 0.5 * (float(machine.intercept_[0]) + 1)

    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore", ConvergenceWarning)  # an inseparable example: its certificate says so
        # One example a thread, for the solver holds no lock.
        list(pool.map(separate, range(len(flat))))
    slopes = strengths @ centered
    return _assembled(slopes, offsets - slopes @ middle, points, targets, rest)


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
    """
    _checks.one_of("start", kind, CONSTRUCTIONS)
    _checks.integer("spare", spare, least=0)
    made = (margin if kind == "margin" else pseudoinverse)(points, targets)
    (first, last), (bias, middle) = made.weights, made.biases
    assert bias is not None  # a construction has both
    if spare:
        flat = np.asarray(points, np.float64).reshape(len(points), -1)
        drawn, _ = init_linear("kaiming_normal", flat.shape[1], spare, bias=True, dtype=np.float32, key=key)
        fresh = np.asarray(drawn, np.float64)
        first, bias = np.concatenate([first, fresh]), np.concatenate([bias, -fresh @ flat.mean(axis=0)])
        last = np.concatenate([last, np.zeros((len(last), spare))], axis=1)
    assert middle is not None
    weights = (first.astype(np.float32), last.astype(np.float32))
    return MLP(weights, (bias.astype(np.float32), middle.astype(np.float32)), made.shape, "relu")


def _checked_rest(rest: HostStates | None, points: HostStates) -> HostStates | None:
    if rest is None:
        return None
    rest = np.asarray(rest)
    if rest.shape != np.shape(points)[1:] or rest.dtype.kind not in "fiub" or not np.isfinite(rest).all():
        raise ValueError(f"rest must be one finite state of shape {np.shape(points)[1:]}; got {rest.dtype} of shape "
                         f"{rest.shape}")  # fmt: skip
    return rest.astype(np.float64).ravel()


def _assembled(
    slopes: Float[np.ndarray, "n d"],
    offsets: Float[np.ndarray, " n"],
    points: HostStates,
    targets: HostStates | None,
    rest: Float[np.ndarray, " d"] | None,
) -> MLP:
    goals = np.asarray(points if targets is None else targets, np.float64).reshape(len(points), -1).T
    first = np.concatenate([2 * slopes, 2 * slopes])
    bias = np.concatenate([2 * offsets - 0.5, 2 * offsets - 1.5])
    # Between the steps, where no example is meant, f gives the mean of the targets rather than black.
    constant = goals.mean(axis=1) if rest is None else rest
    away = goals - constant[:, None]
    last = np.concatenate([away, -away], axis=1)
    return MLP((first, last), (bias, constant), np.asarray(points).shape[1:], "relu")
