"""The experiments on the paper's open questions."""

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from attrax.maps import mlp
from attrax.paper import EXPERIMENTS, planned
from attrax.paper.experiments.general import CUES
from attrax.paper.experiments.local import FeedbackMLP
from attrax.paper.experiments.power import ACTIVATIONS, STEPS
from attrax.paper.sweeps import ResultStore, sweep


def records(tmp_path: Path, name: str, **settings: Any) -> list:
    ((_, _, cells),) = planned([name], scale="smoke", mode="paper", settings=settings)
    with ResultStore(tmp_path / "results.sqlite") as store:
        return list(sweep(cells, store, jobs=1))


def test_feedback_in_place_of_the_transposed_weights() -> None:
    network = mlp((4,), width=6, depth=2, activation="tanh", key=jr.key(0))
    x, y = np.linspace(-1, 1, 4), np.ones(4)

    @eqx.filter_jit
    def gradient(map: Any) -> Any:
        return jax.grad(lambda map: jnp.sum((map(x) - y) ** 2))(map)

    exact = gradient(network)
    symmetric = gradient(FeedbackMLP(network, tuple(weight.T for weight in network.weights)))
    for one, other in zip(jax.tree.leaves(exact), jax.tree.leaves(symmetric.network), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    draw = np.random.default_rng(0)
    other = gradient(FeedbackMLP(network, tuple(draw.normal(size=weight.shape[::-1]) for weight in network.weights)))
    np.testing.assert_allclose(exact.weights[-1], other.network.weights[-1], atol=1e-6)  # nothing came back yet
    assert np.abs(exact.weights[0] - other.network.weights[0]).max() > 1e-3
    assert not any(np.any(leaf) for leaf in other.feedback)


def test_power_iteration_is_what_a_linear_network_does(tmp_path: Path) -> None:
    found = records(tmp_path, "power")
    (record,) = found
    networks = {network["activation"]: network for network in record.numbers["networks"]}
    assert list(networks) == list(ACTIVATIONS)
    np.testing.assert_allclose(networks["identity"]["cosine"], 1.0, atol=1e-6)
    assert all(len(network["cosine"]) == len(STEPS) for network in networks.values())
    assert len(EXPERIMENTS["power"].draw(found)) == 1


SMALLER: dict[str, dict[str, Any]] = {"local": {}, "general": {"n": 5, "rate": 3e-3}}


@pytest.mark.parametrize("name", SMALLER)
def test_open_questions_have_an_answer_and_a_figure(tmp_path: Path, name: str) -> None:
    found = records(tmp_path, name, **SMALLER[name])
    (record,) = found
    summary = EXPERIMENTS[name].summarize(found)
    assert (summary.here is None) == (record.status != "done")
    assert len(EXPERIMENTS[name].draw(found)) == 1
    if name == "local":
        backward, feedback = record.numbers["backpropagation"], record.numbers["feedback alignment"]
        assert backward["loss"] != feedback["loss"]
        assert record.status == ("done" if feedback["loss"] <= 1e-8 else "not trained")
    else:
        cues = {cue["cue"]: cue for cue in record.numbers["cues"]}
        assert tuple(cues) == CUES
        assert {cue["seen"] for cue in cues.values()} == {"no"}  # the paper trains on clean examples
        assert cues["gaussian:0.1"]["euclidean"] == 1.0
        assert cues["gaussian:0.1"]["rate"] >= cues["gaussian:1"]["rate"]
        assert record.status == "done"
        assert summary.here == pytest.approx(np.mean([cue["rate"] for cue in cues.values()]))
