"""The generator of what training draws."""

import jax
import jax.random as jr
import numpy as np
import pytest
import scipy.stats

from attrax.training._draws import drawing_key  # nobody else needs it, and its numbers need a test of their own

# One program each: eagerly, every operation would be one for each shape.
bits = jax.jit(jr.bits, static_argnums=(1, 2))
uniform = jax.jit(jr.uniform, static_argnums=(1, 2))


@pytest.fixture(scope="module")
def words() -> np.ndarray:
    """Each row of a key that follows the one of the row before."""
    root = drawing_key(jr.key(5))
    return np.asarray(jax.jit(jax.vmap(lambda index: jr.bits(jr.fold_in(root, index), (4096,))))(np.arange(64)))


def test_all_bytes_are_drawn_equally_often(words: np.ndarray) -> None:
    for place in range(4):
        counts = np.bincount((words >> (8 * place) & 255).ravel(), minlength=256)
        assert scipy.stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("along", ["one key", "keys in a row", "two keys of a split", "seeds"])
def test_draws_are_independent(along: str, words: np.ndarray) -> None:
    if along == "one key":
        one, other = words[:, :-1], words[:, 1:]
    elif along == "keys in a row":
        one, other = words[:-1], words[1:]
    else:
        root = drawing_key(jr.key(0))
        keys = jr.split(root) if along == "two keys of a split" else [root, drawing_key(jr.key(1))]
        one, other = (np.asarray(bits(key, (1 << 18,))) for key in keys)
    size = one.size
    for places in (0, 3, 9, 17, 24, 31):
        for moved in (0, 5, 13):
            apart = (one >> np.uint32(places)) ^ (other >> np.uint32((places + moved) % 32))
            ones = int(np.sum(apart & 1))
            assert abs(ones - size / 2) < 4.5 * np.sqrt(size) / 2, (places, moved)


def test_no_word_comes_twice_from_a_key_more_often_than_by_chance() -> None:
    drawn = np.asarray(bits(drawing_key(jr.key(9)), (1 << 18,)))
    twice = len(drawn) - len(np.unique(drawn))
    assert scipy.stats.poisson.ppf(1e-6, 8) <= twice <= scipy.stats.poisson.ppf(1 - 1e-6, 8)  # 2³⁶ / 2 / 2³²


def test_a_draw_of_many_keys_is_the_draw_of_each(words: np.ndarray) -> None:
    alone = [np.asarray(bits(jr.fold_in(drawing_key(jr.key(5)), index), (4096,))) for index in range(2)]
    assert np.array_equal(words[:2], alone)
    assert len(np.unique(words, axis=0)) == len(words)


def test_every_key_has_one_and_seeds_differ() -> None:
    drawn = [
        np.asarray(bits(drawing_key(key), (8,)))
        for key in (jr.key(0), jr.key(1), jr.key(1, impl="rbg"), jr.key(2, impl="unsafe_rbg"))
    ]
    assert np.array_equal(drawn[0], np.asarray(bits(drawing_key(jr.key(0)), (8,))))
    assert len({one.tobytes() for one in drawn}) == 4


def test_numbers_of_each_type() -> None:
    key = drawing_key(jr.key(3))
    assert scipy.stats.kstest(np.asarray(uniform(key, (5000,))), "uniform").pvalue > 1e-4
    assert scipy.stats.kstest(np.asarray(jr.normal(key, (5000,))), "norm").pvalue > 1e-4
    with jax.enable_x64(True):
        drawn = np.asarray(uniform(key, (5000,), np.float64))
        long = np.asarray(bits(key, (5000,), np.uint64))
    assert drawn.dtype == np.float64
    assert scipy.stats.kstest(drawn, "uniform").pvalue > 1e-4
    assert abs(np.corrcoef((long & 0xFFFFFFFF).astype(float), (long >> 32).astype(float))[0, 1]) < 0.06
    for width in (np.uint8, np.uint16):
        assert np.asarray(bits(key, (2000,), width)).std() > 0.28 * np.iinfo(width).max
