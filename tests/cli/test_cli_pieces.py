"""attrax recall --memory: cues in pieces give what all of them give at once."""

from pathlib import Path

import jax.random as jr
import numpy as np
import pytest
from helpers.commands import record, run

import attrax as ax

COUNT = 30


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A memory of digits, and an array of damaged ones."""
    folder = tmp_path_factory.mktemp("pieces")
    digits = ax.sources.load("digits", n=3).values
    memory = ax.store(digits, writer=ax.Constructed("pseudoinverse"), key=jr.key(0))
    cues = np.random.default_rng(0).uniform(size=(COUNT, 8, 8)) * 0.1 + np.tile(digits, (COUNT // 3, 1, 1))
    np.save(folder / "cues.npy", cues)
    return ax.save(folder / "digits.attrax", memory), folder / "cues.npy"


def test_pieces_together_are_the_whole(
    places: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    memory, cues = places
    whole = record(capsys, "recall", memory, cues, "-o", tmp_path / "whole")
    # A multiple of a megabyte that leaves room for a dozen of these.
    pieces = record(capsys, "recall", memory, cues, "--memory", "537MB", "-o", tmp_path / "pieces")
    files = [Path(result.pop("file")) for result in pieces["results"]]
    assert len(set(files)) == 3
    for result in whole["results"]:
        del result["file"]
    assert pieces == whole
    assert len(pieces["results"]) == COUNT
    found = np.concatenate([np.load(file) for file in dict.fromkeys(files)])
    np.testing.assert_array_equal(found, np.load(tmp_path / "whole" / "recalled.npy"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--memory", "1MB"], "--memory must be at least 537MB for cues of 64 numbers"),
        (["--memory", "1kb"], "--memory must be at least 537MB for cues of 64 numbers"),
        (["--memory", "much"], "--memory must be a number of B, kB, MB, GB or TB, such as 500MB or 4GB; got 'much'"),
        (["--memory", "2GB", "-o", "way.gif"], "a film shows all cues side by side"),
    ],
)
def test_what_can_not_be_in_pieces_is_refused(
    places: tuple[Path, Path],
    options: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = run(capsys, "recall", *places, *options)
    assert (status, words in err) == (2, True), err
    assert not any(tmp_path.iterdir())


def test_cues_that_are_made_here_are_not_read(places: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "recall", places[0], "--corrupt", "occlude:0.5", "--memory", "2GB")
    assert (status, "--memory is for cues from a source; leave it out" in err) == (2, True), err
