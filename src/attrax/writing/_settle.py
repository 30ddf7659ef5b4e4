"""From a trained network to a memory: its exact fixed points and cycles, and their certificate."""

from dataclasses import replace

import numpy as np
from threadpoolctl import threadpool_limits

from attrax._base.numerics import float64
from attrax._base.status import Verdict
from attrax._base.types import Progress
from attrax.certificates import certify
from attrax.dynamics import fixed, refine
from attrax.maps import reduced_map
from attrax.memory import Certificate, Memory


def settle(memory: Memory, *, progress: Progress | None = None) -> Memory:
    """The memory with its points refined to the exact cycles of its map, and certified there."""
    patterns, originals = memory.examples(), memory.originals
    assert originals is not None  # a memory with patterns has them
    points = np.array(originals, np.float64)
    with float64():
        way = reduced_map(memory.map, patterns.shape)
    # These are small products; threads that share one wait for each other on a busy machine.
    with threadpool_limits(1, user_api="blas"):
        alone = [cycle[0] for cycle in patterns.cycles if len(cycle) == 1]
        exact = set(np.asarray(alone, int)[fixed(way, points[alone])])
        for cycle in patterns.cycles:
            if len(cycle) == 1 and cycle[0] in exact:
                continue
            index = list(cycle)
            points[index] = refine(memory.map, points[index], way=way, unit=patterns.unit).points
    memory = Memory(memory.map, replace(patterns, points=points), originals, memory.written)
    certificate: Certificate = certify(memory, progress=progress)
    return replace(memory, certificate=certificate)


def failed_examples(memory: Memory) -> tuple[int, ...]:
    """The examples of a settled memory on cycles that are not certified attractors, or on a way that is not kept."""
    certificate = memory.certificate
    assert certificate is not None  # `settle` sets it
    failed = [
        index
        for cycle, verdict in zip(certificate.cycles, certificate.verdict, strict=True)
        if verdict is not Verdict.ATTRACTOR
        for index in cycle
    ]
    for way, kept in zip(memory.examples().open_sequences, certificate.open_sequences_kept, strict=True):
        failed += [] if kept else way[:-1]
    return tuple(sorted(set(failed)))
