"""Examples from files, folders and data sets: what is read, and how wrong input is refused."""

import gzip
import io
import os
import struct
import sys
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from attrax.sources import IMAGE_SUFFIXES, SourceError, count, load, save_array, save_images

RNG = np.random.default_rng(0)
COLOR = RNG.integers(0, 256, (6, 5, 3), dtype=np.uint8)
GRAY = RNG.integers(0, 256, (6, 5), dtype=np.uint8)


def write(path: Path, pixels, mode: str | None = None, **options) -> Path:
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def luma(pixels):
    return np.asarray(Image.fromarray(pixels).convert("L")) / np.float32(255)


@pytest.fixture
def album(tmp_path) -> Path:
    """Four color images whose red level tells their place in natural order."""
    for level, name in enumerate(["a1.png", "A2.PNG", "a10.bmp", "b.tif"]):
        write(tmp_path / name, np.full((4, 3, 3), level, np.uint8))
    (tmp_path / ".hidden").write_text("not an image")
    return tmp_path


def levels(examples) -> list[int]:
    return np.round(examples.values[:, 0, 0, 0] * 255).astype(int).tolist()


# --- image files ---------------------------------------------------------------------------------


def test_folder_is_read_in_natural_order(album):
    examples = load(album)
    assert examples.names == ("a1.png", "A2.PNG", "a10.bmp", "b.tif")
    assert levels(examples) == [0, 1, 2, 3]
    assert examples.kind == "images"
    assert examples.values.shape == (4, 4, 3, 3)
    assert examples.values.dtype == np.float32
    assert examples.skipped == ()
    assert len(examples) == 4


def test_one_image_file_is_one_example(tmp_path):
    examples = load(str(write(tmp_path / "x.png", COLOR)))
    np.testing.assert_array_equal(examples.values, (COLOR / 255).astype(np.float32)[None])
    assert examples.names == ("x.png",)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        ("1", "png"),
        ("L", "png"),
        ("P", "png"),
        ("RGB", "png"),
        ("CMYK", "tif"),
        ("YCbCr", "tif"),
        ("RGB", "webp"),
        ("L", "jpg"),
        ("RGB", "ppm"),
        ("P", "gif"),
        ("RGB", "jp2"),
        ("RGB", "tga"),
    ],
)
def test_modes_of_8_bits(tmp_path, mode, suffix):
    image = Image.fromarray(COLOR).convert(mode)
    path = tmp_path / f"x.{suffix}"
    image.save(path, **({"lossless": True} if suffix == "webp" else {}))
    value = load(path).values[0]
    with Image.open(path) as reopened:
        expected = np.asarray(reopened.convert("L" if mode in ("1", "L") else "RGB")) / 255
    assert value.shape == ((6, 5) if mode in ("1", "L") else (6, 5, 3))
    np.testing.assert_allclose(value, expected, atol=1e-6)


def test_16_bit_gray(tmp_path):
    levels16 = np.array([[0, 1, 65535], [257, 30000, 40000]], np.uint16)
    for suffix in ("png", "tif"):
        value = load(write(tmp_path / f"x.{suffix}", levels16)).values[0]
        np.testing.assert_array_equal(value, (levels16 / 65535).astype(np.float32))
    (tmp_path / "x.pgm").write_bytes(b"P5 3 2 65535\n" + levels16.astype(">u2").tobytes())
    np.testing.assert_array_equal(load(tmp_path / "x.pgm").values[0], value)


def test_32_bit_integers_and_floats(tmp_path):
    whole = np.array([[0, 4095], [17, 5]], np.int32)
    np.testing.assert_allclose(load(write(tmp_path / "i.tif", whole)).values[0], whole / 4095, rtol=1e-6)
    with pytest.raises(SourceError, match=r"w\.tif.*value_range=\(low, high\)|value_range=\(low, high\)"):
        load(write(tmp_path / "w.tif", whole * 100_000))
    floats = np.array([[0.25, 3.5], [-1.0, 0.0]], np.float32)
    np.testing.assert_array_equal(load(write(tmp_path / "f.tif", floats)).values[0], floats)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparency_is_laid_over_black(tmp_path, mode):
    layers = RNG.integers(0, 256, (6, 5, len(mode) if mode == "RGBA" else 2), dtype=np.uint8)
    layers[0, 0, -1], layers[1, 1, -1] = 0, 255
    value = load(write(tmp_path / "x.png", layers)).values[0]
    expected = layers[..., :-1] / 255 * (layers[..., -1:] / 255)
    np.testing.assert_allclose(value, np.squeeze(expected, 2) if mode == "LA" else expected, atol=0.6 / 255)
    assert np.all(value[0, 0] == 0)
    np.testing.assert_allclose(value[1, 1] * 255, np.squeeze(layers[1, 1, :-1]), atol=1e-4)


def test_one_transparent_color_is_laid_over_black(tmp_path):
    Image.new("RGB", (2, 2), (200, 100, 50)).save(tmp_path / "x.png", transparency=(200, 100, 50))
    Image.new("P", (2, 2), 0).save(tmp_path / "p.png", transparency=0)
    Image.new("L", (2, 2), 9).save(tmp_path / "l.png", transparency=9)
    for name in ("x.png", "p.png", "l.png"):
        assert not load(tmp_path / name).values.any()
    assert load(tmp_path / "l.png").values.shape == (1, 2, 2)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_exif_orientation_is_applied(tmp_path, suffix):
    pixels = np.zeros((8, 16), np.uint8)
    pixels[:, 8:] = 255
    image = Image.fromarray(pixels).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90° clockwise to be upright
    image.save(tmp_path / f"x.{suffix}", exif=exif)
    value = load(tmp_path / f"x.{suffix}").values[0]
    assert value.shape == (16, 8, 3)
    assert value[0].max() < 0.1
    assert value[-1].min() > 0.9


