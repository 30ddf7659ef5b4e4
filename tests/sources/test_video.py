"""Films: which frames are read, how they are written, and how wrong input is refused."""

import struct
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from attrax.sources import VIDEO_SUFFIXES, SourceError, load_sequence, psnr, save_video
from attrax.sources._timing import take  # the choice of frames by itself


def encode(path: Path, frames: np.ndarray, rate=25, codec="mpeg4", pixels="yuv420p", options=None, times=None) -> Path:
    """A film as PyAV writes it, gray or color bytes, by choice with times of its own in 1/1000 s."""
    with av.open(str(path), "w", options=options or {}) as container:
        track = container.add_stream(codec, rate=rate)
        track.height, track.width, track.pix_fmt = *frames.shape[1:3], pixels
        if times is not None:
            track.codec_context.time_base = track.time_base = Fraction(1, 1000)
        for index, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24" if image.ndim == 3 else "gray")
            if times is not None:
                frame.pts, frame.time_base = times[index], Fraction(1, 1000)
            container.mux(track.encode(frame))
        container.mux(track.encode())
    return path


def levels(count: int) -> np.ndarray:
    """Even gray frames, each lighter than the one before by 8, so that a frame tells its number."""
    return np.broadcast_to((8 * np.arange(count, dtype=np.uint8) + 4)[:, None, None, None], (count, 32, 48, 3)).copy()


def numbers(clip) -> list[int]:
    return np.round((clip.values.reshape(len(clip), -1).mean(axis=1) * 255 - 4) / 8).astype(int).tolist()


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """20 frames at 10 per second: 2 s."""
    return encode(tmp_path_factory.mktemp("film") / "film.mp4", levels(20), rate=10)


# --- reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mp4", "libx264"), (".mkv", "libx264"), (".avi", "mpeg4"), (".webm", "libvpx-vp9")],
)
def test_frames_and_rate_of_each_container(tmp_path, suffix, codec):
    assert suffix in VIDEO_SUFFIXES
    clip = load_sequence(encode(tmp_path / f"a{suffix}", levels(12), rate=20, codec=codec))
    assert (clip.kind, clip.fps, clip.notes) == ("video", 20.0, ())
    assert clip.values.shape == (12, 32, 48, 3)
    assert clip.values.dtype == np.float32
    assert clip.values.min() >= 0
    assert clip.values.max() <= 1
    assert numbers(clip) == list(range(12))
    assert clip.names[:2] == (f"a{suffix}[0.000s]", f"a{suffix}[0.050s]")


def test_a_suffix_is_read_without_regard_to_case(tmp_path, film):
    copy = tmp_path / "A.MP4"
    copy.write_bytes(film.read_bytes())
    np.testing.assert_array_equal(load_sequence(str(copy)).values, load_sequence(film).values)


def test_size_and_gray_are_those_of_images(tmp_path):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (3, 32, 48, 3), dtype=np.uint8)
    path = encode(tmp_path / "a.avi", frames, codec="ffv1", pixels="bgr0")  # loses nothing
    clip = load_sequence(path)
    np.testing.assert_array_equal(clip.values, (frames / 255).astype(np.float32))
    small = load_sequence(path, size=(8, 12), gray=True)
    for value, frame in zip(small.values, frames, strict=True):
        gray = Image.fromarray(np.asarray(Image.fromarray(frame).convert("L"), np.float32))
        expected = np.asarray(gray.resize((12, 8), Image.Resampling.BOX)) / 255
        np.testing.assert_allclose(value, expected, atol=1e-6)


def test_a_gray_film_has_no_axis_of_channels(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (3, 16, 24), dtype=np.uint8)
    clip = load_sequence(encode(tmp_path / "a.mkv", frames, codec="ffv1", pixels="gray"))
    np.testing.assert_array_equal(clip.values, (frames / 255).astype(np.float32))


