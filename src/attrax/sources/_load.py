"""Examples from any number of sources."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from attrax._base import checks
from attrax._base.arguments import ArgumentError, mention
from attrax._base.budget import refuse_beyond_memory
from attrax.sources._pixels import FITS, MAX_PIXELS, prepare, promote
from attrax.sources._records import Examples, Source, SourceError
from attrax.sources._scales import Range, checked_range, divided, known_range, narrow_note, type_range
from attrax.sources._specs import open_source


def load(
    *specs: str | os.PathLike[str],
    n: int | None = None,
    shuffle: bool = False,
    seed: int = 0,
    size: tuple[int, int] | None = None,
    fit: str = "squash",
    gray: bool = False,
    value_range: tuple[float, float] | None = None,
    recursive: bool = True,
    skip_unreadable: bool = False,
) -> Examples:
    """Examples from files, folders and known data sets, as one array.

    Several sources are put one after another. Integers of 8 and 16 bits are divided by the largest of their type (255,
    or 65,535) and become float32. Wider ones are divided by the end of the first of the ranges 0 to 1, −1 to 1, 0 to
    255, 0 to 4,095 and 0 to 65,535 that holds all of the source; where none does they are refused. Bools become 0 and
    1; float32 and float64 are taken as they are, float16 becomes float32. Image files are turned upright by their EXIF
    orientation; what is transparent is laid over black; of a file with several pages or frames each is an example.
    Gray images are H×W. They become H×W×3 where any other image that is loaded has color.

    A source is one of

    - a folder of image files and of folders of them, taken in natural order of their paths. Folders in it are the
      `labels`. Hidden files and what systems leave in folders are left out, and the notes say so;
    - an image file;
    - a `.npy` file, or a `.npz` file with one array or one called `data`, `images` or `x`; `FILE.npz:NAME` takes
      another one. n×d are vectors; n×H×W and n×H×W×C with C from 1 to 4 are images;
    - a `.csv` file: a vector a row, numbers between commas, under one row of names at most. A first column of texts
      holds the names of the examples;
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
    - `fit`: what becomes of images of another aspect ratio: `squash` stretches them, `crop` cuts them about the
      middle, `pad` sets them in the middle of black.
    - `gray`: one channel instead of color, by the weights 0.299, 0.587, 0.114 of ITU-R 601.
    - `value_range`: the numbers that become 0 and 1, instead of all that is said of integers above.
    - `recursive`: whether folders in a folder count.
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
    options: dict[str, Any] = {"size": size, "gray": gray}
    options |= {"fit": checked_fit(fit, size), "value_range": checked_range(value_range)}
    sources = [open_source(spec, recursive=recursive) for spec in specs]
    _refuse_mixture(specs, sources)
    images = sources[0].kind == "images"
    if not images and (size is not None or gray):
        raise SourceError(
            f"{mention('size')} and {mention('gray')} apply to images only; {_short(specs[0])} holds vectors. "
            "Leave them out"
        )

    positions = [(number, index) for number, source in enumerate(sources) for index in range(len(source.names))]
    if n is not None and n > len(positions):
        raise SourceError(
            f"{mention('n')} must be at most {len(positions)}, the number of examples in {_listed(specs)}; got {n}"
        )
    order = np.random.default_rng(seed).permutation(len(positions)) if shuffle else np.arange(len(positions))

    values: dict[int, np.ndarray[Any, Any]] = {}
    skipped: dict[int, str] = {}
    scales = [_Scale() for _ in sources]
    first = ""
    wanted = len(positions) if n is None else n
    while missing := min(wanted - len(values), len(order) - len(values) - len(skipped)):
        taken = len(values) + len(skipped)
        # In the order of the files, so that none is opened twice.
        for position in sorted(order[taken : taken + missing].tolist()):
            number, index = positions[position]
            source = sources[number]
            label = source.label(index)
            try:
                raw = source.item(index)
                value = prepare(raw, label, image=images, **options)
            except SourceError as error:
                if not source.separate:
                    raise
                if not skip_unreadable:
                    skip = mention("skip_unreadable", "True")
                    raise SourceError(f"{error.message}. {skip} leaves such files out") from error
                skipped[position] = str(error)
                continue
            if values:
                _refuse_unlike(first, next(iter(values.values())), label, value, images)
            else:
                _refuse_too_many(wanted, value, images)
            first = first or label
            values[position] = value
            if raw.dtype.kind in "ui":
                scales[number].meet(raw, position)
    left_out = tuple(skipped[position] for position in sorted(skipped))
    if not values or (n is not None and len(values) < n):
        raise SourceError(
            f"{wanted} examples were to be read from {_listed(specs)}, but only {len(values)} of {len(positions)} "
            f"are readable; the first that is not: {left_out[0]}"
        )
    notes = [note for source in sources for note in source.notes]
    for spec, source, scale in zip(specs, sources, scales, strict=True):
        notes += scale.scale_rest(values, source, _short(spec), value_range)
    kept = [position for position in order.tolist() if position in values]
    rows = [values[position] for position in kept]
    if images and any(row.ndim == 3 for row in rows):
        rows = [promote(row) for row in rows]
    places = [positions[position] for position in kept]
    names = tuple(sources[number].names[index] for number, index in places)
    labels = tuple(sources[number].class_of(index) for number, index in places)
    return Examples(np.stack(rows), sources[0].kind, names, left_out, labels if any(labels) else (), tuple(notes))


