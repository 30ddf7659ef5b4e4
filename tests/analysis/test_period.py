"""Periods of recordings whose periods are known."""

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.commands import record, run

import attrax as ax
from attrax.analysis import iterated, lag_differences, measured_period
from attrax.report import period_figure
from attrax.sources import load_sequence, save_video

PERIODIC, CONSTANT, NO_PERIOD = ax.PeriodStatus.PERIODIC, ax.PeriodStatus.CONSTANT, ax.PeriodStatus.NO_PERIOD


def walk(length: int, size: int = 12, seed: int = 0) -> np.ndarray:
    """A closed way of random states, each near the one before, as the frames of a film are."""
    draw = np.random.default_rng(seed).normal(size=(length, size))
    wave = np.exp(-(np.minimum(np.arange(length), length - np.arange(length)) ** 2) / 4.0)
    return np.real(np.fft.ifft(np.fft.fft(draw, axis=0) * np.fft.fft(wave)[:, None], axis=0))


def noisy(states: np.ndarray, size: float, seed: int = 1) -> np.ndarray:
    return states + size * np.random.default_rng(seed).normal(size=states.shape)


def test_differences_are_those_of_the_definition() -> None:
    states = 100 + np.random.default_rng(0).random((23, 3, 2))
    found = lag_differences(states, 20)
    direct = [np.mean((states[lag:] - states[: 23 - lag]) ** 2) for lag in range(21)]
    assert np.allclose(found, direct, rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("length", [2, 3, 7, 40])
@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_the_least_period_and_none_of_its_multiples(length: int, noise: float) -> None:
    cycle = walk(length)
    states = noisy(np.tile(cycle, (6 if length > 5 else 60, 1)), noise)
    found = measured_period(states, step=0.04)
    assert (found.period, found.status, found.start) == (length, PERIODIC, 0)
    assert found.seconds == pytest.approx(0.04 * length)
    assert found.value == pytest.approx(2 * noise**2, rel=0.2, abs=1e-20)
    assert found.value < 0.1 * min(found.before, found.after)


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_the_state_from_which_on_it_repeats(noise: float) -> None:
    states = noisy(np.concatenate([3 * walk(9, seed=5), np.tile(walk(20), (5, 1))]), noise)
    found = measured_period(states)
    assert (found.period, found.start, found.status) == (20, 9, PERIODIC)


def test_more_than_half_of_the_recording_as_one_period() -> None:
    # The recording of the paper: 601 frames, of which 382 are one period.
    cycle = walk(382, 40)
    states = noisy(np.concatenate([np.random.default_rng(3).normal(size=(4, 40)), cycle, cycle[:215]]), 0.02)
    found = measured_period(states, step=1 / 30)
    assert (len(states), found.period, found.start, found.status) == (601, 382, 4, PERIODIC)
    assert found.pairs < 382


def test_two_nearly_equal_halves_are_not_two_periods() -> None:
    half = walk(10)
    other = half.copy()
    other[4] += 0.1
    states = np.tile(np.concatenate([half, other]), (6, 1))
    assert measured_period(noisy(states, 0.01)).period == 20
    # Where the difference drowns in the noise, the halves are the same.
    assert measured_period(noisy(states, 0.1)).period == 10


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [1, 30])
def test_noise_has_no_period(seed: int, size: int) -> None:
    found = measured_period(np.random.default_rng(seed).normal(size=(120, size)))
    assert (found.status, found.period) == (NO_PERIOD, 0)
    assert np.isnan(found.value)
    assert found.seconds is None


def test_what_never_returns_has_no_period() -> None:
    time = np.linspace(0, 1, 60)[:, None]
    assert measured_period(time * np.ones(4)).status is NO_PERIOD
    # A spiral comes near its own way, a turn further out.
    angle = np.linspace(0, 12 * np.pi, 120)
    spiral = angle[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    assert measured_period(spiral).status is NO_PERIOD


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_a_state_that_stays_is_constant(noise: float) -> None:
    picture = np.random.default_rng(0).random(50)
    way = picture + np.random.default_rng(1).random((7, 50))
    states = noisy(np.concatenate([way, np.tile(picture, (43, 1))]), noise)
    found = measured_period(states)
    assert (found.period, found.start, found.status) == (1, 7, CONSTANT)
    assert measured_period(np.zeros((9, 2))).status is CONSTANT


def test_few_states() -> None:
    assert measured_period(np.eye(3)).status is ax.PeriodStatus.TOO_SHORT
    a, b = np.eye(2)
    assert measured_period(np.stack([a, b, a, b, a, b])).period == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"states": np.array([[1.0], [np.nan]])}, "finite real numbers"),
        ({"states": np.zeros((0, 3))}, "finite real numbers"),
        ({"step": 0.0}, "step must be"),
        ({"max_lag": 0}, "max_lag must be"),
        ({"max_lag": 10}, "at most 9"),
    ],
)
def test_wrong_input_is_refused(options: dict[str, Any], message: str) -> None:
    given = {"states": np.random.default_rng(0).random((10, 2))} | options
    with pytest.raises(ValueError, match=message):
        measured_period(given.pop("states"), **given)


