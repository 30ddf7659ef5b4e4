"""Every kind of map goes the whole way: stored by training, certified, recalled, saved, loaded, used by commands."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from helpers.commands import record, run
from helpers.maps import MAPS

import attrax as ax
from attrax.extending import Map
from attrax.maps import kind_of


def damped(weight: jax.Array, x: jax.Array) -> jax.Array:
    return 0.5 * jnp.cos(weight * x)


def function() -> Map:
    """A plain function that holds what is trained."""
    return jax.tree_util.Partial(damped, jnp.ones((2, 2)))


KINDS: dict[str, tuple[Callable[[], Map], tuple[int, ...]]] = {
    **{name: MAPS[name] for name in ("conv", "recurrent", "eqx.nn.MLP", "attention")},
    "function": (function, (2, 2)),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_map_goes_the_whole_way(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, shape = KINDS[name]
    begin = make()
    # The fixed point of a map nearby, so that a few steps of training are enough, but needed.
    nearby = jax.tree.map(
        lambda leaf: np.float32(1.03) * np.asarray(leaf) if eqx.is_inexact_array(leaf) else leaf, begin
    )
    point = np.asarray(ax.iterate(nearby, np.zeros((1, *shape))).value, np.float32)
    memory = ax.store(point, begin, writer=ax.Gradient(epochs=2000, tol=1e-9), key=jr.key(0))
    assert memory.certificate is not None
    assert memory.written["epochs"] > 0
    assert memory.status == "stored"
    assert ax.certify(memory).verdict == ("attractor",)
    assert ax.recall(memory, point + 0.01).recovered.all()

    file = ax.save(tmp_path / "map.attrax", memory)
    again = ax.load(file) if kind_of(begin) else ax.load(file, map=memory.map)
    assert np.array_equal(ax.recall(again, point).value, ax.recall(memory, point).value)

    named: tuple[str, ...] = ()
    if kind_of(begin) is None:
        status, _, err = run(capsys, "certify", file)
        assert (status, "--map MODULE:NAME" in err) == (2, True)
        module = ModuleType("trained_networks")
        vars(module)["trained"] = memory.map
        monkeypatch.setitem(sys.modules, module.__name__, module)
        named = ("--map", "trained_networks:trained")
    told = record(capsys, "info", file, *named)
    assert told["map"] == ax.maps.describe(begin).text
    assert told["certificate"]["attractors"] == 1
    assert record(capsys, "certify", file, *named)["attractors"] == 1
    assert record(capsys, "recall", file, "--corrupt", "gaussian:0.01", *named)["recovery_rate"] == 1


def test_a_function_that_holds_nothing_can_be_certified_but_not_trained() -> None:
    make, shape = MAPS["function"]
    with pytest.raises(ValueError, match="network must have arrays"):
        ax.store(np.zeros((1, *shape)), make(), writer=ax.Gradient(), key=jr.key(0))
    point = ax.iterate(make(), np.zeros((1, *shape))).value
    assert ax.certify(ax.Memory(make(), ax.Patterns.from_examples(point))).verdict == ("attractor",)
