"""One memory trained and recalled from on one device, on several of one process, and by two processes together.

`--devices N` devices, 2 by default: those there are, or so many made of the CPU, which share its cores.
"""

import argparse
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from typing import Any

from benchmarks.measure import Table, machine, title

_MADE = "--xla_force_host_platform_device_count"
WIDTH, SIZE, EXAMPLES, EPOCHS, CUES = 256, 784, 100, 20, 500


def main() -> None:
    """Prints a Markdown table; times are those of a second run, without compilation."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--devices", type=int, default=2)
    options.add_argument("--part", nargs="*", help=argparse.SUPPRESS)  # of itself: devices, then port and number
    given = options.parse_args()
    if given.part is not None:
        _part(*given.part)
        return
    title(
        f"Several devices: {EPOCHS} full-batch epochs of Adam on {EXAMPLES} examples of {SIZE} entries, width {WIDTH}; "
        f"20 steps from each of {CUES:,} cues",
        machine(),
    )
    table = Table("where", "training, s", "recall, s", "largest difference of hundreds of weights", "same recall")
    one = _told([_begun(1, "1")])[0]
    found = {
        "one device": one,
        f"{given.devices} devices": _told([_begun(given.devices, str(given.devices))])[0],
    }
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    both = _told([_begun(1, "all", port, str(number)) for number in range(2)])
    found |= {f"process {number} of 2": told for number, told in enumerate(both)}
    for where, told in found.items():
        apart = max(abs(a - b) for a, b in zip(told["weights"], one["weights"], strict=True))
        same = told["recalled"] == one["recalled"]
        table.row(
            where, f"{told['training']:.2f}", f"{told['recall']:.2f}", f"{apart:.1e}", "yes" if same else "**no**"
        )


def _begun(devices: int, *part: str) -> subprocess.Popen[str]:
    flags = f"{os.environ.get('XLA_FLAGS', '')} {_MADE}={devices}"  # which only a CPU heeds
    command = [sys.executable, "-m", "benchmarks.bench_devices", "--part", *part]
    return subprocess.Popen(command, env=os.environ | {"XLA_FLAGS": flags}, stdout=subprocess.PIPE, text=True)


def _told(processes: list[subprocess.Popen[str]]) -> list[dict[str, Any]]:
    found = [process.communicate()[0] for process in processes]
    if any(process.returncode for process in processes):
        sys.exit("a part of the benchmark failed")
    return [json.loads(out.splitlines()[-1]) for out in found]


def _part(devices: str, port: str | None = None, number: str | None = None) -> None:
    """Trains and recalls on so many devices, and prints the times, some weights and where the cues come to."""
    import jax
    import jax.random as jr
    import numpy as np

    import attrax as ax

    if port is not None and number is not None:
        jax.distributed.initialize(f"127.0.0.1:{port}", num_processes=2, process_id=int(number))
    draw = np.random.default_rng(0)
    points, cues = draw.uniform(size=(EXAMPLES, SIZE)), draw.uniform(size=(CUES, SIZE))
    network = ax.maps.mlp((SIZE,), width=WIDTH, depth=1, activation="tanh", key=jr.key(0), dtype="float64")
    options = {"optimizer": ax.training.optimizer("adam"), "epochs": EPOCHS, "tol": None, "key": jr.key(1)}
    with ax.devices(devices if devices == "all" else int(devices)):
        for _ in range(2):
            begun = time.perf_counter()
            fitted = ax.training.fit(network, points, points, **options)
            trained = time.perf_counter()
            found = ax.iterate(network, cues, max_steps=20, atol=1e-30)
            done = time.perf_counter()
    leaves = [np.ravel(leaf) for leaf in jax.tree.leaves(fitted.map) if hasattr(leaf, "dtype")]
    # Little enough for a pipe to hold: a process that waits for its reader would keep the other one from ending.
    weights = [float(weight) for leaf in leaves for weight in leaf[:: 1 + len(leaf) // 100]]
    told = {"training": trained - begun, "recall": done - trained, "weights": weights}
    print(json.dumps(told | {"recalled": hashlib.sha256(found.value.tobytes()).hexdigest()}))


if __name__ == "__main__":
    main()