@pytest.mark.parametrize(
    ("options", "expected", "fps"),
    [
        ({"fps": 5}, list(range(0, 20, 2)), 5),
        ({"fps": 10}, list(range(20)), 10),
        ({"fps": 20, "duration": 0.5}, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4], 20),
        ({"fps": 4, "start": 0.5, "duration": 1}, [5, 7, 10, 12], 4),
        ({"start": 0.5}, list(range(5, 20)), 10),
        ({"start": 0.46, "duration": 0.3}, [5, 6, 7], 10),
        ({"duration": 0.52}, [0, 1, 2, 3, 4], 10),
        ({"start": 1.97}, [19], 10),
        ({"start": 1, "duration": 1}, list(range(10, 20)), 10),
        ({"fps": 0.4, "duration": 2}, [0], 0.4),
    ],
)
def test_the_frames_nearest_in_time(film, options, expected, fps):
    clip = load_sequence(film, **options)
    assert numbers(clip) == expected
    assert clip.fps == fps
    assert clip.names[0] == f"film.mp4[{expected[0] / 10:.3f}s]"


def test_frames_of_unlike_length(tmp_path):
    path = encode(tmp_path / "a.mkv", levels(4), rate=1000, times=[0, 100, 400, 500])
    assert numbers(load_sequence(path)) == [0, 1, 2, 3]
    assert numbers(load_sequence(path, fps=10, duration=0.5)) == [0, 1, 1, 2, 2]
    assert load_sequence(path, duration=0.5).fps == pytest.approx(3 / 0.5)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_a_film_that_begins_late_begins_at_its_first_frame(tmp_path, suffix):
    path = encode(tmp_path / f"a{suffix}", levels(4), rate=1000, times=[3000, 3100, 3200, 3300])
    clip = load_sequence(path)
    assert numbers(clip) == [0, 1, 2, 3]
    assert clip.names[0] == f"a{suffix}[0.000s]"
    assert numbers(load_sequence(path, start=0.1, duration=0.2)) == [1, 2]


