"""Words as states and back, and the lines of a file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attrax.sources import decode_words, encode_words, read_lines


def test_words_come_back_as_they_were() -> None:
    words = ("straße", "a b", "日本", "x")
    states = encode_words(words)
    assert states.values.shape == (4, 6, len(set("".join(words))))
    assert states.values.sum() == sum(map(len, words))
    noise = np.random.default_rng(0).uniform(-0.2, 0.2, states.values.shape)
    assert decode_words(states.values + noise, states.letters) == words
    assert decode_words(np.zeros((1, 2, 3)), "abc") == ("",)


@pytest.mark.parametrize(
    ("call", "arguments", "words"),
    [
        (encode_words, ("cat",), "words must be at least one text"),
        (encode_words, (["cat", ""],), "none of them empty"),
        (encode_words, ([],), "at least one text"),
        (decode_words, (np.zeros((1, 2, 3)), "ab"), "n×length×2 numbers"),
        (decode_words, (np.full((1, 2, 2), np.nan), "ab"), "finite"),
    ],
)
def test_what_is_no_word_is_refused(call: Any, arguments: tuple[Any, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call(*arguments)


def test_the_lines_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes("\ufeff anna \r\nüte\n\n".encode())
    assert read_lines(path) == ("anna", "üte")
    path.write_text("anna\n\nben\n")
    with pytest.raises(ValueError, match="line 2 is empty"):
        read_lines(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not text in UTF-8"):
        read_lines(path)
    with pytest.raises(ValueError, match="cannot be read"):
        read_lines(tmp_path / "missing.txt")