class _Scale:
    """What is known of the whole numbers of one source, and which of its examples still have to be scaled."""

    def __init__(self) -> None:
        self.least, self.most, self.dtype = np.inf, -np.inf, None
        self.unscaled: list[int] = []

    def meet(self, raw: np.ndarray[Any, Any], position: int) -> None:
        self.least, self.most, self.dtype = min(self.least, raw.min()), max(self.most, raw.max()), raw.dtype
        if type_range(raw.dtype) is None:
            self.unscaled.append(position)

    def scale_rest(
        self, values: dict[int, np.ndarray[Any, Any]], source: Source, label: str, value_range: Range | None
    ) -> tuple[str, ...]:
        """Scales what is left, by the range of the whole source; gives notes."""
        if value_range is not None or self.dtype is None:
            return ()
        allowed = type_range(self.dtype)
        if self.unscaled:
            # By all examples, not only those that were asked for, so that these do not depend on how many they are.
            low, high = (self.least, self.most) if source.extremes is None else source.extremes()
            allowed = known_range(int(low), int(high), self.dtype, label)
            for position in self.unscaled:
                values[position] = divided(values[position], allowed)
        return () if allowed is None else narrow_note(float(self.least), float(self.most), allowed, label)


def checked_size(size: Any) -> tuple[int, int] | None:
    """A pair of sides as it may be used. **Raises** `ValueError` for anything else."""
    if size is None:
        return None
    if isinstance(size, str) or not isinstance(size, Sequence) or len(size) != 2:
        raise ArgumentError(f"{mention('size')} must be a pair (height, width) in pixels; got {size!r}")
    height, width = (checks.integer("size", side, least=1) for side in size)
    if height * width > MAX_PIXELS:
        raise ArgumentError(f"{mention('size')} must come to at most {MAX_PIXELS:,} pixels; got {height}×{width}")
    return height, width


def checked_fit(fit: Any, size: tuple[int, int] | None) -> str:
    """How pictures are brought to a size. **Raises** `ValueError` for anything else, and where there is no size."""
    checks.one_of("fit", fit, FITS)
    if fit != "squash" and size is None:
        raise ArgumentError(
            f"{mention('fit')} says how images are brought to a size; give "
            f"{mention('size', '(height, width)', 'HxW')}, or leave it out"
        )
    return fit


def _listed(specs: tuple[Any, ...]) -> str:
    return " and ".join(_short(spec) for spec in specs)


def _short(spec: Any) -> str:
    text = str(spec)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _refuse_too_many(count: int, value: np.ndarray[Any, Any], images: bool) -> None:
    smaller = f", or smaller ones with {mention('size', '(height, width)', 'HxW')}" if images else ""
    # One by one first, and then as one array.
    refuse_beyond_memory(
        f"{count:,} examples of {value.size:,} numbers",
        2 * count * value.nbytes,
        f"take fewer with {mention('n')}{smaller}",
        error=SourceError,
    )


def _refuse_mixture(specs: tuple[Any, ...], sources: list[Source]) -> None:
    for spec, source in zip(specs, sources, strict=True):
        if source.kind != sources[0].kind:
            raise SourceError(
                f"all sources must be images or all must be vectors; {_short(specs[0])} holds {sources[0].kind} "
                f"and {_short(spec)} holds {source.kind}. Load them apart, or reshape one of them"
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
            f"images must agree in height and width; {shapes}. "
            f"{mention('size', '(height, width)', 'HxW')} brings them to one"
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
