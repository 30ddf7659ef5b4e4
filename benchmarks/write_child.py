"""One job in a process of its own, for its peak memory: `python -m benchmarks.write_child JOB OPTIONS`.

`OPTIONS` is a JSON object; the report is one too.
"""

import json
import sys
from typing import Any

from benchmarks.write_common import examples, peak_memory, store


def store_job(source: str, n: int) -> dict[str, Any]:
    """Stores the first `n` examples by the default writer."""
    values = examples(source, n)
    loaded = peak_memory()
    done = store(values)
    return {"seconds": done.seconds, "attractors": done.attractors, "loaded_mb": loaded, "peak_mb": peak_memory()}


def reference_job(
    source: str, n: int, widths: list[int], activation: str, bias: bool, dtype: str, threads: int
) -> dict[str, Any]:
    """A few epochs of the reference: after the first ones it needs no more memory."""
    from benchmarks.reference import Reference

    values = examples(source, n)
    loaded = peak_memory()
    reference = Reference(values, widths, activation=activation, bias=bias, dtype=dtype)
    reference.train(epochs=20, threads=threads)
    return {"loaded_mb": loaded, "peak_mb": peak_memory()}


def main() -> None:
    """Runs the job named on the command line and prints its report as the last line."""
    jobs = {"store": store_job, "reference": reference_job}
    print(json.dumps(jobs[sys.argv[1]](**json.loads(sys.argv[2]))))


if __name__ == "__main__":
    main()