def test_frames_of_an_animation_are_examples(tmp_path):
    frames = [Image.new("L", (3, 2), level) for level in (10, 200, 90)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    found = load(tmp_path / "x.gif")
    assert found.names == ("x.gif[0]", "x.gif[1]", "x.gif[2]")
    np.testing.assert_allclose(found.values[:, 0, 0] * 255, [10, 200, 90], atol=1e-4)
    np.testing.assert_array_equal(load(tmp_path / "x.gif", n=2, shuffle=True, seed=1).values[:, 0, 0].shape, (2,))


def test_gray_is_the_same_for_files_and_arrays(tmp_path):
    np.save(tmp_path / "x.npy", COLOR[None])
    np.save(tmp_path / "f.npy", (COLOR[None] / 255))
    file = load(write(tmp_path / "x.png", COLOR), gray=True).values
    assert file.shape == (1, 6, 5)
    np.testing.assert_array_equal(file[0], luma(COLOR))
    np.testing.assert_array_equal(load(tmp_path / "x.npy", gray=True).values, file)
    np.testing.assert_allclose(load(tmp_path / "f.npy", gray=True).values, file, atol=0.51 / 255)


def test_gray_files_become_color_beside_color(tmp_path):
    write(tmp_path / "a.png", GRAY)
    write(tmp_path / "b.png", COLOR)
    values = load(tmp_path).values
    assert values.shape == (2, 6, 5, 3)
    np.testing.assert_array_equal(values[0], np.repeat((GRAY / np.float32(255))[..., None], 3, axis=2))
    assert load(tmp_path, gray=True).values.shape == (2, 6, 5)
    assert load(tmp_path, n=1).values.shape == (1, 6, 5)


def test_size(tmp_path):
    write(tmp_path / "a.png", np.arange(64, dtype=np.uint8).reshape(8, 8))
    write(tmp_path / "b.png", np.full((3, 5, 3), 255, np.uint8))
    values = load(tmp_path, size=(4, 2)).values
    assert values.shape == (2, 4, 2, 3)
    means = np.arange(64).reshape(4, 2, 2, 4).mean(axis=(1, 3)) / 255
    np.testing.assert_allclose(values[0, :, :, 0], means, rtol=1e-6)
    assert np.all(values[1] == 1)
    np.save(tmp_path / "c.npy", np.arange(64.0).reshape(1, 8, 8) / 255)
    array = load(tmp_path / "c.npy", size=(4, 2)).values
    assert array.dtype == np.float64
    np.testing.assert_allclose(array[0], means, rtol=1e-6)


def test_unlike_sizes_are_refused(tmp_path):
    write(tmp_path / "a.png", np.zeros((8, 9), np.uint8))
    write(tmp_path / "b.png", np.zeros((3, 5, 3), np.uint8))
    with pytest.raises(ValueError, match=r"a\.png has shape 8×9 and .*b\.png has shape 3×5×3.*size="):
        load(tmp_path)
    with pytest.raises(ValueError, match=r"digits\[0\] has shape 8×8 and faces\[0\] has shape 25×25.*size="):
        load("digits", "faces")


@pytest.mark.parametrize("size", [8, (8,), (8, 8, 3), "88", (0, 8), (8, 2.5), (8, True), (10**5, 10**5)])
def test_bad_size_is_refused(size):
    with pytest.raises(ValueError, match="size must"):
        load("faces", size=size)


def test_unreadable_files(album):
    (album / "notes.txt").write_text("hello")
    whole = (album / "a10.bmp").read_bytes()
    (album / "a3.bmp").write_bytes(whole[:-20])
    with pytest.raises(SourceError, match=r"a3\.bmp: .*truncated.*skip_unreadable"):
        load(album)
    examples = load(album, skip_unreadable=True)
    assert levels(examples) == [0, 1, 2, 3]
    assert len(examples.skipped) == 2
    assert "a3.bmp" in examples.skipped[0]
    assert "notes.txt" in examples.skipped[1]
    assert "not an image" in examples.skipped[1]
    # Others take the place of what was left out, as long as there are any.
    assert levels(load(album, n=3, skip_unreadable=True)) == [0, 1, 2]
    assert sorted(levels(load(album, n=4, shuffle=True, skip_unreadable=True))) == [0, 1, 2, 3]
    with pytest.raises(SourceError, match=r"5 examples were to be read .* only 4 of 6 are readable"):
        load(album, n=5, skip_unreadable=True)


def test_nothing_readable(tmp_path):
    (tmp_path / "x.png").write_bytes(b"")
    with pytest.raises(SourceError, match=r"only 0 of 1 are readable.*x\.png"):
        load(tmp_path, skip_unreadable=True)
    with pytest.raises(SourceError, match=r"x\.png: not an image"):
        load(tmp_path)


def refused(path: Path) -> bool:
    """Whether `load` refuses the file, by an error that names it; any other error goes through."""
    try:
        load(path)
    except SourceError as error:
        return path.name in str(error) or pytest.fail(f"the file is not named: {error}")
    return False


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "tif", "webp", "jp2", "ppm", "bmp"])
def test_every_truncation_is_a_source_error_or_an_image(tmp_path, suffix):
    whole = write(tmp_path / f"x.{suffix}", COLOR).read_bytes()
    path = tmp_path / f"cut.{suffix}"
    failed = 0
    for length in range(0, len(whole), max(1, len(whole) // 25)):
        path.write_bytes(whole[:length])
        failed += refused(path)
    assert failed >= 15


def test_damaged_bytes_never_escape_as_other_errors(tmp_path):
    for suffix in ("png", "jpg", "gif", "tif"):
        whole = write(tmp_path / f"x.{suffix}", COLOR).read_bytes()
        path = tmp_path / f"bad.{suffix}"
        for _ in range(40):
            damaged = bytearray(whole)
            for place in RNG.integers(0, len(whole), 3):
                damaged[place] = RNG.integers(256)
            path.write_bytes(damaged)
            refused(path)


def png_header(width, height) -> bytes:
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_500, 10_001, 60_000])
def test_image_bombs_are_refused_before_decoding(tmp_path, side):
    (tmp_path / "x.png").write_bytes(png_header(side, side))
    # Pillow itself would warn from 89 million pixels on, which must not be seen below the limit of 100 million.
    expected = "truncated" if side < 10_000 else "pixels"
    with pytest.raises(SourceError, match=rf"x\.png.*{expected}"):
        load(tmp_path / "x.png")


