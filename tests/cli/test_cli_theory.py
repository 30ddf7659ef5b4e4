"""attrax theory through the real entry point."""

from pathlib import Path

import jax.random as jr
import pytest
from helpers.commands import run, strict
from PIL import Image

from attrax import analysis, theory
from attrax.report import theory_table

LAMBDA = ["theory", "lambda", "--activation", "sigmoid", "--k", 2, "--u0", 1, "--v0", 1, "--depth", 1]


@pytest.mark.parametrize("command", ["lambda", "corollary1", "sequence", "verify", "plot"])
def test_help_has_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    status, out, _ = run(capsys, "theory", command, "--help")
    assert status == 0
    assert f"Example: attrax theory {command}" in " ".join(out.split())


def test_without_a_command_the_help_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "theory")
    assert (status, out) == (2, "")
    assert all(command in err for command in ("lambda", "corollary1", "sequence", "verify", "plot"))


def test_lambda_json(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, *LAMBDA, "--json")
    record = strict(out)
    assert status == 0
    assert {"u", "v", "w", "top_eigenvalue", "attractor", "status"} <= set(record)
    assert record["u"] == pytest.approx(0.6974451196, abs=5e-11)
    assert record["v"] == pytest.approx(0.9291474283, abs=5e-11)
    assert record["top_eigenvalue"] == pytest.approx(0.2630395137, abs=5e-11)
    assert (record["w"], record["attractor"], record["status"]) == ([], True, "solved")


def test_lambda_of_unequal_units_depth_and_norm(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "theory", "lambda", "--u0", "0.5,0.2", "--v0", "0.3,-0.4", "--json")
    record = strict(out)
    assert record["u"] == pytest.approx([1.15223419, 0.65044963], abs=1e-8)
    assert record["top_eigenvalue"] == pytest.approx(0.0930706062, abs=1e-10)
    _, out, _ = run(capsys, "theory", "lambda", "--depth", 3, "--w0", 1, "--json")
    assert strict(out)["top_eigenvalue"] == pytest.approx(0.0201013, abs=1e-7)
    _, out, _ = run(capsys, "theory", "lambda", "--u0", 0.5, "--v0", 0.3, "--norm", 2, "--json")
    assert strict(out)["h"] == pytest.approx(1.42735763, abs=1e-8)
    status, out, _ = run(capsys, *LAMBDA)
    assert status == 0
    assert "0.2630395137" in out
    assert "attractor       yes" in out
    answer = theory.single_example("sigmoid", 2, 1, 1)
    assert strict(run(capsys, *LAMBDA, "--json")[1]) == {**answer.as_dict(), "advice": answer.status.advice}


def test_no_answer_exits_1(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "theory", "lambda", "--activation", "tanh", "--u0", 0, "--v0", 0, "--json")
    record = strict(out)
    assert status == 1
    assert record["status"] == "impossible"
    assert record["top_eigenvalue"] is None
    assert record["attractor"] is None


def test_corollary1_json(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "theory", "corollary1", "--k", 2, "--v", -2, "--json")
    record = strict(out)
    assert status == 0
    assert record["u"] == pytest.approx(4.194528049, abs=1e-9)
    assert record["top_eigenvalue"] == pytest.approx(-1.761594156, abs=1e-9)
    assert record["attractor"] is False
    assert record["intervals"][0][1] == pytest.approx(-1.27846, abs=1e-5)
    assert record["intervals_status"] == "proved"
    status, out, _ = run(capsys, "theory", "corollary1", "--v", 1, "--json")
    assert (status, strict(out)["status"]) == (1, "inadmissible")
    status, out, _ = run(capsys, "theory", "corollary1", "--activation", "tanh")
    assert status == 0
    assert "nowhere (proved" in out


def test_sequence_json(capsys: pytest.CaptureFixture[str]) -> None:
    nets = ["swish:k=3:u0=0.4:v0=0.5", "swish:k=3:u0=-0.4:v0=-0.5"]
    status, out, _ = run(capsys, "theory", "sequence", *nets, "--json")
    record = strict(out)
    assert status == 0
    assert record["factors"] == pytest.approx([1.241318371, 0.3122438631], abs=1e-9)
    assert record["top_eigenvalue"] == pytest.approx(0.3875940437, abs=1e-10)
    mixed = ["sigmoid:k=2:u0=0.5:v0=0.3:target_norm=2", "tanh:k=3:u0=0.4:v0=0.6:w0=0.5:norm=2:target_norm=1"]
    _, out, _ = run(capsys, "theory", "sequence", *mixed, "--json")
    assert [net["depth"] for net in strict(out)["networks"]] == [1, 2]
    status, out, _ = run(capsys, "theory", "sequence", "tanh:k=2:u0=0:v0=0", "--json")
    assert (status, strict(out)["top_eigenvalue"]) == (1, None)


