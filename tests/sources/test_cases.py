"""Inputs that once were read wrongly, and their kind: scales, pages and frames, films, tables, folders."""

import os
import struct
import wave
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from attrax._base.arguments import ArgumentError, mention  # how arguments are named, whoever names them
from attrax._base.checks import integer  # checks, whoever calls them
from attrax.patterns import Patterns
from attrax.sources import SourceError, is_sequence, load, load_sequence, picture_range, read, save_video, to_unit

CASES = Path(os.environ.get("ATTRAX_CASES") or Path(__file__).parents[3] / "shared" / "cases")
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="ATTRAX_CASES names no folder of collected cases")
RNG = np.random.default_rng(0)


def gray(path: Path, pixels: np.ndarray, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def frames(count: int = 5, mode: str = "L") -> list[Image.Image]:
    return [Image.fromarray(RNG.integers(0, 256, (16, 16), np.uint8)).convert(mode) for _ in range(count)]


# --- collected cases -----------------------------------------------------------------------------


@pytest.mark.data
@needs_cases
@pytest.mark.parametrize(
    ("name", "options", "count", "sequences"),
    [
        ("stack.tif", {}, 5, None),
        ("stack.tif", {"kind": "sequence"}, 5, ((5, "loop"),)),
        ("animated.webp", {}, 5, ((5, "loop"),)),
        ("animated.webp", {"kind": "images"}, 5, None),
        ("gray_int32.npy", {}, 6, None),
        ("to255.npy", {}, 6, None),
        ("cover_first.mp4", {}, 8, ((8, "loop"),)),
        ("pixel_names.csv", {}, 4, None),
        ("pandas_index_false.csv", {}, 4, None),
    ],
)
def test_collected_cases(name, options, count, sequences):
    found = read(CASES / name, **options)
    assert (len(found), found.sequences) == (count, sequences)
    assert len(found.patterns) == count
    assert found.values.max() == (255 if name == "to255.npy" else pytest.approx(1, abs=0.3))


@pytest.mark.data
@needs_cases
def test_collected_films_are_mirrored():
    plain, across, down = (
        read(CASES / f"{name}.mp4", kind="images", indices=[0], gray=True).values[0]
        for name in ("plain", "hflip", "vflip")
    )
    np.testing.assert_array_equal(across, plain[:, ::-1])
    np.testing.assert_array_equal(down, plain[::-1])


@pytest.mark.data
@needs_cases
@pytest.mark.parametrize("name", ["huge_screen.gif", "bool_shape.npy"])
def test_collected_damage_is_refused(name):
    with pytest.raises(SourceError, match=name):
        read(CASES / name)


# --- scales --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "values", "divisor"),
    [
        ("i4", [0, 1, 255], 255),
        ("i8", [0, 300, 4000], 4095),
        ("u4", [0, 5000, 60000], 65535),
        ("i8", [-1, 0, 1], 1),
        ("i4", [0, 1, 1], 1),
        ("u1", [0, 3, 200], 255),
        ("u2", [0, 3, 40000], 65535),
        ("i2", [-30000, 3, 200], 32767),
    ],
)
def test_integers_are_scaled_by_what_they_can_be(tmp_path, dtype, values, divisor):
    np.save(tmp_path / "x.npy", np.array([values], dtype))
    np.testing.assert_allclose(load(tmp_path / "x.npy").values, np.array([values]) / divisor, rtol=1e-6)


@pytest.mark.parametrize(("dtype", "values"), [("i4", [0, 70000]), ("i8", [-5, 200]), ("u8", [0, 2**64 - 1])])
def test_integers_of_no_usual_range_are_refused_with_the_way_to_say_it(tmp_path, dtype, values):
    np.save(tmp_path / "x.npy", np.array([values], dtype))
    with pytest.raises(SourceError, match=r"fit none of the usual ranges.*value_range=\(low, high\)"):
        load(tmp_path / "x.npy")
    low, high = values
    np.testing.assert_allclose(load(tmp_path / "x.npy", value_range=(low, high)).values, [[0, 1]])


