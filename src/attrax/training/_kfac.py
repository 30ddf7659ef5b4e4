"""K-FAC for fully connected networks: natural-gradient descent with Kronecker-factored curvature.

After Martens and Grosse, "Optimizing neural networks with Kronecker-factored approximate curvature" (2015). For the
loss h = ½ E‖f(x) − y‖², the negative log-likelihood of y ~ N(f(x), I), the Fisher matrix equals the Gauss-Newton matrix
F = E[JᵀJ]. For a layer s = W ā, where ā are its inputs with a 1 appended for the bias, and with g the gradient with
respect to s at targets *sampled from the model*, the block of F is E[āāᵀ ⊗ ggᵀ], approximated by A ⊗ G with A = E[āāᵀ],
G = E[ggᵀ].

One step, with the gradient ∇ of h as a matrix per layer:

1. Direction, with factored Tikhonov damping: Δ = −(G + γ/π I)⁻¹ ∇ (A + πγ I)⁻¹, π² = (tr A / dim A) / (tr G / dim G).
2. Step size α and momentum μ minimize the exact quadratic model M(δ) = ∇ᵀδ + ½ δᵀ(F + λI)δ over δ = αΔ + μδ₀, where δ₀
is the previous step: a 2×2 system whose entries take one Jacobian-vector product for Δ and one for δ₀. 3. The reduction
ratio ρ = (h(θ + δ) − h(θ)) / M(δ) adapts λ: smaller above ¾, larger below ¼ (Levenberg–Marquardt). A step that does not
lower the loss is rejected, and λ grows. 4. γ starts at √λ; every few steps γ/2, γ and 2γ are tried, and the one whose
model promises most is kept.

With N rows and a layer of k units, A and G have rank N at most: for N < k their inverses come from an N×N system
(Woodbury), which makes a step on a hundred examples only a few times as expensive as a gradient.

The number of sampled targets matters more than anything else here. G has rank N·`samples`, so a single sample per row
misses most of the curvature of a wide layer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float

from attrax._base import checks
from attrax._base.lazy import lazy
from attrax.activations import activation as named_activation
from attrax.training._layered import Layered

if TYPE_CHECKING:
    import optax
else:
    optax = lazy("optax")  # a memory is recalled and certified without it

_SHRINK, _GROW, _REJECTED = 0.7, 1.5, 4.0
_LEAST, _MOST = 1e-12, 1e8
_TRY_EVERY = 5


class KFACState(NamedTuple):
    """The state that the next step starts from.

    **Fields:** `damping`, λ; `gamma`, γ; `velocity`, the previous step; `inverses`, those kept for the next steps, one
    pair per layer, empty if they are computed in every step; `count`, steps so far; `key`, for the sampled targets.
    """

    damping: Any
    gamma: Any
    velocity: Any
    inverses: Any
    count: Any
    key: Any


def kfac(
    *, damping: float = 0.01, samples: int = 4, refresh: int = 1, seed: int = 0
) -> optax.GradientTransformationExtraArgs:
    """K-FAC as an Optax transformation of a fully connected network and its gradient.

    `update(gradient, state, network, inputs=..., targets=..., weights=None)` returns the step; the gradient is that of
    the mean squared error over all entries at these inputs. `fit` passes all of these.

    **Arguments:**

    - `damping`: λ at the start; it adapts.
    - `samples`: targets sampled for each row of the inputs.
    - `refresh`: where the rows outnumber the units, inverses are recomputed only every `refresh` steps. Elsewhere they
      are cheap and recomputed in every step.
    - `seed`: seed for the sampled targets.

    **Raises** `ValueError` for a damping that is not positive, or samples or a refresh below 1.

        >>> import jax.random as jr
        >>> import numpy as np
        >>> from attrax.maps import mlp
        >>> from attrax.training import fit, kfac
        >>> points = np.random.default_rng(0).random((5, 8))
        >>> network = mlp((8,), width=32, depth=3, init="kaiming_uniform", key=jr.key(0))
        >>> fit(network, points, points, optimizer=kfac(), epochs=100, key=jr.key(1)).status.value
        'reached'
    """
    damping = checks.real("damping", damping, above=0)
    samples = checks.integer("samples", samples, least=1)
    refresh = checks.integer("refresh", refresh, least=1)
    seed = checks.integer("seed", seed, least=0)
    return _made(damping, samples, refresh, seed)


@lru_cache(maxsize=128)
def _made(damping: float, samples: int, refresh: int, seed: int) -> optax.GradientTransformationExtraArgs:
    """The same object for the same numbers."""

    # Optax's types allow any tree of parameters; these are networks only.
    def init(params: Any) -> KFACState:
        network: Layered = params
        _check(network)
        dtype = jnp.asarray(network.weights[0]).dtype
        kept = []
        for matrix in _matrices(network) if refresh > 1 else ():
            kept.append(tuple(jnp.zeros((size, size), dtype) for size in matrix.shape[::-1]))
        zero = jax.tree.map(jnp.zeros_like, network)
        key = jr.key_data(jr.key(seed))
        start = jnp.asarray(damping, dtype)
        return KFACState(start, jnp.sqrt(start), zero, tuple(kept), jnp.zeros((), jnp.int32), key)

    return optax.GradientTransformationExtraArgs(init, _update(samples, refresh))


@lru_cache(maxsize=128)
def _update(samples: int, refresh: int) -> Callable[..., tuple[Any, KFACState]]:
    """The same object for every damping and seed, which the state has: training with others is not compiled again."""

    def update(
        updates: Any,
        state: Any,
        params: Any = None,
        *,
        inputs: Float[Array, "n *state"] | None = None,
        targets: Float[Array, "n *state"] | None = None,
        weights: Float[Array, " n"] | None = None,
        **unused: Any,
    ) -> tuple[Any, KFACState]:
        if params is None or inputs is None or targets is None:
            raise ValueError(
                "kfac needs more than a gradient: update(gradient, state, network, inputs=..., targets=...)"
            )
        x, y = inputs.reshape(len(inputs), -1), targets.reshape(len(targets), -1)
        share = jnp.full(len(x), 1 / len(x), x.dtype) if weights is None else weights / jnp.sum(weights)
        slope = [matrix * (y.shape[1] / 2) for matrix in _matrices(updates)]
        key = jr.fold_in(jr.wrap_key_data(state.key), state.count)
        draws = jr.normal(key, (samples, *y.shape), y.dtype)
        factors = factor_rows(params, x, draws, share)
        model = _Model.at(params, state, slope, x, y, share)

        def direction(gamma: Any, kept: Any) -> tuple[Layered, Any]:
            solved, inverses = [], []
            for number, (matrix, (a, g)) in enumerate(zip(slope, factors, strict=True)):
                shifts = _shifts(a, g, gamma)
                if not kept:
                    solved.append(-_solve(g, shifts[1], _solve(a, shifts[0], matrix.T).T))
                    continue
                pair = jax.lax.cond(
                    state.count % refresh == 0,
                    lambda a, g, shifts, before: (_inverse(a, shifts[0]), _inverse(g, shifts[1])),
                    lambda a, g, shifts, before: before,
                    a,
                    g,
                    shifts,
                    kept[number],
                )
                solved.append(-(pair[1] @ matrix @ pair[0]))
                inverses.append(pair)
            return _network(solved, params), tuple(inverses)

        def tried() -> tuple[Any, Any]:
            gammas = state.gamma * jnp.asarray([0.5, 1.0, 2.0], y.dtype)
            promised = jax.lax.map(lambda gamma: model.best(direction(gamma, ())[0])[1], gammas)
            return gammas[jnp.argmin(jnp.where(jnp.isfinite(promised), promised, jnp.inf))]

        gamma = jax.lax.cond(state.count % _TRY_EVERY == 0, tried, lambda: state.gamma)
        gamma = jnp.clip(gamma, _LEAST, _MOST)
        step, kept = direction(gamma, state.inverses)
        step, damping = model.guarded(step)
        return step, KFACState(damping, gamma, step, kept, state.count + 1, state.key)

    return update


def factor_rows(
    network: Layered, inputs: Float[Array, "n d"], draws: Float[Array, "m n d"], share: Float[Array, " n"]
) -> list[tuple[Float[Array, "n a"], Float[Array, "mn g"]]]:
    """For each layer, the rows ā and g, each times the square root of its share: A = aᵀa, G = gᵀg.

    `draws` are gradients of h with respect to the outputs at sampled targets, which are standard normal. E[G] over them
    is the exact G.
    """
    phi = named_activation(network.activation)
    root = jnp.sqrt(share)[:, None]
    before, slopes, hidden = [], [], inputs
    layers = list(zip(network.weights, network.biases, strict=True))
    for weight, bias in layers[:-1]:
        before.append(_with_one(hidden, bias) * root)
        z = _affine(weight, bias, hidden)
        hidden, slope = jax.jvp(phi, (z,), (jnp.ones_like(z),))
        slopes.append(slope)
    before.append(_with_one(hidden, layers[-1][1]) * root)
    behind = [draws * (root / len(draws) ** 0.5)]
    for (weight, _), slope in zip(layers[:0:-1], slopes[::-1], strict=True):
        behind.append((behind[-1] @ weight) * slope)
    return [(a, g.reshape(-1, g.shape[-1])) for a, g in zip(before, behind[::-1], strict=True)]


def _affine(weight: Any, bias: Any, rows: Array) -> Array:
    z = rows @ weight.T
    return z if bias is None else z + bias


def _with_one(rows: Array, bias: Any) -> Array:
    return rows if bias is None else jnp.column_stack([rows, jnp.ones(len(rows), rows.dtype)])


def _matrices(network: Layered) -> list[Array]:
    """Each layer's weight with its bias as a last column."""
    return [
        jnp.asarray(weight) if bias is None else jnp.column_stack([weight, bias])
        for weight, bias in zip(network.weights, network.biases, strict=True)
    ]


