"""From a trained network to a memory: refines the points to its fixed points and cycles, and certifies them."""

import os
from dataclasses import replace

import numpy as np

from attrax._base.processes import one_blas_thread
from attrax._base.status import Verdict
from attrax._base.types import HostStates, Progress
from attrax.certificates import certify
from attrax.dynamics import refine_each
from attrax.maps import Images
from attrax.memory import Certificate, Memory, check_memory


def refine_and_certify(
    memory: Memory,
    *,
    images: HostStates | Images | None = None,
    recovery_atol: float | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = True,
    progress: Progress | None = None,
) -> Memory:
    """The memory with its points refined, and certified there: in float64, the map sends each to the next of its cycle
    up to a small residual. The certificate says whether an exact cycle was proved to exist there.

    `images` are the map's values at the originals, n×state shape, if they are known, or `attrax.maps.Images`, which
    certificates use too. `recovery_atol`, `checkpoint` and `resume` are those of `certify`. **Raises** `ValueError` if
    the memory holds no patterns.

    ```python
    >>> import numpy as np
    >>> import attrax as ax
    >>> near = np.array([[1 + 1e-9, 0.0]])
    >>> memory = ax.Memory(lambda x: x / 2 + np.array([0.5, 0.0]), ax.Patterns.from_examples(near))
    >>> certified = ax.writing.refine_and_certify(memory)
    >>> certified.certificate.verdict[0].value, certified.patterns.points.round(12).tolist()
    ('attractor', [[1.0, 0.0]])

    ```
    """
    check_memory(memory)
    patterns, originals = memory.examples(), memory.originals
    assert originals is not None  # a memory with patterns has them
    points = np.array(originals, np.float64)
    # The products are small; on a busy machine, threads that share one wait for each other.
    with one_blas_thread():
        places = [list(cycle) for cycle in patterns.cycles]
        values = images.values_at(points) if isinstance(images, Images) else images
        known = None if values is None else [values[place] for place in places]
        refined = refine_each(memory.map, [points[place] for place in places], images=known, unit=patterns.unit)
        for place, end in zip(places, refined, strict=True):
            points[place] = end.points
    memory = Memory(memory.map, replace(patterns, points=points), originals, memory.written)
    # These are the stored points now, which have not moved.
    ends = [replace(end, moved=0.0) if end.converged else None for end in refined]
    certificate: Certificate = certify(
        memory,
        recovery_atol=recovery_atol,
        checkpoint=checkpoint,
        resume=resume,
        refined=ends,
        images=images if isinstance(images, Images) else None,
        progress=progress,
    )
    return replace(memory, certificate=certificate)


def failed_examples(memory: Memory) -> tuple[int, ...]:
    """The examples of a memory with a certificate whose cycles are not certified attractors, or whose open sequences
    are not kept."""
    certificate = memory.certificate
    assert certificate is not None  # `refine_and_certify` sets it
    failed = [
        index
        for cycle, verdict in zip(certificate.cycles, certificate.verdict, strict=True)
        if verdict is not Verdict.ATTRACTOR
        for index in cycle
    ]
    for sequence, kept in zip(memory.examples().open_sequences, certificate.open_sequences_kept, strict=True):
        failed += [] if kept else sequence[:-1]
    return tuple(sorted(set(failed)))
