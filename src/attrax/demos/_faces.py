"""The demonstration: 100 photographs of faces are stored, certified and recalled, and shown on a page."""

import os
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jax.random as jr

from attrax.analysis import Recovery, recovery
from attrax.extending import Progress, Record, checks
from attrax.files import save
from attrax.maps import mlp
from attrax.memory import Memory
from attrax.report import recall_strip, save_figure, write_page
from attrax.sources import load
from attrax.writing import Gradient, store

CORRUPTIONS = ("gaussian:0.5", "gaussian:1", "occlude:0.5", "drop:0.5", "half:right,0.5")
"""The corruptions from which the faces are recalled. The last one is not used in training; it is also tried
with the known half told."""

_WIDTH, _DEPTH = 512, 4
_WRITER = Gradient(
    # Blocks of noise teach the network that a whole part of a cue may be wrong, whatever stands there.
    corruptions=("gaussian:1", "gaussian:1", "occlude:0.7", "drop:0.8", "blocknoise:0.85", "blocknoise:0.85"),
    coordinates=0,
    epochs=5500,
    learning_rate=2e-3,
    adversarial_deviation=0.2,
)


@dataclass(frozen=True, slots=True, eq=False)
class Demo(Record):
    """The results of `demo`.

    **Fields:**

    - `memory`: the memory of 100 faces, with its certificate.
    - `recoveries`: one record for each corruption, in the order of `CORRUPTIONS`, and another of the last one, with the
      known half told.
    - `page`: the HTML page.
    - `file`: the memory as a file.
    - `strip`: a picture of the first faces, their cues and the recalled faces.
    - `seconds`: total wall-clock time.
    """

    memory: Memory
    recoveries: tuple[Recovery, ...]
    page: Path
    file: Path
    strip: Path
    seconds: float

    @property
    def all_certified(self) -> bool:
        """Whether every face is a certified attractor."""
        return self.memory.certificate is not None and self.memory.certificate.all_attractors


def demo(folder: str | os.PathLike[str] = "attrax-demo", *, seed: int = 0, progress: Progress | None = None) -> Demo:
    """Stores 100 photographs of faces (25×25, from scikit-image), certifies each, and recalls them from corrupted cues.

    Writes `faces.attrax` (the memory), `index.html` (a page about it) and `strip.png` (a picture to share) to `folder`.
    Takes about a minute on two cores; no network connection is used.

    **Arguments:**

    - `folder`: created if it is missing; files of these names are replaced.
    - `seed`: seed of the initialization, the training noise and the corruptions.
    - `progress`: called as `progress(task, done, total, numbers)` from time to time.

    **Returns:** `Demo`. **Raises** `ValueError` for a wrong seed, before any work, and for a folder that can't be
    written.

    ```python
    >>> from attrax import demos
    >>> shown = demos.demo("attrax-demo")  # doctest: +SKIP

    ```
    """
    begun = time.perf_counter()
    seed = checks.integer("seed", seed, least=0)
    folder = Path(folder)
    try:  # before the minute of work, not after it
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"the folder {folder} can't be created: {error.strerror or error}") from None
    store_key, cue_key = jr.split(jr.key(seed))
    faces = load("faces").values
    network = partial(mlp, width=_WIDTH, depth=_DEPTH, init="kaiming_uniform")
    memory = store(faces, network, writer=_WRITER, progress=progress, key=store_key)
    file = save(folder / "faces.attrax", memory)
    tries = [*((name, None) for name in CORRUPTIONS), (CORRUPTIONS[-1], "auto")]
    recoveries = tuple(
        recovery(memory, name, known=known, progress=progress, key=jr.fold_in(cue_key, number))
        for number, (name, known) in enumerate(tries)
    )
    strip = folder / "strip.png"
    shown = [record for record in recoveries if record.corruption in ("gaussian:0.5", "occlude:0.5", "drop:0.5")]
    save_figure(recall_strip(memory, shown), strip, dpi=120)
    page = write_page(
        folder / "index.html",
        memory,
        recoveries,
        title="100 faces in a network",
        settings={"source": "faces: 100 pictures of Labeled Faces in the Wild, from scikit-image", "seed": seed},
        commands=(f"attrax demo --seed {seed}",),
    )
    return Demo(memory, recoveries, page, file, strip, time.perf_counter() - begun)
