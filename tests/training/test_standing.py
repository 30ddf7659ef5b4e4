"""The largest of many scores, found without computing all of them, is the largest of all."""

from typing import Any

import numpy as np
import pytest

from attrax.training import _standing  # what is not computed shows in nothing but time
from attrax.training._standing import alike, standing  # parts of how scores begin

COUNT, SIZE, DIRECTIONS = 300, 40, 4


@pytest.fixture(autouse=True)
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds are tried with as many examples as here, some pieces of them."""
    for name, value in (("_MANY", 100), ("_DIRECTIONS", DIRECTIONS), ("_PIECE", 64)):
        monkeypatch.setattr(_standing, name, value)


def flat(random: np.random.Generator, rest: float = 0.03) -> np.ndarray:
    """Points near a subspace of four dimensions, and as far from it as they are told."""
    basis = np.linalg.qr(random.standard_normal((SIZE, DIRECTIONS)))[0]
    inside = random.standard_normal((COUNT, DIRECTIONS)) @ basis.T
    return inside + rest * random.standard_normal((COUNT, SIZE)) / np.sqrt(SIZE)


def plain(features: np.ndarray, weight: np.ndarray, bias: Any = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = features @ weight.T + bias
    own = np.diag(table).copy()
    np.fill_diagonal(table, -np.inf)
    return own, table.max(axis=1), table.argmax(axis=1)


def check(features: np.ndarray, weight: np.ndarray, bias: Any = 0.0) -> None:
    own, others, rival = standing(features, weight, bias)
    expected = plain(features, weight, bias)
    size = np.abs(features).max() * np.abs(weight).max() * SIZE
    for found, true in zip((own, others), expected, strict=False):
        np.testing.assert_allclose(found, true, atol=1e-6 * size, rtol=0)
    clear = expected[1] - np.sort(features @ weight.T + bias, axis=1)[:, -3] > 1e-5 * size
    assert clear.sum() > COUNT / 2
    np.testing.assert_array_equal(rival[clear], expected[2][clear])


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1.0, 1e12, 1e30])
@pytest.mark.parametrize("seed", range(3))
def test_at_any_scale(scale: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    points = flat(random)
    lengths = -0.5 * (points**2).sum(axis=1)
    check(points * scale, points, lengths * scale)
    check(points, points * scale, lengths * scale)


def test_what_all_scores_have_in_common_decides_nothing() -> None:
    points = flat(np.random.default_rng(0))
    check(points + 5.0, points, 1000.0 - 0.5 * (points**2).sum(axis=1))


def test_a_rival_outside_of_the_leading_directions_is_found() -> None:
    """Along them, all scores are alike; and each rival shares what is left with its example alone."""
    random = np.random.default_rng(0)
    points = flat(random, rest=0.0)
    apart = random.standard_normal((COUNT // 2, SIZE))
    apart -= apart @ (inside := np.linalg.svd(points, full_matrices=False)[2][:DIRECTIONS]).T @ inside
    apart = np.tile(0.2 * unit(apart), (2, 1))
    features, weight = points + apart, 1e-4 * points + apart
    _, _, rival = standing(features, weight)
    np.testing.assert_array_equal(rival, plain(features, weight)[2])
    assert (rival == (np.arange(COUNT) + COUNT // 2) % COUNT).mean() > 0.9


def test_near_duplicates_and_duplicates_are_each_others_rivals() -> None:
    points = flat(np.random.default_rng(0))
    points[100:200] = points[:100]
    points[:100] += 1e-4
    own, others, rival = standing(points, points, -0.5 * (points**2).sum(axis=1))
    assert (np.abs(own - others)[:200] < 1e-5).all()
    assert (rival[:100] == np.arange(100, 200)).all()
    assert (rival[100:200] == np.arange(100)).all()


def test_bounds_serve_where_they_tell_scores_apart_and_give_way_where_not() -> None:
    random = np.random.default_rng(0)
    near, everywhere = flat(random), random.standard_normal((COUNT, SIZE))
    lengths = [-0.5 * (points**2).sum(axis=1) for points in (near, everywhere)]
    assert len(_standing._rivals_by_bounds(near, near, lengths[0])) == COUNT
    assert len(_standing._rivals_by_bounds(everywhere, everywhere, lengths[1])) == 0
    assert len(_standing._rivals_by_bounds(1e20 * near, near, lengths[0])) == 0  # no numbers of 32 bits
    mixed = near.copy()
    mixed[128:] = everywhere[128:]
    check(mixed, mixed, -0.5 * (mixed**2).sum(axis=1))


@pytest.mark.parametrize("tiny", [1e-30, 1e-42, 1e-44, 1e-50])
def test_examples_next_to_which_products_underflow_have_a_rival_too(tiny: float) -> None:
    """All features together have the mean 0, and no score of these examples exceeds the bar in single precision."""
    half = unit(flat(np.random.default_rng(0), rest=0.0)[: COUNT // 2])
    small = half.copy()
    small[100:103] *= tiny
    features, weight = (np.stack([one, -one], axis=1).reshape(COUNT, SIZE) for one in (small, half))
    assert len(_standing._rivals_by_bounds(features, weight, np.zeros(COUNT))) == COUNT
    own, others, _ = standing(features, weight)
    assert np.isfinite(own).all()
    assert np.isfinite(others).all()


def test_so_many_scores_at_once_as_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    points, seen = flat(np.random.default_rng(0)), list[int]()
    projected = _standing._projected

    def counted(rows: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, ...]:
        seen.append(len(rows))
        return projected(rows, directions)

    monkeypatch.setattr(_standing, "_LEAST", 1)
    monkeypatch.setattr(_standing, "_ENTRIES", 10 * COUNT)
    monkeypatch.setattr(_standing, "_projected", counted)
    check(points, points, -0.5 * (points**2).sum(axis=1))
    assert seen == [COUNT] + [10] * (COUNT // 10)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("rest", [0.03, 30.0])
@pytest.mark.parametrize("pair", [(0, 1), (5, 299), (130, 131), (298, 299)])
def test_alike_is_what_the_closest_pair_says(rest: float, pair: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    rows = unit(flat(random, rest))
    one, other = pair
    table = rows @ rows.T
    np.fill_diagonal(table, 0)
    closest = table.max()
    assert alike(rows, closest - 1e-9)
    assert not alike(rows, closest + 1e-9)
    rows[other] = unit(rows[one] + 1e-3 * unit(random.standard_normal((1, SIZE))))[0]
    product = float(rows[one] @ rows[other])
    assert product > closest
    assert alike(rows, product - 1e-12)
    assert not alike(rows, product + 1e-12)
