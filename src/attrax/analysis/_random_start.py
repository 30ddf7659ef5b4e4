"""Networks that start at random instead of in the form of the theorem: how λ₁ changes, with confidence bands."""

from dataclasses import dataclass

import jax.random as jr
import numpy as np
from jaxtyping import Bool, Float, PRNGKeyArray
from scipy import special

from attrax._base import checks
from attrax._base.arguments import mention
from attrax._base.budget import refuse_beyond_memory
from attrax._base.shown import Record
from attrax._base.types import Progress
from attrax.activations import ActivationLike
from attrax.activations import activation as activation_of
from attrax.analysis._plain_descent import Descent, Matrices, Phi, descend, jacobian, sharpness
from attrax.theory import InitialJacobian, SingleExample, initial_jacobian, scalar, single_example

LEAST_TRIALS = 6
"""Fewer samples give no distribution-free 95 % confidence interval of a median."""


@dataclass(frozen=True, slots=True, eq=False)
class RandomStart(Record):
    """λ₁ of networks trained on one example from random starts, beside the theorem for a start of the same scale.

    **Fields:**

    - `theory`: the theorem's prediction for the start that is not random.
    - `spread`: 0 for the theorem's own start, 1 for weights without any mean.
    - `dimension`: of the example.
    - `spectral_radius`: (trials,), the largest modulus of an eigenvalue of the Jacobian at x; NaN if not trained.
    - `along`: (trials,), xᵀJx/‖x‖², the part of the Jacobian that the theorem describes; NaN if not trained.
    - `trained`: (trials,), whether gradient descent reached ‖x − f(x)‖ ≤ rtol·‖x‖.
    """

    theory: SingleExample
    spread: float
    dimension: int
    spectral_radius: Float[np.ndarray, " t"]
    along: Float[np.ndarray, " t"]
    trained: Bool[np.ndarray, " t"]


def median_interval(values: Float[np.ndarray, " t"], level: float = 0.95) -> tuple[float, float, float]:
    """The median of the finite values, and a distribution-free confidence interval of it from order statistics.

    The interval contains the median of the distribution with a probability of at least `level`. Its ends are NaN if
    there are too few values (fewer than 6 for 0.95).

    **Raises** `ValueError` for a level outside (0, 1).

        >>> import numpy as np
        >>> median_interval(np.arange(1.0, 21.0))
        (10.5, 6.0, 15.0)
    """
    level = checks.real("level", level, above=0, most=1 - 1e-9)
    kept = np.sort(np.asarray(values, float)[np.isfinite(values)])
    n = len(kept)
    if not n:
        return np.nan, np.nan, np.nan
    middle = float(np.median(kept))
    # The median lies between the values of rank j + 1 and n − j with probability 1 − 2·P(Binomial(n, ½) ≤ j).
    j = -1
    while j + 1 < n / 2 and 2 * special.bdtr(j + 1, n, 0.5) <= 1 - level:
        j += 1
    if j < 0:
        return middle, np.nan, np.nan
    return middle, float(kept[j]), float(kept[n - 1 - j])


def scaled_start(
    activation: ActivationLike, k: int, depth: int, dimension: int, gain: float | None = None
) -> SingleExample:
    """The theorem for ‖x‖ = 1, u⁰ = w_i⁰ = g/k, v⁰ = g/√d: signals as large as those of random weights of variance
    g²/fan-in. The gain g is by default that of the activation: √2 for ReLU and Leaky ReLU, which halve the mean square
    (He's), else 1.

    **Raises** `ValueError` for wrong arguments.

        >>> round(scaled_start("sigmoid", 64, 1, 10).top_eigenvalue, 4)
        0.1334
    """
    k = checks.integer("k", k, least=1)
    depth = checks.integer("depth", depth, least=1)
    dimension = checks.integer("dimension", dimension, least=1)
    if gain is None:
        gain = activation_of(activation).gain
    gain = checks.real("gain", gain, above=0)
    return single_example(activation, k, gain / k, gain / np.sqrt(dimension), depth, [gain / k] * (depth - 1))


