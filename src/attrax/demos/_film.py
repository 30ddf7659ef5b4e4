"""The demonstration of sequences: a film is stored as a limit cycle and recalled from noise."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

import jax.random as jr
import numpy as np

from attrax.dynamics import Recall, recall
from attrax.extending import Progress, Record, checks
from attrax.files import save
from attrax.maps import describe
from attrax.memory import Memory
from attrax.patterns import Patterns
from attrax.report import path_strip, save_figure
from attrax.sources import load_sequence, save_video
from attrax.writing import Constructed, store

_SOURCE, _SIZE, _RATE = "pan:60", (64, 64), 5.0  # 12 s over three photographs
_WRITER = Constructed("margin")
_CUES = 20
_SHOWN_RATE, _SHOWN_CUE = 12.5, 8  # frames per second, and frames for which the cue is shown
_ENLARGED = 4


@dataclass(frozen=True, slots=True, eq=False)
class FilmDemo(Record):
    """The results of `demo_film`.

    **Fields:**

    - `memory`: the memory of the film, one cycle, with its certificate.
    - `recalled`: the paths from 20 cues of noise.
    - `file`: the memory as a file.
    - `films`: the path from the first cue as `.mp4` and as `.gif`, enlarged four times.
    - `strip`: the same as a strip of pictures.
    - `seconds`: total wall-clock time.
    """

    memory: Memory
    recalled: Recall
    file: Path
    films: tuple[Path, Path]
    strip: Path
    seconds: float

    @property
    def width(self) -> int:
        """Units of the one hidden layer."""
        return describe(self.memory.map).facts["widths"][0]


def demo_film(
    folder: str | os.PathLike[str] = "attrax-demo", *, seed: int = 0, progress: Progress | None = None
) -> FilmDemo:
    """Stores a film of 60 frames (64×64 in color) in one hidden layer, certifies the cycle, and recalls it from noise.

    The film is made from photographs that come with scikit-image; the cues are pure noise, each pixel uniform in [0,
    1]. Writes `film.attrax` (the memory), `film.mp4`, `film.gif` and `film-strip.png` (the path from the first cue) to
    `folder`. Takes a few seconds on two cores; no network connection is used.

    **Arguments:**

    - `folder`: created if it is missing; files of these names are replaced.
    - `seed`: seed of the cues.
    - `progress`: called as `progress(task, done, total, numbers)` from time to time.

    **Returns:** `FilmDemo`. **Raises** `ValueError` for a wrong seed, before any work, and for a folder that can't be
    written.

    ```python
    >>> from attrax import demos
    >>> shown = demos.demo_film("attrax-demo")  # doctest: +SKIP

    ```
    """
    begun = time.perf_counter()
    seed = checks.integer("seed", seed, least=0)
    folder = Path(folder)
    try:  # before the work, not after it
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"the folder {folder} can't be created: {error.strerror or error}") from None
    clip = load_sequence(_SOURCE, size=_SIZE, fps=_RATE)
    film = clip.values
    memory = store(Patterns.from_cycles([film]), writer=_WRITER, progress=progress, key=jr.key(seed))
    memory.written["media"] = clip.facts()  # so that recall writes it back as a film
    file = save(folder / "film.attrax", memory)
    cues = np.random.default_rng(seed).uniform(size=(_CUES, *film.shape[1:]))
    recalled = recall(memory, cues, path=True, progress=progress)
    assert recalled.path is not None
    frames = recalled.path[0]
    shown = np.concatenate([np.repeat(frames[:1], _SHOWN_CUE - 1, axis=0), frames])
    enlarged = shown.repeat(_ENLARGED, axis=1).repeat(_ENLARGED, axis=2)
    films = tuple(save_video(folder / f"film{suffix}", enlarged, _SHOWN_RATE).path for suffix in (".mp4", ".gif"))
    strip = folder / "film-strip.png"
    save_figure(path_strip(memory, recalled), strip, dpi=120)
    return FilmDemo(
        memory,
        recalled,
        file,
        (films[0], films[1]),
        strip,
        time.perf_counter() - begun,
    )