def test_programs_are_not_started_for_postscript(tmp_path):
    Image.fromarray(COLOR).save(tmp_path / "x.eps")
    with pytest.raises(SourceError, match="not an image in a known format"):
        load(tmp_path / "x.eps")


def test_nonfinite_pixels_are_refused(tmp_path):
    write(tmp_path / "x.tif", np.array([[0.0, 1.0], [np.inf, np.nan]], np.float32))
    with pytest.raises(SourceError, match=r"x\.tif: .*inf at index \(1, 0\)"):
        load(tmp_path / "x.tif")


def test_empty_folder_is_refused(tmp_path):
    (tmp_path / ".hidden").write_text("x")
    with pytest.raises(SourceError, match="holds no files"):
        load(tmp_path)


# --- arrays --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "largest", "result"),
    [
        ("u1", 255, "f4"),
        ("i2", 32767, "f4"),
        (">u2", 65535, "f4"),
        ("u4", 255, "f4"),
        ("u8", 4095, "f4"),
        ("i8", 65535, "f4"),
        ("i4", 1, "f4"),
        ("?", 1, "f4"),
        ("f2", 1, "f4"),
        ("f4", 1, "f4"),
        (">f4", 1, "f4"),
        ("f8", 1, "f8"),
    ],
)
def test_dtypes(tmp_path, dtype, largest, result):
    given = np.array([[0, 1, 1], [1, 0, 0]]) * largest
    np.save(tmp_path / "x.npy", given.astype(dtype))
    examples = load(tmp_path / "x.npy")
    assert examples.values.dtype == np.dtype(result)
    assert examples.values.dtype.isnative
    assert examples.kind == "vectors"
    assert examples.names == ("x.npy[0]", "x.npy[1]")
    np.testing.assert_array_equal(examples.values, [[0, 1, 1], [1, 0, 0]])


@pytest.mark.parametrize("dtype", ["c8", "U3", "M8[s]", "g", [("a", "f4")]])
def test_other_dtypes_are_refused(tmp_path, dtype):
    np.save(tmp_path / "x.npy", np.zeros((2, 3), dtype))
    with pytest.raises(SourceError, match=r"x\.npy: .*real numbers"):
        load(tmp_path / "x.npy")


class Exploit:
    def __reduce__(self):
        return os.mkdir, ("exploited",)


def test_nothing_is_unpickled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    evil = np.array([Exploit(), Exploit()], object)
    np.save("x.npy", evil, allow_pickle=True)
    np.savez("x.npz", evil)
    for name in ("x.npy", "x.npz"):
        with pytest.raises(SourceError, match="never loaded"):
            load(name)
    Path("y.npy").write_bytes(b"\x80\x04K\x01.")  # a bare pickle, which numpy.load could be made to read
    with pytest.raises(SourceError, match="not an array"):
        load("y.npy")
    assert not Path("exploited").exists()


@pytest.mark.parametrize(
    ("shape", "kind", "state"),
    [
        ((3, 7), "vectors", (7,)),
        ((3, 4, 5), "images", (4, 5)),
        ((3, 4, 5, 1), "images", (4, 5)),
        ((3, 4, 5, 2), "images", (4, 5, 2)),
        ((3, 4, 5, 3), "images", (4, 5, 3)),
        ((3, 4, 5, 4), "images", (4, 5, 4)),
    ],
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_shapes(tmp_path, shape, kind, state, order):
    given = np.asarray(RNG.random(shape, np.float32), order=order)
    np.save(tmp_path / "x.npy", given)
    np.savez_compressed(tmp_path / "x.npz", given)
    for name in ("x.npy", "x.npz"):
        examples = load(tmp_path / name)
        assert examples.kind == kind
        assert examples.values.shape == (3, *state)
        np.testing.assert_array_equal(examples.values, given.reshape(3, *state))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((), "first axis"),
        ((5,), r"first axis.*values\[None\]"),
        ((0, 3), "at least one"),
        ((3, 0), "at least one"),
        ((3, 0, 4), "at least one"),
        ((2, 3, 4, 5), "C from 1 to 4"),
        ((2, 1, 3, 4, 3), "n×d"),
    ],
)
def test_other_shapes_are_refused(tmp_path, shape, message):
    np.save(tmp_path / "x.npy", np.zeros(shape))
    with pytest.raises(SourceError, match=rf"x\.npy: .*{message}"):
        load(tmp_path / "x.npy")


