"""Films, sound and text from the command line, from file to file."""

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.commands import record, run

import attrax as ax
from attrax.report import path_strip, with_phase_bar
from attrax.report._sequence_plots import shown_steps  # the choice of steps by itself
from attrax.sources import load_sequence, save_sequence, save_video

WRITE = ("--writer", "margin")


def test_a_film_from_noise_to_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    memory, back = tmp_path / "film.attrax", tmp_path / "back.mp4"
    stored = record(capsys, "store", "pan:12", "--size", "16x16", "--gray", *WRITE, "-o", memory)
    assert [(row["length"], row["verdict"], row["period"]) for row in stored["cycles"]] == [(12, "attractor", 12)]
    log_radius = stored["cycles"][0]["log_spectral_radius"]
    assert log_radius is None or log_radius < -100  # 0 but for rounding
    found = record(capsys, "recall", memory, "--from", "frame:4", "--cycles", 2, "-o", back)
    assert (found["cycle"], found["phase"], found["transient"], found["period"]) == (0, 4, 0, 12)
    assert found["psnr"]["min"] >= 60
    clip = load_sequence(back, gray=True)
    assert clip.values.shape == (found["frames"], 18, 16)  # the bar adds two rows
    assert clip.values[:, 17:].max() < 0.1  # always on time
    whole = load_sequence("pan:12", size=(16, 16), gray=True).values
    assert np.abs(clip.values[:8, :16] - whole[4:]).mean() < 0.03


