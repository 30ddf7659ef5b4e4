"""How many cycles are certified at once, by how many threads, so that they take no more memory than is allowed."""

import math
import os
from collections.abc import Sequence

from attrax._base import checks
from attrax._base.arguments import ArgumentError, mention
from attrax.dynamics import Refined
from attrax.linalg import FORMED
from attrax.maps import ConstantLinearizer, Images, describe
from attrax.memory import Memory

_PIECE, _MOST, _ENOUGH = 64, 512, 32
"""Cycles that a thread takes at once: with a limit of memory at most the first number, else at most the second; and the
number for which fewer threads are better than fewer cycles, as the weights are read for each piece."""
_STATES = 8
"""Copies of a state that are held of each cycle in a piece."""
_ALONE = 4
"""Numbers of 64 bits that are held while one cycle is certified by itself, for each weight or, if those are more, for
each entry of the Jacobian."""


def known_ends(memory: Memory, refined: Sequence[Refined | None] | None, images: Images | None) -> list[Refined | None]:
    """What each cycle was refined to, as far as that is known. **Raises** `ValueError` unless it is one entry for each,
    with as many states, and the images are those of the map."""
    if images is not None and not (isinstance(images, Images) and images.are_of(memory.map)):
        raise ValueError("images must be attrax.maps.Images of the memory's own map, made from memory.map itself")
    patterns = memory.examples()
    cycles, shape = patterns.cycles, patterns.shape
    if refined is None:
        return [None] * len(cycles)
    if len(refined) != len(cycles):
        raise ValueError(f"refined must be one entry for each of the {len(cycles)} cycles; got {len(refined)}")
    for number, (cycle, one) in enumerate(zip(cycles, refined, strict=True)):
        if one is not None and one.points.shape != (len(cycle), *shape):
            raise ValueError(
                f"refined must have the {len(cycle)} states of cycle {number}, an array of shape "
                f"{(len(cycle), *shape)}; got {one.points.shape}"
            )
    return list(refined)


def sizes_within(limit: int | None, memory: Memory, linearize: ConstantLinearizer | None) -> tuple[int, int]:
    """The number of threads, and of cycles that each takes at once, within `limit` bytes.

    `linearize` is what looks at many cycles at once, if there is such a thing. **Raises** `ValueError` for a limit that
    one cycle exceeds.
    """
    workers, patterns = os.cpu_count() or 1, memory.examples()
    if limit is None:
        return workers, min(max(_PIECE, len(patterns.cycles) // workers), _MOST)
    limit = checks.integer("memory_limit", limit, least=1)
    size, longest = math.prod(patterns.shape), max(map(len, patterns.cycles))
    alone = 8 * _ALONE * max(describe(memory.map).parameters, min(size, FORMED) ** 2)
    each = 8 * _STATES * size * longest + (0 if linearize is None else linearize.bytes_of_state)
    if limit < alone + each:
        raise ArgumentError(
            f"{mention('memory_limit')} must be at least {math.ceil((alone + each) / 1e6)} MB, which one example of "
            f"{size:,} entries takes; got {limit:,} bytes"
        )
    workers = max(1, min(workers, limit // (alone + _ENOUGH * each)))
    return workers, min(_PIECE, (limit // workers - alone) // each)