def test_stretches_of_exact_times():
    frames = [(t / 4, 0.25, t) for t in range(8)]

    def taken(**options):
        return take(iter(frames), lambda frame, count: frame, "film", **options)

    assert taken().values == list(range(8))
    assert (taken().span, taken().end) == (2.0, 2.0)
    assert taken(start=0.125).values[0] == 0  # of two equally near frames the earlier
    assert taken(start=0.13).values[0] == 1
    assert taken(duration=0.5).end is None  # not read to its end
    assert taken(fps=8).values == [k // 2 for k in range(16)]
    assert taken(fps=3).values == [0, 1, 3, 4, 5, 7]  # 0, .33, .67, 1, 1.33, 1.67 s
    with pytest.raises(SourceError, match="must lie within its 2 s"):
        taken(start=2.0)
    with pytest.raises(SourceError, match=r"start \+ duration must be at most its 2 s; got 1 \+ 1.5"):
        taken(start=1.0, duration=1.5)
    with pytest.raises(SourceError, match="holds no frame"):
        taken(start=0.2, duration=0.01)
    with pytest.raises(SourceError, match="no frames"):
        take(iter([]), lambda frame, count: frame, "film")


def test_a_frame_is_converted_once_however_often_it_is_taken():
    converted = []
    take(iter([(0.0, 1.0, "a"), (1.0, 1.0, "b")]), lambda frame, count: converted.append(frame), "film", fps=10)
    assert converted == ["a", "b"]


@pytest.mark.parametrize(("matrix", "turns"), [((0, 1, -1, 0), -1), ((-1, 0, 0, -1), 2), ((0, -1, 1, 0), 1)])
def test_a_film_is_turned_upright(tmp_path, matrix, turns):
    frames = np.zeros((3, 32, 48, 3), np.uint8)
    frames[:, :16, :24] = 250  # the upper left corner
    path = encode(tmp_path / "a.mp4", frames)
    plain = load_sequence(path).values
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4 + 40
    a, b, c, d = (value * 65536 for value in matrix)
    content[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    np.testing.assert_array_equal(load_sequence(path).values, np.rot90(plain, turns, axes=(1, 2)))


def test_gif_by_its_own_times(tmp_path):
    frames = [Image.fromarray(np.full((8, 6), level, np.uint8)) for level in (4, 12, 20)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[100, 300, 100], loop=0)
    clip = load_sequence(tmp_path / "a.gif")
    assert numbers(clip) == [0, 1, 2]
    assert clip.values.shape == (3, 8, 6)
    assert clip.fps == pytest.approx(6)
    assert clip.names == ("a.gif[0.000s]", "a.gif[0.100s]", "a.gif[0.400s]")
    assert numbers(load_sequence(tmp_path / "a.gif", fps=10)) == [0, 1, 1, 2, 2]  # .2 s is as near to .1 as to .3… s


def test_a_gif_without_times_and_with_gray_beside_color(tmp_path):
    frames = [Image.fromarray(np.full((8, 6), 100, np.uint8)), Image.new("RGB", (6, 8), (250, 0, 0))]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=0)
    clip = load_sequence(tmp_path / "a.gif")
    assert clip.fps == 10  # as players show it
    np.testing.assert_allclose(clip.values[:, 0, 0] * 255, [[100] * 3, [250, 0, 0]], atol=1)
    assert load_sequence(tmp_path / "a.gif", gray=True).values.shape == (2, 8, 6)
    assert load_sequence(tmp_path / "a.gif", duration=0.1).values.shape == (1, 8, 6)  # no color in what is taken


def test_a_gif_whose_palette_is_gray_is_gray(tmp_path):
    """Palettes of color that hold only grays, as other programs write them."""
    frames = [Image.fromarray(np.full((8, 6, 3), level, np.uint8)).quantize() for level in (4, 12, 20)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100)
    clip = load_sequence(tmp_path / "a.gif")
    assert clip.values.shape == (3, 8, 6)
    assert numbers(clip) == [0, 1, 2]


def test_pan_has_as_many_frames_as_are_asked_for():
    assert load_sequence("pan:12", start=31.5, size=(4, 4)).fps == 25
    dense = load_sequence("pan:30", start=31.5, size=(4, 4))
    assert (len(dense), dense.fps, dense.names[-1]) == (30, 60.0, "pan[31.983s]")
    with pytest.raises(SourceError, match=r"from 31.5 s there are 13 frames at 25 per second"):
        load_sequence("pan:30", start=31.5, fps=25)


# --- wrong input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": 2.0}, "start must lie within its 2 s"),
        ({"start": 1, "duration": 1.2}, "must be at most its 2 s"),
        ({"duration": 0.01, "start": 0.06}, "holds no frame"),
        ({"start": -1}, "start must be a finite number of at least 0"),
        ({"duration": 0}, "duration must be a finite number above 0"),
        ({"fps": 0}, "fps must be a finite number above 0"),
        ({"fps": float("nan")}, "fps must be"),
        ({"size": 32}, "size must be a pair"),
        ({"hop": 1.0}, "hop does not apply to a film"),
        ({"rate": 8000}, "rate does not apply"),
        ({"mono": True}, "mono does not apply"),
        ({"by": "character"}, "by does not apply"),
        ({"by": "letter"}, "by must be one of word, character"),
    ],
)
def test_options_that_do_not_fit(film, options, message):
    with pytest.raises(ValueError, match=message):
        load_sequence(film, **options)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".gif"])
@pytest.mark.parametrize("content", [b"no film at all", b"#EXTM3U\n#EXTINF:1,\nother.mp4\n", b"\0" * 3000])
def test_a_file_that_is_no_film(tmp_path, suffix, content):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"a\.[a-z0-9]+: "):
        load_sequence(path)


def test_a_script_that_names_another_file_is_not_followed(tmp_path, film):
    path = tmp_path / "a.mp4"
    path.write_text(f"ffconcat version 1.0\nfile '{film}'\n")
    with pytest.raises(SourceError, match="cannot be read"):
        load_sequence(path)


@pytest.mark.parametrize(
    ("suffix", "codec", "options"),
    [
        (".mp4", "mpeg4", {}),
        (".mp4", "mpeg4", {"movflags": "faststart"}),
        (".mkv", "libx264", {}),
        (".avi", "mpeg4", {}),
        (".webm", "libvpx-vp9", {}),
    ],
)
def test_a_film_that_is_cut_off(tmp_path, suffix, codec, options):
    frames = np.random.default_rng(0).integers(0, 256, (20, 32, 48, 3), dtype=np.uint8)
    path = encode(tmp_path / f"a{suffix}", frames, codec=codec, options=options)
    assert len(load_sequence(path)) == 20
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SourceError, match=r"truncated or damaged|is damaged"):
        load_sequence(path)


