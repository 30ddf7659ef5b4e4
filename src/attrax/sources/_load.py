"""Examples from any number of sources."""

import os
from collections.abc import Iterator, Mapping, Sequence
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
    pixels: dict[str, Any] = {"size": size, "fit": fit, "gray": gray, "value_range": value_range}
    reading = _Reading(specs, recursive=recursive, skip_unreadable=skip_unreadable, **pixels)
    order, wanted = reading.order(n, shuffle, seed)
    values, skipped = reading.take(order, wanted)
    reading.refuse_too_few(len(values), n, skipped)
    return reading.examples(order, values, skipped, first=True, last=True)


def load_pieces(
    *specs: str | os.PathLike[str],
    rows: int,
    n: int | None = None,
    shuffle: bool = False,
    seed: int = 0,
    **preparation: Any,
) -> Iterator[Examples]:
    """What `load` gives, at most `rows` examples at a time: more than memory holds can be gone through.

    A piece is read when it is asked for. Of `.npy` files only its examples are read, of a folder only its files. Of a
    published data set one file is held at a time, of a `.npz` file the whole array. All pieces have one shape. That of
    the first one counts for gray beside color: a gray image among color ones becomes color, color after pieces that are
    all gray is refused. Whole numbers of more than 16 bits in image files need `value_range`, as the range of all of
    them is not known before the last. Unreadable files that are `skipped` are told with the next readable one, or with
    the last.

    **Arguments:** `rows`, at least 1; `preparation`, the `size`, `fit`, `gray`, `value_range`, `recursive` and
    `skip_unreadable` of `load`; the others as of `load`.

    **Returns** an iterator over `Examples`. **Raises** `ValueError` as `load` does: for wrong arguments at once, for
    what is found in a piece when it is read.

        >>> from attrax.sources import load_pieces
        >>> [piece.names[0] for piece in load_pieces("digits", rows=700)]
        ['digits[0]', 'digits[700]', 'digits[1400]']
    """
    rows = checks.integer("rows", rows, least=1)
    reading = _Reading(specs, **preparation)
    return reading.pieces(rows, n, shuffle, seed)


