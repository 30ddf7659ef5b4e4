"""Examples that come with the packages attrax depends on: nothing is downloaded."""

from functools import cache
from importlib.util import find_spec
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from attrax.sources._arrays import open_npy
from attrax.sources._pictures import read_picture
from attrax.sources._pixels import promote
from attrax.sources._records import Source, SourceError, numbered

# The photographs among scikit-image's pictures. Left out: what was drawn, and the second half of the stereo pair.

_PHOTOGRAPHS = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "motorcycle_left.png",
    "rocket.jpg",
    "retina.jpg",
    "ihc.png",
    "hubble_deep_field.jpg",
    "camera.png",
    "coins.png",
    "brick.png",
    "grass.png",
    "gravel.png",
    "moon.png",
    "page.png",
    "text.png",
    "cell.png",
    "clock_motion.png",
)

_SIDE = 32
_LEAST_CONTRAST = 0.04  # standard deviation of the gray levels; below it a crop is nearly constant


def digits() -> Source:
    """1,797 handwritten digits, 8×8, gray, from scikit-learn."""
    # Of 64 pixels from 0 to 16 and the class. Importing the package to read them would take a second.
    table = np.loadtxt(_file("sklearn", "datasets/data/digits.csv.gz", "scikit-learn"), delimiter=",")
    labels = tuple(str(int(one)) for one in table[:, -1])
    return _source("digits", (table[:, :-1].reshape(-1, 8, 8) / 16).astype(np.float32), labels)


def faces() -> Source:
    """100 faces, 25×25, gray, from scikit-image's excerpt of Labeled Faces in the Wild."""
    # Its other hundred images show no faces.
    return _source("faces", np.asarray(open_npy(shipped("lfw_subset.npy")).read()[:100], np.float32))


def natural() -> Source:
    """254 crops of scikit-image's photographs, 32×32, color. Neighbors come from different photographs."""
    return _source("natural", _natural())


def _source(name: str, values: np.ndarray[Any, Any], labels: tuple[str, ...] = ()) -> Source:
    return Source("images", numbered(name, len(values)), "", lambda index: values[index], labels=labels)


def shipped(name: str) -> Path:
    """Where scikit-image keeps one of its pictures. **Raises** `SourceError` where it is not there."""
    # Located without an import of the package, whose own loader may turn to the network.
    return _file("skimage", f"data/{name}", "scikit-image")


def _file(package: str, name: str, project: str) -> Path:
    found = find_spec(package)
    path = Path(found.origin or "").parent / name if found else Path(name)
    if not path.is_file():
        raise SourceError(f"{path.name} should have come with {project} but is not there; reinstall {project}")
    return path


@cache
def _natural() -> np.ndarray[Any, Any]:
    # One crop of each photograph in turn, so that the first few are as unlike as can be.
    rounds = zip_longest(*(_crops(promote(read_picture(shipped(name)))) for name in _PHOTOGRAPHS))
    crops = np.stack([crop for row in rounds for crop in row if crop is not None])
    crops.setflags(write=False)
    return crops


def _crops(pixels: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """The inner parts of the tiles of a photograph, about 4 along its shorter side, so that no two touch."""
    height, width = pixels.shape[:2]
    tile = max(min(height, width) // 4, 2 * _SIDE)
    side, margin = tile * 3 // 4, tile // 8
    photograph = Image.fromarray(pixels)
    crops = []
    for top in range(margin, height - tile + margin + 1, tile):
        for left in range(margin, width - tile + margin + 1, tile):
            box = (left, top, left + side, top + side)
            crop = photograph.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS, box)
            if np.std(np.asarray(crop.convert("L")) / 255) >= _LEAST_CONTRAST:
                crops.append(np.asarray(crop))
    return crops