def test_nonfinite_values_are_refused(tmp_path):
    given = np.zeros((4, 3, 2))
    given[2, 1, 0] = np.nan
    np.save(tmp_path / "x.npy", given)
    with pytest.raises(SourceError, match=r"x\.npy\[2\]: .*nan at index \(1, 0\)"):
        load(tmp_path / "x.npy")
    assert load(tmp_path / "x.npy", n=2).values.shape == (2, 3, 2)
    # One array is one file: its rows are no unreadable files.
    with pytest.raises(SourceError, match="nan"):
        load(tmp_path / "x.npy", skip_unreadable=True)


def test_overflow_in_a_change_of_size_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.full((1, 4, 4), 1e300))
    assert load(tmp_path / "x.npy").values.max() == 1e300
    with pytest.raises(SourceError, match="finite"):
        load(tmp_path / "x.npy", size=(2, 2))


def test_size_and_gray_are_for_images(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((2, 3)))
    np.save(tmp_path / "y.npy", np.zeros((2, 3, 3, 4)))
    for options in ({"size": (2, 2)}, {"gray": True}):
        with pytest.raises(SourceError, match="images only"):
            load(tmp_path / "x.npy", **options)
    with pytest.raises(SourceError, match="1 or 3 channels"):
        load(tmp_path / "y.npy", gray=True)
    with pytest.raises(SourceError, match="agree in their channels"):
        load(tmp_path / "y.npy", write(tmp_path / "x.png", COLOR), size=(3, 3))


def test_members_of_npz(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, first=np.zeros((2, 3)), second=np.ones((2, 4)))
    with pytest.raises(SourceError, match=r"first, second.*x\.npz:NAME"):
        load(path)
    examples = load(f"{path}:second")
    assert examples.values.shape == (2, 4)
    assert examples.names[0] == "x.npz:second[0]"
    with pytest.raises(SourceError, match=r"no array 'third'.*first, second"):
        load(f"{path}:third")
    np.savez(path, labels=np.arange(2), Data=np.ones((2, 5)))
    assert load(path).values.shape == (2, 5)
    np.savez(path, labels=np.arange(2), data=np.ones((2, 5)), x=np.ones((2, 3)))
    with pytest.raises(SourceError, match="not clear"):
        load(path)
    np.savez(path)
    with pytest.raises(SourceError, match="no arrays"):
        load(path)


def npy_bytes(shape, data=b"", dtype="'<f8'", pad=0) -> bytes:
    header = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}".encode() + b" " * pad + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy_bytes("(10**6,)", b"\0" * 64), "header cannot be read"),
        (npy_bytes("(1000000000000, 1000)", b"\0" * 64), "claims shape"),
        (npy_bytes("(3, 3)", b"\0" * 64), "72 bytes, but only 64"),
        (npy_bytes("(-3, 3)", b"\0" * 64), "claims shape"),
        (npy_bytes("(-3, -3)", b"\0" * 128), "claims shape"),
        (npy_bytes("(3, 3)", b"\0" * 72, "'|O'"), "never loaded"),
        (npy_bytes("(3, 3)", b"\0" * 72, "'nonsense'"), "header cannot be read"),
        (npy_bytes("(3, 3)", b"\0" * 72, pad=20_000), "claims to be"),
        (b"\x93NUMPY\x02\x00" + b"\xff" * 4, "claims to be"),
        (b"\x93NUMPY\x09\x00" + b"\xff" * 40, "not an array"),
        (b"\x93NUMPY\x01\x00\x40\x00{'descr'", "claims to be 64 bytes"),
        (b"\x93NUMPY\x01\x00\x08\x00{'descr'" + b" " * 64, "header cannot be read"),
        (b"\x93NUM", "not an array"),
        (b"", "not an array"),
    ],
)
def test_npy_headers_are_not_believed(tmp_path, content, message):
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(SourceError, match=rf"x\.npy: .*{message}"):
        load(tmp_path / "x.npy")
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("member.npy", content)
    with pytest.raises(SourceError, match=rf"x\.npz:member: .*{message}"):
        load(tmp_path / "x.npz")


def patched_npz(path: Path, size: int, method=zipfile.ZIP_DEFLATED) -> Path:
    """An archive whose central directory claims `size` bytes for its one member."""
    shape = f"({max(size - 200, 8) // 8}, 1)"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("x.npy", npy_bytes(shape, b"\0" * 64))
    content = bytearray(buffer.getvalue())
    place = content.index(b"PK\x01\x02") + 24
    content[place : place + 4] = struct.pack("<I", size)
    path.write_bytes(content)
    return path