def test_the_scale_does_not_depend_on_how_many_are_taken(tmp_path):
    np.save(tmp_path / "x.npy", np.array([[0, 1], [0, 255]], np.int64))
    np.testing.assert_allclose(load(tmp_path / "x.npy", n=1).values, [[0, 1 / 255]])
    np.testing.assert_allclose(load(tmp_path / "x.npy").values[0], [0, 1 / 255])


@pytest.mark.parametrize("value_range", [(1, 0), (0, 0), (0, np.inf), "0:1", (1, 2, 3)])
def test_a_range_is_checked(value_range):
    with pytest.raises(ValueError, match="value_range must be"):
        load("digits", n=1, value_range=value_range)


def test_a_range_that_is_hardly_used_is_told(tmp_path):
    np.save(tmp_path / "x.npy", RNG.integers(0, 600, (3, 4, 4)).astype(np.uint16))
    (note,) = load(tmp_path / "x.npy").notes
    assert "less than a hundredth of the range 0 to 65535" in note
    assert load(tmp_path / "x.npy", value_range=(0, 600)).notes == ()
    np.save(tmp_path / "y.npy", RNG.integers(0, 6000, (3, 4, 4)).astype(np.uint16))
    assert load(tmp_path / "y.npy").notes == ()


def test_pictures_are_written_back_by_their_own_scale():
    pictures = RNG.integers(0, 256, (3, 4, 4)).astype(float)
    pictures[0, 0, :2] = 0, 255
    assert picture_range(pictures) == (0, 255)
    scaled, notes = to_unit(pictures, picture_range(pictures))
    np.testing.assert_allclose(scaled * 255, pictures)
    assert notes == ("0 is written as black and 255 as white",)
    assert picture_range(pictures / 255) == (0, 1)
    assert picture_range(pictures / 255 * 1.2) == (0, 1.2)
    assert picture_range(2 * pictures / 255 - 1) == (-1, 1)
    _, notes = to_unit(np.array([0.0, 0.5, 1.5]), (0.0, 1.0))
    assert notes == ("1 of 3 values were clipped to [0, 1]",)


# --- size and fit --------------------------------------------------------------------------------


def test_fit(tmp_path):
    pixels = np.zeros((8, 16), np.uint8)
    pixels[:, 4:12] = 255
    path = gray(tmp_path / "x.png", pixels)
    squashed, cropped, padded = (load(path, size=(8, 8), fit=fit).values[0] for fit in ("squash", "crop", "pad"))
    np.testing.assert_allclose(squashed, np.broadcast_to([0, 0, 1, 1, 1, 1, 0, 0], (8, 8)))
    np.testing.assert_allclose(cropped, 1)
    np.testing.assert_allclose(padded[2:6], squashed[2:6])
    assert not padded[:2].any()
    assert not padded[6:].any()
    np.testing.assert_array_equal(load(path, size=(8, 8)).values[0], squashed)
    with pytest.raises(ValueError, match="fit must be one of squash, crop, pad"):
        load(path, size=(8, 8), fit="stretch")
    with pytest.raises(ValueError, match=r"fit says how .* give size=\(height, width\)"):
        load(path, fit="crop")
    film = save_video(tmp_path / "film.gif", np.stack([pixels, pixels[::-1] * 0.5]) / 255, 5).path
    assert load_sequence(film, size=(8, 8), fit="crop").values[0].min() > 0.9


# --- pages and frames ----------------------------------------------------------------------------