def test_a_cut_off_gif(tmp_path):
    frames = np.random.default_rng(0).random((5, 32, 32)).astype(np.float32)
    path = save_video(tmp_path / "a.gif", frames, 10).path
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SourceError, match="damaged"):
        load_sequence(path)


@pytest.mark.parametrize(("codec", "part", "count"), [("mpeg4", 0.2, 200), ("mpeg4", 0.7, 200), ("libx264", 0.5, 4000)])
def test_a_damaged_film(tmp_path, codec, part, count):
    """What a decoder can notice: in H.264, which has no checksums, most wrong bytes decode to something.

    It takes more of them there, as the encoder's bytes are not always the same on a busy machine.
    """
    frames = np.random.default_rng(0).integers(0, 256, (20, 32, 48, 3), dtype=np.uint8)
    path = encode(tmp_path / "a.mp4", frames, codec=codec)
    content = bytearray(path.read_bytes())
    place = int(part * len(content))
    content[place : place + count] = bytes(255 - byte for byte in content[place : place + count])
    path.write_bytes(content)
    with pytest.raises(SourceError, match="damaged"):
        load_sequence(path)


def test_sound_without_a_picture(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        track = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 8000, 0, Fraction(1, 8000)
        container.mux(track.encode(frame))
        container.mux(track.encode())
    with pytest.raises(SourceError, match="no picture"):
        load_sequence(tmp_path / "a.mkv")


def test_what_would_not_fit_into_memory(film, monkeypatch):
    monkeypatch.setattr("attrax.sources._video.available_memory", lambda: 2 * 10 * 32 * 48 * 3 * 4)
    assert len(load_sequence(film, duration=1)) == 10
    with pytest.raises(SourceError, match="give a size"):
        load_sequence(film, duration=1.1)


# --- writing -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def smooth() -> np.ndarray:
    """A bright spot that moves, 9×32×48×3, in another color each frame."""
    y, x = np.mgrid[:32, :48]
    spots = [np.exp(-((y - 16) ** 2 + (x - 8 - 4 * t) ** 2) / 60) for t in range(9)]
    tints = 0.3 + 0.7 * np.random.default_rng(0).random((9, 3))
    return np.stack([spot[:, :, None] * tint for spot, tint in zip(spots, tints, strict=True)])


@pytest.mark.parametrize("fps", [25, 30000 / 1001, 1])
def test_mp4_comes_back(tmp_path, smooth, fps):
    written = save_video(tmp_path / "new" / "a.mp4", smooth, fps)
    assert written.notes == ()
    clip = load_sequence(written.path)
    assert clip.fps == pytest.approx(fps, rel=1e-6)
    assert clip.values.shape == smooth.shape
    assert psnr(smooth, clip.values).worst > 33
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.mp4"]
    with av.open(str(written.path)) as container:
        track = container.streams.video[0]
        assert (track.codec_context.name, track.pix_fmt) == ("h264", "yuv420p")


def test_even_colors_are_true(tmp_path):
    colors = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0], [0.5, 0.5, 0.5], [0.8, 0.4, 0.2]])
    path = save_video(tmp_path / "a.mp4", np.broadcast_to(colors[:, None, None], (7, 32, 32, 3)), 5).path
    np.testing.assert_allclose(load_sequence(path).values[:, 16, 16], colors, atol=3.5 / 255)


def test_gray_frames_come_back_gray(tmp_path, smooth):
    gray = smooth[..., 0]
    mp4 = load_sequence(save_video(tmp_path / "a.mp4", gray, 25).path, gray=True).values
    assert psnr(gray, mp4).worst > 38
    gif = load_sequence(save_video(tmp_path / "a.gif", gray, 25).path).values
    np.testing.assert_array_equal(gif, np.round(gray * 255).astype(np.float32) / np.float32(255))  # exactly


@pytest.mark.parametrize(
    ("shape", "note", "file"),
    [
        ((5, 31, 48), "the last row was written twice, for H.264 needs even sides: the file is 32×48", (32, 48)),
        ((5, 32, 47, 3), "the last column was written twice, for H.264 needs even sides: the file is 32×48", (32, 48)),
        (
            (5, 31, 1, 1),
            "the last row and column were written twice, for H.264 needs even sides: the file is 32×2",
            (32, 2),
        ),
    ],
)
def test_odd_sides(tmp_path, shape, note, file):
    values = np.broadcast_to(np.linspace(0, 1, shape[1]).reshape(1, -1, *[1] * (len(shape) - 2)), shape)
    written = save_video(tmp_path / "a.mp4", values, 25)
    assert written.notes == (note,)
    found = load_sequence(written.path, gray=True).values
    assert found.shape == (5, *file)
    plain = values.reshape(*shape[:3], -1)[..., 0]
    np.testing.assert_allclose(found[:, : shape[1], : shape[2]], plain, atol=0.05)


