"""Storing: patterns and a network go in, a memory with a certificate comes out."""

import os
import time
from dataclasses import replace

from jaxtyping import PRNGKeyArray

from attrax._base import checks
from attrax._base.checked_arrays import check_certificate_file
from attrax._base.files import certificate_file
from attrax._base.processes import refuse_forked
from attrax._base.states import state_batch
from attrax._base.types import HostStates, Map, Progress
from attrax.maps import Recipe, shapes_of
from attrax.memory import Memory
from attrax.patterns import Patterns
from attrax.writing._auto import Auto
from attrax.writing._certified import refine_and_certify
from attrax.writing._network import checked_network
from attrax.writing._protocol import Writer, checked_writer


def store(
    examples: Patterns | HostStates,
    network: Map | Recipe | None = None,
    *,
    writer: Writer | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    resume: bool = False,
    recovery_atol: float | None = None,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> Memory:
    """Writes examples into a network, and gives every one of them a verdict.

    The points of the memory are refined to fixed points and cycles of the trained network near the examples:
    by iteration, and by Newton's method where that is needed. `originals` holds the examples as given.

    **Arguments:**

    - `examples`: an array of n×state shape, each row to become a fixed point (equal ones are merged), or `Patterns`.
      The first axis counts the examples: for one picture write `picture[None]`.
    - `network`: the map to train, an `MLP` or any other Equinox module that keeps the shape of a state, or a recipe for
      a new one: a `functools.partial` that is called as `recipe(shape, key=key)`, such as `partial(mlp, width=512,
      depth=5)`. A recipe for an `MLP` is drawn in the writer's coordinates. By default the writer chooses; `Gradient`
      takes 5 hidden layers of 512 ReLU units with Kaiming's initialization.
    - `writer`: by default `Auto()`, which usually makes a winner-take-all network; `Gradient()` trains as in the paper.
      Any object with the methods of `attrax.writing.Writer` is a writer.
    - `checkpoint`, `resume`: a file to save training to, and whether to continue from it; see `attrax.training.fit`.
      Finished certificates are saved beside it, in a file whose name ends in
      `.certificate`, but not those of later attempts by `Auto`. What lies between, making a network of trained scores
      or by construction, is done again.
    - `recovery_atol`: the distance up to which an attractor counts as that of its example; see `certify`.
    - `progress`: called regularly with the loss.
    - `key`: random key for initialization, noise and order.

    **Returns:** a `Memory`; its `status` and `certificate` say what was reached. **Raises** `ValueError` for wrong
    arguments, before any training.

        >>> import jax.random as jr, numpy as np
        >>> import attrax as ax
        >>> points = np.array([[0.2, 0.4], [0.8, 0.6]])
        >>> memory = ax.store(points, ax.maps.mlp((2,), width=64, depth=3, key=jr.key(0)),
        ...                   writer=ax.Gradient(noise=0.05, epochs=500), key=jr.key(1))
        >>> len(memory.certificate.verdict)
        2
    """
    refuse_forked()
    checks.random_key(key)
    started = time.perf_counter()
    if recovery_atol is not None:
        recovery_atol = checks.real("recovery_atol", recovery_atol, above=0)
    if not isinstance(examples, Patterns):
        if isinstance(getattr(examples, "patterns", None), Patterns):  # what a source gives, or a memory
            raise ValueError(
                f"examples must be an array or Patterns; got {type(examples).__name__}. Pass its .patterns"
            )
        examples = Patterns.from_examples(state_batch("examples", examples, *shapes_of(network)))
    patterns = examples
    chosen: Writer = checked_writer(Auto() if writer is None else writer, "write")
    network = checked_network(network, patterns.shape)
    rows = None if checkpoint is None else certificate_file(checkpoint)
    if rows is not None:
        check_certificate_file(rows)
    written = chosen.write(
        patterns, network, key=key, checkpoint=checkpoint, resume=resume, recovery_atol=recovery_atol, progress=progress
    )
    memory = written.memory
    if memory is None:
        memory = refine_and_certify(
            Memory(written.map, patterns),
            images=written.images,
            recovery_atol=recovery_atol,
            checkpoint=rows,
            resume=resume,
            progress=progress,
        )
    certificate = memory.certificate
    assert certificate is not None  # `refine_and_certify` sets it
    record = {
        "writer": type(chosen).__name__,  # unless it calls itself something else
        **written.details,
        "status": str(certificate.status_after(written.status)),
        "loss": written.loss,
        "epochs": written.epochs,
        "seconds": time.perf_counter() - started,
    }
    return replace(memory, written=record)