@pytest.mark.parametrize(("suffix", "options"), [("webp", {"lossless": True}), ("png", {}), ("gif", {})])
def test_animations_are_sequences_and_their_frames_examples(tmp_path, suffix, options):
    shown = frames()
    path = tmp_path / f"x.{suffix}"
    shown[0].save(path, save_all=True, append_images=shown[1:], duration=[100, 200, 100, 100, 100], **options)
    assert is_sequence(path)
    expected = np.stack([np.asarray(frame) for frame in shown]) / np.float32(255)
    film = read(path)
    np.testing.assert_allclose(film.values, expected, atol=1e-6)
    assert film.sequences == ((5, "loop"),)
    assert film.names[2] == f"x.{suffix}[0.300s]"
    assert film.facts is not None
    assert film.facts["kind"] == "video"
    examples = read(path, kind="images")
    np.testing.assert_allclose(examples.values, expected, atol=1e-6)
    beside = load(tmp_path)  # in a folder, too, and never the first alone
    assert beside.names == tuple(f"x.{suffix}[{number}]" for number in range(5))
    np.testing.assert_allclose(load(path, n=3, shuffle=True, seed=2).values.shape, (3, 16, 16))


def test_the_picture_for_those_who_cannot_show_an_animated_png_is_no_frame(tmp_path):
    shown = frames(3)
    shown[0].save(tmp_path / "x.png", save_all=True, append_images=shown[1:], default_image=True, duration=100)
    assert len(read(tmp_path / "x.png")) == 2


def test_a_cut_off_animation_is_refused(tmp_path):
    shown = frames()
    shown[0].save(tmp_path / "x.webp", save_all=True, append_images=shown[1:], lossless=True)
    whole = (tmp_path / "x.webp").read_bytes()
    (tmp_path / "x.webp").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match=r"x\.webp"):
        read(tmp_path / "x.webp")


# From Python 3.13 on, Pillow's writer, which only this test uses, is closed twice.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_pages_of_a_tiff_are_examples_but_for_previews(tmp_path):
    shown = frames(4)
    shown[0].save(tmp_path / "x.tif", save_all=True, append_images=shown[1:])
    assert not is_sequence(tmp_path / "x.tif")
    found = read(tmp_path / "x.tif")
    np.testing.assert_allclose(found.values * 255, np.stack([np.asarray(frame) for frame in shown]), atol=1e-4)
    assert found.sequences is None
    cycle = read(tmp_path / "x.tif", kind="sequence").patterns
    assert cycle.successor.tolist() == [1, 2, 3, 0]
    assert len(load_sequence(tmp_path / "x.tif")) == 4
    preview = shown[1].resize((4, 4))
    with Image.open(tmp_path / "x.tif") as image:
        tags = image.tag_v2.__class__()
    tags[254] = 1
    import PIL.TiffImagePlugin

    with PIL.TiffImagePlugin.AppendingTiffWriter(str(tmp_path / "p.tif"), True) as stream:
        shown[0].save(stream, "TIFF")
        stream.newFrame()
        preview.save(stream, "TIFF", tiffinfo=tags)
    assert load(tmp_path / "p.tif").values.shape == (1, 16, 16)


def tiff(path: Path, pages: np.ndarray, *, white: bool = False) -> Path:
    """Gray pages (n×H×W) or, of n×3×H×W, colors in planes one after another, in any dtype."""
    content = bytearray(b"II*\0")
    for page in pages:
        planes = page.reshape(-1, *page.shape[-2:])
        count, (height, width) = planes.shape[0], planes.shape[1:]
        data = planes.astype(page.dtype.newbyteorder("<")).tobytes()
        size = len(data) // count
        places = [len(content) + 4 + plane * size for plane in range(count)]
        lists = places + [size] * count  # where they do not fit into their entries
        after = places[0] + len(data)
        tags = [
            (256, 1, width),
            (257, 1, height),
            (258, 1, 8 * page.dtype.itemsize),
            (262, 1, 2 if count > 1 else 0 if white else 1),
            (273, count, after if count > 1 else places[0]),
            (277, 1, count),
            (278, 1, height),
            (279, count, after + 4 * count if count > 1 else size),
            (284, 1, 2 if count > 1 else 1),
            (339, 1, {"u": 1, "i": 2, "f": 3}[page.dtype.kind]),
        ]
        content += struct.pack("<I", after + 4 * len(lists)) + data + struct.pack(f"<{len(lists)}I", *lists)
        content += struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", tag, 4, n, v) for tag, n, v in tags)
    path.write_bytes(content + bytes(4))
    return path


