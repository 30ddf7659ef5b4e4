"""What `test_devices.py` runs with eight devices. Prints what was computed on one of them, and on all."""

import json
from dataclasses import fields
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

import attrax as ax

draw = np.random.default_rng(0)
points, cues = draw.uniform(size=(11, 4)), draw.uniform(size=(37, 4))
network = ax.maps.mlp((4,), width=8, depth=1, activation="tanh", key=jr.key(0), dtype="float64")
momentum = ax.training.optimizer("momentum", learning_rate=0.1)


def flat(tree: Any) -> list[float]:
    """Every number in it."""
    return [float(number) for leaf in jax.tree.leaves(tree) if hasattr(leaf, "dtype") for number in np.ravel(leaf)]


def trained() -> dict[str, list[float]]:
    """In batches that no number of devices divides."""
    options = {"epochs": 20, "tol": None, "batch": 3, "key": jr.key(1)}
    fitted = ax.training.fit(network, points, points, optimizer=momentum, **options)
    for leaf in jax.tree.leaves(fitted.optimizer_state):
        assert isinstance(leaf, np.ndarray) or len(leaf.sharding.device_set) == 1
    kept = {"optimizer_state": fitted.optimizer_state, "epochs": 1}
    further = ax.training.fit(fitted.map, points, points, optimizer=momentum, **options | kept)
    return {"map": [fitted.loss, further.loss, *flat(fitted.map)], "optimizer": flat(fitted.optimizer_state)}


def recalled() -> dict[str, Any]:
    """From pieces that are not full."""
    found = ax.recall(ax.Memory(network, ax.Patterns.from_examples(points[:3])), cues, max_steps=100)
    return {name: getattr(found, name).tolist() for name in ("value", "num_steps", "residual", "nearest")}


def refusal(count: Any) -> str:
    """What is said of so many devices."""
    try:
        with ax.devices(count):
            return "taken"
    except ValueError as error:
        return str(error)


told: dict[str, Any] = {"one": {"trained": trained(), "recalled": recalled()}}
with ax.devices("all") as used:
    told["all"] = {"trained": trained(), "recalled": recalled()}
told |= {"devices": len(used), "refused": {str(count): refusal(count) for count in (8, 9, 0, "few")}}
coupling = jnp.asarray(draw.standard_normal((3, 3)) / 4)
memory = ax.Memory(lambda x: coupling @ jnp.sin(x), ax.Patterns.from_examples(np.array([[0.0] * 3, [1e-9] * 3])))
one = ax.certify(memory)
with ax.devices(2):
    both = ax.certify(memory)
pairs = {field.name: [np.asarray(getattr(of, field.name)) for of in (one, both)] for field in fields(one)}
told["certificates differ in"] = [name for name, pair in pairs.items() if not np.array_equal(*pair)]
print(json.dumps(told))
