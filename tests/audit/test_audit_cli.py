"""The command: one JSON object, text for people, a page, and one line for what is wrong."""

import os
import shlex
from pathlib import Path

import numpy as np
import pytest
from helpers.audited import autoencoder_file, leaky_file, memory_file
from helpers.commands import record, run, strict

pytest.importorskip("onnx", reason="onnx is not installed: pip install 'attrax[onnx]'")


def test_an_autoencoder_with_its_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, page = memory_file(tmp_path), tmp_path / "page.html"
    found = record(capsys, "audit", model, "--train", "digits", "--n", 6, "--starts", 12, "--seed", 1, "-o", page)
    assert [row["verdict"] for row in found["examples"]] == ["attractor"] * 6
    assert found["attractors"] >= 6
    assert found["difference"] is None or found["difference"] < 1e-5
    html = page.read_text()
    assert html.count("<img") >= 12
    assert "http" not in html.replace("http://www.w3.org", "")
    assert "certified attractors" in html
    again = record(capsys, "audit", model, "--train", "digits", "--n", 6, "--starts", 12, "--seed", 1, "-o", page)
    assert {**again, "seconds": 0} == {**found, "seconds": 0}


def test_too_few_held_out_examples_for_all_together_are_told_beforehand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, data = memory_file(tmp_path), ("--train", "digits", "--n", 6, "--held-out", "digits", "--starts", 6)
    rate = ("--held-out-n", 30, "--false-rate", 0.1)
    status, _, err = run(capsys, "audit", model, *data, *rate, "--together")
    assert status == 0
    assert "with 30 held-out examples, --together calls none or at least 2 of 6 examples memorized" in err
    assert "it needs 59" in err
    status, _, err = run(capsys, "audit", model, *data, *rate)
    assert (status, "--together" in err) == (0, False)
    few = record(capsys, "audit", model, *data, "--held-out-n", 5, "--false-rate", 0.1, "--together", status=2)
    assert "held-out" in few["error"]


def test_a_recurrent_state_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = leaky_file(tmp_path)
    state = ("--map", "state", "--state", "state=stateN", "--starts", 6, "--step-seconds", 0.5)
    page = tmp_path / "page.html"
    status, out, err = run(capsys, "audit", model, *state, "--input", "sound=1", "--max-steps", 2000, "-o", page)
    assert status == 0, err
    assert "6 starts not converged; start 0, followed further: drift of" in out
    assert "[2] +0.25" in out
    assert "Reset that of a recurrent network between recordings" in out
    assert all(text in page.read_text() for text in ("[2] +0.25", "Reset that"))
    status, out, err = run(capsys, "audit", model, *state, "--input", "sound=zeros")
    assert status == 0, err
    assert "line of fixed points" in out
    assert "among 1 end of 6 starts" in out
    np.save(tmp_path / "turns.npy", np.ones((3, 1, 1)))
    found = record(
        capsys, "audit", model, *state, "--input", f"sound=cycle:{tmp_path / 'turns.npy'}", "--max-steps", 50
    )
    assert (found["steps_per_round"], found["step_seconds"]) == (3, 1.5)
    status, _, err = run(capsys, "audit", model, "--input", f"sound=cycle:{tmp_path / 'turns.npy'}")
    assert (status, "cycle is for --map state" in err) == (2, True)


def test_a_latent_map_and_what_is_proposed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = autoencoder_file(tmp_path)
    found = record(capsys, "audit", model, "--describe")
    assert any("--split" in command for command in found["commands"])
    found = record(capsys, "audit", model, "--map", "latent", "--split", "code", "--starts", 60)
    assert found["attractors"] == 8
    status, out, _ = run(capsys, "audit", model, "--describe")
    assert status == 0
    assert "float32 ?×64" in out


