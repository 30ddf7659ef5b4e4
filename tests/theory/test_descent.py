"""The recursions against gradient descent on the assembled matrices, and their limit against the theorems."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import theory


def matrices_trained(phi, weights, x, y, rate, steps):
    """Plain gradient descent on ½‖y − f(x)‖² over whole matrices, first layer first; x and y may hold columns."""

    def loss(weights):
        a = x
        for weight in weights[:-1]:
            a = phi(weight @ a)
        return 0.5 * jnp.sum((y - weights[-1] @ a) ** 2)

    with jax.enable_x64(True):
        step = jax.jit(lambda ws: [w - rate * g for w, g in zip(ws, jax.grad(loss)(ws), strict=True)])
        weights = [jnp.asarray(w) for w in weights]
        for _ in range(steps):
            weights = step(weights)
        return [np.asarray(w) for w in weights]


def direction(rng, size, norm=1.0):
    x = rng.standard_normal(size)
    return norm * x / np.linalg.norm(x)


@pytest.mark.parametrize(("norm", "target_norm"), [(1.0, 1.0), (1.3, 1.3), (0.8, 1.4)])
def test_invariants_3_and_4_with_any_norm(norm, target_norm) -> None:
    rng = np.random.default_rng(0)
    k, w0, u0, v0 = 3, [0.3, 0.2], 0.5, 0.4
    x, y = direction(rng, 5, norm), direction(rng, 4, target_norm)
    ones = np.ones(k)
    start = [np.outer(v0 * ones, x), *(w * np.outer(ones, ones) for w in w0), np.outer(y, u0 * ones)]
    end = matrices_trained(jax.nn.sigmoid, start, x, y, 0.1, 25)
    scalars = theory.deep_gradient_descent("sigmoid", k, u0, w0, v0, 0.1, 25, norm, target_norm=target_norm)
    np.testing.assert_allclose(end[0], np.outer(scalars.v * ones, x), atol=1e-14)
    for matrix, w in zip(end[1:-1], scalars.w, strict=True):
        np.testing.assert_allclose(matrix, w * np.outer(ones, ones), atol=1e-14)
    np.testing.assert_allclose(end[-1], np.outer(y, scalars.u * ones), atol=1e-14)


def test_invariant_3_with_unequal_units() -> None:
    rng = np.random.default_rng(1)
    k, x = 3, direction(rng, 4, 1.2)
    u0, v0, W0 = rng.standard_normal(k), rng.standard_normal(k), 0.5 * rng.standard_normal((k, k))
    end = matrices_trained(jnp.tanh, [np.outer(v0, x), W0, np.outer(x, u0)], x, x, 0.05, 20)
    vectors = theory.deep_gradient_descent("tanh", k, u0, [W0], v0, 0.05, 20, 1.2)
    np.testing.assert_allclose(end[0], np.outer(vectors.v, x), atol=1e-14)
    np.testing.assert_allclose(end[1], vectors.w[0], atol=1e-14)
    np.testing.assert_allclose(end[2], np.outer(x, vectors.u), atol=1e-14)


def test_invariants_1_and_2_agree() -> None:
    one = theory.gradient_descent("swish", 3, 0.4, 0.6, 0.1, 30, 1.2)
    three = theory.gradient_descent("swish", 3, [0.4] * 3, 0.6, 0.1, 30, 1.2)
    np.testing.assert_allclose(three.u, one.u, rtol=1e-13)
    np.testing.assert_allclose(three.v, one.v, rtol=1e-13)
    assert three.error == pytest.approx(one.error, rel=1e-12)


def test_invariant_5_and_what_lies_outside_the_span() -> None:
    rng = np.random.default_rng(2)
    X, k, n, rate = rng.standard_normal((5, 2)), 4, 2, 0.02
    U0, V0 = rng.standard_normal((k, n)) / 3, rng.standard_normal((k, n)) / 3
    span = theory.span_gradient_descent("tanh", X.T @ X, U0, V0, rate, 20)
    B, A = matrices_trained(jnp.tanh, [V0 @ X.T, X @ U0.T], X, X, rate, 20)
    np.testing.assert_allclose(A, X @ span.U.T, atol=1e-13)
    np.testing.assert_allclose(B, span.V @ X.T, atol=1e-13)
    assert span.error == pytest.approx(np.linalg.norm(X - A @ np.tanh(B @ X)), rel=1e-12)
    # Without that start: B's part outside the span of X stays, A's follows P⊥A(I − γΦΦᵀ).
    B0, A0 = rng.standard_normal((k, 5)) / 3, rng.standard_normal((5, k)) / 3
    B1, A1 = matrices_trained(jnp.tanh, [B0, A0], X, X, rate, 1)
    outside = np.eye(5) - X @ np.linalg.pinv(X)
    features = np.tanh(B0 @ X)
    np.testing.assert_allclose(B1 @ outside, B0 @ outside, atol=1e-14)
    np.testing.assert_allclose(outside @ A1, outside @ A0 @ (np.eye(k) - rate * features @ features.T), atol=1e-14)


@pytest.mark.parametrize(
    ("activation", "k", "u0", "w0", "v0"),
    [("sigmoid", 2, 1.0, [], 1.0), ("tanh", 3, 0.6, [0.5], 0.9), ("softplus", 2, 0.4, [0.2, 0.3], 0.1)],
)
def test_descent_meets_theory_as_the_rate_falls(activation, k, u0, w0, v0) -> None:
    theorem = theory.single_example(activation, k, u0, v0, len(w0) + 1, w0)
    coarse, fine = (
        theory.deep_gradient_descent(activation, k, u0, w0, v0, rate, int(400 / rate)) for rate in (0.01, 0.005)
    )
    expected = np.array([theorem.u, *theorem.w, theorem.v])
    first, second = (np.array([end.u, *end.w, end.v]) - expected for end in (coarse, fine))
    assert abs(fine.error) < 1e-12
    # First order: errors halve with the rate, and the extrapolated value is far closer.
    np.testing.assert_allclose(first, 2 * second, rtol=0.05, atol=1e-7)
    assert np.abs(2 * second - first).max() < 2e-6
    flow = theory.gradient_flow(activation, k, u0, v0, [0.0, 1.0, 400.0], w0)
    np.testing.assert_allclose([flow.u[-1], *(w[-1] for w in flow.w), flow.v[-1]], expected, rtol=1e-9)
    assert flow.status == "finished"


def test_unequal_flow_meets_the_theorem() -> None:
    u0, v0 = [0.8, -0.2, 0.3], [0.5, 0.7, -0.1]
    flow = theory.gradient_flow("tanh", 3, u0, v0, [0.0, 300.0])
    theorem = theory.single_example("tanh", 3, u0, v0)
    np.testing.assert_allclose(flow.u[0], u0)
    np.testing.assert_allclose(flow.u[-1], theorem.u, rtol=1e-9)
    np.testing.assert_allclose(flow.v[-1], theorem.v, rtol=1e-9)


def test_span_flow_is_the_limit_of_descent() -> None:
    gram, U0, V0 = [[1, 0.5], [0.5, 1]], [[0.3, -0.2], [0.1, 0.4]], [[0.5, 0.1], [-0.3, 0.2]]
    flow = theory.span_gradient_flow("tanh", gram, U0, V0, [0.5, 2.0])
    coarse, fine = (theory.span_gradient_descent("tanh", gram, U0, V0, r, int(2 / r)) for r in (0.002, 0.001))
    np.testing.assert_allclose(2 * fine.U - coarse.U, flow.U[-1], atol=1e-6)
    np.testing.assert_allclose(2 * fine.V - coarse.V, flow.V[-1], atol=1e-6)


def test_divergence_is_a_status() -> None:
    assert theory.gradient_descent("z^2", 3, 2.0, 2.0, 10.0, 50).status == "nonfinite"
    assert theory.span_gradient_descent("z^2", [[1.0]], [[3.0]], [[3.0]], 10.0, 50).status == "nonfinite"


def test_velocity_points_along_the_flow() -> None:
    du, dv, r = theory.velocity("sigmoid", 2, np.array([1.0, 0.5]), 1.0, 1.5)
    assert du.shape == dv.shape == r.shape == (2,)
    rate = 1e-6
    step = theory.gradient_descent("sigmoid", 2, 1.0, 1.0, rate, 1, 1.5)
    assert (step.u - 1) / rate == pytest.approx(du[0], rel=1e-8)
    assert (step.v - 1) / rate == pytest.approx(dv[0], rel=1e-8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theory.gradient_descent("tanh", 2, 1, 1, 0.0, 5), "learning_rate"),
        (lambda: theory.gradient_descent("tanh", 2, 1, 1, 0.1, -1), "steps"),
        (lambda: theory.gradient_flow("tanh", 2, 1, 1, [1.0, 0.5]), "times"),
        (lambda: theory.deep_gradient_descent("tanh", 2, 1, [[1.0, 2.0]], 1, 0.1, 5), "w0"),
        (lambda: theory.span_gradient_descent("tanh", [[1, 2], [0, 1]], [[1, 1]], [[1, 1]], 0.1, 5), "gram"),
        (lambda: theory.span_gradient_descent("tanh", [[1, 2], [2, 1]], [[1, 1]], [[1, 1]], 0.1, 5), "gram"),
        (lambda: theory.span_gradient_descent("tanh", [[1.0]], [[1, 1]], [[1, 1]], 0.1, 5), "U0 and V0"),
        (lambda: theory.top_eigenvalue("tanh", [1, 2], [1]), "same length"),
    ],
)
def test_wrong_arguments(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()