@pytest.mark.parametrize(("dtype", "low", "high"), [("i1", -100, 100), ("i2", -30000, 30000), ("u4", 0, 60000)])
def test_pages_of_a_tiff_have_the_numbers_of_its_type(tmp_path, dtype, low, high):
    pages = RNG.integers(low, high, (3, 4, 5)).astype(dtype)
    largest = {"i1": 127, "i2": 32767, "u4": 65535}[dtype]
    np.testing.assert_allclose(load(tiff(tmp_path / "x.tif", pages)).values, pages / largest, atol=1e-6)
    alone = load(tiff(tmp_path / "y.tif", pages[:1])).values
    np.testing.assert_allclose(alone, pages[:1] / largest, atol=1e-6)


def test_pages_of_a_tiff_beyond_the_usual_ranges_are_refused(tmp_path):
    pages = RNG.integers(0, 2**20, (3, 4, 5)).astype("i4")
    with pytest.raises(SourceError, match=r"x\.tif: whole numbers .* fit none of the usual ranges"):
        load(tiff(tmp_path / "x.tif", pages))


def test_a_tiff_in_which_white_is_zero(tmp_path):
    for dtype in ("u1", "u2"):
        pages = RNG.integers(0, 255, (2, 4, 5)).astype(dtype)
        found = load(tiff(tmp_path / "x.tif", pages, white=True)).values
        np.testing.assert_allclose(found, 1 - pages / np.iinfo(dtype).max, atol=1e-6)


def test_colors_of_16_bits_in_planes_are_refused(tmp_path):
    pages = RNG.integers(0, 65536, (1, 3, 4, 5)).astype("u2")
    with pytest.raises(SourceError, match=r"x\.tif: 16-bit numbers in planes.*Save the image"):
        load(tiff(tmp_path / "x.tif", pages))
    eight = (pages >> 8).astype("u1")
    found = load(tiff(tmp_path / "x.tif", eight)).values
    np.testing.assert_allclose(found, np.moveaxis(eight, 1, -1) / 255, atol=1e-6)


def test_the_pictures_in_one_file_are_counted_before_they_are_decoded(tmp_path, monkeypatch):
    shown = frames()
    shown[0].save(tmp_path / "x.gif", save_all=True, append_images=shown[1:])
    monkeypatch.setattr("attrax.sources._pictures._MOST_IN_FILE", 4 * 256)
    monkeypatch.setattr("attrax.sources._pictures.pixels_of", lambda *_, **__: pytest.fail("was decoded"))
    with pytest.raises(SourceError, match=r"x\.gif: .*its 5 have 1,280"):
        read(tmp_path / "x.gif")


def test_examples_that_do_not_fit_into_memory_are_refused_at_the_first(monkeypatch):
    monkeypatch.setattr("attrax._base.budget.available_memory", lambda: 2 * 10 * 64 * 4)
    assert len(load("digits", n=10)) == 10
    with pytest.raises(SourceError, match=r"take fewer with n, or smaller ones with size="):
        load("digits")


def test_a_screen_of_billions_of_pixels_is_refused(tmp_path):
    header = b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
    image = b",\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0;"
    (tmp_path / "x.gif").write_bytes(header + image)
    with pytest.raises(SourceError, match=r"x\.gif: an image may have at most 100,000,000 pixels"):
        read(tmp_path / "x.gif")


