"""The generator of what training draws."""

from typing import Any

import jax
import jax.random as jr
import numpy as np
import pytest
import scipy.stats

from attrax.training._draws import drawing_key  # nobody else needs it, and its numbers need a test of their own


@pytest.fixture(scope="module")
def keys() -> Any:
    """Each follows the one before."""
    root = drawing_key(jr.key(5))
    return jax.jit(jax.vmap(lambda index: jr.fold_in(root, index)))(np.arange(64))


@pytest.fixture(scope="module")
def words(keys: Any) -> np.ndarray:
    """A row of each key."""
    return np.asarray(jax.jit(jax.vmap(lambda key: jr.bits(key, (4096,))))(keys))


def test_all_bytes_are_drawn_equally_often(words: np.ndarray) -> None:
    for place in range(4):
        counts = np.bincount((words >> (8 * place) & 255).ravel(), minlength=256)
        assert scipy.stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("along", ["one key", "keys in a row", "two keys of a split", "seeds"])
def test_draws_are_independent(words: np.ndarray, along: str) -> None:
    if along == "one key":
        one, other = words[:, :-1], words[:, 1:]
    elif along == "keys in a row":
        one, other = words[:-1], words[1:]
    else:
        root, split = drawing_key(jr.key(0)), jax.jit(lambda key: tuple(jr.split(key)))
        keys = split(root) if along == "two keys of a split" else (root, drawing_key(jr.key(1)))
        one, other = (np.asarray(jr.bits(key, (1 << 18,))) for key in keys)
    size = one.size
    for places in (0, 3, 9, 17, 24, 31):
        for moved in (0, 5, 13):
            apart = (one >> np.uint32(places)) ^ (other >> np.uint32((places + moved) % 32))
            ones = int(np.sum(apart & 1))
            assert abs(ones - size / 2) < 4.5 * np.sqrt(size) / 2, (places, moved)


def test_no_word_comes_twice_from_a_key_more_often_than_by_chance() -> None:
    drawn = np.asarray(jr.bits(drawing_key(jr.key(9)), (1 << 18,)))
    twice = len(drawn) - len(np.unique(drawn))
    assert scipy.stats.poisson.ppf(1e-6, 8) <= twice <= scipy.stats.poisson.ppf(1 - 1e-6, 8)  # 2³⁶ / 2 / 2³²


def test_a_draw_of_many_keys_is_the_draw_of_each(keys: Any, words: np.ndarray) -> None:
    alone = [np.asarray(jr.bits(key, (4096,))) for key in keys[:2]]
    assert np.array_equal(words[:2], alone)
    assert len(np.unique(words, axis=0)) == len(words)


def test_every_key_has_one_and_seeds_differ() -> None:
    drawn = [
        np.asarray(jr.bits(drawing_key(key), (8,)))
        for key in (jr.key(0), jr.key(1), jr.key(1, impl="rbg"), jr.key(2, impl="unsafe_rbg"))
    ]
    assert np.array_equal(drawn[0], np.asarray(jr.bits(drawing_key(jr.key(0)), (8,))))
    assert len({one.tobytes() for one in drawn}) == 4


def test_numbers_of_each_type() -> None:
    @jax.jit
    def draw(key: Any) -> list[Any]:
        uniform, normal = (make(key, (5000,), np.float32) for make in (jr.uniform, jr.normal))
        double, bits = jr.uniform(key, (5000,), np.float64), jr.bits(key, (5000,), np.uint64)
        return [uniform, normal, double, bits, *(jr.bits(key, (2000,), width) for width in (np.uint8, np.uint16))]

    with jax.enable_x64(True):
        uniform, normal, double, bits, *narrow = (np.asarray(drawn) for drawn in draw(drawing_key(jr.key(3))))
    assert scipy.stats.kstest(uniform, "uniform").pvalue > 1e-4
    assert scipy.stats.kstest(normal, "norm").pvalue > 1e-4
    assert double.dtype == np.float64
    assert scipy.stats.kstest(double, "uniform").pvalue > 1e-4
    assert abs(np.corrcoef((bits & 0xFFFFFFFF).astype(float), (bits >> 32).astype(float))[0, 1]) < 0.06
    for drawn in narrow:
        assert drawn.std() > 0.28 * np.iinfo(drawn.dtype).max
