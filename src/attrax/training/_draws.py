"""The generator of what training draws: order, noise and corruptions.

JAX's own generators are made for long streams of independent programs on many devices. Each of their draws takes long
to compile, and in small networks drawing is much of a step. This one hashes a key and a counter: each word of 32 bits
is computed by itself, so that draws of many keys are the draws of each, whatever they are computed together with, and
on however many devices. It is no generator for cryptography.
"""

import math
from typing import Any

import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax import lax
from jax.extend.random import define_prng_impl
from jaxtyping import PRNGKeyArray

_GOLDEN, _SECOND = np.uint32(0x9E3779B9), np.uint32(0x85EBCA6B)
"""2³² divided by the golden ratio, and a multiplier of MurmurHash3: odd, with bits set all over."""
_OF_SPLIT, _OF_FOLD = np.uint32(0x80000000), np.uint32(0xC0000000)
"""Where the counters of new keys begin, so that no key is made of bits that are drawn as well."""
_WORDS = {8: jnp.uint8, 16: jnp.uint16, 32: jnp.uint32}


def drawing_key(key: PRNGKeyArray) -> PRNGKeyArray:
    """The key of this generator that stands for a key of any other."""
    words = np.asarray(jr.key_data(key), np.uint32).ravel()
    words = np.pad(words, (0, len(words) % 2)).reshape(-1, 2)
    # Of keys with four words the two halves may be equal.
    weights = np.arange(1, len(words) + 1, dtype=np.uint32)
    return jr.wrap_key_data(jnp.asarray(weights @ words), impl=_GENERATOR)


def _mixed(x: Any) -> Any:
    """A bijection of 32-bit words in which each bit of the input changes each bit of the output with a probability of
    nearly one half. Shifts and multipliers are those of SplitMix32."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x21F0AAAD)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x735A2D97)
    return x ^ (x >> np.uint32(15))


def _word(first: Any, second: Any, counter: Any) -> Any:
    # The counter enters twice, for otherwise keys whose first words differ by a multiple would share a stream.
    inner = _mixed((counter + np.uint32(1)) * _GOLDEN + first)
    return _mixed((inner ^ second) + counter * _SECOND)


def _made(key: Any, counter: Any) -> Any:
    """New keys, one for each counter."""
    return jnp.stack([_word(key[0], key[1], counter), _word(key[1], ~key[0], counter)], axis=-1)


def _seed(seed: Any) -> Any:
    return _made(jnp.zeros(2, jnp.uint32), jnp.asarray(seed).astype(jnp.uint32))


def _split(key: Any, shape: tuple[int, ...]) -> Any:
    counter = lax.iota(jnp.uint32, math.prod(shape)) + _OF_SPLIT
    return _made(key, counter).reshape(*shape, 2)


def _fold_in(key: Any, data: Any) -> Any:
    return _made(key, jnp.asarray(data).astype(jnp.uint32) + _OF_FOLD)


def _random_bits(key: Any, bit_width: int, shape: tuple[int, ...]) -> Any:
    size = math.prod(shape)
    counter = lax.iota(jnp.uint32, size)
    low = _word(key[0], key[1], counter)
    if bit_width != 64:
        return low.astype(_WORDS[bit_width]).reshape(shape)
    high = _word(key[0], key[1], counter + np.uint32(size))
    return (low.astype(jnp.uint64) | high.astype(jnp.uint64) << np.uint64(32)).reshape(shape)


_GENERATOR = define_prng_impl(
    key_shape=(2,),
    seed=_seed,
    split=_split,
    random_bits=_random_bits,
    fold_in=_fold_in,
    name="attrax_training",
    tag="attrax",
)