def test_transparency_of_16_bits(tmp_path):
    levels = np.array([[1000, 1001], [40000, 1000]], np.uint16)
    gray(tmp_path / "g.png", levels, transparency=1000)
    np.testing.assert_allclose(load(tmp_path / "g.png").values[0] * 65535, [[0, 1001], [40000, 0]], rtol=1e-6)


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_transparency_of_16_bit_color(tmp_path):
    rows = np.array([[[40000, 300, 20], [65535, 65535, 65535]]], ">u2")
    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    clear = struct.pack(">3H", 40000, 300, 20)
    data = zlib.compress(b"\0" + rows.tobytes())
    content = [chunk(b"IHDR", header), chunk(b"tRNS", clear), chunk(b"IDAT", data), chunk(b"IEND", b"")]
    (tmp_path / "c.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(content))
    assert load(tmp_path / "c.png").values[0, 0].tolist() == [[0, 0, 0], [1, 1, 1]]


def test_gray_of_16_bits_with_transparency_stays_gray(tmp_path):
    rows = np.array([[[40000, 65535], [65535, 0]]], ">u2")
    data = zlib.compress(b"\0" + rows.tobytes())
    content = [chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 4, 0, 0, 0)), chunk(b"IDAT", data), chunk(b"IEND", b"")]
    (tmp_path / "g.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(content))
    np.testing.assert_allclose(load(tmp_path / "g.png").values, [[[40000 / 65535, 0]]], atol=1 / 255)


def test_a_png_with_text_is_no_animation(tmp_path):
    about = PngInfo()
    about.add_text("note", "acTL")
    gray(tmp_path / "x.png", np.zeros((4, 4), np.uint8), pnginfo=about)
    assert not is_sequence(tmp_path / "x.png")
    assert load(tmp_path / "x.png").names == ("x.png",)


# --- films ---------------------------------------------------------------------------------------


def film(path: Path, count: int = 6, sound: float = 0.0, codec: str = "mpeg4") -> Path:
    shown = np.zeros((count, 32, 48, 3), np.uint8)
    shown[:, :8, :16] = 250
    shown += (4 * np.arange(count, dtype=np.uint8))[:, None, None, None]
    with av.open(str(path), "w") as container:
        track = container.add_stream(codec, rate=10)
        track.width, track.height, track.pix_fmt = 48, 32, "yuv420p"
        audio = container.add_stream("aac", rate=44100, layout="mono") if sound else None
        for image in shown:
            container.mux(track.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(track.encode())
        if audio is not None:
            for number in range(int(sound * 44100 / 1024)):
                part = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
                part.sample_rate, part.pts, part.time_base = 44100, 1024 * number, Fraction(1, 44100)
                container.mux(audio.encode(part))
            container.mux(audio.encode())
    return path


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((-1, 0, 0, 1), lambda pixels: pixels[:, :, ::-1]),
        ((1, 0, 0, -1), lambda pixels: pixels[:, ::-1]),
        ((-1, 0, 0, -1), lambda pixels: pixels[:, ::-1, ::-1]),
        ((0, 1, 1, 0), lambda pixels: pixels.swapaxes(1, 2)),
        ((0, -1, -1, 0), lambda pixels: pixels[:, ::-1, ::-1].swapaxes(1, 2)),
        ((0, 1, -1, 0), lambda pixels: np.rot90(pixels, -1, axes=(1, 2))),
        ((0, -1, 1, 0), lambda pixels: np.rot90(pixels, 1, axes=(1, 2))),
    ],
    ids=["hflip", "vflip", "half turn", "transpose", "transverse", "clockwise", "counter-clockwise"],
)
def test_a_mirrored_film_is_shown_upright(tmp_path, matrix, shown):
    path = film(tmp_path / "a.mp4")
    plain = load_sequence(path).values
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4 + 40
    a, b, c, d = (value * 65536 for value in matrix)
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    np.testing.assert_array_equal(load_sequence(path).values, shown(plain))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".wmv", ".avi"])
def test_a_film_is_whole_though_its_sound_is_longer(tmp_path, suffix):
    assert len(load_sequence(film(tmp_path / f"a{suffix}", sound=0 if suffix == ".avi" else 3.0))) == 6


def test_a_cover_is_not_the_film(tmp_path):
    source = film(tmp_path / "film.mp4", 8)
    cover = gray(tmp_path / "cover.jpg", RNG.integers(0, 256, (20, 20, 3), np.uint8))
    with av.open(str(source)) as given, av.open(str(cover)) as picture, av.open(str(tmp_path / "a.mp4"), "w") as made:
        front = made.add_stream_from_template(picture.streams.video[0])
        front.disposition = av.stream.Disposition.attached_pic
        track = made.add_stream_from_template(given.streams.video[0])
        for opened, stream in ((picture, front), (given, track)):
            for packet in opened.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    made.mux(packet)
    found = load_sequence(tmp_path / "a.mp4")
    assert found.values.shape == (8, 32, 48, 3)