def test_a_memory_runs_through_its_states() -> None:
    film = np.eye(4)
    memory = ax.Memory(ax.training.pseudoinverse(film, np.roll(film, -1, axis=0)), ax.Patterns.from_cycles([film]))
    states = iterated(memory, film[1:2] + 0.04, 20)
    assert states.shape == (21, 4)
    assert np.allclose(states[1:6], film[[2, 3, 0, 1, 2]], atol=1e-9)
    found = measured_period(states)
    assert (found.period, found.start) == (4, 1)
    with pytest.raises(ValueError, match="one state"):
        iterated(memory, film[:2], 3)


def test_the_noise_of_a_codec(tmp_path: Path) -> None:
    frames = load_sequence("pan:14", size=(32, 32), gray=True).values
    noise = np.random.default_rng(0).random((3, 32, 32), np.float32)
    path = save_video(tmp_path / "film.mp4", np.concatenate([noise, frames, frames, frames[:9]]), 25).path
    clip = load_sequence(path, gray=True)
    found = measured_period(clip.values, step=1 / 25)
    assert (found.period, found.start, found.status) == (14, 3, PERIODIC)
    assert found.seconds == pytest.approx(0.56)
    assert found.value > 0


def test_from_a_stored_film_by_noise_to_its_period(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    memory, back = tmp_path / "film.attrax", tmp_path / "back.mp4"
    record(
        capsys,
        "store",
        "pan:12",
        "--size",
        "16x16",
        "--gray",
        "--writer",
        "winner-take-all",
        "--train-corruption",
        "gaussian:0.5",
        "--epochs",
        100,
        "-o",
        memory,
    )
    recalled = record(capsys, "recall", memory, "--from", "noise", "--cycles", 3, "-o", back)
    assert recalled["period"] == 12
    found = record(capsys, "analyze", "period", back, "-o", tmp_path / "figures")
    assert (found["kind"], found["status"], found["period"]) == ("video", "periodic", 12)
    assert found["start"] == recalled["transient"]
    assert found["seconds"] == pytest.approx(12 / 25)
    assert 0 < found["value"] < 0.1 * min(found["before"], found["after"])
    assert [Path(path).suffix for path in found["files"]] == [".png", ".svg"]
    direct = record(capsys, "analyze", "period", memory, "--steps", 60)
    assert (direct["kind"], direct["period"], direct["start"]) == ("memory", 12, recalled["transient"])


def test_a_sound_in_states_of_its_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    sound = tmp_path / "sound.wav"
    draw = np.random.default_rng(0).integers(-9000, 9000, 1000 * 4)
    samples = np.concatenate([np.random.default_rng(1).integers(-9000, 9000, 2000), np.tile(draw, 3)]).astype("<i2")
    with wave.open(str(sound), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(4000)
        file.writeframes(samples.tobytes())
    found = record(capsys, "analyze", "period", sound, "--hop", 0.25)
    assert (found["period"], found["seconds"], found["start"], found["start_seconds"]) == (4, 1.0, 2, 0.5)
    status, out, _ = run(capsys, "analyze", "period", sound, "--hop", 0.5)
    assert status == 0
    assert "period 2 states = 1 s, from state 1 of 7 on" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing.mp4",), "nothing.mp4"),
        (("pan:8", "--from", "noise"), "--from is for memories"),
        (("pan:8", "--hop", 1), "hop does not apply"),
        (("pan:8", "--max-lag", 9), "--max-lag must be"),
        (("film.attrax", "--gray"), "--gray is for recordings"),
    ],
)
def test_wrong_use_exits_2(arguments: tuple[Any, ...], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "analyze", "period", *arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "analyze", "period", "--help")
    assert status == 0
    assert "Example: attrax analyze period" in out


def test_figures(tmp_path: Path) -> None:
    for states in (np.tile(walk(5), (6, 1)), np.zeros((9, 2)), np.random.default_rng(0).random((30, 2)), np.eye(3)):
        figure = period_figure(measured_period(states, step=0.5))
        figure.savefig(tmp_path / "period.png")
        labels = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
        if len(states) == 30 and states.shape[1] == 12:
            assert "period 5 = 2.5 s, from state 0" in labels


@pytest.mark.parametrize("turn", [(np.sqrt(5) - 1) / 2, np.sqrt(2) - 1, 1 / 16.18])
@pytest.mark.parametrize("noise", [0.0, 1e-4])
def test_a_period_that_is_no_whole_number_is_none(turn: float, noise: float) -> None:
    """Near returns of a rotation: 233 turns of the golden angle are off by less than a fiftieth of a step."""
    time = np.arange(400)
    states = np.stack([np.cos(2 * np.pi * turn * time), np.sin(2 * np.pi * turn * time)], axis=1)
    states = states + noise * np.random.default_rng(0).standard_normal(states.shape)
    found = measured_period(states)
    assert (found.status, found.period) == (NO_PERIOD, 0)
    assert abs(found.near_return * turn - round(found.near_return * turn)) < 0.02
    whole = np.stack([np.cos(2 * np.pi * 3 / 17 * time), np.sin(2 * np.pi * 3 / 17 * time)], axis=1)
    kept = measured_period(whole + noise * np.random.default_rng(0).standard_normal(whole.shape))
    assert (kept.status, kept.period, kept.near_return) == (PERIODIC, 17, 0)