def test_verify(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "theory", "verify", "--activation", "erf", "--seed", 1, "--json")
    record = strict(out)
    assert status == 0
    assert record["agreeing"] == record["total"] == len(record["rows"]) == 3
    for row in record["rows"]:
        assert row["status"] == "agrees"
        for difference, error in zip(row["difference"], row["error"], strict=True):
            assert abs(difference) <= error < 1e-8
    status, out, _ = run(capsys, "theory", "verify", "--activation", "erf")
    assert status == 0
    assert out.splitlines()[-1].startswith("3/3 within the error of the extrapolation")


def test_verify_exits_1_when_a_row_differs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    right = theory.single_example("sigmoid", 2, 1.0, 1.0)
    wrong = dataclasses.replace(right, top_eigenvalue=right.top_eigenvalue + 1e-9)
    monkeypatch.setattr("attrax.analysis._theory_settings.theory_settings", lambda _: [right, wrong])
    status, out, _ = run(capsys, "theory", "verify")
    assert status == 1
    assert out.splitlines()[-1].startswith("1/2 within")
    assert out.splitlines()[-2].endswith("differs")


def test_table_of_what_has_no_numbers() -> None:
    check = analysis.check_training(theory.single_example("tanh", 2, 0, 0), key=jr.key(0))
    assert theory_table([check]).splitlines()[-1].endswith("no_theory")


@pytest.mark.parametrize(
    "options",
    [
        ("portrait", "--activation", "tanh", "--k", 1),
        ("intervals", "--activation", "sinusoid"),
        ("random", "--k", 4, "--trials", 6),
        ("initial", "--k", 4, "--trials", 6),
    ],
)
def test_plot(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple
) -> None:
    # Fewer points of the figures that train networks at each.
    monkeypatch.setattr("attrax.report._theory_figures._SPREADS", (0.0, 0.5, 1.0))
    monkeypatch.setattr("attrax.report._theory_figures._NORMS", (0.1, 10.0))
    status, out, _ = run(capsys, "theory", "plot", *options, "-o", tmp_path / "new", "--json")
    assert status == 0
    png, svg = map(Path, strict(out)["files"])
    assert {png, svg} == set((tmp_path / "new").iterdir())
    with Image.open(png) as picture:
        assert min(picture.size) > 100
    assert svg.read_text().lstrip().startswith("<?xml")


@pytest.mark.parametrize("kind", ["map", "curves"])
def test_plot_of_maps(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    # The figure's own grid takes minutes.
    whole = analysis.eigenvalue_map

    def small(activation, *, widths=(), depths=(), **options):
        widths, depths = (4,) if len(widths) == 1 else (1, 4), (1,) if len(depths) == 1 else (1, 2)
        return whole(activation, widths=widths, depths=depths, **options)

    monkeypatch.setattr("attrax.report._theory_figures.eigenvalue_map", small)
    status, out, _ = run(
        capsys, "theory", "plot", kind, "--activation", "sigmoid", "--trials", 6, "-o", tmp_path, "--seed", 1
    )
    assert status == 0
    assert len(out.split()) == 2
    assert all(Path(file).exists() for file in out.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lambda", "--activation", "sigmoidal"], "activation must be one of"),
        (["lambda", "--u0", "1;2"], "--u0"),
        (["lambda", "--depth", "2"], "--w0"),
        (["lambda", "--k", "0"], "k must be"),
        (["lambda", "--u0", "1,2,3"], "u0 must be"),
        (["corollary1", "--low", "3", "--high", "1"], "high"),
        (["sequence", "sigmoid:k=2:u0=1"], "v0 missing"),
        (["sequence", "sigmoid:k=two:u0=1:v0=1"], "k must be an integer"),
        (["sequence", "sigmoid:k=2:u0=1:v0=1:q=3"], "'q=3'"),
        (["sequence"], "NETWORK"),
        (["verify", "--activation", "sigmoidal"], "activations must be one of"),
        (["plot", "picture"], "kind must be one of"),
        (["plot", "all", "--k", "3"], "all takes no"),
        (["plot", "map", "--k", "3"], "k can be given for"),
        (["plot", "portrait", "--trials", "8"], "trials can be given for"),
        (["plot", "random", "--trials", "5"], "trials must be"),
        (["plot", "portrait", "--activation", "sigmoidal"], "activation must be one of"),
    ],
)
def test_wrong_usage_is_one_line_and_exits_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments, message
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, "theory", *arguments)
    assert status == 2
    assert out == ""
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())