@pytest.mark.parametrize("spec", ["pan:99999999999999999999", "pan:9999999999", "pan:" + "9" * 5000])
def test_more_frames_than_a_number_can_count_are_refused(spec):
    with pytest.raises(SourceError, match="pan"):
        load_sequence(spec)


# --- tables and points ---------------------------------------------------------------------------


def rows(path: Path, text: str):
    path.write_text(text)
    return load(path)


@pytest.mark.parametrize(
    "header", ["0_0,0_1,1_0", "0,1,2", "1,2,3", "1990,1991,1992", "1990,1995,2010", "x,1,2", "nan,inf,x", "NaN,NaN,NaN"]
)
def test_a_header_is_no_example(tmp_path, header):
    found = rows(tmp_path / "x.csv", f"{header}\n0.5,0.25,1\n.5,1e-3,3\n")
    np.testing.assert_allclose(found.values, [[0.5, 0.25, 1], [0.5, 1e-3, 3]])


@pytest.mark.parametrize(
    "text", ["0.5,0.25\n.5,1\n", "3,1,2\n1,2,3.5\n", "0,1,2\n3,4,5\n1.5,2,3\n", "0.0,1,2\n.5,.5,.5\n"]
)
def test_numbers_without_a_header_are_all_examples(tmp_path, text):
    if text.startswith("0,1,2"):
        with pytest.raises(SourceError, match="may be the names of the columns or an example"):
            rows(tmp_path / "x.csv", text)
        return
    assert len(rows(tmp_path / "x.csv", text)) == 2


def test_what_may_be_a_header_is_asked_about(tmp_path):
    for text in ("0,1\n.5,.25\n", "0,1,2\n5,7,9\n", "1990,1991\n3,5\n"):
        with pytest.raises(SourceError, match=r"Delete it if it is names; write \d+\.0 for"):
            rows(tmp_path / "x.csv", text)
    assert len(rows(tmp_path / "x.csv", "0.0,1\n.5,.25\n")) == 2


def test_a_gap_is_no_header(tmp_path):
    with pytest.raises(SourceError, match="finite numbers with commas between; it holds 'nan'"):
        rows(tmp_path / "x.csv", "nan,0.5\n0.1,0.2\n")
    for entry in ("1_000", "nan", "inf", "0x10", "1e999", "٣"):
        with pytest.raises(SourceError, match="row 1 must hold finite numbers"):
            rows(tmp_path / "x.csv", f"0.5,0.25\n0.5,{entry}\n")


def test_an_index_column_is_recognized_or_asked_about(tmp_path):
    found = rows(tmp_path / "x.csv", ",a,b\n0,.5,.25\n1,.125,.5\n")
    np.testing.assert_allclose(found.values, [[0.5, 0.25], [0.125, 0.5]])
    assert "counts the rows" in found.notes[0]
    assert rows(tmp_path / "x.csv", "id,a\n1,.5\n2,.25\n").values.shape == (2, 1)
    assert rows(tmp_path / "x.csv", "time,a\n0,.5\n1,.25\n").values.shape == (2, 2)
    unclear = (
        ",a,b\n7,.5,.25\n3,.1,.2\n",
        "0,.5,.1\n1,.25,.2\n2,.75,.3\n",
        "Unnamed: 0,a\n3,.5\n9,.1\n",
        "id,a\n17,.5\n4,.1\n",
    )
    for text in unclear:
        with pytest.raises(SourceError, match="Delete it if it is an index"):
            rows(tmp_path / "x.csv", text)


def test_names_of_rows_are_names_of_examples(tmp_path):
    for header in ("name,0,1,2\n", ""):
        found = rows(tmp_path / "x.csv", f"{header}cat,.5,1,2\ndog,.25,3,2\n")
        assert found.names == ("cat", "dog")
        np.testing.assert_allclose(found.values, [[0.5, 1, 2], [0.25, 3, 2]])