def test_sizes_in_npz_are_not_believed(tmp_path):
    path = tmp_path / "x.npz"
    with pytest.raises(SourceError, match=r"x\.npz:x: the archive claims 3,000,000,000"):
        load(patched_npz(path, 3_000_000_000))
    with pytest.raises(SourceError, match="the archive claims"):
        load(patched_npz(path, 100_000, zipfile.ZIP_STORED))
    with pytest.raises(SourceError, match=r"x\.npz"):
        load(patched_npz(path, 10_000))  # possible by its compressed size, but not so
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x.npy", npy_bytes("(1, 8)", b"\0" * 64))
    with pytest.raises(SourceError, match="plain or deflated"):
        load(path)


def test_large_members_of_npz_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("attrax._base.budget.available_memory", lambda: 100)
    np.savez(tmp_path / "x.npz", np.zeros((5, 5)))
    with pytest.raises(SourceError, match="would take about 328 bytes of memory, but only 100 bytes are free"):
        load(tmp_path / "x.npz")


def test_truncated_npz(tmp_path):
    np.savez_compressed(tmp_path / "whole.npz", RNG.random((20, 5)))
    whole = (tmp_path / "whole.npz").read_bytes()
    for length in range(0, len(whole), 50):
        (tmp_path / "x.npz").write_bytes(whole[:length])
        with pytest.raises(SourceError, match=r"x\.npz"):
            load(tmp_path / "x.npz")
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 255
    (tmp_path / "x.npz").write_bytes(damaged)
    with pytest.raises(SourceError, match=r"x\.npz.*damaged"):
        load(tmp_path / "x.npz")


# --- several sources, n, shuffle -----------------------------------------------------------------


def test_sources_are_put_one_after_another(tmp_path):
    write(tmp_path / "x.png", np.full((8, 8, 3), 255, np.uint8))
    examples = load("digits", tmp_path / "x.png")
    assert examples.values.shape == (1798, 8, 8, 3)
    assert examples.names[-2:] == ("digits[1796]", "x.png")
    assert np.all(examples.values[-1] == 1)
    np.save(tmp_path / "y.npy", np.zeros((1, 8, 8)))
    assert load(tmp_path / "y.npy", tmp_path / "x.png").values.dtype == np.float64


def test_vectors_must_agree(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((1, 3)))
    np.save(tmp_path / "b.npy", np.ones((1, 4)))
    with pytest.raises(SourceError, match=r"a\.npy\[0\] has shape 3 and .*b\.npy\[0\] has shape 4"):
        load(tmp_path / "a.npy", tmp_path / "b.npy")
    with pytest.raises(SourceError, match=r"a\.npy holds vectors and digits holds images"):
        load(tmp_path / "a.npy", "digits")


def test_n_and_shuffle(album):
    assert levels(load(album, n=2)) == [0, 1]
    shuffled = load(album, shuffle=True, seed=3)
    assert sorted(levels(shuffled)) == [0, 1, 2, 3]
    assert levels(load(album, n=2, shuffle=True, seed=3)) == levels(shuffled)[:2]
    assert [["a1.png", "A2.PNG", "a10.bmp", "b.tif"].index(name) for name in shuffled.names] == levels(shuffled)
    assert len({tuple(levels(load(album, shuffle=True, seed=seed))) for seed in range(10)}) > 3


def test_only_what_is_needed_is_read(album):
    (album / "z.png").write_text("never read")
    assert levels(load(album, n=4)) == [0, 1, 2, 3]


def test_n_is_checked(album):
    with pytest.raises(ValueError, match=r"at most 4, .*got 5"):
        load(album, n=5)
    for n in (0, -1, 2.0, True, "3"):
        with pytest.raises(ValueError, match="n must be an integer"):
            load(album, n=n)
    with pytest.raises(ValueError, match="seed must be"):
        load(album, seed=-1)
    with pytest.raises(ValueError, match="at least one source"):
        load()


def test_global_state_is_left_alone(album):
    def state():
        return (
            Image.MAX_IMAGE_PIXELS,
            ImageFile.LOAD_TRUNCATED_IMAGES,
            list(warnings.filters),
            np.random.get_state()[1].tolist(),
        )

    before = state()
    load(album, shuffle=True)
    load("natural", n=1)
    assert state() == before


def test_result_is_the_callers_own(tmp_path):
    for name in ("digits", "faces", "natural"):
        load(name, n=1).values[:] = 7
        assert load(name, n=1).values.max() <= 1
    np.save(tmp_path / "x.npy", np.zeros((2, 3), np.float32))
    load(tmp_path / "x.npy").values[:] = 7
    assert not np.load(tmp_path / "x.npy").any()


# --- names and paths -----------------------------------------------------------------------------


def test_digits_and_faces():
    digits = load("digits")
    assert digits.values.shape == (1797, 8, 8)
    assert digits.values.dtype == np.float32
    assert (digits.values.min(), digits.values.max()) == (0, 1)
    faces = load("faces")
    assert faces.values.shape == (100, 25, 25)
    assert faces.names[99] == "faces[99]"


def test_digits_are_those_of_scikit_learn_which_is_not_imported_for_them(monkeypatch):
    from sklearn.datasets import load_digits

    wanted = load_digits()
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)  # an import would fail
    digits = load("digits")
    np.testing.assert_array_equal(digits.values, (wanted.images / 16).astype(np.float32))
    assert digits.labels == tuple(map(str, wanted.target))