@pytest.mark.parametrize("fps", [50, 30, 7])
def test_gif_keeps_time_to_a_hundredth(tmp_path, smooth, fps):
    clip = load_sequence(save_video(tmp_path / "a.gif", smooth, fps).path)
    assert clip.values.shape == smooth.shape
    assert clip.fps == pytest.approx(9 / (round(900 / fps) / 100))
    for number, name in enumerate(clip.names):
        assert abs(float(name[6:-2]) - number / fps) <= 0.00501
    assert psnr(smooth, clip.values).worst > 28  # 256 colors a frame


def test_equal_neighbors_in_a_gif_become_one_that_stays_longer(tmp_path):
    frames = np.stack([np.full((8, 8), level) for level in (0.0, 0.4, 0.4, 0.4, 0.8)])
    clip = load_sequence(save_video(tmp_path / "a.gif", frames, 10).path)
    np.testing.assert_allclose(clip.values, frames[[0, 1, 4]], atol=0.5 / 255)
    assert [name[6:-2] for name in clip.names] == ["0.000", "0.100", "0.400"]
    assert clip.fps == pytest.approx(3 / 0.5)


def test_clipping_is_said(tmp_path):
    values = np.full((2, 8, 8), 0.5)
    values[0, 0, 0], values[1, 2, 3] = 1.5, -0.1
    for suffix in (".mp4", ".gif"):
        assert save_video(tmp_path / f"a{suffix}", values, 5).notes == ("2 of 128 values were clipped to [0, 1]",)
    value = load_sequence(tmp_path / "a.gif").values
    assert (value[0, 0, 0], value[1, 2, 3]) == (1, 0)


@pytest.mark.parametrize(
    ("name", "values", "fps", "message"),
    [
        ("a.avi", np.zeros((2, 8, 8)), 25, r"path must end in \.mp4 or \.gif"),
        ("a.mp4", np.zeros((8, 8)), 25, "values must be images"),
        ("a.mp4", np.zeros((0, 8, 8)), 25, "at least one frame"),
        ("a.mp4", np.zeros((2, 8, 8), np.uint8), 25, "values must be floats"),
        ("a.mp4", np.zeros((2, 8, 8, 4)), 25, "1, 3 channels"),
        ("a.gif", np.full((2, 8, 8), np.nan), 25, "finite"),
        ("a.mp4", np.zeros((2, 8, 8)), 0, "fps must be"),
        ("a.mp4", np.zeros((2, 8, 8)), 1001, "at most 1000"),
        ("a.gif", np.zeros((2, 8, 8)), 51, "at most 50"),
    ],
)
def test_what_cannot_be_written(tmp_path, name, values, fps, message):
    with pytest.raises(ValueError, match=message):
        save_video(tmp_path / name, values, fps)
    assert not list(tmp_path.iterdir())


def test_a_film_is_replaced_or_left_alone(tmp_path, monkeypatch):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"before")

    def fail(*_args, **_options):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("attrax.sources._video._encode_mp4", fail)
        with pytest.raises(SourceError, match="No space left"):
            save_video(path, np.zeros((2, 8, 8)), 25)
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("a.mp4", b"before")]
    save_video(path, np.zeros((2, 8, 8)), 25)
    assert len(load_sequence(path)) == 2
    (tmp_path / "b.gif").mkdir()
    with pytest.raises(SourceError, match="it is a folder"):
        save_video(tmp_path / "b.gif", np.zeros((2, 8, 8)), 25)


def test_nothing_is_printed(tmp_path, smooth, capfd):
    path = save_video(tmp_path / "a.mp4", smooth, 25).path
    load_sequence(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(SourceError):
        load_sequence(path)
    sys.stdout.flush()
    assert capfd.readouterr() == ("", "")
