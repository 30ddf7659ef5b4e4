"""What `test_devices.py` runs: `several.py` with eight devices, `several.py PORT NUMBER` as one of two processes.

The last line that is printed has what was computed on one device, on several, or by both processes.
"""

import json
import sys
from dataclasses import fields
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

import attrax as ax

if len(sys.argv) > 1:
    jax.distributed.initialize(f"127.0.0.1:{sys.argv[1]}", num_processes=2, process_id=int(sys.argv[2]))
draw = np.random.default_rng(0)
points, cues = draw.uniform(size=(11, 4)), draw.uniform(size=(37, 4))
network = ax.maps.mlp((4,), width=8, depth=1, activation="tanh", key=jr.key(0), dtype="float64")
adam = ax.training.optimizer("adam", learning_rate=0.02)


def flat(tree: Any) -> list[float]:
    """Every number in it."""
    return [float(number) for leaf in jax.tree.leaves(tree) if hasattr(leaf, "dtype") for number in np.ravel(leaf)]


def computed() -> dict[str, Any]:
    """Of a training in batches that no number of devices divides, and of a recall in pieces that are not full."""
    options = {"epochs": 20, "tol": None, "batch": 3, "copies": 3, "noise": 0.01, "key": jr.key(1)}
    fitted = ax.training.fit(network, points, points, optimizer=adam, **options)
    for leaf in jax.tree.leaves(fitted.optimizer_state):
        assert isinstance(leaf, np.ndarray) or len(leaf.sharding.device_set) == 1
    found = ax.recall(ax.Memory(network, ax.Patterns.from_examples(points[:3])), cues, max_steps=100)
    recalled = {name: getattr(found, name).tolist() for name in ("value", "num_steps", "residual", "nearest")}
    return {"trained": [fitted.loss, *flat(fitted.map)], "kept": flat(fitted.optimizer_state), "recalled": recalled}


def refusal(count: Any) -> str:
    """What is said of so many devices."""
    try:
        with ax.devices(count):
            return "taken"
    except ValueError as error:
        return str(error)


told: dict[str, Any] = {} if len(sys.argv) > 1 else {"one": computed()}
with ax.devices("all") as used:
    told |= {"devices": len(used), "several": computed()}
told["refused"] = {str(count): refusal(count) for count in (1, 9, 0, "few")}
if len(sys.argv) == 1:
    coupling = jnp.asarray(draw.standard_normal((3, 3)) / 4)
    memory = ax.Memory(lambda x: coupling @ jnp.sin(x), ax.Patterns.from_examples(np.array([[0.0] * 3, [1e-9] * 3])))
    alone = ax.certify(memory)
    with ax.devices(2):
        both = ax.certify(memory)
    names = [field.name for field in fields(alone)]
    pairs = {name: [np.asarray(getattr(of, name)) for of in (alone, both)] for name in names}
    told["certificates differ in"] = [name for name, (one, other) in pairs.items() if not np.array_equal(one, other)]
print(json.dumps(told))