def test_natural():
    values = load("natural").values
    assert values.shape == (254, 32, 32, 3)
    flat = values.reshape(len(values), -1)
    assert flat.std(axis=1).min() > 0.03
    # No two are nearly the same.
    gram = flat @ flat.T
    distances = np.sqrt(np.diag(gram)[:, None] + np.diag(gram) - 2 * gram + 1e9 * np.eye(len(flat)))
    assert distances.min() / np.sqrt(flat.shape[1]) > 0.05
    np.testing.assert_array_equal(load("natural", n=5).values, values[:5])


def test_a_path_that_is_called_like_a_name(album, monkeypatch):
    monkeypatch.chdir(album.parent)
    album.rename(album.parent / "digits")
    assert load("./digits").values.shape == (4, 4, 3, 3)
    assert load(Path("digits")).values.shape == (4, 4, 3, 3)
    assert load("digits", n=1).values.shape == (1, 8, 8)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("diigts", "'diigts': no such file.*did you mean digits"),
        ("Mnist", "did you mean mnist"),
        ("mnits@test", "did you mean mnist"),
        ("nothing-like-it", "A source is a folder of images.*mnist:DIR@test"),
        ("digits@test", "neither a folder nor parts"),
        ("faces:somewhere", "neither a folder nor parts"),
        ("mnist@validation", "must be @test"),
        ("mnist:missing", "folder missing does not exist"),
        ("", "no such file"),
        ("a\0b", "no such file"),
        ("x" * 5000, "no such file"),
        ("x.npz:NAME", "'x.npz': no such file"),
        (3, "must be a text or a path"),
        (np.zeros((2, 3)), "must be a text or a path"),
        (b"digits", "must be a text or a path"),
        ("/dev/null", "neither a regular file nor a folder"),
    ],
)
def test_wrong_specs(spec, message):
    with pytest.raises(SourceError, match=message):
        load(spec)


def test_a_missing_file_is_looked_for_in_its_folder(album):
    with pytest.raises(SourceError, match=r"did you mean .*a10\.bmp"):
        load(album / "a10.bpm")


def test_published_sets_need_a_place(monkeypatch, tmp_path):
    monkeypatch.delenv("ATTRAX_DATA", raising=False)
    for name in ("mnist", "cifar10@test", "imagenet64"):
        with pytest.raises(SourceError, match=r"ATTRAX_DATA.*export ATTRAX_DATA=.*:DIR"):
            load(name)
    monkeypatch.setenv("ATTRAX_DATA", str(tmp_path))
    for name in ("mnist", "cifar10@test", "imagenet64"):
        with pytest.raises(SourceError, match="does not exist"):
            load(name)
    for name in ("mnist", "cifar10", "imagenet64@test"):
        with pytest.raises(SourceError, match="must lie there as"):
            load(name.replace("@", f":{tmp_path}@") if "@" in name else f"{name}:{tmp_path}")


# --- published sets ------------------------------------------------------------------------------


def idx(values, claimed=None) -> bytes:
    return b"\0\0\x08\x03" + struct.pack(">3I", *(claimed or values.shape)) + values.tobytes()


@pytest.mark.parametrize("packed", [False, True])
def test_mnist(tmp_path, monkeypatch, packed):
    folder = tmp_path / "mnist"
    folder.mkdir()
    train, test = RNG.integers(0, 256, (5, 4, 3), np.uint8), RNG.integers(0, 256, (2, 4, 3), np.uint8)
    for stem, values in (("train", train), ("t10k", test)):
        content = gzip.compress(idx(values)) if packed else idx(values)
        (folder / f"{stem}-images-idx3-ubyte{'.gz' if packed else ''}").write_bytes(content)
    monkeypatch.setenv("ATTRAX_DATA", str(tmp_path))
    examples = load("mnist")
    np.testing.assert_array_equal(examples.values, (train / 255).astype(np.float32))
    assert examples.names[4] == "mnist[4]"
    for spec in ("mnist@test", f"mnist:{folder}@test"):
        examples = load(spec, n=1, shuffle=True)
        assert examples.names[0] in ("mnist@test[0]", "mnist@test[1]")
        np.testing.assert_array_equal(examples.values[0] * 255, test[int(examples.names[0][-2])])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx(np.zeros((2, 3, 3), np.uint8), (3, 3, 3)), "3 images of 3×3, 27 bytes, but the file holds fewer"),
        (idx(np.zeros((2, 3, 3), np.uint8), (1, 3, 3)), "holds more than 9"),
        (idx(np.zeros((2, 3, 3), np.uint8), (4_000_000_000, 1000, 1000)), "holds fewer"),
        (idx(np.zeros((0, 3, 3), np.uint8)), "holds none"),
        (b"\0\0\x08\x01" + b"\0" * 20, "not an IDX file"),
        (b"\0\0", "not an IDX file"),
        (b"", "not an IDX file"),
    ],
)
def test_idx_headers_are_not_believed(tmp_path, content, message):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
    with pytest.raises(SourceError, match=rf"ubyte: .*{message}"):
        load(f"mnist:{tmp_path}")
    (tmp_path / "train-images-idx3-ubyte").unlink()
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(content))
    with pytest.raises(SourceError, match=rf"ubyte\.gz: .*{message}"):
        load(f"mnist:{tmp_path}")


def test_damaged_gzip(tmp_path):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    whole = gzip.compress(idx(RNG.integers(0, 256, (9, 9, 9), np.uint8)))
    damaged = bytearray(whole)
    damaged[-6] ^= 255
    for content in (whole[:-20], whole[:200], bytes(damaged), b"plain text, not gzip"):
        path.write_bytes(content)
        with pytest.raises(SourceError, match=r"ubyte\.gz: the file cannot be read"):
            load(f"mnist:{tmp_path}")


