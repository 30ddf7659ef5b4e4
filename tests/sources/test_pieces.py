"""Sources larger than memory, read in pieces: together they are what is read at once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from attrax.sources import SourceError, load, load_pieces

DRAW = np.random.default_rng(0)


def picture(path: Path, *shape: int) -> None:
    Image.fromarray(DRAW.integers(0, 256, shape, np.uint8)).save(path)


@pytest.fixture
def album(tmp_path: Path) -> Path:
    for number in range(7):
        picture(tmp_path / f"{number}.png", 4, 3, 3)
    for number in (2, 5, 6):
        (tmp_path / f"{number}.png").write_bytes(b"no picture")
    return tmp_path


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("specs", "options"),
    [
        (["digits"], {"n": 9}),
        (["digits", "faces"], {"n": 8, "shuffle": True, "seed": 3, "size": (5, 5)}),
        (["ALBUM"], {"skip_unreadable": True}),
        (["ALBUM"], {"skip_unreadable": True, "n": 3, "shuffle": True, "gray": True}),
        (["ARRAY"], {}),
    ],
)
def test_pieces_together_are_the_whole(
    rows: int, specs: list[str], options: dict[str, Any], album: Path, tmp_path: Path
) -> None:
    array = tmp_path / "wide.npy"
    np.save(array, np.arange(0, 4000, 100, np.int32).reshape(10, 2, 2))
    places = {"ALBUM": album, "ARRAY": array}
    given = [places.get(spec, spec) for spec in specs]
    whole, pieces = load(*given, **options), list(load_pieces(*given, rows=rows, **options))
    assert [len(piece) for piece in pieces[:-1]] == [min(rows, len(whole))] * (len(pieces) - 1)
    np.testing.assert_array_equal(np.concatenate([piece.values for piece in pieces]), whole.values)
    assert tuple(name for piece in pieces for name in piece.names) == whole.names
    labels = [label for piece in pieces for label in piece.labels or [""] * len(piece)]
    assert labels == list(whole.labels or [""] * len(whole))
    assert {piece.kind for piece in pieces} == {whole.kind}
    told = {text for piece in pieces for text in piece.skipped}
    assert told == set(whole.skipped)
    assert sorted(note for piece in pieces for note in piece.notes) == sorted(whole.notes)


def test_what_is_wrong_is_said_at_once_or_with_its_piece(album: Path) -> None:
    with pytest.raises(SourceError, match="at most 1797"):
        load_pieces("digits", rows=5, n=2000)
    with pytest.raises(ValueError, match="rows must be an integer of at least 1"):
        load_pieces("digits", rows=0)
    pieces = load_pieces(album, rows=2)
    assert len(next(pieces)) == 2
    with pytest.raises(SourceError, match=r"2\.png.*leaves such files out"):
        next(pieces)
    with pytest.raises(SourceError, match="only 4 of 7 are readable"):
        list(load_pieces(album, rows=2, n=5, skip_unreadable=True))


def test_color_counts_as_the_first_piece_has_it(tmp_path: Path) -> None:
    for name, shape in {"a.png": (4, 3, 3), "b.png": (4, 3), "c.png": (4, 3)}.items():
        picture(tmp_path / name, *shape)
    pieces = list(load_pieces(tmp_path, rows=1))
    np.testing.assert_array_equal(np.concatenate([piece.values for piece in pieces]), load(tmp_path).values)
    picture(tmp_path / "0.png", 4, 3)
    with pytest.raises(SourceError, match=r"a\.png has color.*gray"):
        list(load_pieces(tmp_path, rows=1))


def test_wide_numbers_of_files_need_a_range(tmp_path: Path) -> None:
    for number in range(3):
        Image.fromarray(np.full((3, 3), 1000 * (number + 1), np.int32)).save(tmp_path / f"{number}.tif")
    with pytest.raises(SourceError, match=r"not known before the last is read; give value_range=\(low, high\)"):
        list(load_pieces(tmp_path, rows=2))
    pieces = list(load_pieces(tmp_path, rows=2, value_range=(0, 4000)))
    np.testing.assert_allclose([value[0, 0] for piece in pieces for value in piece.values], [0.25, 0.5, 0.75])


def test_of_a_mapped_array_only_the_piece_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.npy"
    with path.open("wb") as stream:  # 400 GB, of which the file system keeps nothing
        header = {"descr": "<f4", "fortran_order": False, "shape": (10**5, 10**6)}
        np.lib.format.write_array_header_1_0(stream, header)
        stream.truncate(stream.tell() + 4 * 10**11)
    first = next(load_pieces(path, rows=2))
    assert first.values.shape == (2, 10**6)
    assert not first.values.any()
