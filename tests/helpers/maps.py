"""Maps of every kind, and one checker of what attrax promises for all of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

import attrax as ax
from attrax.extending import Map, cast, float64
from attrax.maps import kind_of


class Attention(eqx.Module):
    """A state of four tokens that look at each other, then at a hidden layer; dropout in inference mode."""

    attention: eqx.nn.MultiheadAttention
    hidden: eqx.nn.MLP
    dropout: eqx.nn.Dropout

    def __init__(self, key: Any) -> None:
        one, other = jr.split(key)
        self.attention = eqx.nn.MultiheadAttention(num_heads=2, query_size=6, dropout_p=0.1, inference=True, key=one)
        self.hidden = eqx.nn.MLP(6, 6, 8, 1, jnp.tanh, key=other)
        self.dropout = eqx.nn.Dropout(0.2, inference=True)

    def __call__(self, x: Any) -> Any:
        return self.dropout(jax.vmap(self.hidden)(self.attention(x, x, x)))


MAPS: dict[str, tuple[Callable[[], Map], tuple[int, ...]]] = {
    "mlp": (lambda: ax.maps.mlp((2, 3), width=(8, 5), activation="tanh", key=jr.key(0)), (2, 3)),
    "mlp without biases": (
        lambda: ax.maps.mlp((3,), width=6, depth=2, activation="tanh", bias=False, dtype="float64", key=jr.key(0)),
        (3,),
    ),
    "conv": (
        lambda: ax.maps.conv_autoencoder((4, 4), channels=3, levels=1, activation="selu", key=jr.key(0)),
        (4, 4),
    ),
    "conv with skips": (
        lambda: ax.maps.conv_autoencoder(
            (4, 4, 3), channels=3, levels=1, skips=True, bias="all", activation="selu", key=jr.key(0)
        ),
        (4, 4, 3),
    ),
    "recurrent": (lambda: ax.maps.recurrent(3, width=5, feedback="softmax", key=jr.key(0)), (8,)),
    "eqx.nn.MLP": (lambda: eqx.nn.MLP(4, 4, 7, 2, key=jr.key(0)), (4,)),
    "attention": (lambda: Attention(jr.key(0)), (4, 6)),
    "function": (lambda: lambda x: 0.5 * jnp.cos(x), (2, 2)),
}
"""For each kind, what makes a map that contracts near its fixed point, and the shape of its states."""


def check_map(map: Map, shape: tuple[int, ...], folder: Path) -> None:
    """What attrax promises for every map that contracts: precision, rows, certificates, files, a description."""
    starts = np.random.default_rng(0).random((5, *shape))
    with float64():
        for dtype in (np.float32, np.float64):
            image = eqx.filter_eval_shape(cast(map, dtype), jnp.asarray(starts[0], dtype))
            assert (image.shape, image.dtype) == (shape, dtype)

    together, alone = ax.iterate(map, starts), ax.iterate(map, starts[2:3])
    assert np.array_equal(together.value[2], alone.value[0])
    assert (together.period == 1).all()

    points = np.stack([together.value[0], starts[1] + 1])
    memory = ax.Memory(map, ax.Patterns.from_examples(points))
    # Beside another one, as it takes two to give the thresholds a unit where the fixed point is 0.
    other = ax.Patterns.from_examples(np.stack([points[0], starts[2] + 1]))
    found, one = ax.certify(memory), ax.certify(ax.Memory(map, other))
    assert [str(verdict) for verdict in found.verdict] == ["attractor", "not_attractor"]
    for name in ("spectral_radius", "upper_bound", "largest_singular_value", "residual"):
        assert getattr(found, name)[0] == getattr(one, name)[0], name
    with float64():
        fixed = jnp.asarray(ax.refine(map, points[:1]).points[0])
        exact = cast(map, np.float64)
        jacobian = np.asarray(jax.jit(jax.jacrev(lambda state: exact(state)))(fixed)).reshape(fixed.size, fixed.size)
    radius = np.abs(np.linalg.eigvals(jacobian)).max()
    assert np.isclose(found.spectral_radius[0], radius, rtol=1e-6, atol=1e-12)
    assert found.upper_bound[0] >= radius * (1 - 1e-12)
    assert np.isclose(found.largest_singular_value[0], np.linalg.norm(jacobian, 2), rtol=1e-6, atol=1e-12)

    memory = ax.Memory(map, memory.patterns, memory.originals, {"note": "by hand"}, found)
    file = ax.save(folder / "map.attrax", memory)
    again = ax.load(file) if kind_of(map) else ax.load(file, map=map)
    assert again.written == memory.written
    assert again.certificate is not None
    assert again.certificate.verdict == found.verdict
    before, after = ax.recall(memory, starts), ax.recall(again, starts)
    assert np.array_equal(before.value, after.value)
    assert before.status == after.status

    told = ax.maps.describe(map)
    arrays = [leaf for leaf in jax.tree.leaves(map) if hasattr(leaf, "dtype")]
    assert told.text
    assert told.parameters == sum(leaf.size for leaf in arrays)