def test_nothing_that_was_asked_for_is_ignored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = leaky_file(tmp_path)
    state = ("--map", "state", "--state", "state=stateN", "--input", "sound=1")
    wrong = (
        ((), "the inputs sound, state: name one with --from"),
        (("--split", "code"), "--split is for --map latent"),
        (("--decoder", model), "--decoder is for --map latent"),
        (("--state", "state=stateN"), "--state is for --map state"),
        ((*state, "--from", "state"), "--from is for --map image"),
        ((*state, "--to", "stateN"), "--to is for --map image"),
        ((*state, "--shape", "3"), "--shape"),
        ((*state, "--input", "sound=2"), "'sound' twice"),
        ((*state, "--state", "state=stateN"), "an input twice"),
        ((*state, "--state", "sound=stateN"), "an output twice"),
        (("--n", 3), "--n needs --train"),
        (("--corruption", "gaussian:0.1"), "--corruption needs --train"),
        (("--recovery-atol", 0.1), "--recovery-atol needs --train"),
        (("--held-out", "digits"), "--held-out needs --train"),
        (("--together",), "--together needs --held-out"),
        (("--held-out-n", 100), "--held-out-n needs --held-out"),
        ((*state, "--step-seconds", "nan"), "--step-seconds must be"),
        ((*state, "--false-rate", 2), "--false-rate must be"),
        (("--map", "image", "-o", model), "choose another place"),
    )
    content = model.read_bytes()
    for options, message in wrong:
        status, out, err = run(capsys, "audit", model, *options, "--json")
        assert status == 2, options
        assert message in strict(out)["error"], options
        assert len(err.strip().splitlines()) == 1, err
    assert model.read_bytes() == content


def test_inputs_and_models_of_other_kinds_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = leaky_file(tmp_path)
    state = ("--map", "state", "--state", "state=stateN")
    (tmp_path / "empty.npy").write_bytes(b"")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.npy")
        assert (
            "a pipe"
            in record(capsys, "audit", model, *state, "--input", f"sound={tmp_path / 'pipe.npy'}", status=2)["error"]
        )
    np.save(tmp_path / "nan.npy", np.full((1, 1), np.nan, np.float32))
    for option in ("--from", "--to"):
        assert option in record(capsys, "audit", model, option, "nowhere", status=2)["error"]
    told = record(capsys, "audit", model, *state, "--input", f"sound={tmp_path / 'nan.npy'}", status=2)["error"]
    assert "finite" in told
    for value in (tmp_path / "empty.npy", tmp_path / "none.npy", "1e300", f"zeros:{'9' * 5000}"):
        assert record(capsys, "audit", model, *state, "--input", f"sound={value}", status=2)["error"]
    stored = tmp_path / "digits.attrax"
    stored.write_bytes(b"0")
    assert "attrax export" in record(capsys, "audit", stored, status=2)["error"]
    (tmp_path / "model.pt").write_bytes(b"\x80\x02}q\x00.")
    status, _, told = run(capsys, "audit", tmp_path / "model.pt")
    assert status == 2
    assert "weights_only=True)); torch.onnx.export" in told
    spaced = tmp_path / "a model.onnx"
    model.rename(spaced)
    commands = record(capsys, "audit", spaced, "--describe")["commands"]
    assert commands
    assert all(shlex.split(command)[2] == str(spaced) for command in commands)


def test_what_is_wrong_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = leaky_file(tmp_path)
    (tmp_path / "cut.onnx").write_bytes(model.read_bytes()[:40])
    wrong = (
        ("audit", tmp_path / "cut.onnx"),
        ("audit", tmp_path / "none.onnx"),
        ("audit", model),
        ("audit", model, "--map", "state"),
        ("audit", model, "--map", "state", "--state", "state"),
        ("audit", model, "--map", "state", "--state", "state=stateN"),
        ("audit", model, "--map", "state", "--state", "state=stateN", "--input", "sound=loud"),
        ("audit", model, "--map", "state", "--state", "state=stateN", "--input", "noise=1"),
        ("audit", model, "--map", "latent"),
        ("audit", model, "--shape", "axb"),
        ("audit", autoencoder_file(tmp_path), "--train", "faces", "--n", 2),
        ("audit", autoencoder_file(tmp_path), "--train", "digits", "--n", 2, "--held-out", "digits", "--held-out-n", 5),
    )
    for arguments in wrong:
        status, out, err = run(capsys, *arguments)
        assert status == 2, arguments
        assert out == ""
        assert len(err.strip().splitlines()) == 1, err
        assert "Traceback" not in err