def simulate_random_start(
    theory: SingleExample,
    *,
    spread: float = 1.0,
    trials: int = 8,
    dimension: int = 10,
    rate: float = 0.25,
    rtol: float = 1e-8,
    max_steps: int = 100_000,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> RandomStart:
    """Trains networks from random starts on one example, and measures the Jacobian there.

    Weights start at √(1 − s²) times the theorem's own form plus s = `spread` times normal numbers without mean, whose
    variances make every pre-activation, and the output along x, as large in the mean square as in the theorem's start:
    W_1 ~ N(0, v₀²‖x‖²), W_i ~ N(0, k·w_i²), W_{L+1} ~ N(0, k·u₀²‖x‖²). With u₀ = w_i = 1/k and v₀ = 1/√d (see
    `scaled_start`) that is variance 1/fan-in. Training is plain gradient descent on ½‖x − f(x)‖² over all matrices.

    **Arguments:**

    - `theory`: a result of `theory.single_example` with equal units, for autoencoding.
    - `spread`: the random share s of the start, within [0, 1].
    - `trials`: number of networks to train, at least 6, each with its own example.
    - `dimension`: of the example.
    - `rate`: the learning rate, as a fraction of 1/sharpness at the start.
    - `rtol`: the residual to reach, relative to ‖x‖.
    - `max_steps`: maximum number of steps.
    - `progress`: called as `progress(task, done, total, numbers)` after each network.
    - `key`: random key for the starts and examples.

    **Returns** a `RandomStart`. **Raises** `ValueError` for wrong arguments.

    ```python
    >>> import jax.random as jr
    >>> from attrax import analysis, theory
    >>> record = analysis.simulate_random_start(theory.single_example("sigmoid", 8, 0.1, 0.3), key=jr.key(0))
    >>> bool(record.trained.all()), record.spectral_radius.shape
    (True, (8,))

    ```

    Beyond the paper: Radhakrishnan, Belkin, Uhler (2020) assume the rank-one start of Invariants 1–4.
    """
    checks.random_key(key)
    if not isinstance(theory, SingleExample) or np.ndim(theory.u0) or theory.norm != theory.target_norm:
        raise ValueError(
            f"theory must be a result of single_example with equal units and x as its own target; got {theory!r}"
        )
    spread = checks.real("spread", spread, least=0, most=1)
    trials = checks.integer("trials", trials, least=LEAST_TRIALS)
    refuse_beyond_memory(f"{mention('trials')}: {trials:,} networks", 3 * 8 * trials, "take fewer")
    dimension = checks.integer("dimension", dimension, least=1)
    rate = checks.real("rate", rate, above=0, most=1)
    rtol = checks.real("rtol", rtol, above=0, most=0.1)
    max_steps = checks.integer("max_steps", max_steps, least=1)
    phi = scalar(theory.activation).function
    radius, along = np.full(trials, np.nan), np.full(trials, np.nan)
    for trial in range(trials):
        matrices, x = _random(theory, spread, dimension, jr.fold_in(key, trial))
        end = _train(phi, matrices, x, rate, rtol, max_steps)
        if end is not None:
            J = jacobian(phi, end.matrices, x)
            radius[trial] = np.abs(np.linalg.eigvals(J)).max()
            along[trial] = x @ J @ x / (x @ x)
        if progress is not None:
            task = f"width {theory.k}, depth {theory.depth}, spread {spread:g}"
            progress(task, trial + 1, trials, {"spectral_radius": float(radius[trial])})
    return RandomStart(theory, spread, dimension, radius, along, np.isfinite(radius))


def _random(theory: SingleExample, spread: float, dimension: int, key: PRNGKeyArray) -> tuple[Matrices, np.ndarray]:
    rng = np.random.default_rng(np.asarray(jr.key_data(key), np.uint32))
    k, layers = theory.k, theory.depth - 1
    x = rng.standard_normal(dimension)
    x *= theory.norm / np.linalg.norm(x)
    w = np.array(theory.w0, float).reshape(layers, 1, 1)
    mean = Matrices(
        np.outer(np.full(k, theory.v0), x), np.broadcast_to(w, (layers, k, k)), np.outer(x, np.full(k, theory.u0))
    )
    noise = Matrices(
        theory.v0 * theory.norm * rng.standard_normal((k, dimension)),
        np.sqrt(k) * w * rng.standard_normal((layers, k, k)),
        np.sqrt(k) * theory.u0 * theory.norm * rng.standard_normal((dimension, k)),
    )
    share = np.sqrt(1 - spread**2)
    return Matrices(*(share * a + spread * b for a, b in zip(mean, noise, strict=True))), x


def _train(
    phi: Phi,
    matrices: Matrices,
    x: np.ndarray,
    rate: float,
    rtol: float,
    max_steps: int,
    scales: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Descent | None:
    """A trained network, with a smaller rate if the first one is unstable; `None` if training fails."""
    steepness = sharpness(phi, matrices, x, scales=scales)
    if not np.isfinite(steepness) or steepness <= 0:
        return None
    for attempt in range(3):
        step = rate / steepness / 8**attempt
        end = descend(phi, matrices, x, x, rate=step, rtol=rtol, max_steps=max_steps, scales=scales)
        if end.residual <= rtol:
            return end
        if end.steps >= max_steps:  # slow, not unstable: smaller steps would not help
            return None
    return None


@dataclass(frozen=True, slots=True, eq=False)
class InitialMeasured(Record):
    """Jacobians of random two-layer networks in the tangent-kernel parametrization, before and after training.

    **Fields:** `theory`, the prediction for initialization; `norm_before`, `norm_after`, `radius_before`,
    `radius_after`: (trials,), the largest singular value and the spectral radius at x, before training and after it
    (NaN if training did not finish).
    """

    theory: InitialJacobian
    norm_before: Float[np.ndarray, " t"]
    norm_after: Float[np.ndarray, " t"]
    radius_before: Float[np.ndarray, " t"]
    radius_after: Float[np.ndarray, " t"]


def measure_initial_jacobian(
    activation: ActivationLike,
    k: int,
    dimension: int,
    norm: float = 1.0,
    *,
    trials: int = 8,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> InitialMeasured:
    """The Jacobian at one example of f(z) = k^{−1/2}·A·φ(d^{−1/2}·Bz) with N(0, 1) entries, before and after training.

    Training is gradient descent on A and B with half of the largest stable rate, to a relative residual of 1e-6.

    **Arguments:** `activation` by name or as a callable; `k`, the width; `dimension` d; `norm`, ‖x‖; `trials`, at
    least 6; `progress`; `key`.

    **Returns** an `InitialMeasured`. **Raises** `ValueError` for wrong arguments.

    ```python
    >>> import jax.random as jr
    >>> from attrax import analysis
    >>> record = analysis.measure_initial_jacobian("sigmoid", 512, 16, key=jr.key(0))
    >>> bool(abs(record.norm_before.mean() - record.theory.largest_singular_value) < 0.1)
    True

    ```

    Reference: Jiang and Pehlevan (2020), arXiv 2006.16540.
    """
    checks.random_key(key)
    predicted = initial_jacobian(activation, k, dimension, norm)
    trials = checks.integer("trials", trials, least=LEAST_TRIALS)
    phi = scalar(activation).function
    found = np.full((4, trials), np.nan)
    scales = (1 / np.sqrt(dimension), 1.0, 1 / np.sqrt(k))
    for trial in range(trials):
        rng = np.random.default_rng(np.asarray(jr.key_data(jr.fold_in(key, trial)), np.uint32))
        x = rng.standard_normal(dimension)
        x *= norm / np.linalg.norm(x)
        matrices = Matrices(
            rng.standard_normal((k, dimension)), np.zeros((0, k, k)), rng.standard_normal((dimension, k))
        )
        end = _train(phi, matrices, x, 1.0, 1e-6, 100_000, scales)
        for stage, parameters in enumerate((matrices, None if end is None else end.matrices)):
            if parameters is not None:
                J = jacobian(phi, Matrices(*(s * w for s, w in zip(scales, parameters, strict=True))), x)
                found[stage, trial] = np.linalg.norm(J, 2)
                found[2 + stage, trial] = np.abs(np.linalg.eigvals(J)).max()
        if progress is not None:
            progress(f"width {k}, norm {norm:g}", trial + 1, trials, {"norm": float(found[0, trial])})
    return InitialMeasured(predicted, *found)
