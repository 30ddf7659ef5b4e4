"""Text as a sequence of one-hot states, by word or by character, and back."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from attrax._base import checks
from attrax._base.arguments import mention
from attrax._base.budget import refuse_beyond_memory
from attrax._base.files import check_regular, read_regular
from attrax._base.types import HostStates
from attrax.sources._clips import Clip, Written
from attrax.sources._records import SourceError, reason
from attrax.sources._save import ensure_folder, write_beside

_OBJECTS = 40
"""Bytes of Python objects for each byte of a text of short words."""
UNITS = ("word", "character")
TEXT_SUFFIXES = (".txt", ".md")
"""Suffixes of the texts that are read."""


def encode_text(text: str, by: str = "word") -> Clip:
    """A text as a sequence of one-hot states over its own vocabulary, as for the sentence in the paper's Appendix F.

    Words are what stands between white space, punctuation and case included; characters are Unicode code points, white
    space included. The vocabulary is in order of first appearance, and state t is the unit vector of word t.

    **Arguments:**

    - `text`: at least one word, or character.
    - `by`: `"word"` or `"character"`.

    **Returns** `Clip` with T×V values, float32.

    **Raises** `ValueError` for a text without words, and for one whose states would not fit into memory.

        >>> from attrax.sources import decode_text, encode_text
        >>> clip = encode_text("row row row your boat")
        >>> clip.values.argmax(1).tolist(), clip.vocabulary
        ([0, 0, 0, 1, 2], ('row', 'your', 'boat'))
        >>> decode_text(clip.values, clip.vocabulary)
        'row row row your boat'
    """
    if not isinstance(text, str):
        raise ValueError(f"text must be a text; got {text!r}")
    return _encode(text, checks.one_of("by", by, UNITS), "the text")


def decode_text(values: HostStates, vocabulary: Sequence[str], by: str = "word") -> str:
    """The text that states stand for: for each the word of its largest entry, the first of several.

    **Arguments:**

    - `values`: T×V, floats; need not be one-hot.
    - `vocabulary`: V words or characters.
    - `by`: `"word"` puts a space between them, `"character"` nothing.

    **Returns** the text.

    **Raises** `ValueError` for values of another shape, or not finite.

        >>> from attrax.sources import decode_text
        >>> decode_text([[0.1, 0.9], [0.7, 0.2]], ("sea", "the"))
        'the sea'
    """
    checks.one_of("by", by, UNITS)
    array = np.asarray(values)
    if isinstance(vocabulary, str) or not all(isinstance(entry, str) for entry in vocabulary) or not len(vocabulary):
        raise SourceError(f"vocabulary must be a sequence of at least one text; got {vocabulary!r}")
    if array.ndim != 2 or array.shape[1] != len(vocabulary) or array.dtype.kind not in "buif":
        raise SourceError(
            f"values must be T×{len(vocabulary)} numbers, one for each entry of the vocabulary; got shape "
            f"{array.shape} of dtype {array.dtype}"
        )
    if not np.isfinite(array).all():
        bad = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise SourceError(f"values must be finite; found {array[bad]} at index {bad}")
    return (" " if by == "word" else "").join(str(vocabulary[int(index)]) for index in array.argmax(axis=1))


def save_text(path: str | os.PathLike[str], values: HostStates, vocabulary: Sequence[str], by: str = "word") -> Written:
    """Write the text that states stand for (`decode_text`) as a `.txt` file in UTF-8, in one step.

    What stood between the words is not known any more: a space does now, and a line ends after the last word.

    **Arguments:** as of `decode_text`; `path` is the file, whose folder is created where it is missing.

    **Returns** `Written`. **Raises** `ValueError` as `decode_text` does, for another suffix, and for a file that cannot
    be written.

        >>> import tempfile
        >>> from attrax.sources import encode_text, save_text
        >>> clip = encode_text("to be")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_text(f"{folder}/a.txt", clip.values, clip.vocabulary).path.read_text()
        'to be\\n'
    """
    target = Path(path)
    if target.suffix.lower() != ".txt":
        raise SourceError(f"path must end in .txt; got {path}")
    content = (decode_text(values, vocabulary, by) + ("\n" if by == "word" else "")).encode()
    ensure_folder(target.parent)
    write_beside(target, lambda stream: stream.write(content))
    return Written(target)


def read_text(path: Path, *, by: str = "word") -> Clip:
    """The text of a file; see `load_sequence`."""
    try:
        refuse_beyond_memory(str(path), _OBJECTS * check_regular(path), "take a part of the text", error=SourceError)
        # Bytes first, so that a line ends as it does in the file.
        text = read_regular(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: not text in UTF-8 ({reason(error)}); convert it") from error
    except OSError as error:
        raise SourceError(f"{path}: the file cannot be read ({reason(error)})") from error
    return _encode(text, by, str(path))


def _encode(text: str, by: str, label: str) -> Clip:
    units: list[Any] = text.split() if by == "word" else list(text)
    if not units:
        raise SourceError(f"{label}: there is no {by} in it; a sequence needs at least one")
    places: dict[str, int] = {}
    indices = np.array([places.setdefault(symbol, len(places)) for symbol in units])
    refuse_beyond_memory(
        f"{label}: {len(units):,} states over {len(places):,} different {by}s",
        8 * len(units) * len(places),
        f"take a part of the text, or set {mention('by', repr('character'), 'character')}",
        error=SourceError,
    )
    values = np.zeros((len(units), len(places)), np.float32)
    values[np.arange(len(units)), indices] = 1
    return Clip(values, "text", tuple(units), by=by, vocabulary=tuple(places))
