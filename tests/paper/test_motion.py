"""The experiment on what makes radii fall, and the sharpness that it measures."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from attrax.maps import mlp
from attrax.paper import Outcome, planned
from attrax.paper._sharpness import sharpness
from attrax.paper.experiments.motion import EXPERIMENT, run
from attrax.paper.sweeps import Cell, CellRecord, CellStatus, Work
from attrax.training import fit, optimizer

MOVING = ("noise on the weights", "mini-batches", "noise on the targets")


@pytest.mark.parametrize("rule", ["adam", "rmsprop"])
def test_the_sharpness_is_the_largest_eigenvalue_of_the_scaled_hessian(rule: str) -> None:
    points = np.array([[0.0, 1.0], [1.0, 0.5], [0.3, 0.2]])
    network = mlp((2,), width=3, depth=1, activation="selu", dtype="float32", key=jr.key(0))
    found = fit(
        network, points, points, optimizer=optimizer(rule, learning_rate=0.01), epochs=30, tol=None, key=jr.key(1)
    )
    parameters, static = eqx.partition(found.map, eqx.is_inexact_array)

    @jax.jit
    def hessian(parameters: Any) -> Any:
        weights, unravel = ravel_pytree(parameters)

        def loss(weights: Any) -> Any:
            outputs = jax.vmap(eqx.combine(unravel(weights), static))(jnp.asarray(points, weights.dtype))
            return jnp.mean((outputs - points) ** 2)

        return jax.hessian(loss)(weights)

    squares = next(leaf.nu for leaf in found.optimizer_state if hasattr(leaf, "nu"))
    flat = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(squares)])
    roots = np.sqrt(np.sqrt(flat / (1 - 0.999**30 if rule == "adam" else 1)) + 1e-8)
    wanted = np.linalg.eigvalsh(np.asarray(hessian(parameters)) / np.outer(roots, roots))
    assert sharpness(found.map, points, found.optimizer_state, key=jr.key(2)) == pytest.approx(wanted[-1], rel=1e-3)


def record(**shares: float) -> CellRecord:
    """A network in which Adam ends at a median radius of .8, and others at this share of it."""
    names = dict(zip(MOVING, shares.values(), strict=True))
    radii = {"the start of all": 1.1, "Adam": 0.8} | {name: 0.8 * share for name, share in names.items()}
    rows = [[name, 1e-4, radius, 1e-8, radius, 2 * radius, 3, 0.9] for name, radius in radii.items()]
    settings = {"n": 4, "side": 8, "width": 16, "depth": 2, "source": "natural"}
    return CellRecord(Cell("motion", "x", "m:f", settings), CellStatus.DONE, {"rows": rows}, {}, 1.0)


@pytest.mark.parametrize(
    ("shares", "wanted"),
    [
        ((0.1, 0.2, 0.49), Outcome.REPRODUCED),
        ((0.9, 0.2, 0.6), Outcome.PARTLY),
        ((0.9, 0.6, 0.7), Outcome.NOT),
    ],
)
def test_each_kind_of_motion_must_halve_the_radii(shares: tuple[float, float, float], wanted: Outcome) -> None:
    first, second = (record(a=shares[0], b=shares[1], c=shares[2]) for _ in range(2))
    summary = EXPERIMENT.summarize([first, second])
    assert summary.outcome is wanted
    assert summary.here == pytest.approx(max(shares))
    (drawing,) = EXPERIMENT.draw([first, second])
    assert "2×16, 4 gray pictures" in drawing.caption
    (table,) = EXPERIMENT.tabulate([first, second])
    assert len(table.rows) == 10


def test_one_network_that_does_not_follow_decides() -> None:
    summary = EXPERIMENT.summarize([record(a=0.1, b=0.2, c=0.3), record(a=0.9, b=0.9, c=0.9)])
    assert summary.outcome is Outcome.NOT
    assert EXPERIMENT.summarize([]).outcome is Outcome.UNFINISHED
    assert not EXPERIMENT.draw([])


def test_a_cell_goes_on_in_every_way_from_the_same_start() -> None:
    ((_, mode, (cell,)),) = planned(["motion"], scale="smoke")
    assert mode == "paper"
    small = {"n": 2, "side": 2, "width": 2, "depth": 1, "steps": 32, "source": "natural"}
    rows = run({**cell.settings, **small}, Work(lambda *_: None)).numbers["rows"]
    assert [row[0] for row in rows][:3] == ["the start of all", "Adam", "noise on the weights"]
    assert len({row[0] for row in rows}) == len(rows) == 8
    assert all(np.isfinite(row[1:]).all() for row in rows)
    assert len({row[1] for row in rows}) == len(rows)
