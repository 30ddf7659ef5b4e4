"""Examples from any number of sources."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from attrax._base import checks
from attrax.sources._pixels import MAX_PIXELS, prepare, promote
from attrax.sources._records import Examples, Source, SourceError
from attrax.sources._specs import open_source


def load(
    *specs: str | os.PathLike[str],
    n: int | None = None,
    shuffle: bool = False,
    seed: int = 0,
    size: tuple[int, int] | None = None,
    gray: bool = False,
    skip_unreadable: bool = False,
) -> Examples:
    """Examples from files, folders and known data sets, as one array.

    Several sources are put one after another. Integers are divided by the largest of their type (8 bits by 255,
    16 bits by 65,535) and become float32; bools become 0 and 1; float32 and float64 are taken as they are, float16
    becomes float32. Image files are turned upright by their EXIF orientation; what is transparent is laid over black;
    of an animation the first frame is taken. Gray images are H×W. They become H×W×3 where any other image that is
    loaded has color.

    A source is one of

    - a folder of image files, taken in natural order of their names; hidden files and subfolders are not looked at;
    - an image file;
    - a `.npy` file, or a `.npz` file with one array or one called `data`, `images` or `x`; `FILE.npz:NAME` takes
      another one. n×d are vectors; n×H×W and n×H×W×C with C from 1 to 4 are images;
    - a `.csv` file: a vector a row, numbers between commas, under one row of names at most;
    - `points:X,Y;X,Y;…`: vectors written out, such as points in the plane;
    - `digits` (1,797 of 8×8), `faces` (100 of 25×25) or `natural` (crops of photographs, 32×32×3), which come with
      scikit-learn and scikit-image;
    - `mnist:DIR`, `cifar10:DIR` or `imagenet64:DIR`: a folder with the published files, with `@test` behind it for
      the test part. Without `:DIR`, the folders `mnist`, `cifar-10-batches-bin` and `imagenet64` are looked for under
      the folder named by the environment variable `ATTRAX_DATA`.

    A file that is called like a data set is reached as `./digits` or as a `Path`.

    **Arguments:**

    - `specs`: the sources, at least one.
    - `n`: how many examples to take, the first ones over all sources; all of them by default.
    - `shuffle`: take them at random and in random order instead.
    - `seed`: of the random order. The same seed gives the same examples.
    - `size`: height and width in pixels that every image is brought to, by means over boxes (in float32).
    - `gray`: one channel instead of color, by the weights 0.299, 0.587, 0.114 of ITU-R 601.
    - `skip_unreadable`: leave unreadable image files out, and list them in `skipped`, instead of raising.

    **Returns** `Examples`.

    **Raises** `ValueError` for a source that does not exist, is damaged, claims more than its file can hold or holds
    anything but finite real numbers; for images of unlike sizes without `size`; and where fewer than `n` are there.

        >>> from attrax.sources import load
        >>> load("digits", "faces", n=1800, size=(16, 16)).values.shape
        (1800, 16, 16)
    """
    if not specs:
        raise SourceError("load needs at least one source, as in load('digits'); got none")
    if n is not None:
        checks.integer("n", n, least=1)
    seed, size = checks.integer("seed", seed), checked_size(size)
    sources = [open_source(spec) for spec in specs]
    _refuse_mixture(specs, sources)
    images = sources[0].kind == "images"
    if not images and (size is not None or gray):
        raise SourceError(f"size and gray apply to images only; {specs[0]} holds vectors. Leave them out")

    positions = [(source, index) for source in sources for index in range(len(source.names))]
    if n is not None and n > len(positions):
        raise SourceError(f"n must be at most {len(positions)}, the number of examples in {_listed(specs)}; got {n}")
    order = np.random.default_rng(seed).permutation(len(positions)) if shuffle else np.arange(len(positions))

    values: dict[int, np.ndarray[Any, Any]] = {}
    skipped: dict[int, str] = {}
    first = ""
    wanted = len(positions) if n is None else n
    while missing := min(wanted - len(values), len(order) - len(values) - len(skipped)):
        taken = len(values) + len(skipped)
        # In the order of the files, so that none is opened twice.
        for position in sorted(order[taken : taken + missing].tolist()):
            source, index = positions[position]
            label = source.label(index)
            try:
                value = prepare(source.item(index), label, size=size, gray=gray, image=images)
            except SourceError as error:
                if not (skip_unreadable and source.separate):
                    raise
                skipped[position] = str(error)
                continue
            if values:
                _refuse_unlike(first, next(iter(values.values())), label, value, images)
            first = first or label
            values[position] = value
    left_out = tuple(skipped[position] for position in sorted(skipped))
    if not values or (n is not None and len(values) < n):
        raise SourceError(
            f"{wanted} examples were to be read from {_listed(specs)}, but only {len(values)} of {len(positions)} "
            f"are readable; the first that is not: {left_out[0]}"
        )
    kept = [position for position in order.tolist() if position in values]
    rows = [values[position] for position in kept]
    if images and any(row.ndim == 3 for row in rows):
        rows = [promote(row) for row in rows]
    names = tuple(positions[position][0].names[positions[position][1]] for position in kept)
    return Examples(np.stack(rows), sources[0].kind, names, left_out)


def checked_size(size: Any) -> tuple[int, int] | None:
    """A pair of sides as it may be used. **Raises** `ValueError` for anything else."""
    if size is None:
        return None
    if isinstance(size, str) or not isinstance(size, Sequence) or len(size) != 2:
        raise ValueError(f"size must be a pair (height, width) in pixels; got {size!r}")
    height, width = (checks.integer("size", side, least=1) for side in size)
    if height * width > MAX_PIXELS:
        raise ValueError(f"size must come to at most {MAX_PIXELS:,} pixels; got {size!r}")
    return height, width


def _listed(specs: tuple[Any, ...]) -> str:
    return " and ".join(str(spec) for spec in specs)


def _refuse_mixture(specs: tuple[Any, ...], sources: list[Source]) -> None:
    for spec, source in zip(specs, sources, strict=True):
        if source.kind != sources[0].kind:
            raise SourceError(
                f"all sources must be images or all must be vectors; {specs[0]} holds {sources[0].kind} and {spec} "
                f"holds {source.kind}. Load them apart, or reshape one of them"
            )


def _refuse_unlike(
    first: str, one: np.ndarray[Any, Any], second: str, other: np.ndarray[Any, Any], images: bool
) -> None:
    """Gray beside color is the one difference that can be mended without being asked."""
    if one.shape == other.shape:
        return
    shapes = f"{first} has shape {_shape(one)} and {second} has shape {_shape(other)}"
    if not images:
        raise SourceError(f"vectors must agree in length; {shapes}")
    if one.shape[:2] != other.shape[:2]:
        raise SourceError(
            f"images must agree in height and width; {shapes}. Pass size=(height, width) to bring them to one"
        )
    if any(len(shape) == 3 and shape[2] != 3 for shape in (one.shape, other.shape)):
        raise SourceError(f"images must agree in their channels; {shapes}. Drop or add channels first")


def _shape(value: np.ndarray[Any, Any]) -> str:
    return "×".join(str(length) for length in value.shape)


def count(spec: str | os.PathLike[str]) -> int:
    """How many examples a source holds, without reading them.

    **Arguments:** `spec`, one of the sources that `load` takes. **Raises** `SourceError` as `load` does.

        >>> count("faces")
        100
    """
    return len(open_source(spec).names)
