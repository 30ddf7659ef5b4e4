"""Accurate matrix products, against sums in rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest

from attrax.linalg import UNIT_ROUNDOFF, accurate_product


def exact(row: np.ndarray, other: np.ndarray) -> Fraction:
    return sum((Fraction(x) * Fraction(w) for x, w in zip(row.tolist(), other.tolist(), strict=True)), Fraction(0))


@pytest.mark.parametrize("size", [1, 3, 40, 700])
@pytest.mark.parametrize("spread", [0, 8, 40])
def test_errors_are_within_their_bounds(size: int, spread: int) -> None:
    draw = np.random.default_rng(size + spread)
    rows = draw.normal(size=(3, size)) * 10.0 ** draw.uniform(-spread, spread, (3, size))
    weight = draw.normal(size=(4, size)) * 10.0 ** draw.uniform(-spread, spread, (4, size))
    half = size // 2  # the second half cancels most of the first
    rows[:, half : 2 * half], weight[:, half : 2 * half] = rows[:, :half], -weight[:, :half] * (1 + 2.0**-40)
    sums, errors = accurate_product(rows, weight)
    plain = np.abs(rows) @ np.abs(weight).T * size * UNIT_ROUNDOFF
    for i, row in enumerate(rows):
        for j, other in enumerate(weight):
            assert abs(Fraction(sums[i, j]) - exact(row, other)) <= Fraction(errors[i, j])
    if size > 3 and spread == 0:
        assert (errors < plain / 10).all()


def test_what_cancels_is_known_to_a_few_units_in_the_last_place() -> None:
    draw = np.random.default_rng(0)
    x, w = draw.normal(size=(1, 500)), draw.normal(size=(1, 500))
    rows, weight = np.concatenate([x, x, [[1.0]]], 1), np.concatenate([w, -w, [[3e-4]]], 1)
    sums, errors = accurate_product(rows, weight)
    assert abs(sums.item() - 3e-4) <= errors.item() < 1e-12


def test_nothing_is_claimed_of_numbers_out_of_range() -> None:
    rows = np.array([[1.0, np.inf], [1.0, np.nan], [1e200, 1.0], [1e-200, 0.0], [0.0, 0.0], [1.0, 1.0]])
    _, errors = accurate_product(rows, np.array([[1.0, 2.0]]))
    assert np.isinf(errors[:4]).all()
    assert (errors[4:] < 1e-14).all()
