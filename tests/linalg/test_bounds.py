"""Bounds on spectra of matrices and of products of them, against matrices whose eigenvalues are known."""

import numpy as np
import pytest
import scipy.linalg

from attrax.linalg import Product, basis_bound, dense_norm, joint_contraction, largest_eigenvalues, power_bound


def test_the_bound_is_never_below_the_radius() -> None:
    draw = np.random.default_rng(0)
    for trial in range(200):
        size = int(draw.integers(1, 12))
        matrix = draw.normal(size=(size, size)) * 10.0 ** draw.uniform(-3, 1)
        triangular = trial % 3 == 0
        if triangular:
            matrix = np.triu(matrix, trial % 2)
        radius = np.abs(np.linalg.eigvals(matrix)).max()
        bound = np.exp(power_bound(Product(matrix, 0.0, 0.0)))
        assert bound >= radius * (1 - 1e-10)
        # Powers of a matrix that is far from normal fall slowly to its radius; of one that is nilpotent, to zero.
        assert triangular or bound <= max(radius, 1e-3) * 1.05


FAR_FROM_NORMAL = {
    "steep": (np.diag([0.9992, 0.5, -0.3, 0.1]) + 50 * np.triu(np.ones((4, 4)), 1), 1e-10),
    "chain": (0.9 * np.eye(4) + np.diag([10.0, 10.0, 10.0], 1), 1e-13),
    "turning": (np.array([[0.6, 0.799, 1e3, 0], [-0.799, 0.6, 0, 1e3], [0, 0, 0.2, 0.1], [0, 0, -0.1, 0.2]]), 1e-11),
}
"""Upper triangular in blocks, so that their eigenvalues are known, and errors that leave them below 1."""


@pytest.mark.parametrize("name", FAR_FROM_NORMAL)
def test_matrices_far_from_normal_are_bounded(name: str) -> None:
    matrix, error = FAR_FROM_NORMAL[name]
    radius = np.hypot(0.6, 0.799) if name == "turning" else matrix.max(where=np.eye(4, dtype=bool), initial=0.0)
    draw = np.random.default_rng(0)
    basis = np.linalg.qr(draw.normal(size=(4, 4)))[0]
    for turned in (matrix, basis @ matrix @ basis.T):
        bound = np.exp(basis_bound(Product(turned, error, 0.0), np.log(radius)))
        assert radius <= bound < 1
        # It holds for every matrix within the error: here along the vectors that matter most, and in other directions.
        values, left, right = scipy.linalg.eig(turned, left=True, right=True)
        first = np.argmax(np.abs(values))
        worst = np.outer(left[:, first], right[:, first].conj()).real
        for step in (worst, *draw.normal(size=(20, 4, 4))):
            moved = turned + error * step / np.linalg.norm(step)
            assert np.abs(np.linalg.eigvals(moved)).max() <= bound
    # Of an error that may lead beyond 1, nothing below 1 is said.
    assert basis_bound(Product(matrix, 1e-2, 0.0), np.log(radius)) >= 0


TRIANGULAR = np.array([[0.4, 3.0, -2.0], [0.0, -0.5, 4.0], [0.0, 0.0, 0.45]])
ROTATING = np.array([[0.9, 1.5], [-1.0, -0.9]])
"""Every choice of slopes gives a spectral radius of at most .9, but their products in turn grow by 1.5 per step."""


def test_a_joint_norm_bounds_all_products() -> None:
    rng = np.random.default_rng(0)
    matrices = [TRIANGULAR @ np.diag(rng.uniform(0, 1, 3)) for _ in range(3)]
    found = joint_contraction(matrices, [1e-9] * 3)
    assert found is not None
    assert found.rate < 1
    assert found.total < found.smallest * found.spread * found.largest / (1 - found.rate)
    seen = 0.0
    for length in range(60):
        product = np.eye(3)
        for choice in rng.integers(3, size=length):
            product = matrices[choice] @ product
        bound = found.smallest * found.spread * found.largest * found.rate**length
        assert np.linalg.norm(product, 2) <= bound
        seen += np.linalg.norm(product, 2)
    assert seen <= found.total


def test_there_is_no_joint_norm_where_products_grow() -> None:
    apart = [ROTATING * [1, 0.01], ROTATING * [0.01, 1]]
    assert max(np.abs(np.linalg.eigvals(matrix)).max() for matrix in (ROTATING, *apart)) < 0.92
    assert joint_contraction(apart, [0.0, 0.0]) is None
    assert joint_contraction([0.9 * np.eye(2)], [0.05]) is not None
    assert joint_contraction([0.9 * np.eye(2)], [0.15]) is None
    assert joint_contraction([np.full((2, 2), np.nan)], [0.0]) is None


@pytest.mark.parametrize(("size", "count"), [(1, 1), (2, 1), (3, 2), (4, 4)])
def test_of_few_eigenvalues_nearly_all_can_be_asked_for(size: int, count: int) -> None:
    matrix = np.arange(1.0, size * size + 1).reshape(size, size) + np.diag(np.arange(size))
    found = largest_eigenvalues(lambda v: matrix @ v, lambda v: matrix.T @ v, size, count)
    known = np.linalg.eigvals(matrix)
    assert found.values == pytest.approx(known[np.argsort(-np.abs(known))][:count])
    assert (found.residuals < 1e-12).all()
    assert np.isfinite(found.condition)
    with pytest.raises(ValueError, match=f"count must be .*{size}"):
        largest_eigenvalues(lambda v: matrix @ v, lambda v: matrix.T @ v, size, size + 1)


def test_of_a_matrix_that_is_not_finite_no_norm_is_known() -> None:
    assert np.isnan(dense_norm(np.full((2, 2), np.inf)))