def _network(matrices: list[Array], like: Layered) -> Layered:
    biases = tuple(None if bias is None else matrix[:, -1] for matrix, bias in zip(matrices, like.biases, strict=True))
    weights = tuple(
        matrix if bias is None else matrix[:, :-1] for matrix, bias in zip(matrices, like.biases, strict=True)
    )
    return replace(like, weights=weights, biases=biases)


def _shifts(a: Array, g: Array, gamma: Any) -> tuple[Any, Any]:
    """Factored Tikhonov damping: πγ for A, γ/π for G."""
    tiny = jnp.finfo(a.dtype).tiny
    share_a, share_g = jnp.sum(a**2) / a.shape[1] + tiny, jnp.sum(g**2) / g.shape[1] + tiny
    balance = jnp.clip(jnp.sqrt(share_a / share_g), 1e-6, 1e6)
    return balance * gamma, gamma / balance


def _solve(rows: Array, shift: Any, values: Array) -> Array:
    """(rowsᵀrows + shift·I)⁻¹ values, by Woodbury's identity if that gives the smaller system."""
    count, size = rows.shape
    if count >= size:
        full = rows.T @ rows + shift * jnp.eye(size, dtype=rows.dtype)
        return jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(full), True), values)
    small = rows @ rows.T + shift * jnp.eye(count, dtype=rows.dtype)
    inner = jax.scipy.linalg.cho_solve((jnp.linalg.cholesky(small), True), rows @ values)
    return (values - rows.T @ inner) / shift


