"""The command line through its real entry point."""

import contextlib
import io
import signal
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import PATIENCE, wait_until
from helpers.commands import run, strict
from PIL import Image

import attrax as ax
from attrax.cli import _app, main  # the tables of commands
from attrax.sources import load_sequence

# Equal networks and numbers of examples are compiled once.
QUICK = ["--writer", "gradient", "--width", "48", "--depth", "2", "--noise", "0.1", "--epochs", "150"]
SMALL = ["--writer", "gradient", "--width", "8", "--depth", "1"]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("cli") / "digits.attrax"
    with pytest.raises(SystemExit):
        main(["store", "digits", "--n", "4", *QUICK, "-o", str(file)])
    assert file.exists()
    return file


def test_the_installed_entry_points(capsys: pytest.CaptureFixture[str]) -> None:
    (installed,) = entry_points(group="console_scripts", name="attrax")
    assert installed.load() is main
    status, out, _ = run(capsys, "--version")
    assert status == 0
    assert out.startswith("attrax ")
    done = subprocess.run([sys.executable, "-m", "attrax", "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, out, "")


@pytest.mark.parametrize("command", ["store", "add", "forget", "recall", "certify", "info", "demo"])
def test_help_has_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    status, out, _ = run(capsys, command, "--help")
    assert status == 0
    assert f"Example: attrax {command}" in " ".join(out.split())


def test_store_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "m.attrax"
    status, out, _ = run(capsys, "store", "digits", "--n", 4, *QUICK, "-o", file, "--json")
    record = strict(out)
    keys = {"examples", "dimension", "loss", "epochs", "seconds", "attractors", "not_attractors", "inconclusive"}
    assert keys | {"spectral_radius", "file"} <= set(record)
    assert (record["examples"], record["dimension"], record["epochs"]) == (4, 64, 150)
    assert record["attractors"] + record["not_attractors"] + record["inconclusive"] == 4
    assert status == (0 if record["attractors"] == 4 else 1)
    assert set(record["spectral_radius"]) == {"median", "max"}
    assert file.exists()


def test_a_write_that_falls_short_is_kept_and_exits_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "m.attrax"
    options = [*SMALL, "--epochs", 2, "--optimizer", "gd"]
    status, out, _ = run(capsys, "store", "digits", "--n", 4, *options, "-o", file, "--json")
    assert status == 1
    assert strict(out)["status"] == "loss_not_reached"
    written = strict(run(capsys, "info", file, "--json")[1])["written"]
    assert (written["writer"], written["optimizer"], written["status"]) == ("gradient", "gd", "loss_not_reached")
    status, out, _ = run(capsys, "certify", file, "--json")
    assert status == 1
    assert strict(out)["attractors"] < 4


def test_the_same_seed_gives_the_same_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    points = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        run(capsys, "store", "digits", "--n", 4, *QUICK, "--seed", seed, "-o", tmp_path / name)
        _, out, _ = run(capsys, "certify", tmp_path / name, "--json")
        points.append([row["spectral_radius"] for row in strict(out)["cycles"]])
    assert points[0] == points[1]
    assert points[0] != points[2]


@pytest.mark.parametrize(("error", "said"), [("", "RuntimeError"), ("out of\nmemory", "out of")])
def test_an_error_of_the_computation_is_one_line(
    error: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(error)

    monkeypatch.setattr(_app.app, "main", fail)
    with pytest.raises(SystemExit) as ended:
        _app.main([])
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"attrax: the computation failed: {said}\n"


def test_certify_json(capsys: pytest.CaptureFixture[str], stored: Path) -> None:
    status, out, _ = run(capsys, "certify", stored, "--json")
    record = strict(out)
    assert status == (0 if record["attractors"] == 4 else 1)
    rows = ax.load(stored).certificate.as_rows()
    for row, stored_row in zip(record["cycles"], rows, strict=True):
        assert {"name", "length", *stored_row} == set(row)
        assert {"cycles", "spectral_radius", "error", "verdict", "largest_singular_value", "residual"} <= set(row)
        assert row["verdict"] in ("attractor", "not_attractor", "inconclusive")


def test_recall_of_corrupted_examples(capsys: pytest.CaptureFixture[str], stored: Path, tmp_path: Path) -> None:
    status, out, _ = run(
        capsys, "recall", stored, "--corrupt", "gaussian:0.01", "-o", tmp_path / "out", "--json", "--max-steps", 2000
    )
    record = strict(out)
    assert status == 0
    assert record["cues"] == 4
    assert len(record["results"]) == 4
    assert record["one_nn_rate"] == record["best_nn_rate"] == 1.0
    assert sum(record["status_counts"].values()) == 4
    for result in record["results"]:
        assert Path(result["file"]).exists()
        assert (result["index"] >= 0) == (result["status"] == "recovered")
    assert len(list((tmp_path / "out").iterdir())) == 8


def test_a_film_of_the_iterates(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    memory, film, again = tmp_path / "m.attrax", tmp_path / "way.gif", tmp_path / "way.mp4"
    run(capsys, "store", "digits", "--n", "3", "--writer", "margin", "-o", memory)
    status, out, err = run(capsys, "recall", memory, "--corrupt", "gaussian:0.1", "-o", film, "--json")
    assert (status, err) == (0, "")
    record = strict(out)
    assert {result["file"] for result in record["results"]} == {str(film)}
    assert record["recovered"] == 3
    clip = load_sequence(film, gray=True)
    # Three pictures of 96×96 with edges, and a line for the step; the cue stays, and so does the end.
    assert clip.values.shape[1:] == (108 + 18, 3 * 108)
    cells = clip.values[:, 6:102, 6:102].reshape(len(clip.values), 8, 12, 8, 12)
    assert np.ptp(cells[:, :6, :, :6], axis=(2, 4)).max() < 0.05  # enlarged; the mark is in the corner
    apart = np.abs(cells[:, :6, 5, :6, 5] - ax.load(memory).originals[0, :6, :6]).max(axis=(1, 2))
    assert apart[0] > 0.1
    assert apart[-1] < 0.05
    status, _, err = run(capsys, "recall", memory, "--from", "frame:0", "-o", again)
    assert (status, err) == (0, "")
    assert load_sequence(again).values.shape[1:3] == (108 + 18, 108)
    status, _, err = run(capsys, "recall", memory, film, "-o", film)
    assert status == 2
    assert "one of the files that are read" in err


def test_a_film_of_what_is_no_picture(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    memory = tmp_path / "plane.attrax"
    run(capsys, "store", "points:0,1;1,0", "--writer", "margin", "-o", memory)
    status, _, err = run(capsys, "recall", memory, "--corrupt", "gaussian:0.1", "-o", tmp_path / "way.gif")
    assert status == 2
    assert "not pictures" in err
    assert not (tmp_path / "way.gif").exists()


def test_recall_of_given_cues_keeps_their_format(
    capsys: pytest.CaptureFixture[str], stored: Path, tmp_path: Path
) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (9, 7), np.uint8)
    Image.fromarray(picture).save(tmp_path / "cue.bmp")
    np.save(tmp_path / "cues.npy", np.random.default_rng(0).random((2, 8, 8)))
    status, out, _ = run(
        capsys,
        "recall",
        stored,
        tmp_path / "cue.bmp",
        "--size",
        "8x8",
        "--max-steps",
        50,
        "-o",
        tmp_path / "a",
        "--json",
    )
    assert status == 0
    assert strict(out)["one_nn_rate"] is None
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["cue.bmp"]
    run(capsys, "recall", stored, tmp_path / "cues.npy", "--max-steps", 50, "-o", tmp_path / "b", "--json")
    assert np.load(tmp_path / "b" / "recalled.npy").shape == (2, 8, 8)
    status, _, err = run(capsys, "recall", stored, tmp_path / "cue.bmp")
    assert status == 2
    assert "9×7" in err
    assert "--size" in err


def test_files_without_patterns(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "m.attrax"
    run(capsys, "store", "digits", "--n", 4, *QUICK, "--no-patterns", "-o", file)
    status, _, err = run(capsys, "certify", file)
    assert status == 2
    assert "--patterns" in err
    status, _, err = run(capsys, "certify", file, "--patterns", "faces")
    assert status == 2
    assert "digest" in err
    # Which examples of the source were taken is on record.
    assert run(capsys, "certify", file, "--patterns", "digits", "--json")[0] in (0, 1)
    for cues, count in ((["--corrupt", "none"], 4), (["digits", "--n", 5], 5)):
        status, out, _ = run(capsys, "recall", file, *cues, "--patterns", "digits", "--json", "--max-steps", 200)
        assert status == 0
        assert strict(out)["cues"] == count


def test_files_without_patterns_know_what_was_skipped(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = pictures(tmp_path / "in", ["a.png", "b.png", "d.png", "e.png"])
    (folder / "c.png").write_text("no picture")
    file = tmp_path / "m.attrax"
    run(capsys, "store", folder, *QUICK, "--skip-unreadable", "--no-patterns", "-o", file)
    assert run(capsys, "certify", file, "--patterns", folder)[0] in (0, 1)


def pictures(folder: Path, names: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        values = np.random.default_rng(number).integers(0, 255, (8, 8), np.uint8)
        Image.fromarray(values).save(folder / name)
    return folder


def test_nothing_that_is_read_is_written_over(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = pictures(tmp_path / "in", ["a.png", "b.png", "c.png", "d.png"])
    before = (folder / "a.png").read_bytes()
    memory = tmp_path / "m.attrax"
    run(capsys, "store", folder, *QUICK, "-o", memory)
    for command in (
        ["store", folder / "a.png", *QUICK, "-o", folder / "a.png"],
        ["store", folder, *QUICK, "-o", tmp_path / "n", "--checkpoint", folder / "a.png"],
        ["store", folder, *QUICK, "-o", tmp_path / "n", "--checkpoint", tmp_path / "n"],
        ["store", folder, *QUICK, "-o", "/dev/null"],
        ["recall", memory, folder / "a.png", "-o", folder],
        ["recall", memory, folder, "-o", folder],
    ):
        status, _, err = run(capsys, *command)
        assert status == 2, command
        assert err.count("\n") == 1
        assert "another" in err or "regular" in err or "exists" in err or "two files" in err
    assert (folder / "a.png").read_bytes() == before
    assert Path("/dev/null").is_char_device()


def test_a_checkpoint_is_not_started_over_in_silence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    command = ["store", "digits", "--n", 4, *SMALL, "--epochs", 5, "-o", tmp_path / "m", "--checkpoint", tmp_path / "c"]
    assert run(capsys, *command)[0] in (0, 1)
    before = (tmp_path / "c").read_bytes()
    status, _, err = run(capsys, *command)
    assert status == 2
    assert "--resume" in err
    assert (tmp_path / "c").read_bytes() == before


def test_a_link_is_written_through(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    run(capsys, "store", "digits", "--n", 4, *QUICK, "-o", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").stat().st_size > 1000


def test_every_cue_gets_a_file_of_its_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = pictures(tmp_path / "in", ["a.png", "a-2.png", "b.png", "b.png.png"])
    other = pictures(tmp_path / "other", ["a.png"])
    memory = tmp_path / "m.attrax"
    run(capsys, "store", folder, *QUICK, "-o", memory)
    _, out, _ = run(capsys, "recall", memory, folder, other, "-o", tmp_path / "out", "--json", "--max-steps", 50)
    files = [row["file"] for row in strict(out)["results"]]
    assert len(set(files)) == 5
    assert all(Path(file).is_file() for file in files)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".NPY"])
def test_arrays_come_back_in_the_format_of_the_cues(
    suffix: str, capsys: pytest.CaptureFixture[str], stored: Path, tmp_path: Path
) -> None:
    cues = tmp_path / f"cues{suffix}"
    values = np.random.default_rng(0).random((2, 8, 8))
    with cues.open("wb") as file:
        np.savez(file, cues=values) if suffix == ".npz" else np.save(file, values)
    _, out, _ = run(capsys, "recall", stored, cues, "-o", tmp_path / "out", "--json", "--max-steps", 50)
    written = Path(strict(out)["results"][0]["file"])
    assert written.name == f"recalled{suffix.lower()}"
    loaded = np.load(written)
    if suffix == ".npz":
        with loaded as arrays:
            loaded = arrays["values"]
    assert loaded.shape == (2, 8, 8)


def test_a_network_beyond_all_memory_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, _, err = run(capsys, "store", "digits", "--n", 2, "--width", 10**7, "-o", tmp_path / "m")
    assert status == 2
    assert "memory" in err


@pytest.mark.parametrize("seed", [-1, 2**32, 10**20])
def test_seeds_do_not_wrap(seed: int, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, _, err = run(capsys, "store", "digits", "--n", 2, *QUICK, "--seed", seed, "-o", tmp_path / "m")
    assert status == 2
    assert "--seed" in err


def test_resume_continues_a_checkpoint(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    small = ["store", "digits", "--n", 4, *SMALL, "--epochs", 40]
    check = ["--checkpoint", tmp_path / "c", "--resume"]
    run(capsys, *small, "-o", tmp_path / "a")
    run(capsys, *small, *check, "-o", tmp_path / "b")
    run(capsys, *small, *check, "-o", tmp_path / "c2")
    radii = [
        [row["spectral_radius"] for row in strict(run(capsys, "certify", tmp_path / name, "--json")[1])["cycles"]]
        for name in ("a", "b", "c2")
    ]
    assert radii[0] == radii[1] == radii[2]
    status, _, err = run(capsys, *small, "--lr", 0.01, *check, "-o", tmp_path / "d")
    assert status == 2
    assert "other data or settings" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["store", "digits"], ["--output"]),
        (["store", "nothing-here", "-o", "{tmp}/x"], ["nothing-here", "folder"]),
        (["store", "digits", "-o", "{tmp}"], ["--output", "folder"]),
        (["store", "digits", "-o", "{tmp}/no/where"], ["does not exist"]),
        (["store", "digits", "-o", "{tmp}/x", "--activation", "rellu"], ["activation", "relu", "rellu"]),
        (["store", "digits", "-o", "{tmp}/x", "--init", "uniform:zero"], ["uniform:zero"]),
        (["store", "digits", "-o", "{tmp}/x", "--optimizer", "sgd"], ["optimizer", "adam", "sgd"]),
        (["store", "digits", "-o", "{tmp}/x", "--writer", "magic"], ["--writer", "gradient", "magic"]),
        (["store", "digits", "-o", "{tmp}/x", "--size", "8"], ["--size", "32x32"]),
        (["store", "digits", "-o", "{tmp}/x", "--lr", "-1"], ["--lr must be a finite number above 0", "-1"]),
        (["store", "digits", "-o", "{tmp}/x", "--noise", "nan"], ["--noise must be", "nan"]),
        (["store", "digits", "-o", "{tmp}/x", "--set", "training.batch=0"], ["--set training.batch must be"]),
        (["store", "digits", "-o", "{tmp}/x", "--recovery-atol", "0"], ["--recovery-atol must be"]),
        (["store", "digits", "-o", "{tmp}/x", "--activation", "rely"], ["--activation must", "Did you mean relu?"]),
        (["store", "digits", "-o", "{tmp}/x", "--train-corruption", "gausian:1"], ["Did you mean gaussian?"]),
        (["recall", "{file}", "--corrupt", "none", "--atol", "-1"], ["--atol must be"]),
        (["info", "{file}", "--max-steps", "3"], ["--max-steps"]),
        (["store", "digits", "-o", "{tmp}/x", "--n", "100000"], ["100000", "1797"]),
        (["store", "digits", "-o", "{tmp}/x", "--resume"], ["--checkpoint"]),
        (["store", "digits", "-o", "{tmp}/x", "--depth", "0"], ["depth"]),
        (["recall", "{file}"], ["cues, --corrupt KIND:LEVEL or --from CUE"]),
        (["recall", "{file}", "digits", "--corrupt", "none"], ["not both"]),
        (["recall", "{file}", "--corrupt", "blur:1"], ["gaussian", "blur:1"]),
        (["recall", "{file}", "--corrupt", "drop:1.5"], ["at most 1", "1.5"]),
        (["recall", "{file}", "--corrupt", "none", "--reading", "loose"], ["reading", "literal"]),
        (["recall", "{file}", "--corrupt", "none", "--n", "2"], ["--n"]),
        (["recall", "{file}", "faces", "--n", "1"], ["25×25", "8×8"]),
        (["recall", "{tmp}/missing", "--corrupt", "none"], ["missing"]),
        (["certify", "{tmp}/missing"], ["missing"]),
        (["certify", "{file}", "--patterns", "digits"], ["holds its patterns"]),
        (["info", "{tmp}"], ["can't be read"]),
        (["sing"], ["sing"]),
    ],
)
def test_wrong_input_is_refused_in_a_sentence(
    capsys: pytest.CaptureFixture[str], stored: Path, tmp_path: Path, arguments: list[str], words: list[str]
) -> None:
    filled = [part.replace("{tmp}", str(tmp_path)).replace("{file}", str(stored)) for part in arguments]
    status, out, err = run(capsys, *filled)
    assert status == 2
    assert out == ""
    assert "Traceback" not in err
    for word in words:
        assert word in err, f"{word!r} is not in {err!r}"
    assert not (tmp_path / "x").exists()


def test_relu_without_biases_is_warned_of(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["--n", 4, *SMALL, "--epochs", 1, "--no-bias", "-o", tmp_path / "x"]
    status, out, err = run(capsys, "store", "digits", *arguments)
    assert status == 1
    assert "without biases" in err
    assert "not certified: digits[0], digits[1], digits[2], digits[3]\n" in out


def test_an_interruption_is_told_in_one_line(tmp_path: Path) -> None:
    # A shell that runs the tests in the background has its children ignore interruptions.
    listening = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from attrax.cli import main; main()"
    )
    points = tmp_path / "points.npy"  # of the shape of the digits
    np.save(points, np.random.default_rng(0).random((4, 8, 8), np.float32))
    options = [*QUICK, "--epochs", "10000000", "--checkpoint", str(tmp_path / "c"), "-o", str(tmp_path / "m")]
    command = [sys.executable, "-c", listening, "store", str(points), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_until((tmp_path / "c").exists)
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (130, "", "attrax: interrupted\n")
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("writer", ["pseudoinverse", "margin"])
def test_writers_by_name(writer: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, out, _ = run(capsys, "store", "digits", "--n", 5, "--writer", writer, "-o", tmp_path / "m", "--json")
    record = strict(out)
    assert record["loss"] <= 1e-8
    assert (status, record["attractors"]) == (0, 5)
    _, out, _ = run(capsys, "info", tmp_path / "m", "--json")
    assert strict(out)["written"]["writer"] == writer


@pytest.mark.parametrize(
    "options",
    [["margin", "--width", 9], ["pseudoinverse", "--noise", 0.1], ["margin", "--lr", 0.1]],
)
def test_options_that_a_writer_would_not_heed_are_refused(
    options: list[Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status, _, err = run(capsys, "store", "digits", "--n", 2, "--writer", *options, "-o", tmp_path / "m")
    assert status == 2
    assert f"{options[1]} does not apply to --writer {options[0]}" in err
    assert not (tmp_path / "m").exists()


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A memory by the default writer, and what the command printed of it."""
    file = tmp_path_factory.mktemp("chosen") / "m.attrax"
    seen = ["--train-corruption", "gaussian:0.2"]
    told = io.StringIO()
    with contextlib.redirect_stdout(told), pytest.raises(SystemExit) as ended:
        main(["store", "digits", "--n", "4", "--epochs", "50", *seen, "-o", str(file), "--json"])
    assert not ended.value.code
    return file, strict(told.getvalue())


def test_the_default_writer_stores_all_and_a_change_is_made_in_place(
    capsys: pytest.CaptureFixture[str], chosen: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    file, more = tmp_path / "m.attrax", tmp_path / "more.npy"
    file.write_bytes(chosen[0].read_bytes())
    np.save(more, np.asarray(ax_digits()[6:7]))
    record = chosen[1]
    assert record["attractors"] == 4
    assert [attempt["writer"] for attempt in record["attempts"]] == ["winner_take_all"]
    status, out, _ = run(capsys, "add", file, more, "--json")
    changed = strict(out)
    assert status == 0
    assert (changed["accepted"], changed["examples_before"], changed["examples"]) == (True, 4, 5)
    assert (changed["scratch_measured"], changed["scratch_seconds"]) == (False, record["seconds"])
    status, out, _ = run(capsys, "forget", file, 0, 4, "--json")
    changed = strict(out)
    assert status == 0
    assert (changed["examples_before"], changed["examples"]) == (5, 3)
    assert strict(run(capsys, "certify", file, "--json")[1])["attractors"] == 3


def test_a_change_that_fails_leaves_the_file_and_exits_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file, more = tmp_path / "m.attrax", tmp_path / "twin.npy"
    run(capsys, "store", "digits", "--n", 4, "--writer", "margin", "-o", file)
    twin = np.array(ax_digits()[3:4])
    brightest = np.unravel_index(twin.argmax(), twin.shape)
    twin[brightest] = np.nextafter(twin[brightest], np.float32(2))
    np.save(more, twin)
    before = file.read_bytes()
    status, out, _ = run(capsys, "add", file, more, "--json")
    assert status == 1
    assert strict(out)["accepted"] is False
    assert set(strict(out)["failed"]) <= {3, 4}
    assert file.read_bytes() == before
    status, _, err = run(capsys, "forget", file, 4)
    assert status == 2
    assert "from 0 to 3" in err
    assert file.read_bytes() == before


def test_options_bind_the_default_writer(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "m.attrax"
    options = ["--width", 9, "--depth", 2, "--noise", 0.1, "--epochs", 2, "--lr", 0.002, "--activation", "tanh"]
    status, out, _ = run(capsys, "store", "digits", "--n", 4, *options, "-o", file)
    assert status == 1
    assert out.count("attempt: gradient with adam, 2 hidden layers of 9 tanh units, ") == 2  # a rate leaves K-FAC out
    assert "closest pair" in out
    known = strict(run(capsys, "info", file, "--json")[1])
    assert (known["widths"], known["activation"]) == ([9, 9], "tanh")
    assert known["written"]["noise"] == 0.1
    for writer, option in (("winner-take-all", "--depth"), ("margin", "--noise")):
        status, _, err = run(capsys, "store", "digits", "--n", 3, "--writer", writer, option, 1, "-o", tmp_path / "x")
        assert status == 2
        assert f"{option} does not apply to --writer {writer}" in err


def ax_digits() -> np.ndarray:
    from attrax import sources

    return sources.load("digits", n=10).values