def test_long_lists_of_points(tmp_path):
    spec = "points:" + ";".join("0.25,0.5" for _ in range(20_000))
    assert read(spec).values.shape == (20_000, 2)
    assert len(read(spec).patterns) == 1
    with pytest.raises(SourceError, match="at most 1,048,576 characters") as refused:
        read("points:" + "1," * 600_000)
    assert len(str(refused.value)) < 300


# --- folders -------------------------------------------------------------------------------------


@pytest.fixture
def classes(tmp_path) -> Path:
    for place in ("cat/2.png", "cat/10.png", "dog/1.png", "dog/old/3.png", "0.png"):
        gray(tmp_path / "pets" / place, RNG.integers(0, 256, (4, 4), np.uint8))
    return tmp_path / "pets"


def test_folders_in_a_folder_are_labels(classes):
    found = load(classes)
    assert found.names == ("0.png", "cat/2.png", "cat/10.png", "dog/1.png", "dog/old/3.png")
    assert found.labels == ("", "cat", "cat", "dog", "dog")
    assert found.patterns.names == found.names
    picked = read(classes, indices=[3, 1])
    assert (picked.names, picked.labels) == (("dog/1.png", "cat/2.png"), ("dog", "cat"))
    alone = load(classes, recursive=False)
    assert (alone.names, alone.labels) == (("0.png",), ())
    assert "left out the folders in it: cat, dog" in alone.notes[0]
    (classes / "0.png").unlink()
    with pytest.raises(SourceError, match=r"cat, dog in it were not looked at. Leave recursive=False out"):
        load(classes, recursive=False)


def test_what_systems_leave_in_folders_is_left_out_with_one_line(classes):
    (classes / "__MACOSX").mkdir()
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "cat/._2.png", "__MACOSX/2.png"):
        (classes / name).write_text("no picture")
    found = load(classes)
    assert len(found) == 5
    (note,) = found.notes
    assert "left out what systems leave in folders" in note
    assert note.endswith("and 2 more")


def test_a_link_that_leads_round_in_a_circle_is_not_followed(classes):
    (classes / "cat" / "round").symlink_to(classes, target_is_directory=True)
    found = load(classes)
    assert len(found) == 5
    assert "left out links to folders: cat/round" in found.notes[0]


def test_long_runs_of_digits_in_names(tmp_path):
    for name in ("9" * 200, "1" + "0" * 200, "007", "7"):
        gray(tmp_path / f"{name}.png", RNG.integers(0, 256, (4, 4), np.uint8))
    assert [name[:4] for name in load(tmp_path).names] == ["007.", "7.pn", "9999", "1000"]


def test_labels_of_data_sets(tmp_path):
    assert load("digits", n=3).labels == ("0", "1", "2")
    records = np.zeros((2, 3073), np.uint8)
    records[:, 0] = 3, 8
    (tmp_path / "data_batch_1.bin").write_bytes(records.tobytes())
    assert load(f"cifar10:{tmp_path}").labels == ("cat", "ship")
    images = b"\0\0\x08\x03" + struct.pack(">3I", 2, 2, 2) + bytes(range(8))
    (tmp_path / "train-images-idx3-ubyte").write_bytes(images)
    assert load(f"mnist:{tmp_path}").labels == ()
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + struct.pack(">I", 2) + b"\7\4")
    assert load(f"mnist:{tmp_path}", n=1).labels == ("7",)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + struct.pack(">I", 1) + b"\7")
    with pytest.raises(SourceError, match="a label for each of the 2 images; got 1"):
        load(f"mnist:{tmp_path}")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
@pytest.mark.parametrize(
    "name", ["x.gif", "x.png", "x.mp4", "x.npy", "x.npz", "x.csv", "x.txt", "x.wav", "x.webp", "x"]
)
def test_a_fifo_of_any_name_is_refused(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(SourceError, match="neither a regular file nor a folder"):
        read(tmp_path / name)


def test_a_shape_of_booleans_is_refused(tmp_path):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (True, 3), }\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"\0" * 24
    (tmp_path / "x.npy").write_bytes(content)
    with pytest.raises(SourceError, match=r"x\.npy: .*whole numbers"):
        read(tmp_path / "x.npy")