def _inverse(rows: Array, shift: Any) -> Array:
    return _solve(rows, shift, jnp.eye(rows.shape[1], dtype=rows.dtype))


class _Model(NamedTuple):
    """The quadratic model M around the present weights, and the loss itself."""

    network: Layered
    state: KFACState
    gradient: Layered
    outputs: Any
    error: Any
    before: Any
    curve: Any
    inner: Any
    image: Any

    @classmethod
    def at(cls, network: Layered, state: KFACState, slope: list[Array], x: Array, y: Array, share: Array) -> "_Model":
        def outputs(parameters: Layered) -> Array:
            return jax.vmap(lambda row: parameters.readout(parameters.features(row)))(x)

        def error(values: Array) -> Array:
            return 0.5 * jnp.sum(share[:, None] * (values - y) ** 2)

        def inner(one: Array, other: Array) -> Array:
            return jnp.sum(share[:, None] * one * other)

        here, curve = jax.linearize(outputs, network)
        gradient = _network(slope, network)
        return cls(network, state, gradient, outputs, error, error(here), curve, inner, curve(state.velocity))

    def best(self, direction: Layered) -> tuple[Array, Array]:
        """(α, μ) that minimize M over αΔ + μδ₀, and the minimum."""
        trial = (direction, self.state.velocity)
        images = (self.curve(direction), self.image)
        square = jnp.array([[self.inner(one, other) for other in images] for one in images])
        square = square + self.state.damping * jnp.array([[_dot(one, other) for other in trial] for one in trial])
        linear = jnp.array([_dot(self.gradient, step) for step in trial])
        # The first step has no velocity, and the two may be parallel: a least-squares solution with scaled columns.
        scale = jnp.sqrt(jnp.maximum(jnp.diagonal(square), jnp.finfo(square.dtype).tiny))
        pick = -jnp.linalg.lstsq(square / scale / scale[:, None], linear / scale, rcond=1e-5)[0] / scale
        pick = jnp.where(jnp.isfinite(pick), pick, 0.0)
        return pick, linear @ pick + 0.5 * pick @ square @ pick

    def guarded(self, direction: Layered) -> tuple[Layered, Array]:
        """The best step, or zero if it would not lower the loss, and the damping for the next one."""
        pick, expected = self.best(direction)
        step = jax.tree.map(lambda one, other: pick[0] * one + pick[1] * other, direction, self.state.velocity)
        after = self.error(self.outputs(jax.tree.map(jnp.add, self.network, step)))
        ratio = (after - self.before) / jnp.minimum(expected, -jnp.finfo(expected.dtype).tiny)
        better = after < self.before  # false for NaN too
        factor = jnp.where(ratio > 0.75, _SHRINK, jnp.where(ratio < 0.25, _GROW, 1.0))
        damping = jnp.clip(self.state.damping * jnp.where(better, factor, _REJECTED), _LEAST, _MOST)
        return jax.tree.map(lambda leaf: jnp.where(better, leaf, 0.0), step), damping


def _dot(one: Layered, other: Layered) -> Array:
    products = jax.tree.map(lambda a, b: jnp.sum(a * b), one, other)
    return sum(jax.tree.leaves(products), jnp.zeros(()))


def _check(network: Any) -> None:
    if not isinstance(network, Layered):
        raise ValueError(
            f"kfac trains fully connected networks, such as attrax.maps.MLP; got {type(network).__name__}. "
            "Choose another optimizer, such as adam"
        )