def test_text_by_context(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text, memory = tmp_path / "song.txt", tmp_path / "song.attrax"
    text.write_text("the cat and the dog and the bird")
    status, _, err = run(capsys, "store", text, *WRITE, "-o", memory)
    assert status == 2
    assert "the and the" in err
    assert "--context" in err
    assert record(capsys, "store", text, *WRITE, "--context", "auto", "-o", memory)["context"] == 3
    record(capsys, "recall", memory, "--from", "frame:0", "--cycles", 2, "-o", tmp_path / "back.txt")
    assert (tmp_path / "back.txt").read_text().split() == 2 * text.read_text().split()


def test_sound_from_file_to_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    sound, memory = tmp_path / "sound.wav", tmp_path / "sound.attrax"
    samples = (8000 * np.sin(np.arange(4000) * np.linspace(0.05, 0.4, 4000))).astype("<i2")
    with wave.open(str(sound), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(4000)
        file.writeframes(samples.tobytes())
    stored = record(capsys, "store", sound, "--set", "source.hop=0.25", *WRITE, "-o", memory)
    assert (stored["examples"], stored["dimension"]) == (4, 1000)
    record(capsys, "recall", memory, "--from", "frame:0", "-o", tmp_path / "back.wav")
    with wave.open(str(tmp_path / "back.wav")) as file:
        back = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert np.abs(back - samples).max() <= 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("pan:4", "--set", "source.hop=1"), "hop does not apply to a film"),
        (("digits", "--n", 3, "--set", "source.fps=5"), "--set source.fps is for films"),
        (
            ("digits", "--as", "sequence", "--n", 3, "--set", "source.by=word"),
            "--set source.by is for films, sound and text",
        ),
        (("pan:4", "--set", "source.start=99"), "--set source.start must lie within"),
        (("pan:4", "--n", 9), "--n must be at most 4"),
        (("pan:4", "--shuffle"), "--shuffle"),
    ],
)
def test_options_that_do_not_apply(
    options: tuple[Any, ...], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status, out, err = run(capsys, "store", *options, *WRITE, "-o", tmp_path / "m")
    assert (status, out) == (2, "")
    assert message in err
    assert not (tmp_path / "m").exists()


def test_outputs_that_do_not_fit(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    memory = tmp_path / "m.attrax"
    record(capsys, "store", "pan:3", "--size", "8x8", "--gray", *WRITE, "-o", memory)
    status, _, err = run(capsys, "recall", memory, "--from", "noise", "-o", tmp_path / "x.wav")
    assert status == 2
    assert "written to a folder, .mp4, .gif, .npy or .npz" in err
    for name in ("x.avi", "x.jpg", "x.txt"):  # none of these becomes the name of a folder
        assert run(capsys, "recall", memory, "--from", "noise", "-o", tmp_path / name)[0] == 2
        assert not (tmp_path / name).exists()


def test_a_fast_film_plays_slower_as_a_gif(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    memory = tmp_path / "m.attrax"
    record(capsys, "store", "pan:3", "--size", "8x8", "--gray", "--set", "source.fps=60", *WRITE, "-o", memory)
    status, _, err = run(capsys, "recall", memory, "--from", "frame:0", "-o", tmp_path / "x.gif")
    assert status == 0
    assert "at most 50 frames per second" in err
    assert load_sequence(tmp_path / "x.gif").fps == pytest.approx(50)


def test_cues_from_files_of_each_medium(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    memory, film, text = tmp_path / "m.attrax", tmp_path / "film.mp4", tmp_path / "song.txt"
    save_video(film, load_sequence("pan:4", size=(32, 32), gray=True).values, 25)
    record(capsys, "store", film, "--size", "8x8", "--gray", *WRITE, "-o", memory)
    # Size and gray are those that the memory was stored with.
    found = record(capsys, "recall", memory, "--from", film, "--n", 1)
    assert (found["status"], found["phase"]) == ("recovered", 0)
    status, _, err = run(capsys, "recall", memory, "--from", film)
    assert status == 2
    assert "holds 4. --n 1 takes the first" in err
    text.write_text("one two three")
    record(capsys, "store", text, *WRITE, "-o", memory)
    (tmp_path / "cue.txt").write_text("three")
    assert record(capsys, "recall", memory, "--from", tmp_path / "cue.txt")["phase"] == 2
    (tmp_path / "cue.txt").write_text("four")
    status, _, err = run(capsys, "recall", memory, "--from", tmp_path / "cue.txt")
    assert status == 2
    assert "'four' is not in the text" in err


def test_sound_is_no_folder_of_pictures(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    sound, memory = tmp_path / "sound.wav", tmp_path / "sound.attrax"
    draw = np.random.default_rng(0).uniform(-0.5, 0.5, (3, 100, 2)).astype(np.float32)
    save_sequence(sound, draw, {"kind": "audio", "rate": 100, "hop": 1.0})
    record(capsys, "store", sound, *WRITE, "-o", memory)
    status, _, err = run(capsys, "recall", memory, "--from", "frame:0", "-o", tmp_path / "frames")
    assert status == 2
    assert "written to .wav, .npy or .npz" in err
    assert not (tmp_path / "frames").exists()


def test_demo_film(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attrax.demos._film._SIZE", (16, 16))  # of 64×64, much of the time went into pixels
    found = record(capsys, "demo-film", "-o", tmp_path / "demo", "--seed", 1)
    assert (found["cycle"]["verdict"], found["cycle"]["period"], found["width"]) == ("attractor", 60, 122)
    assert found["recovered"] == found["cues"] == 20
    assert found["psnr_min"] >= 60
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == [
        "film-strip.png",
        "film.attrax",
        "film.gif",
        "film.mp4",
    ]
    assert load_sequence(tmp_path / "demo" / "film.mp4").values.shape[1:] == (64, 64, 3)
    back = tmp_path / "back.mp4"
    recall = ["recall", tmp_path / "demo" / "film.attrax", "--from", "noise", "--cycles", 1, "-o", back]
    assert record(capsys, *recall)["period"] == 60
    assert load_sequence(back).fps == 5


def test_a_strip_shows_the_cue_the_path_and_the_cycle() -> None:
    film = np.eye(9).reshape(9, 3, 3)
    memory = ax.Memory(ax.training.pseudoinverse(film, np.roll(film, -1, axis=0)), ax.Patterns.from_cycles([film]))
    met = ax.recall(memory, film[:1] + 0.02, path=True)
    assert (int(met.transient[0]), int(met.period[0])) == (1, 9)
    assert shown_steps(met, 0, 6) == [0, 1, 3, 5, 6, 8]
    assert len(path_strip(memory, met, columns=6).axes) == 6 + 5
    lost = ax.recall(memory, np.full((1, 3, 3), 1 / 9), path=True)
    assert not lost.recovered[0]
    assert len(path_strip(memory, lost, columns=4).axes) == len(shown_steps(lost, 0, 4))
    with pytest.raises(ValueError, match="row must be"):
        path_strip(memory, met, row=1)


def test_phase_errors_of_a_late_path() -> None:
    film = np.eye(6)
    memory = ax.Memory(ax.training.pseudoinverse(film, np.roll(film, -1, axis=0)), ax.Patterns.from_cycles([film]))
    found = ax.recall(memory, 0.9 * film[[2]], path=True)
    np.testing.assert_array_equal(ax.phase_errors(memory, found), 0)
    lost = ax.recall(memory, np.full((1, 6), 1 / 6), path=True)
    assert lost.cycle[0] == -1
    assert np.isnan(ax.phase_errors(memory, lost)).all()


def test_the_bar_is_as_long_as_the_error() -> None:
    shown = with_phase_bar(np.zeros((3, 32, 10, 3)), np.array([0.0, 0.25, np.nan]))
    assert shown.shape == (3, 34, 10, 3)
    assert shown[:, -1, :, 0].sum(axis=1).tolist() == [0.0, 5.0, 5.0]
    with pytest.raises(ValueError, match="as many errors"):
        with_phase_bar(np.zeros((2, 4, 4)), np.zeros(3))
