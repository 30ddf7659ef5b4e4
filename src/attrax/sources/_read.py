"""From sources of any kind to what is stored: examples, or sequences."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from attrax._base import checks
from attrax._base.arguments import ArgumentError, mention
from attrax.patterns import ENDS
from attrax.sources._arguments import KINDS
from attrax.sources._clicked import CLICKED
from attrax.sources._clips import Clip
from attrax.sources._load import load
from attrax.sources._records import Examples, SourceError
from attrax.sources._sequences import is_sequence, load_sequence
from attrax.sources._specs import SHIPPED, open_source

Spec = str | os.PathLike[str]


def check_source(spec: str | os.PathLike[str]) -> None:
    """Says at once what is missing, before anything is read or JAX is imported.

    **Raises** `SourceError` if `spec` is neither the name of a data set nor a file or folder that is there.

    ```python
    >>> from attrax import sources
    >>> sources.check_source("faces")
    >>> try:
    ...     sources.check_source("facse")
    ... except sources.SourceError as error:
    ...     print(str(error)[:79])
    'facse': no such file or folder, and no name of a data set (did you mean faces?

    ```
    """
    text = os.fspath(spec)
    if text in (*SHIPPED, CLICKED) or os.path.exists(text):
        return
    if not is_sequence(spec):
        open_source(spec)
    elif Path(text).suffix:
        load_sequence(spec)


def read(
    *sources: Spec,
    kind: str | None = None,
    size: tuple[int, int] | None = None,
    fit: str = "squash",
    gray: bool = False,
    value_range: tuple[float, float] | None = None,
    n: int | None = None,
    shuffle: bool = False,
    seed: int = 0,
    indices: Sequence[int] | None = None,
    recursive: bool = True,
    skip_unreadable: bool = False,
    cycle_length: int | None = None,
    single: Sequence[Spec] = (),
    end: str = "loop",
    context: int | str = 1,
    fps: float | None = None,
    start: float | None = None,
    duration: float | None = None,
    hop: float | None = None,
    rate: int | None = None,
    mono: bool = False,
    by: str | None = None,
) -> Examples:
    """What `attrax store SOURCE...` stores: examples or sequences from sources of any kind, with their names.

    The `patterns` of the answer go to `attrax.store`. A source is whatever `load` or `load_sequence` reads.

    **Arguments:**

    - `sources`: at least one.
    - `kind`: `images`, each state is an example of its own; `sequence`, each source is one cycle. By default
      `sequence` where one of the sources is a film, a sound, a text or an animation, else `images`.
    - `size`, `fit`, `gray`, `value_range`, `recursive`, `skip_unreadable`: as of `load`.
    - `n`: how many states to take, the first ones: of all sources together, or of each sequence.
    - `shuffle`, `seed`: take examples at random, in random order.
    - `indices`: take these states instead, in this order: of all sources together, or of each sequence.
    - `cycle_length`: cut each source into cycles of so many states.
    - `single`: more sources, whose states are stored each by itself beside the sequences.
    - `end`, `context`: of sequences, as of `Patterns.from_sequences`.
    - `fps`, `start`, `duration`, `hop`, `rate`, `mono`, `by`: of films, sound and text, as of `load_sequence`.

    **Returns** `Examples`.

    **Raises** `ValueError` as `load` and `load_sequence` do, and for arguments that do not go together. States that
    would need two successors are refused by `patterns`.

        >>> from attrax.sources import read
        >>> examples = read("digits", n=3, kind="sequence")
        >>> examples.patterns.successor.tolist(), examples.patterns.names
        ([1, 2, 0], ('digits[0]', 'digits[1]', 'digits[2]'))
    """
    media = {"fps": fps, "start": start, "duration": duration, "hop": hop, "rate": rate, "mono": mono, "by": by}
    media = {name: value for name, value in media.items() if value is not None and value is not False}
    kind = check_read(
        *sources,
        kind=kind,
        n=n,
        shuffle=shuffle,
        indices=indices,
        cycle_length=cycle_length,
        single=single,
        end=end,
        context=context,
        **media,
    )
    options: dict[str, Any] = {
        "size": size,
        "fit": fit,
        "gray": gray,
        "value_range": value_range,
        "recursive": recursive,
    }
    of_files = {"n": n, "shuffle": shuffle, "seed": seed, "skip_unreadable": skip_unreadable}
    if kind == "images" and not any(is_sequence(source) for source in sources):
        return _picked(load(*sources, **options, **of_files), indices, "the sources")
    parts = [_picked(_part(source, {**options, **of_files}, media), indices, os.fspath(source)) for source in sources]
    singles = [_part(source, {**options, **of_files, "n": None}, {}) for source in single]
    facts = _common_facts([*parts, *singles], [*sources, *single])
    cut = [
        (piece, end) for part, source in zip(parts, sources, strict=True) for piece in _cut(part, cycle_length, source)
    ]
    cut += [(value[None], "loop") for part in singles for value in part.values]
    whole = [*parts, *singles]
    return Examples(
        np.concatenate(_alike([part.values for part in whole])),
        facts["kind"] if facts else whole[0].kind,
        tuple(name for part in whole for name in part.names),
        tuple(text for part in whole for text in part.skipped),
        _labels(whole),
        tuple(note for part in whole for note in part.notes),
        None if kind == "images" else tuple((len(piece), ending) for piece, ending in cut),
        context,
        facts,
    )


def check_read(
    *sources: Spec,
    kind: str | None = None,
    n: int | None = None,
    shuffle: bool = False,
    indices: Sequence[int] | None = None,
    cycle_length: int | None = None,
    single: Sequence[Spec] = (),
    end: str = "loop",
    context: int | str = 1,
    **media: Any,
) -> str:
    """Says at once which arguments of `read` don't go together, before anything is read or JAX is imported.

    **Arguments:** as of `read`; `media`, those of films, sound and text. **Returns** the kind of what would be read.
    **Raises** `ValueError` as `read` does.

    ```python
    >>> from attrax import sources
    >>> sources.check_read("digits", n=3)
    'images'

    ```
    """
    if not sources:
        raise SourceError("read needs at least one source, as in read('digits'); got none")
    moving = any(is_sequence(source) for source in sources)
    kind = checks.one_of("kind", ("sequence" if moving else "images") if kind is None else kind, KINDS)
    checks.one_of("end", end, ENDS)
    if context != "auto":
        if isinstance(context, str):
            raise ArgumentError(
                f"{mention('context')} must be a number of frames, at least 1, or auto; got {context!r}"
            )
        checks.integer("context", context, least=1)
    if n is not None:
        checks.integer("n", n, least=1)
    if cycle_length is not None:
        checks.integer("cycle_length", cycle_length, least=1)
    if indices is not None and (n is not None or shuffle):
        raise ArgumentError(
            f"{mention('indices')} says which states to take; leave {mention('n')} and {mention('shuffle')} out"
        )
    if kind == "images":
        given = {
            "cycle_length": cycle_length is not None,
            "single": bool(single),
            "end": end != "loop",
            "context": context != 1,
        }
        wrong = [name for name, there in given.items() if there]
        if wrong:
            raise ArgumentError(
                f"{mention(wrong[0])} is for sequences; add {mention('kind', repr('sequence'), 'sequence')}, or leave "
                "it out"
            )
    elif shuffle:
        raise ArgumentError(
            f"a sequence has an order, which {mention('shuffle')} would destroy; leave it out, or use "
            f"{mention('indices')}"
        )
    if media and kind == "images" and not moving:
        raise SourceError(
            f"{mention(next(iter(media)))} is for films, sound and text, of which there is none; leave it out"
        )
    return kind


def _part(source: Spec, options: dict[str, Any], media: dict[str, Any]) -> Examples:
    """One source, whatever it is."""
    if not is_sequence(source):
        others = sorted(name for name in media if name != "fps")
        if others:
            raise SourceError(
                f"{mention(others[0])} is for films, sound and text, and {os.fspath(source)} is none; leave it out"
            )
        found = load(source, **options)
        return replace(found, facts={"kind": "images", "fps": media.get("fps")} if found.kind == "images" else None)
    if options["shuffle"]:
        raise SourceError(f"{mention('shuffle')} is for images; {os.fspath(source)} has an order. Leave it out")
    given = {name: options[name] for name in ("size", "gray", "value_range") if options[name]}
    if options["fit"] != "squash":
        given["fit"] = options["fit"]
    clip = load_sequence(source, **given, **media)
    count = len(clip) if options["n"] is None else options["n"]
    if count > len(clip):
        raise SourceError(
            f"{mention('n')} must be at most {len(clip)}, the number of states in {os.fspath(source)}; got {count}"
        )
    return _first(clip, count)


def _first(clip: Clip, count: int) -> Examples:
    return Examples(clip.values[:count], clip.kind, clip.names[:count], notes=clip.notes, facts=clip.facts())


def _picked(found: Examples, indices: Sequence[int] | None, source: str) -> Examples:
    if indices is None:
        return found
    chosen = [checks.integer("indices", index) for index in indices]
    if not chosen:
        raise ArgumentError(f"{mention('indices')} must name at least one state; got none")
    beyond = [index for index in chosen if index >= len(found)]
    if beyond:
        raise ArgumentError(
            f"{mention('indices')}: {source} holds {len(found)} states, counted from 0; there is no {beyond[0]}"
        )
    return replace(
        found,
        values=found.values[chosen],
        names=tuple(found.names[index] for index in chosen),
        labels=tuple(found.labels[index] for index in chosen) if found.labels else (),
    )


def _cut(part: Examples, length: int | None, source: Spec) -> list[np.ndarray]:
    values = part.values
    if length is None:
        return [values]
    rest = len(values) % length
    if rest:
        cut = mention("cycle_length", str(length), str(length))
        count = len(values) - rest
        raise ArgumentError(
            f"{cut}: {os.fspath(source)} holds {len(values)} states, which leaves a remainder of {rest}; take "
            f"{mention('n', str(count), str(count))} or choose the states with {mention('indices')}"
            if count
            else f"{cut}: {os.fspath(source)} holds only {len(values)} states; choose a shorter cycle"
        )
    return [values[start : start + length] for start in range(0, len(values), length)]


def _alike(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Gray pictures as color ones where others have color, as within one source. **Raises** for other differences."""
    colored = {array.shape[1:3] for array in arrays if array.ndim == 4 and array.shape[3] == 3}
    found = [
        np.repeat(array[..., None], 3, axis=3) if array.ndim == 3 and array.shape[1:] in colored else array
        for array in arrays
    ]
    shapes = sorted({array.shape[1:] for array in found})
    if len(shapes) > 1:
        listed = " and ".join("×".join(map(str, shape)) for shape in shapes[:2])
        pictures = all(len(shape) > 1 for shape in shapes)
        size = mention("size", "(height, width)", "HxW")
        raise SourceError(
            f"all sources must have states of one shape; they have {listed}. "
            + (f"Bring pictures to one with {size}" if pictures else "Read them apart")
        )
    return found


def _labels(parts: list[Examples]) -> tuple[str, ...]:
    if not any(part.labels for part in parts):
        return ()
    return tuple(label for part in parts for label in (part.labels or ("",) * len(part)))


def _common_facts(parts: list[Examples], sources: list[Spec]) -> dict[str, Any] | None:
    """What is needed to write all of it back; `None` for plain arrays.

    **Raises** `ValueError` for sources that can't be one medium.
    """
    known = [(part.facts, os.fspath(source)) for part, source in zip(parts, sources, strict=True)]
    first, name = known[0]
    for facts, source in known[1:]:
        for entry in ("kind", "rate", "vocabulary"):
            one, other = (first or {}).get(entry), (facts or {}).get(entry)
            if one == other or (entry == "kind" and {one, other} <= {"video", "images"}):
                continue
            remedy = {"kind": "store them apart", "rate": f"bring them to one with {mention('rate')}"}.get(
                entry, "join the texts in one file, so that they share their words"
            )
            raise SourceError(f"{name} and {source} differ in their {entry}; {remedy}")
    if first is None:
        return None
    return {key: value for key, value in first.items() if value is not None and key != "names"}