# --- read ----------------------------------------------------------------------------------------


def test_read_makes_sequences_with_their_names(tmp_path):
    np.save(tmp_path / "a.npy", RNG.random((6, 4)))
    np.save(tmp_path / "one.npy", RNG.random((1, 4)))
    found = read(tmp_path / "a.npy", kind="sequence", cycle_length=3, single=[tmp_path / "one.npy"], end="hold")
    assert found.sequences == ((3, "hold"), (3, "hold"), (1, "loop"))
    assert found.patterns.successor.tolist() == [1, 2, 2, 4, 5, 5, 6]
    assert found.patterns.names == (*(f"a.npy[{index}]" for index in range(6)), "one.npy[0]")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "film"}, "kind must be one of images, sequence"),
        ({"cycle_length": 2}, "cycle_length is for sequences; add kind='sequence'"),
        ({"kind": "sequence", "shuffle": True}, "shuffle would destroy"),
        ({"indices": [1], "n": 2}, "leave n and shuffle out"),
        ({"indices": [10**12]}, "there is no 1000"),
        ({"indices": [10**30]}, "at most 9223372036854775807"),
        ({"indices": []}, "at least one"),
        ({"kind": "sequence", "context": "2"}, "context must be"),
        ({"kind": "sequence", "context": 0}, "context must be"),
        ({"fps": 5}, "fps is for films"),
        ({"kind": "sequence", "cycle_length": 7, "n": 20}, "take n=14 or choose the states with indices"),
        ({"n": 10**12}, "n must be at most 1797"),
    ],
)
def test_arguments_that_do_not_go_together(options, message):
    with pytest.raises(ValueError, match=message):
        read("digits", **options)


def test_a_context_that_no_memory_holds_is_refused():
    found = read("digits", n=5, kind="sequence", context=10**12)
    with pytest.raises(ValueError, match="context: states of"):
        found.patterns  # noqa: B018


def test_sound_is_read_as_a_sequence(tmp_path):
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(100)
        file.writeframes(RNG.integers(-999, 999, 350).astype("<i2").tobytes())
    found = read(tmp_path / "a.wav", hop=1.0)
    assert (found.kind, found.sequences) == ("audio", ((3, "loop"),))
    assert "were left out" in found.notes[0]


# --- names and words -----------------------------------------------------------------------------


def test_names_of_patterns():
    values = np.array([[0.0], [1.0], [0.0]])
    patterns = Patterns.from_examples(values, names=["a.png", "c.png", "b.png"])
    assert (patterns.names, patterns.merged) == (("a.png", "c.png"), ((2, 0),))
    assert (patterns.find("c.png"), patterns.name(1)) == (1, "c.png")
    with pytest.raises(ValueError, match=r"did you mean c\.png or a\.png|did you mean a\.png or c\.png"):
        patterns.find("b.png")
    with pytest.raises(ValueError, match="2 points; give their indices instead: 0, 1"):
        Patterns.from_examples(values[:2], names=["x", "x"]).find("x")
    with pytest.raises(ValueError, match="names must be one text for each of the 3"):
        Patterns.from_examples(values, names=["a"])
    held = Patterns.from_sequences([values[:2]], end="hold", context=2, names=["a", "b"])
    assert held.names == ("a", "b", "b")
    assert Patterns.from_examples(values).name(1) == "1"


def test_errors_speak_the_language_of_the_caller():
    error = ArgumentError(f"{mention('size', '(height, width)', 'HxW')} and {mention('skip_unreadable', 'True')}")
    assert str(error) == "size=(height, width) and skip_unreadable=True"
    assert error.spelled(lambda name, value: f"--{name} {value}".strip()) == "--size HxW and --skip_unreadable"
    with pytest.raises(ArgumentError, match=r"^n must be an integer"):
        integer("n", 0, least=1)
