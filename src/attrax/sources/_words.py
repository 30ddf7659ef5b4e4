"""Words as states: letters one after another, and back."""

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from attrax._base.arguments import mention
from attrax._base.budget import refuse_beyond_memory
from attrax._base.files import check_regular, read_regular
from attrax._base.types import HostStates
from attrax.sources._records import SourceError, reason


class Words(NamedTuple):
    """Words as states.

    **Fields:** `values`, n×longest word×letters, float32, a unit vector for each letter and zeros after the end;
    `letters`, the alphabet in order of first appearance.
    """

    values: HostStates
    letters: tuple[str, ...]


def encode_words(words: Sequence[str]) -> Words:
    """Words or short lines as states, such as the targets of `Patterns.from_pairs`.

    **Arguments:** `words`, at least one text, none of them empty; every Unicode code point is a letter.

    **Returns** `Words`. **Raises** `ValueError` for anything else, and where the states would not fit into memory.

        >>> from attrax.sources import decode_words, encode_words
        >>> words = encode_words(["cat", "tea"])
        >>> words.values.shape, words.letters
        ((2, 3, 4), ('c', 'a', 't', 'e'))
        >>> decode_words(words.values + 0.1, words.letters)
        ('cat', 'tea')
    """
    if isinstance(words, str) or not len(words) or not all(isinstance(word, str) and word for word in words):
        raise SourceError(f"words must be at least one text, none of them empty; got {str(words)[:80]!r}")
    places: dict[str, int] = {}
    for word in words:
        for letter in word:
            places.setdefault(letter, len(places))
    longest = max(map(len, words))
    refuse_beyond_memory(
        f"{len(words):,} words of up to {longest:,} letters over {len(places):,} different ones",
        8 * len(words) * longest * len(places),
        f"take fewer with {mention('n')}, or shorter ones",
        error=SourceError,
    )
    values = np.zeros((len(words), longest, len(places)), np.float32)
    for row, word in enumerate(words):
        values[row, np.arange(len(word)), [places[letter] for letter in word]] = 1
    return Words(values, tuple(places))


def decode_words(values: HostStates, letters: Sequence[str]) -> tuple[str, ...]:
    """The words that states stand for: the letter of the largest entry at each place, up to one without entries of ½.

    **Arguments:** `values`, n×length×letters, floats; need not be zeros and ones. `letters`, the alphabet.

    **Returns** n words. **Raises** `ValueError` for values of another shape, or not finite.

        >>> from attrax.sources import decode_words
        >>> decode_words([[[0.1, 0.9], [0.7, 0.2], [0.3, 0.1]]], ("o", "n"))
        ('no',)
    """
    array = np.asarray(values)
    if array.ndim != 3 or array.shape[2] != len(letters) or array.dtype.kind not in "buif":
        raise SourceError(
            f"values must be n×length×{len(letters)} numbers, one for each letter; got shape {array.shape} of dtype "
            f"{array.dtype}"
        )
    if not np.isfinite(array).all():
        raise SourceError("values must be finite; got NaN or an infinity")
    found = []
    for word in array:
        there = word.max(axis=1) >= 0.5
        length = len(word) if there.all() else int(np.argmin(there))
        found.append("".join(letters[int(place)] for place in word[:length].argmax(axis=1)))
    return tuple(found)


def read_lines(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The lines of a text in UTF-8, without white space around them and without empty lines at the end.

    **Raises** `ValueError` for a file that cannot be read, is no such text, or has an empty line between others.

        >>> from pathlib import Path
        >>> from attrax.sources import read_lines
        >>> _ = Path("names.txt").write_text("anna\\nben\\n")
        >>> read_lines("names.txt")
        ('anna', 'ben')
    """
    try:
        # As bytes, as a text, and as lines.
        refuse_beyond_memory(str(path), 40 * check_regular(path), "take a part of it", error=SourceError)
        text = read_regular(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: not text in UTF-8 ({reason(error)}); convert it") from error
    except OSError as error:
        raise SourceError(f"{path}: the file cannot be read ({reason(error)})") from error
    lines = tuple(line.strip() for line in text.rstrip().splitlines())
    if not all(lines):
        raise SourceError(f"{path}: line {lines.index('') + 1} is empty; each example needs a line")
    return lines