class _Reading:
    """Opened sources, how their examples are to be prepared, and what is known of those that were read."""

    def __init__(
        self,
        specs: tuple[str | os.PathLike[str], ...],
        *,
        recursive: bool = True,
        skip_unreadable: bool = False,
        size: tuple[int, int] | None = None,
        fit: str = "squash",
        gray: bool = False,
        value_range: Range | None = None,
    ) -> None:
        if not specs:
            raise SourceError("load needs at least one source, as in load('digits'); got none")
        size, self.value_range = checked_size(size), checked_range(value_range)
        self.options: dict[str, Any] = {"size": size, "gray": gray}
        self.options |= {"fit": checked_fit(fit, size), "value_range": self.value_range}
        self.specs, self.skip_unreadable = specs, skip_unreadable
        self.sources = [open_source(spec, recursive=recursive) for spec in specs]
        _refuse_mixture(specs, self.sources)
        self.images = self.sources[0].kind == "images"
        if not self.images and (size is not None or gray):
            raise SourceError(
                f"{mention('size')} and {mention('gray')} apply to images only; {_short(specs[0])} holds vectors. "
                "Leave them out"
            )
        self.positions = [
            (number, index) for number, source in enumerate(self.sources) for index in range(len(source.names))
        ]
        self.scales = [_Scale() for _ in self.sources]
        self.first: tuple[str, np.ndarray[Any, Any]] | None = None
        self.color = False

    def order(self, n: int | None, shuffle: bool, seed: int) -> tuple[np.ndarray, int]:
        """The positions in the order in which examples are taken, and how many are wanted."""
        total = len(self.positions)
        if n is not None and checks.integer("n", n, least=1) > total:
            raise SourceError(
                f"{mention('n')} must be at most {total}, the number of examples in {_listed(self.specs)}; got {n}"
            )
        seed = checks.integer("seed", seed)
        order = np.random.default_rng(seed).permutation(total) if shuffle else np.arange(total)
        return order, total if n is None else n

    def take(self, order: np.ndarray, wanted: int) -> tuple[dict[int, np.ndarray[Any, Any]], dict[int, str]]:
        """The first readable examples of an order, as many as are wanted, and why others were left out; both by their
        positions."""
        values: dict[int, np.ndarray[Any, Any]] = {}
        skipped: dict[int, str] = {}
        while missing := min(wanted - len(values), len(order) - len(values) - len(skipped)):
            taken = len(values) + len(skipped)
            # In the order of the files, so that none is opened twice.
            for position in sorted(order[taken : taken + missing].tolist()):
                number, index = self.positions[position]
                source = self.sources[number]
                label = source.label(index)
                try:
                    raw = source.item(index)
                    value = prepare(raw, label, image=self.images, **self.options)
                except SourceError as error:
                    if not source.separate:
                        raise
                    if not self.skip_unreadable:
                        skip = mention("skip_unreadable", "True")
                        raise SourceError(f"{error.message}. {skip} leaves such files out") from error
                    skipped[position] = str(error)
                    continue
                if not values:
                    _refuse_too_many(wanted, value, self.images)
                self.first = self.first or (label, value)
                _refuse_unlike(*self.first, label, value, self.images)
                values[position] = value
                if raw.dtype.kind in "ui":
                    self.scales[number].meet(raw, position)
        return values, skipped

    def refuse_too_few(self, found: int, n: int | None, skipped: Mapping[int, str]) -> None:
        """**Raises** `SourceError` where too few, or none, are readable."""
        if not found or (n is not None and found < n):
            wanted = len(self.positions) if n is None else n
            raise SourceError(
                f"{wanted} examples were to be read from {_listed(self.specs)}, but only {found} of "
                f"{len(self.positions)} are readable; the first that is not: {skipped[min(skipped)]}"
            )

    def pieces(self, rows: int, n: int | None, shuffle: bool, seed: int) -> Iterator[Examples]:
        """At most `rows` examples at a time. **Raises** `SourceError` at once for an `n` that is too large."""
        return self._read_on(*self.order(n, shuffle, seed), rows, n)

    def _read_on(self, order: np.ndarray, wanted: int, rows: int, n: int | None) -> Iterator[Examples]:
        found, begin = 0, 0
        skipped: dict[int, str] = {}
        values, unreadable = self.take(order, min(rows, wanted))
        while values:
            end, first = begin + len(values) + len(unreadable), found == 0
            found += len(values)
            # One example more tells whether this piece is the last, which has the files left out at the end.
            wrong: SourceError | None = None
            ahead, more = dict[int, np.ndarray[Any, Any]](), dict[int, str]()
            try:
                ahead, more = self.take(order[end:], min(1, wanted - found))
            except SourceError as error:
                wrong = error  # which is not about this piece
            last = not ahead and wrong is None
            left_out = unreadable | more if last else unreadable
            skipped |= left_out
            yield self.examples(order[begin:end], values, left_out, first=first, last=last)
            if wrong is not None:
                raise wrong
            values, unreadable, begin = ahead, more, end
            if ahead:
                later = self.take(order[end + len(ahead) + len(more) :], min(rows, wanted - found) - 1)
                values, unreadable = values | later[0], unreadable | later[1]
        skipped |= unreadable
        self.refuse_too_few(found, n, skipped)

    def examples(
        self,
        order: np.ndarray,
        values: dict[int, np.ndarray[Any, Any]],
        skipped: Mapping[int, str],
        *,
        first: bool,
        last: bool,
    ) -> Examples:
        """What was taken, in this order; the notes on the sources with the first piece, those on numbers with the
        last."""
        notes = [note for source in self.sources for note in source.notes if first]
        whole = first and last
        for spec, source, scale in zip(self.specs, self.sources, self.scales, strict=True):
            found = scale.scale_rest(values, source, _short(spec), self.value_range, whole)
            notes += found if last else ()
        kept = [position for position in order.tolist() if position in values]
        rows = [values[position] for position in kept]
        colored = [position for position in kept if self.images and values[position].ndim == 3]
        if colored and not first and not self.color:
            number, index = self.positions[colored[0]]
            raise SourceError(
                f"{self.sources[number].label(index)} has color, and all images that were read before it have none; "
                f"{mention('gray', 'True')} takes the color away"
            )
        self.color = self.color or bool(colored)
        rows = [promote(row) for row in rows] if self.color else rows
        places = [self.positions[position] for position in kept]
        names = tuple(self.sources[number].names[index] for number, index in places)
        labels = tuple(self.sources[number].class_of(index) for number, index in places)
        left_out = tuple(skipped[position] for position in sorted(skipped))
        kind = self.sources[0].kind
        return Examples(np.stack(rows), kind, names, left_out, labels if any(labels) else (), tuple(notes))


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
        self,
        values: dict[int, np.ndarray[Any, Any]],
        source: Source,
        label: str,
        value_range: Range | None,
        whole: bool,
    ) -> tuple[str, ...]:
        """Scales what is left, by the range of the whole source; gives notes. `whole`: all of it is in `values`."""
        if value_range is not None or self.dtype is None:
            return ()
        allowed = type_range(self.dtype)
        if self.unscaled:
            if source.extremes is None and not whole:
                raise SourceError(
                    f"{label}: numbers of {self.dtype} are scaled by the range of all of them, which is not known "
                    f"before the last is read; give {mention('value_range', '(low, high)', 'LOW:HIGH')}, or read all "
                    "at once"
                )
            # By all examples, not only those that were asked for, so that these do not depend on how many they are.
            low, high = (self.least, self.most) if source.extremes is None else source.extremes()
            allowed = known_range(int(low), int(high), self.dtype, label)
            for position in self.unscaled:
                if position in values:
                    values[position] = divided(values[position], allowed)
            self.unscaled = [position for position in self.unscaled if position not in values]
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
