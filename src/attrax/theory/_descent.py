"""The exact recursions of gradient descent in the scalars of Invariants 1–5, and their flows.

Each is written once, as the direction in which a state moves: gradient descent adds γ times the direction, gradient
flow integrates it. JAX computes the derivatives and the loops, in float64 whatever its default precision is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy import integrate

from attrax._base import checks
from attrax._base.numerics import float64
from attrax._base.shown import Record
from attrax.activations import ActivationLike
from attrax.theory._arguments import numbers, units
from attrax.theory._scalar import Scalar, scalar
from attrax.theory._status import TheoryStatus

State: TypeAlias = tuple[Any, ...]
"""(u, w, v), or (U, V) for Invariant 5."""

Direction: TypeAlias = Callable[[Scalar, State, dict[str, Any]], State]

_MAX_EVALUATIONS = 400_000


@dataclass(frozen=True, slots=True, eq=False)
class Trained(Record):
    """The network after gradient descent or along gradient flow.

    **Fields:**

    - `u`, `v`: numbers for equal units, arrays of shape (k,) otherwise. Along a flow with a leading axis of times.
    - `w`: w_2 … w_L; numbers, or (k, k) matrices where units are unequal.
    - `error`: r = 1 − output/target at these numbers, signed.
    - `times`: the times of a flow, or None for descent.
    - `status`: a `TheoryStatus`: finished, nonfinite (it diverged: lower the rate), or max_steps_reached.
    """

    u: Any
    w: tuple[Any, ...]
    v: Any
    error: Any
    times: Float[np.ndarray, " t"] | None
    status: TheoryStatus


@dataclass(frozen=True, slots=True, eq=False)
class SpanTrained(Record):
    """A = XUᵀ and B = VXᵀ after gradient descent or along gradient flow on n examples X.

    **Fields:** `U` and `V` of shape (k, n), along a flow with a leading axis of times; `error` = ‖X − f(X)‖, the
    Frobenius norm; `times`, or None for descent; `status`, a `TheoryStatus` as in `Trained`.
    """

    U: Float[np.ndarray, "*t k n"]
    V: Float[np.ndarray, "*t k n"]
    error: Any
    times: Float[np.ndarray, " t"] | None
    status: TheoryStatus


@partial(jax.jit, static_argnames="phi")
def _output(phi: Scalar, state: State, terms: dict[str, Any]) -> Any:
    """f(x)/target for A = y uᵀ, B = v xᵀ and equal units (numbers) or any units (vectors, matrices)."""
    u, w, v = state
    h = terms["square"] * v
    for weight in w:
        activity = phi.function(h)
        h = terms["k"] * weight * activity if jnp.ndim(weight) == 0 else weight @ activity
    total = u * phi.function(h)
    return terms["k"] * total if jnp.ndim(total) == 0 else jnp.sum(total)


def _network_direction(phi: Scalar, state: State, terms: dict[str, Any]) -> State:
    # The weights move along r·y with A's column y uᵀ, which gives 1/copies times the slope of the output: a scalar
    # u or v stands for k equal entries, a scalar w for k² of them; B = v xᵀ moves in units of x.
    output, (du, dw, dv) = jax.value_and_grad(partial(_output, phi, terms=terms))(state)
    r, target = 1 - output, terms["target_square"]
    copies = terms["k"] if jnp.ndim(du) == 0 else 1.0
    return (
        r * du / copies,
        tuple(r * target * slope / (terms["k"] ** 2 if jnp.ndim(slope) == 0 else 1.0) for slope in dw),
        r * target * dv / (copies * terms["square"]),
    )


def _span_direction(phi: Scalar, state: State, terms: dict[str, Any]) -> State:
    U, V = state
    gram = terms["gram"]
    H = V @ gram
    features, pullback = jax.vjp(phi.function, H)
    R = jnp.eye(gram.shape[0]) - U.T @ features
    return features @ R.T, pullback(U @ (gram @ R))[0]


@partial(jax.jit, static_argnames=("phi", "direction"))
def _descend(phi: Scalar, direction: Direction, state: State, terms: dict[str, Any], rate: Any, steps: Any) -> State:
    def step(_: Any, state: State) -> State:
        return jax.tree.map(lambda x, d: x + rate * d, state, direction(phi, state, terms))

    return jax.lax.fori_loop(0, steps, step, state)


@partial(jax.jit, static_argnames=("phi", "direction"))
def _move(phi: Scalar, direction: Direction, state: State, terms: dict[str, Any]) -> State:
    return direction(phi, state, terms)


def _flow(
    phi: Scalar, direction: Direction, state: State, terms: dict[str, Any], times: np.ndarray
) -> tuple[State, TheoryStatus]:
    """The states at `times`, each leaf with a leading axis of times; NaN where the integration failed."""
    leaves, form = jax.tree.flatten(state)
    shapes = [np.shape(leaf) for leaf in leaves]
    cuts = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    evaluations = 0

    def unflat(y: np.ndarray) -> State:
        parts = [part.reshape(shape) for part, shape in zip(np.split(y, cuts), shapes, strict=True)]
        return jax.tree.unflatten(form, parts)

    def along(_: float, y: np.ndarray) -> np.ndarray:
        nonlocal evaluations
        evaluations += 1
        if evaluations > _MAX_EVALUATIONS:
            return np.full_like(y, np.nan)  # the integrator shrinks its step and gives up
        return np.concatenate([np.ravel(x) for x in jax.tree.leaves(_move(phi, direction, unflat(y), terms))])

    start = np.concatenate([np.ravel(leaf) for leaf in leaves])
    rows = np.full((len(times), len(start)), np.nan)
    first = along(0.0, start)
    status = TheoryStatus.FINISHED
    if not np.isfinite(first).all():
        status = TheoryStatus.NONFINITE
    elif times[-1] == 0:
        rows[:] = start
    else:
        with np.errstate(all="ignore"):
            path = integrate.solve_ivp(
                along, (0.0, times[-1]), start, method="DOP853", rtol=1e-12, atol=1e-15, t_eval=times
            )
        # solve_ivp returns a list if no time was reached
        reached = np.asarray(path.y).T if len(path.t) else rows[:0]
        rows[: len(reached)] = reached
        if path.status != 0 or not np.isfinite(rows).all():
            over = evaluations > _MAX_EVALUATIONS
            status = TheoryStatus.MAX_STEPS_REACHED if over else TheoryStatus.NONFINITE
    parts = [part.reshape(len(times), *s) for part, s in zip(np.split(rows, cuts, axis=1), shapes, strict=True)]
    return jax.tree.unflatten(form, parts), status


def _start(k: Any, u0: Any, w0: Any, v0: Any, norm: Any, target_norm: Any) -> tuple[State, dict[str, Any]]:
    """The checked state and terms. Unequal units make every w_i a k×k matrix."""
    k = checks.integer("k", k, least=1)
    u, v = units(k, u0, v0)
    norm = checks.real("norm", norm, above=0)
    target = norm if target_norm is None else checks.real("target_norm", target_norm, above=0)
    if not isinstance(w0, Sequence | np.ndarray):
        raise ValueError(f"w0 must be a sequence, w_2 to w_L; got {w0!r}")
    w = [numbers(f"w0[{i}]", weight, ndim=(0, 2), length=k) for i, weight in enumerate(w0)]
    if u.ndim or any(weight.ndim for weight in w):
        u, v = (np.broadcast_to(x, (k,)).copy() for x in (u, v))
        w = [np.broadcast_to(weight, (k, k)).copy() for weight in w]
    terms = {"k": np.float64(k), "square": np.float64(norm**2), "target_square": np.float64(target**2)}
    return (u, tuple(w), v), terms


def _times(times: Any) -> np.ndarray:
    array = np.atleast_1d(numbers("times", times, ndim=(0, 1)))
    if len(array) == 0 or array[0] < 0 or (np.diff(array) <= 0).any():
        raise ValueError(f"times must be numbers of at least 0 that increase; got {times!r}")
    return array


def _host(tree: Any) -> Any:
    return jax.tree.map(lambda x: float(x) if np.ndim(x) == 0 else np.asarray(x), tree)


def gradient_descent(
    activation: ActivationLike, k: int, u0: Any, v0: Any, learning_rate: float, steps: int, norm: float = 1.0
) -> Trained:
    """Exact gradient descent on ½‖x − f(x)‖² from A = xu⁰ᵀ, B = v⁰xᵀ, in the scalars of Invariants 1 and 2.

    With h = ‖x‖²v and r = 1 − uᵀφ(h), both are updated at once: u ← u + γrφ(h), v ← v + γ‖x‖²rφ'(h)∘u.

    **Arguments:** `activation` by name or as a callable; `k`, the width; `u0`, `v0`, numbers (equal units,
    Invariant 2) or sequences of length k (Invariant 1); `learning_rate` γ; `steps`; `norm`, ‖x‖.

    **Returns** a `Trained`.

    **Raises** `ValueError` for wrong arguments.

    ```python
    >>> from attrax import theory
    >>> end = theory.gradient_descent("sigmoid", 2, 0.3, 0.5, 0.1, 10)
    >>> round(end.u, 10), round(end.v, 10)
    (0.5775813537, 0.543902373)

    ```

    Reference: Radhakrishnan, Belkin, Uhler (2020), Invariants 1 and 2.
    """
    return deep_gradient_descent(activation, k, u0, (), v0, learning_rate, steps, norm)


def deep_gradient_descent(
    activation: ActivationLike,
    k: int,
    u0: Any,
    w0: Sequence[Any],
    v0: Any,
    learning_rate: float,
    steps: int,
    norm: float = 1.0,
    *,
    target_norm: float | None = None,
) -> Trained:
    """Exact gradient descent with L − 1 = len(w0) further layers (Invariants 3 and 4), and for any target (Theorem 3).

    Numbers u, w_i, v stand for equal units and W_i = w_i·𝟙𝟙ᵀ (Invariant 4). If `u0` or `v0` is a sequence of length k
    or any w_i a (k, k) matrix, the whole W_i are trained and only the outer layers keep their form (Invariant 3).

    **Arguments:** as for `gradient_descent`; `w0`, w_2 to w_L; `target_norm`, ‖y‖ when x is trained to map to y.

    **Returns** a `Trained`.

    **Raises** `ValueError` for wrong arguments.

    ```python
    >>> from attrax import theory
    >>> end = theory.deep_gradient_descent("sigmoid", 2, 0.7, [0.4], 0.3, 0.1, 1000)
    >>> round(end.u, 2), round(end.w[0], 2), abs(end.error) < 1e-12
    (0.81, 0.42, True)

    ```

    Reference: Radhakrishnan, Belkin, Uhler (2020), Invariants 3 and 4.
    """
    phi = scalar(activation)
    state, terms = _start(k, u0, w0, v0, norm, target_norm)
    rate = checks.real("learning_rate", learning_rate, above=0)
    steps = checks.integer("steps", steps)
    with float64():
        end = _descend(phi, _network_direction, state, terms, np.float64(rate), np.int64(steps))
        error = 1 - _output(phi, end, terms)
    u, w, v = _host(end)
    status = TheoryStatus.FINISHED if np.isfinite(float(error)) else TheoryStatus.NONFINITE
    return Trained(u, w, v, float(error), None, status)


def gradient_flow(
    activation: ActivationLike,
    k: int,
    u0: Any,
    v0: Any,
    times: Any,
    w0: Sequence[Any] = (),
    norm: float = 1.0,
    *,
    target_norm: float | None = None,
) -> Trained:
    """Gradient flow, the limit of small rates: the states of `deep_gradient_descent` at t = γ·steps, γ → 0.

    **Arguments:** as for `deep_gradient_descent`; `times`, increasing from 0 or later.

    **Returns** a `Trained` whose `u`, `w`, `v` and `error` have a leading axis of times.

    **Raises** `ValueError` for wrong arguments.

    ```python
    >>> from attrax import theory
    >>> path = theory.gradient_flow("sigmoid", 2, 1.0, 1.0, [0.0, 1.0, 50.0])
    >>> [round(float(u), 7) for u in path.u]
    [1.0, 0.798531, 0.6974451]

    ```

    Reference: Radhakrishnan, Belkin, Uhler (2020), Theorem 1 and Invariants 1–4.
    """
    phi = scalar(activation)
    state, terms = _start(k, u0, w0, v0, norm, target_norm)
    times = _times(times)
    with float64():
        path, status = _flow(phi, _network_direction, state, terms, times)
        error = 1 - np.asarray(jax.vmap(lambda state: _output(phi, state, terms))(path))
    u, w, v = path
    return Trained(u, w, v, error, times, status)


def _span_start(gram: Any, U0: Any, V0: Any) -> tuple[State, dict[str, Any]]:
    G, U, V = numbers("gram", gram, ndim=(2,)), numbers("U0", U0, ndim=(2,)), numbers("V0", V0, ndim=(2,))
    if G.shape[0] != G.shape[1] or not np.allclose(G, G.T, rtol=1e-9, atol=1e-12):
        raise ValueError(f"gram must be symmetric, the inner products XᵀX; got shape {G.shape}")
    if U.shape != V.shape or U.shape[1] != len(G):
        raise ValueError(f"U0 and V0 must have shape (k, n) with n = {len(G)}; got {U.shape} and {V.shape}")
    if np.linalg.eigvalsh(G)[0] < -1e-9 * max(1.0, float(np.abs(G).max())):
        raise ValueError("gram must have no negative eigenvalue: it holds the inner products XᵀX")
    return (U, V), {"gram": G}


@partial(jax.jit, static_argnames="phi")
def _span_error(phi: Scalar, state: State, terms: dict[str, Any]) -> Any:
    U, V = state
    R = jnp.eye(len(terms["gram"])) - U.T @ phi.function(V @ terms["gram"])
    return jnp.sqrt(jnp.maximum(jnp.sum(R * (terms["gram"] @ R)), 0.0))


def span_gradient_descent(
    activation: ActivationLike, gram: Any, U0: Any, V0: Any, learning_rate: float, steps: int
) -> SpanTrained:
    """Exact gradient descent on n examples X from A = XU⁰ᵀ, B = V⁰Xᵀ, in span coordinates (Invariant 5).

    With G = XᵀX, Φ = φ(VG) and R = I − UᵀΦ, both are updated at once: U ← U + γΦRᵀ, V ← V + γφ'(VG)∘(UGR). The loss is
    ½‖X − f(X)‖². Outputs stay in the span of the examples whatever their dimension.

    **Arguments:** `activation` by name or as a callable; `gram`, G (n, n); `U0`, `V0`, (k, n); `learning_rate` γ;
    `steps`.

    **Returns** a `SpanTrained` with `U` and `V`.

    **Raises** `ValueError` for wrong arguments.

    ```python
    >>> from attrax import theory
    >>> end = theory.span_gradient_descent("tanh", [[1, 0.5], [0.5, 1]], [[0.3, -0.2]], [[0.5, 0.1]], 0.1, 5)
    >>> end.U.shape, str(end.status)
    ((1, 2), 'finished')

    ```

    Reference: Radhakrishnan, Belkin, Uhler (2020), Invariant 5.
    """
    phi = scalar(activation)
    state, terms = _span_start(gram, U0, V0)
    rate = checks.real("learning_rate", learning_rate, above=0)
    steps = checks.integer("steps", steps)
    with float64():
        end = _descend(phi, _span_direction, state, terms, np.float64(rate), np.int64(steps))
        error = float(_span_error(phi, end, terms))
    U, V = _host(end)
    return SpanTrained(U, V, error, None, TheoryStatus.FINISHED if np.isfinite(error) else TheoryStatus.NONFINITE)


def span_gradient_flow(activation: ActivationLike, gram: Any, U0: Any, V0: Any, times: Any) -> SpanTrained:
    """Gradient flow on n examples in span coordinates: the limit of `span_gradient_descent` at t = γ·steps, γ → 0.

    **Arguments:** as for `span_gradient_descent`; `times`, increasing from 0 or later.

    **Returns** a `SpanTrained` whose `U`, `V` and `error` have a leading axis of times.

    **Raises** `ValueError` for wrong arguments.

    ```python
    >>> from attrax import theory
    >>> path = theory.span_gradient_flow("tanh", [[1, 0.5], [0.5, 1]], [[0.3, -0.2]], [[0.5, 0.1]], [0.0, 1.0])
    >>> path.U.shape, bool(path.error[1] < path.error[0])
    ((2, 1, 2), True)

    ```

    Reference: Radhakrishnan, Belkin, Uhler (2020), Invariant 5.
    """
    phi = scalar(activation)
    state, terms = _span_start(gram, U0, V0)
    times = _times(times)
    with float64():
        path, status = _flow(phi, _span_direction, state, terms, times)
        error = np.asarray(jax.vmap(lambda state: _span_error(phi, state, terms))(path))
    U, V = path
    return SpanTrained(U, V, error, times, status)
