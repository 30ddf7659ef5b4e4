"""Training compared with the theory: networks in the form of the theorems, trained and extrapolated to gradient
flow."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Complex, Float, PRNGKeyArray

from attrax._base import checks
from attrax._base.shown import Record
from attrax._base.types import Progress
from attrax.analysis._plain_descent import Matrices, descend, jacobian
from attrax.analysis._theory_networks import (
    Start,
    cycle_jacobians,
    directions,
    leading,
    read_off,
    spectrum,
    start,
    steepest,
    trained,
)
from attrax.theory import InterpolatingNetwork, SingleExample, scalar, sequence

_FIRST = 0.1
_TRAINED = 1e-9
_ROUNDING = 1e-15


class CheckStatus(StrEnum):
    """How a comparison of training with theory ended."""

    AGREES = "agrees"
    """Every number of the theory lies within the error of the extrapolation."""
    DIFFERS = "differs"
    """At least one number lies outside this error."""
    NOT_TRAINED = "not_trained"
    """Gradient descent did not reach zero error at one of the rates: give smaller rates."""
    NO_THEORY = "no_theory"
    """The theory has no answer for these settings; its own status says why."""


@dataclass(frozen=True, slots=True, eq=False)
class TheoryCheck(Record):
    """Numbers of the theory, and the same numbers measured on matrices trained by gradient descent.

    **Fields:**

    - `theorem`: what is checked, such as `Theorems 1, 2`.
    - `records`: what the theory says, one record a network.
    - `names`: the numbers compared: `u`, `w_2` …, `v`, `top_eigenvalue`; for unequal units `u_1` …; for sequences the
      numbers of each network, then the eigenvalue of the cycle.
    - `theory`: (q,), these numbers by the theory.
    - `rates`, `steps`: the learning rates, decreasing, and the number of steps to zero error at each. Empty for
      networks that are constructed instead of trained.
    - `measured`: (rates, q), from the trained matrices.
    - `training`: (q,), extrapolated to rate 0, which is gradient flow.
    - `error`: (q,), the error of that extrapolation: the change by its last order, plus rounding.
    - `order`: the order of convergence in the rate, from the last three rates; 1 for gradient descent, NaN if all rates
      agree up to rounding.
    - `eigenvalues`: the whole spectrum of the Jacobian (for sequences, of the product around the cycle) at the smallest
      rate, largest modulus first.
    - `form_error`: the largest deviation of a trained matrix from the form that the theorem says it keeps.
    - `residual`: the largest ‖y − f(x)‖/‖y‖ left at any rate.
    - `status`: a `CheckStatus`.
    """

    theorem: str
    records: tuple[SingleExample | InterpolatingNetwork, ...]
    names: tuple[str, ...]
    theory: Float[np.ndarray, " q"]
    rates: tuple[float, ...]
    steps: tuple[int, ...]
    measured: Float[np.ndarray, "r q"]
    training: Float[np.ndarray, " q"]
    error: Float[np.ndarray, " q"]
    order: float
    eigenvalues: Complex[np.ndarray, " d"]
    form_error: float
    residual: float
    status: CheckStatus

    derived: ClassVar = ("difference", "other_eigenvalues")

    @property
    def difference(self) -> Float[np.ndarray, " q"]:
        """Training minus theory."""
        return self.training - self.theory

    @property
    def other_eigenvalues(self) -> float:
        """The largest modulus among all eigenvalues except the first. The theory predicts 0."""
        return float(np.abs(self.eigenvalues[1:]).max(initial=0.0)) if len(self.eigenvalues) else np.nan


def check_training(
    records: SingleExample | InterpolatingNetwork | Sequence[SingleExample],
    *,
    rates: Sequence[float] | None = None,
    num_rates: int = 6,
    dimension: int = 5,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> TheoryCheck:
    """Builds the network that a theorem assumes, trains all its matrices by gradient descent, and compares the result.

    For each rate the network starts from W_1 = v⁰xᵀ, W_i = w_i⁰·𝟙𝟙ᵀ, W_{L+1} = yu⁰ᵀ with a random direction x (and
    another, y, for a network of a sequence), and descends on ½‖y − f(x)‖² to zero error. u, w_i and v are read off the
    trained matrices, and λ₁ off the eigenvalues of their Jacobian. Gradient descent with rate γ is within O(γ) of
    gradient flow, which the theorems describe; polynomial extrapolation to γ = 0 (Richardson's) removes one power of γ
    for each rate.

    **Arguments:**

    - `records`: a result of `theory.single_example` (Theorems 1 and 2, the deep theorem, Corollary 2); a list of them
      for a sequence (Theorems 3 and 4); or one of `theory.corollary1`, whose network is computed, not trained.
    - `rates`: at least three decreasing numbers. By default `num_rates` of them: 0.1 over the sharpness of the loss (at
      the start or of a trained network, whichever is larger), then half of the previous one each time; all are divided
      by four if one is unstable.
    - `dimension`: dimension d of the examples. Each has its own direction, so for sequences d is at least their number.
    - `progress`: called as `progress(task, done, total, numbers)` after each rate.
    - `key`: random key for the directions of the examples.

    **Returns** a `TheoryCheck`. **Raises** `ValueError` for wrong arguments, before any work.

    ```python
    >>> import jax.random as jr
    >>> from attrax import analysis, theory
    >>> check = analysis.check_training(theory.single_example("sigmoid", 2, 1, 1), key=jr.key(0))
    >>> str(check.status), round(float(check.training[-1]), 8), round(check.order)
    ('agrees', 0.26303951, 1)

    ```

    Reference: Radhakrishnan, Belkin, Uhler (2020), Invariants 1–4, Theorems 1–4, Corollaries 1 and 2.
    """
    checks.random_key(key)
    single = isinstance(records, SingleExample | InterpolatingNetwork)
    nets = (records,) if single else tuple(records)
    sequence(nets)  # refuses anything but a list of records, and norms that do not match
    dimension = checks.integer("dimension", dimension, least=max(2, len(nets)))
    num_rates = checks.integer("num_rates", num_rates, least=3, most=12)
    if rates is not None:
        rates = tuple(checks.real("rates", rate, above=0) for rate in rates)
        if len(rates) < 3 or any(b >= a for a, b in pairwise(rates)):
            raise ValueError(f"rates must be at least three decreasing numbers; got {rates}")
    if single and isinstance(records, SingleExample) and records.norm != records.target_norm:
        raise ValueError(
            "a single record with target_norm other than norm maps x to another vector: give the list of all networks "
            "of the sequence"
        )
    drawn = directions(key, len(nets), dimension)
    names, numbers = _theory_numbers(nets, single)
    theorem = _theorem(nets, single)
    if single and isinstance(nets[0], InterpolatingNetwork):
        return _written_down(theorem, nets[0], names, numbers, drawn[0])
    examples = tuple(net for net in nets if isinstance(net, SingleExample))
    if len(examples) < len(nets):
        raise ValueError("records of a sequence must all be results of single_example: other networks are not trained")
    if not np.isfinite(numbers).all():
        return _without(theorem, nets, names, numbers, CheckStatus.NO_THEORY)
    starts = [start(net, drawn, i) for i, net in enumerate(examples)]
    if rates is not None:
        measured = _measured(theorem, examples, starts, rates, progress)
    else:
        largest = max(steepest(net, begin) for net, begin in zip(examples, starts, strict=True))
        measured = None
        for attempt in range(4):  # the curvature along the path may be larger than at both ends
            if measured is None:
                rates = tuple(_FIRST / largest / 4**attempt / 2**i for i in range(num_rates))
                measured = _measured(theorem, examples, starts, rates, progress)
    if measured is None or rates is None:
        return _without(theorem, nets, names, numbers, CheckStatus.NOT_TRAINED)
    training, error = extrapolate(np.array(rates), measured.values)
    # Each step rounds every number once, and the remaining residual is its distance from the end of the path.
    noise = _ROUNDING * np.sqrt(measured.steps[-1])
    scale = [*[1e-3] * (len(numbers) - 1), max(measured.gain, 1e-3)]
    error = error + 4 * (noise + measured.residual) * np.maximum(np.abs(training), scale)
    agrees = bool((np.abs(training - numbers) <= error).all())
    return TheoryCheck(
        theorem=theorem,
        records=nets,
        names=names,
        theory=numbers,
        rates=rates,
        steps=measured.steps,
        measured=measured.values,
        training=training,
        error=error,
        order=_order(measured.values, np.array(rates), noise),
        eigenvalues=measured.eigenvalues,
        form_error=measured.form_error,
        residual=measured.residual,
        status=CheckStatus.AGREES if agrees else CheckStatus.DIFFERS,
    )


class _Measured(NamedTuple):
    values: np.ndarray
    steps: tuple[int, ...]
    eigenvalues: np.ndarray
    gain: float
    form_error: float
    residual: float


def _measured(
    theorem: str,
    nets: tuple[SingleExample, ...],
    starts: list[Start],
    rates: Sequence[float],
    progress: Progress | None,
) -> _Measured | None:
    """The results of training at each rate; `None` if one did not reach zero error."""
    rows, steps, residual, form = [], [], 0.0, 0.0
    product, gain = np.zeros((0, 0)), 0.0
    for done, rate in enumerate(rates, start=1):
        ends = []
        for net, begin in zip(nets, starts, strict=True):
            ends.append(trained(net, begin, rate))
            if not ends[-1].residual <= _TRAINED:
                return None
        found = [read_off(net, end.matrices, begin) for net, begin, end in zip(nets, starts, ends, strict=True)]
        product, gain = cycle_jacobians(nets, starts, ends)
        rows.append([*(number for numbers, _ in found for number in numbers), leading(product)])
        steps.append(max(end.steps for end in ends))
        form = max(form, *(deviation for _, deviation in found))
        residual = max(residual, *(end.residual for end in ends))
        if progress is not None:
            progress(theorem, done, len(rates), {"rate": rate, "top_eigenvalue": rows[-1][-1]})
    return _Measured(np.array(rows), tuple(steps), spectrum(product), gain, form, residual)


def extrapolate(
    rates: Float[np.ndarray, " r"], values: Float[np.ndarray, "r q"]
) -> tuple[Float[np.ndarray, " q"], Float[np.ndarray, " q"]]:
    """The polynomial through all `values` at rate 0 (Neville's scheme), and its difference from those of one order
    less."""
    column = list(values)
    with_last = without_last = column[-1]
    for order in range(1, len(values)):
        with_last, without_last = column[-1], column[-2]  # of one order less, with and without the smallest rate
        column = [
            column[i + 1] + (column[i + 1] - column[i]) * rates[i + order] / (rates[i] - rates[i + order])
            for i in range(len(column) - 1)
        ]
    best = column[0]
    return best, np.maximum(np.abs(best - with_last), np.abs(best - without_last))


def _order(values: np.ndarray, rates: np.ndarray, noise: float) -> float:
    first, second = np.abs(values[-3] - values[-2]), np.abs(values[-2] - values[-1])
    size = noise * 100 * np.abs(values[-1])
    if not (second > size).any():
        return np.nan
    # |y(γ₁) − y(γ₂)| / |y(γ₂) − y(γ₃)| = (γ₁ᵖ − γ₂ᵖ)/(γ₂ᵖ − γ₃ᵖ), which is the ratio of the rates to the p where
    # that ratio stays the same.
    return float(np.log(np.linalg.norm(first) / np.linalg.norm(second)) / np.log(rates[-2] / rates[-1]))


def _theory_numbers(
    nets: Sequence[SingleExample | InterpolatingNetwork], single: bool
) -> tuple[tuple[str, ...], np.ndarray]:
    names: list[str] = []
    numbers: list[float] = []
    for i, net in enumerate(nets, start=1):
        mark = "" if single else f"net {i}: "
        if isinstance(net, InterpolatingNetwork):
            continue
        if np.ndim(net.u) == 0:
            found = {"u": net.u, **{f"w_{j}": w for j, w in enumerate(net.w, start=2)}, "v": net.v}
        else:
            found = {f"u_{j}": x for j, x in enumerate(net.u, 1)} | {f"v_{j}": x for j, x in enumerate(net.v, 1)}
        names += [mark + name for name in found]
        numbers += found.values()
    return (*names, "top_eigenvalue"), np.array([*numbers, sequence(nets).top_eigenvalue], float)


def _theorem(nets: Sequence[SingleExample | InterpolatingNetwork], single: bool) -> str:
    first = nets[0]
    if not single:
        return "Theorem 3" if len(nets) == 1 else "Theorems 3, 4"
    if isinstance(first, InterpolatingNetwork):
        return "Corollary 1"
    if first.depth > 1:
        return "deep, Cor. 2"
    return "Theorems 1, 2" if np.ndim(first.u0) == 0 else "Theorem 1, Prop. 4"


def _without(
    theorem: str,
    nets: tuple[SingleExample | InterpolatingNetwork, ...],
    names: tuple[str, ...],
    numbers: np.ndarray,
    status: CheckStatus,
) -> TheoryCheck:
    nothing = np.full(len(numbers), np.nan)
    empty = np.zeros((0, len(numbers)))
    return TheoryCheck(
        theorem,
        nets,
        names,
        numbers,
        (),
        (),
        empty,
        nothing,
        nothing,
        np.nan,
        np.zeros(0, complex),
        np.nan,
        np.nan,
        status,
    )


def _written_down(
    theorem: str, net: InterpolatingNetwork, names: tuple[str, ...], numbers: np.ndarray, direction: np.ndarray
) -> TheoryCheck:
    """The network of Corollary 1 as matrices: checks whether it interpolates, and computes its spectrum."""
    if not np.isfinite(numbers).all():
        return _without(theorem, (net,), names, numbers, CheckStatus.NO_THEORY)
    x, ones = direction * net.norm, np.ones(net.k)
    matrices = Matrices(np.outer(net.v * ones, x), np.zeros((0, net.k, net.k)), np.outer(x, net.u * ones))
    phi = scalar(net.activation).function
    residual = descend(phi, matrices, x, x, rate=1.0, max_steps=0).residual
    eigenvalues = spectrum(jacobian(phi, matrices, x))
    value = np.array([eigenvalues[0].real])
    error = 1e-13 * np.maximum(1.0, np.abs(value))
    agrees = bool((np.abs(value - numbers) <= error).all()) and residual <= 1e-13
    status = CheckStatus.AGREES if agrees else CheckStatus.DIFFERS
    return TheoryCheck(
        theorem,
        (net,),
        names,
        numbers,
        (),
        (),
        np.zeros((0, 1)),
        value,
        error,
        np.nan,
        eigenvalues,
        0.0,
        residual,
        status,
    )