def cifar_batch(path: Path, first: int, count: int):
    records = np.zeros((count, 3073), np.uint8)
    records[:, 0] = 99  # the label, which must not become a pixel
    for row in range(count):
        records[row, 1:] = np.repeat([first + row, 100, 200], 1024)
    path.write_bytes(records.tobytes())


def test_cifar10(tmp_path):
    cifar_batch(tmp_path / "data_batch_2.bin", 3, 2)
    cifar_batch(tmp_path / "data_batch_1.bin", 0, 3)
    cifar_batch(tmp_path / "test_batch.bin", 50, 1)
    examples = load(f"cifar10:{tmp_path}")
    assert examples.values.shape == (5, 32, 32, 3)
    assert levels(examples) == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(examples.values[4, 31, 31] * 255, [4, 100, 200], rtol=1e-6)
    shuffled = load(f"cifar10:{tmp_path}", shuffle=True)
    assert [f"cifar10[{level}]" for level in levels(shuffled)] == list(shuffled.names)
    assert levels(load(f"cifar10:{tmp_path}@test")) == [50]
    (tmp_path / "data_batch_2.bin").write_bytes(b"\0" * 3100)
    with pytest.raises(SourceError, match=r"data_batch_2\.bin: .*records of 3073 bytes.*3,100"):
        load(f"cifar10:{tmp_path}")
    (tmp_path / "data_batch_2.bin").write_bytes(b"")
    with pytest.raises(SourceError, match=r"data_batch_2\.bin"):
        load(f"cifar10:{tmp_path}")


def test_imagenet64(tmp_path):
    def batch(path, first, count):
        data = np.repeat(np.array([[first + row, 100, 200] for row in range(count)], np.uint8), 4096, axis=1)
        np.savez(path, data=data, labels=np.arange(count), mean=np.zeros(12288))

    batch(tmp_path / "train_data_batch_10.npz", 2, 2)
    batch(tmp_path / "train_data_batch_2.npz", 0, 2)
    batch(tmp_path / "val_data.npz", 50, 1)
    examples = load(f"imagenet64:{tmp_path}")
    assert examples.values.shape == (4, 64, 64, 3)
    assert levels(examples) == [0, 1, 2, 3]
    assert levels(load(f"imagenet64:{tmp_path}@test")) == [50]
    np.savez(tmp_path / "val_data.npz", data=np.zeros((2, 100), np.uint8))
    with pytest.raises(SourceError, match=r"val_data\.npz: .*n×12288.*\(2, 100\)"):
        load(f"imagenet64:{tmp_path}@test")
    np.savez(tmp_path / "val_data.npz", images=np.zeros((2, 12288), np.uint8))
    with pytest.raises(SourceError, match="no array 'data'"):
        load(f"imagenet64:{tmp_path}@test")


@pytest.mark.data
@pytest.mark.skipif(not os.environ.get("ATTRAX_DATA"), reason="ATTRAX_DATA is not set: no real data sets to read")
@pytest.mark.parametrize(
    ("name", "shape"), [("mnist", (28, 28)), ("cifar10", (32, 32, 3)), ("imagenet64", (64, 64, 3))]
)
def test_real_data(name, shape):
    for spec in (name, f"{name}@test"):
        examples = load(spec, n=20, shuffle=True)
        assert examples.values.shape == (20, *shape)
        assert examples.values.dtype == np.float32
        assert examples.values.min() >= 0
        assert 0.5 < examples.values.max() <= 1
        # Neighboring pixels of pictures are alike; a wrong layout would tear them apart.
        flat = examples.values - examples.values.mean()
        assert np.mean(flat[:, 1:] * flat[:, :-1]) > 0.7 * np.mean(flat**2)
        assert np.mean(flat[:, :, 1:] * flat[:, :, :-1]) > 0.7 * np.mean(flat**2)


# --- writing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
@pytest.mark.parametrize("channels", [None, 1, 3])
def test_images_come_back(tmp_path, suffix, channels):
    shape = (2, 6, 5) if channels is None else (2, 6, 5, channels)
    values = np.round(RNG.random(shape) * 255) / 255
    if suffix in (".jpg", ".jpeg"):
        values = np.broadcast_to(values[:, :1, :1], shape)
    paths = save_images(tmp_path / "new" / "folder", values, ["a", "b"], suffix)
    assert [path.name for path in paths] == [f"a{suffix}", f"b{suffix}"]
    back = load(tmp_path / "new" / "folder")
    assert {path.name for path in (tmp_path / "new" / "folder").iterdir()} == set(back.names)
    expected = values[..., 0] if channels == 1 else values
    if suffix == ".webp" and channels != 3:  # WebP has no gray
        expected = np.repeat(expected[..., None], 3, axis=3)
    np.testing.assert_allclose(back.values, expected, atol=0.02 if suffix in (".jpg", ".jpeg") else 1e-6)


def test_images_are_clipped_and_rounded(tmp_path):
    values = np.array([[[-1.0, 2.0, 0.5, 0.4999 / 255]]])
    (path,) = save_images(tmp_path, values, ["x"])
    with Image.open(path) as image:
        assert np.asarray(image).tolist() == [[0, 255, 128, 0]]
    (path,) = save_images(tmp_path, np.array([[[True, False]]]), ["x"])
    with Image.open(path) as image:
        assert np.asarray(image).tolist() == [[255, 0]]


