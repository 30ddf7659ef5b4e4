"""Right branches, traps, impossible starts, precision, and arguments that are refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from attrax import theory


def on_the_flow(activation, k, u0, v0, answer) -> None:
    """The answer is where gradient flow in real time goes."""
    path = theory.gradient_flow(activation, k, u0, v0, [60.0])
    assert path.u[-1] == pytest.approx(answer.u, rel=1e-6)
    assert path.v[-1] == pytest.approx(answer.v, rel=1e-6)


@pytest.mark.parametrize(
    ("activation", "k", "u0", "v0"),
    [("cosid", 4, -0.3, 1.5), ("sinusoid", 3, 0.4, 0.1), ("swish", 3, -0.4, -0.5), ("tanh", 2, -0.5, 0.7)],
)
def test_other_roots_of_the_two_equations_are_not_returned(activation, k, u0, v0) -> None:
    answer = theory.single_example(activation, k, u0, v0)
    on_the_flow(activation, k, u0, v0, answer)


def test_trapped_distance_is_exact_far_below_rounding() -> None:
    # (u² − u₀²)/2 = ∫φ/φ', with a logarithm at z* = 2π/30: the top eigenvalue falls by e for each step of the integral.
    answer = theory.single_example("sinusoid", 1, 0.4, 0.1)
    assert answer.status == "trapped"
    assert answer.v == pytest.approx(np.pi / 15, rel=1e-15)
    assert answer.top_eigenvalue == pytest.approx(2.06354818828811e-66, rel=1e-9)
    assert answer.attractor is True


def test_v_at_a_zero_of_the_slope_stays() -> None:
    answer = theory.single_example("cosid", 2, 0.5, -np.pi / 2)
    assert answer.status == "trapped"
    assert answer.u == pytest.approx(1 / np.pi, rel=1e-15)
    assert abs(answer.top_eigenvalue) < 1e-15


@pytest.mark.parametrize(
    ("activation", "k", "u0", "v0", "status"),
    [
        ("tanh", 2, 0, 0, "impossible"),  # starts at rest
        ("relu", 2, 1, -1, "impossible"),  # dead from the start
        ("relu", 2, -2, 1, "impossible"),  # dies on the way
        ("identity", 1, -1, 1, "impossible"),  # runs into the saddle
        ("z^2", 1, -1, 1, "impossible"),  # comes to rest at v = 0
        ("z^.5", 1, -1, 0.5, "impossible"),  # reaches the edge of φ's domain
        ("z^.5", 1, 1, -0.5, "nonfinite"),
        ("exp", 1, 0, 800, "nonfinite"),
    ],
)
def test_no_answer_is_a_status_not_a_number(activation, k, u0, v0, status) -> None:
    answer = theory.single_example(activation, k, u0, v0)
    assert answer.status == status
    assert answer.status.advice
    assert np.isnan([answer.u, answer.v, answer.h, answer.top_eigenvalue]).all()
    assert answer.attractor is None
    cycle = theory.sequence([theory.single_example("sigmoid", 2, 1, 1), answer])
    assert cycle.status == status
    assert np.isnan(cycle.top_eigenvalue)
    assert cycle.attractor is None


def test_ill_conditioned_depth_is_said() -> None:
    # h₁ comes within 1e-8 of a zero of φ' and is driven off again: the digits of its distance decide.
    answer = theory.single_example("sinusoid", 3, 1.17162341921598, -0.20, depth=2, w0=[0.334057351108644])
    assert answer.status == "ill_conditioned"
    assert np.isnan(answer.top_eigenvalue)


def test_starts_on_the_far_side_of_zero_error() -> None:
    answer = theory.single_example("z^2", 1, 1e4, 1e3)
    assert answer.status == "solved"
    assert answer.u * answer.v**2 == pytest.approx(1, rel=1e-14)
    assert (answer.u**2 - 1e8) / 2 == pytest.approx((answer.v**2 - 1e6) / 4, rel=1e-9)


def test_a_small_activation_on_the_way_is_no_rest_point() -> None:
    # u²/2 − v is conserved: v falls to −20, where φ² is e^−34 of what it was, and comes back with u > 0.
    answer = theory.single_example("exp", 1, -6.0, -3.0)
    assert answer.status == "solved"
    assert answer.u > 0
    assert answer.u**2 / 2 - answer.v == pytest.approx(21, rel=1e-12)


def test_near_a_saddle_the_side_is_right() -> None:
    for shift, sign in ((1e-6, -1), (-1e-6, 1)):
        answer = theory.single_example("identity", 1, -1 - shift, 1)
        assert answer.status == "solved"
        assert np.sign(answer.u) == sign


def test_callables_agree_with_names_in_double_precision() -> None:
    def mine(z):
        return z * jax.nn.sigmoid(z)

    before = dict(jax.config.values)
    named, own = theory.single_example("swish", 3, -0.4, -0.5), theory.single_example(mine, 3, -0.4, -0.5)
    assert own.u == pytest.approx(named.u, rel=1e-13)
    assert own.top_eigenvalue == pytest.approx(named.top_eigenvalue, rel=1e-12)
    deep = [theory.single_example(a, 2, 0.8, 0.9, depth=2, w0=[0.6]).top_eigenvalue for a in ("swish", mine)]
    assert deep[0] == pytest.approx(deep[1], rel=1e-11)
    steps = [theory.gradient_descent(a, 3, 0.4, 0.5, 0.1, 20).u for a in ("swish", mine)]
    assert steps[0] == pytest.approx(steps[1], rel=1e-13)
    assert theory.corollary1(mine, 4, 1.5).top_eigenvalue == pytest.approx(1.273638286, abs=1e-9)
    assert dict(jax.config.values) == before


def test_mixed_sequences_and_norms() -> None:
    first = theory.single_example("sigmoid", 2, 0.5, 0.3, norm=1.0, target_norm=2.0)
    second = theory.single_example("tanh", 3, 0.4, 0.6, depth=2, w0=[0.5], norm=2.0, target_norm=1.0)
    cycle = theory.sequence([first, second])
    assert cycle.top_eigenvalue == pytest.approx(first.top_eigenvalue * second.top_eigenvalue, rel=1e-15)
    with pytest.raises(ValueError, match="norm"):
        theory.sequence([first, first])
    with pytest.raises(ValueError, match="records"):
        theory.sequence([])


def test_orthonormal_examples_become_saddles() -> None:
    u, k = [0.5, -0.7], [4, 2]
    records = [theory.single_example("tanh", k[i], u[i], [0.6, -0.5][i]) for i in range(2)]
    answer = theory.orthonormal_extension(records)
    # The assembled network: group i of hidden units reads x_i and writes x_i.
    x = np.linalg.qr(np.random.default_rng(0).standard_normal((5, 5)))[0][:, :2]
    A = np.concatenate([np.outer(x[:, i], [records[i].u] * k[i]) for i in range(2)], axis=1)
    B = np.concatenate([np.outer([records[i].v] * k[i], x[:, i]) for i in range(2)])
    for j in range(2):
        np.testing.assert_allclose(A @ np.tanh(B @ x[:, j]), x[:, j], atol=1e-14)
        jacobian = A @ np.diag(1 / np.cosh(B @ x[:, j]) ** 2) @ B
        np.testing.assert_allclose(x.T @ jacobian @ x, np.diag(answer.eigenvalues[j]), atol=1e-13)
    assert [record.attractor for record in records] == [True, True]
    assert answer.attractor == (False, False)
    with pytest.raises(ValueError, match="φ\\(0\\) = 0"):
        theory.orthonormal_extension([theory.single_example("sigmoid", 2, 1, 1)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sigmoidal", 2, 1, 1), "activation must be one of"),
        (("z^p", 2, 1, 1), "exponent"),
        (("z^0", 2, 1, 1), "must not be 0"),
        ((np.tanh, 2, 1, 1), "jax.numpy"),
        ((lambda z: jnp.stack([z, z]), 2, 1, 1), "differentiate"),
        ((3, 2, 1, 1), "activation"),
        (("sigmoid", 0, 1, 1), "k must be"),
        (("sigmoid", 2.0, 1, 1), "k must be"),
        (("sigmoid", 2, [1, 2, 3], 1), "u0 must be"),
        (("sigmoid", 2, 1, np.nan), "v0 must be"),
        (("sigmoid", 2, 1, "x"), "v0 must be"),
        (("sigmoid", 2, 1, 1, 2), "w0 must hold"),
        (("sigmoid", 2, 1, 1, 1, [1.0]), "w0 must hold"),
        (("sigmoid", 2, [1, 1], 1, 2, [1.0]), "depth is above 1"),
        (("sigmoid", 2, 1, 1, 0), "depth must be"),
        (("sigmoid", 2, 1, 1, 1, (), 0.0), "norm must be"),
    ],
)
def test_wrong_arguments(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        theory.single_example(*arguments)
