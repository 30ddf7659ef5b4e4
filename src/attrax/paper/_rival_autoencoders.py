"""Autoencoders as rivals: trained on clean or corrupted pictures, and applied once or again and again."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from attrax.extending import HostStates, Progress
from attrax.maps import describe, mlp
from attrax.paper._rival_memories import RivalMemory
from attrax.patterns import Patterns
from attrax.writing import Gradient

_AGAIN = 100
"""Applications of an autoencoder that is iterated."""


def autoencoders(
    points: HostStates,
    *,
    corruptions: Sequence[str] = (),
    width: int,
    depth: int,
    epochs: int,
    seed: int,
    progress: Progress | None = None,
) -> tuple[RivalMemory, RivalMemory]:
    """One ReLU autoencoder, applied once and a hundred times: trained on these corruptions, or on clean pictures.

    The denoiser is trained in the coordinates of the data's span, the clean one on pixels, both by Adam.
    """
    options: Any = {"corruptions": tuple(corruptions), "coordinates": 0} if corruptions else {"optimizer": "adam"}
    writer = Gradient(epochs=epochs, polish=False, **options)
    recipe = partial(mlp, width=width, depth=depth, init="kaiming_uniform")
    written = writer.write(Patterns.from_examples(points), recipe, progress=progress, key=jr.key(seed))
    shape = points.shape[1:]
    parameters = describe(written.map).parameters
    name = "denoising autoencoder" if corruptions else "autoencoder, clean pictures"
    setting = f"{depth}x{width} ReLU, {epochs:,} epochs"

    def answer(cues: np.ndarray, known: np.ndarray | None, *, steps: int) -> np.ndarray:
        states = jnp.asarray(cues, jnp.float32).reshape(len(cues), *shape)
        ends = _applied(written.map, states, jnp.asarray(steps))
        return np.asarray(ends, np.float64).reshape(len(cues), -1)

    once, again = (
        RivalMemory(f"{name}, {said}", setting, parameters, 4 * parameters, partial(answer, steps=steps))
        for said, steps in (("once", 1), ("iterated", _AGAIN))
    )
    return once, again


@eqx.filter_jit
def _applied(network: Any, states: Any, steps: Any) -> Any:
    return jax.lax.fori_loop(0, steps, lambda _, some: jax.vmap(network)(some).astype(some.dtype), states)