def test_transparent_images(tmp_path):
    for channels, mode in ((2, "LA"), (4, "RGBA")):
        values = np.ones((1, 3, 3, channels))
        for suffix in (".png", ".tif"):
            (path,) = save_images(tmp_path, values, ["x"], suffix)
            with Image.open(path) as image:
                assert image.mode == mode
        with pytest.raises(SourceError, match="1, 3 channels"):
            save_images(tmp_path, values, ["x"], ".jpg")


def test_names_of_written_images(tmp_path):
    given = ["cat.jpg", "cat.png", "CAT", "mnist[17]", "../up", "/etc/passwd", ".hidden", "", "v1.5", "x.npy[3]", ".."]
    paths = save_images(tmp_path, np.zeros((len(given), 2, 2)), given)
    assert [path.name for path in paths] == [
        "cat.png",
        "cat-2.png",
        "CAT-3.png",
        "mnist[17].png",
        "_._up.png",
        "_etc_passwd.png",
        "_hidden.png",
        "_.png",
        "v1.5.png",
        "x.npy[3].png",
        "_..png",
    ]
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in paths}


def test_long_names_are_cut_in_the_middle(tmp_path):
    given = [f"{400 * letter}-{end}" for letter in "aé" for end in ("cue", "recalled", "recalled")]
    names = [path.name for path in save_images(tmp_path, np.zeros((6, 2, 2)), given)]
    assert [name.partition("-")[2] for name in names] == 2 * ["cue.png", "recalled.png", "recalled-2.png"]
    assert all(len(name.encode()) <= 255 for name in names)


def test_an_image_is_replaced_in_one_step(tmp_path, monkeypatch):
    (path,) = save_images(tmp_path, np.zeros((1, 2, 2)), ["x"])
    save_images(tmp_path, np.ones((1, 2, 2)), ["x"])
    assert load(path).values.min() == 1

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(SourceError, match=r"x\.png can't be written: No space left"):
        save_images(tmp_path, np.zeros((1, 2, 2)), ["x"])
    assert load(path).values.min() == 1
    assert list(tmp_path.iterdir()) == [path]


def test_other_things_are_not_overwritten(tmp_path):
    (tmp_path / "file").write_text("precious")
    (tmp_path / "x.png").mkdir()
    (tmp_path / "x.npy").mkdir()
    for folder in ("file", "file/below"):
        with pytest.raises(SourceError, match="a file stands in its place"):
            save_images(tmp_path / folder, np.zeros((1, 2, 2)), ["x"])
        with pytest.raises(SourceError, match="a file stands in its place"):
            save_array(tmp_path / folder / "x.npy", np.zeros(2))
    with pytest.raises(SourceError, match="it is a folder"):
        save_images(tmp_path, np.zeros((1, 2, 2)), ["x"])
    with pytest.raises(SourceError, match="it is a folder"):
        save_array(tmp_path / "x.npy", np.zeros(2))
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize(
    ("values", "names", "suffix", "message"),
    [
        (np.zeros((2, 2)), ["x", "y"], ".png", r"values\[None\]"),
        (np.zeros((1, 0, 2)), ["x"], ".png", "must be images"),
        (np.zeros((1, 2, 2, 5)), ["x"], ".png", "1, 2, 3, 4 channels"),
        (np.zeros((1, 2, 2), np.uint8), ["x"], ".png", "floats in"),
        (np.zeros((1, 2, 2), complex), ["x"], ".png", "floats in"),
        (np.full((1, 2, 2), np.nan), ["x"], ".png", r"found nan at index \(0, 0, 0\)"),
        (np.zeros((1, 2, 2)), ["x", "y"], ".png", "names must be 1 texts"),
        (np.zeros((1, 2, 2)), "x", ".png", "names must be 1 texts"),
        (np.zeros((1, 2, 2)), [3], ".png", "names must be 1 texts"),
        (np.zeros((1, 2, 2)), ["x"], ".gif", "suffix must be one of .png"),
        (np.zeros((1, 2, 2)), ["x"], None, "suffix must be one of .png"),
    ],
)
def test_save_images_refuses(tmp_path, values, names, suffix, message):
    with pytest.raises(SourceError, match=message):
        save_images(tmp_path / "out", values, names, suffix)
    assert not (tmp_path / "out").exists()


def test_save_array(tmp_path):
    values = RNG.random((3, 4))
    path = save_array(tmp_path / "new" / "x.npy", values)
    np.testing.assert_array_equal(load(path).values, values)
    assert [entry.name for entry in path.parent.iterdir()] == ["x.npy"]
    with pytest.raises(SourceError, match=r"end in \.npy"):
        save_array(tmp_path / "x.txt", values)
    with pytest.raises(SourceError, match="real numbers"):
        save_array(tmp_path / "x.npy", np.array([None]))


def test_examples_are_counted_without_reading_them(tmp_path: Path) -> None:
    assert load("digits").values.shape[0] == count("digits") == 1797
    np.save(tmp_path / "a.npy", np.zeros((5, 3)))
    assert count(tmp_path / "a.npy") == 5
    with pytest.raises(SourceError, match="no such file or folder"):
        count(tmp_path / "b.npy")
