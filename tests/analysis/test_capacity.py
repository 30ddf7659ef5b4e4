"""Noise tolerance, agreement with the nearest neighbor, and capacity, where the answers are known."""

import json
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.stats
from helpers import Snap, around, straight

import attrax as ax
from attrax.analysis import capacity_sweep, content_bits, nearest_agreement, noise_tolerance
from attrax.cli import main
from attrax.report import agreement_figure, capacity_figure, tolerance_figure

RNG = np.random.default_rng(0)

# --- tolerance -----------------------------------------------------------------------------------------

CENTERS, REACHES, SLOPES = (0.0, 20.0), (0.5, 3.0), (0.5, 0.25)


def wells(x: Any) -> Any:
    """Around each center, within its reach, the deviation shrinks by a slope; everything else is thrown far away."""
    found = x + 1e3 + x**2
    for center, reach, slope in zip(CENTERS, REACHES, SLOPES, strict=True):
        found = jnp.where(jnp.abs(x - center) < reach, center + slope * (x - center), found)
    return found


def test_the_tolerance_of_an_interval_is_a_quantile_of_the_noise() -> None:
    # |σZ| < r with a probability of more than 90 % up to σ = r/1.645.
    memory = around(wells, *([center] for center in CENTERS))
    found = noise_tolerance(memory, copies=2000, key=jr.key(0))
    expected = np.array(REACHES) / scipy.stats.norm.ppf(0.95)
    np.testing.assert_allclose(found.sigma, expected, rtol=0.07)
    assert ((found.sigma < found.failed) & (found.failed <= 1.05 * found.sigma)).all()
    assert (found.recovered > 0.9).all()
    np.testing.assert_allclose(found.largest_singular_value, SLOPES)
    np.testing.assert_allclose(found.spectral_radius, SLOPES)
    assert np.isnan(found.rank_correlation), "two examples have no correlation worth the name"
    half = noise_tolerance(memory, copies=2000, rate=0.5, key=jr.key(1))
    np.testing.assert_allclose(half.sigma, np.array(REACHES) / scipy.stats.norm.ppf(0.75), rtol=0.07)


def test_no_noise_and_any_noise() -> None:
    # Doubling drives every noise away; a constant map undoes all of it.
    nothing = noise_tolerance(around(straight(2, 0), [0.0, 0.0]), copies=20, key=jr.key(0))
    assert (nothing.sigma, nothing.recovered, nothing.failed) == (0, 0, 0)
    always = noise_tolerance(around(straight(0, 0.5), [0.5, 0.5]), copies=20, key=jr.key(0))
    assert np.isinf(always.sigma).all()
    for one in (nothing, always):
        assert "20 noisy copies" in tolerance_figure(one).get_suptitle()


def test_a_distance_counts_where_nothing_is_an_attractor() -> None:
    # The end is off by ¼, and an example that repels stays within the distance as long as there are few applications.
    off = around(straight(0, 0.75), [0.5])
    assert noise_tolerance(off, copies=20, key=jr.key(0)).sigma == 0
    assert np.isinf(noise_tolerance(off, copies=20, within=0.3, key=jr.key(0)).sigma).all()
    assert noise_tolerance(off, copies=20, within=0.2, key=jr.key(0)).sigma == 0
    doubled = around(straight(2, 0), [0.0])
    found = noise_tolerance(doubled, copies=2000, within=0.1, max_steps=3, key=jr.key(0))
    np.testing.assert_allclose(found.sigma, 0.1 / 8 / scipy.stats.norm.ppf(0.95), rtol=0.07)
    assert found.within == 0.1


def test_a_cycle_is_met_in_any_phase() -> None:
    # a ↦ −a keeps its modulus; the second entry is halved: only noise on the first one counts, and it is undone.
    def turn(x: Any) -> Any:
        return jnp.stack([-jnp.sign(x[0]), x[1] / 2])

    memory = ax.Memory(turn, ax.Patterns.from_cycles([np.array([[1.0, 0.0], [-1.0, 0.0]])]))
    assert np.isinf(noise_tolerance(memory, copies=20, key=jr.key(0)).sigma).all()
    assert np.isinf(noise_tolerance(memory, copies=20, within=1e-3, key=jr.key(0)).sigma).all()


def test_tolerance_arguments() -> None:
    memory = around(wells, [0.0])
    for wrong, words in (
        ({"copies": 0}, "copies"),
        ({"rate": 1.0}, "rate must be below 1"),
        ({"rate": -0.1}, "rate"),
        ({"precision": 0.0}, "precision"),
        ({"max_steps": 0}, "max_steps"),
        ({"within": 0.0}, "within"),
    ):
        with pytest.raises(ValueError, match=words):
            noise_tolerance(memory, key=jr.key(0), **wrong)


# --- agreement -----------------------------------------------------------------------------------------


def snapping(points: np.ndarray) -> ax.Memory:
    """Goes to the nearest point at once."""
    return around(Snap(points), *points)


def test_a_memory_that_snaps_agrees_everywhere() -> None:
    points = RNG.random((20, 12))
    found = nearest_agreement(snapping(points), ["gaussian:0.2..1.2"], repeats=2, key=jr.key(0))
    assert [point.cues for point in found] == [40] * 6
    for point in found:
        assert point.rate == point.neighbor_rate
        assert point.agreement == 1.0
        assert point.same_wrong == 40 - point.right
        assert point.reached == 40
    assert 0 < found[-1].rate < 1
    other = nearest_agreement(snapping(points), ["gaussian:0.7"], rule="correlation", key=jr.key(0))
    assert other[0].agreement < 1


def test_a_memory_that_always_gives_one_answer() -> None:
    points = RNG.random((10, 8))
    memory = around(lambda x: jnp.asarray(points[3], x.dtype) + 0 * x, *points)
    clean, noisy = nearest_agreement(memory, ["none", "gaussian:0.5"], key=jr.key(0))
    assert (clean.right, clean.neighbor_right, clean.same, clean.same_wrong, clean.reached) == (1, 10, 1, 0, 10)
    cues = ax.corrupt("gaussian:0.5", points, key=jr.fold_in(jr.fold_in(jr.key(0), 1), 0))
    near = np.linalg.norm(cues[:, None] - points, axis=2).argmin(axis=1)
    assert noisy.same == (near == 3).sum()
    assert noisy.same_wrong == ((near == 3) & (np.arange(10) != 3)).sum()


def test_a_memory_without_an_answer_agrees_with_nobody() -> None:
    lost = around(straight(3, 1), *RNG.random((4, 2)))
    (point,) = nearest_agreement(lost, ["gaussian:0.1"], key=jr.key(0))
    assert (point.right, point.same, point.reached) == (0, 0, 0)
    for wrong, words in (({"rule": "manhattan"}, "rule"), ({"repeats": 0}, "repeats"), ({"max_steps": 0}, "max_steps")):
        with pytest.raises(ValueError, match=words):
            nearest_agreement(lost, key=jr.key(0), **wrong)


def test_any_state_of_a_cycle_is_an_answer() -> None:
    cycle = np.array([[1.0, 0.0], [-1.0, 0.0]])
    memory = ax.Memory(lambda x: jnp.stack([-jnp.sign(x[0]), 0 * x[1]]), ax.Patterns.from_cycles([cycle]))
    (point,) = nearest_agreement(memory, ["gaussian:0.1"], repeats=3, key=jr.key(0))
    assert (point.rate, point.neighbor_rate, point.agreement) == (1.0, 1.0, 1.0)


# --- capacity ------------------------------------------------------------------------------------------


def test_bits_of_examples() -> None:
    assert content_bits(RNG.integers(2, size=(8, 1000)).astype(float)) == 8000
    assert content_bits(np.zeros((8, 1000))) < 500
    pictures = np.round(RNG.random((4, 10, 10)) * 255) / 255
    assert content_bits(pictures) == content_bits(pictures.astype(np.float32)) == 8 * 400
    assert 8 * 400 <= content_bits(np.concatenate([pictures] * 4)) < 1.2 * 8 * 400, "repetition adds nearly nothing"
    assert content_bits(RNG.standard_normal((10, 10))) <= 32 * 100
    with pytest.raises(ValueError, match="at least one state"):
        content_bits(np.zeros((0, 3)))


@pytest.fixture(scope="module")
def sweep() -> ax.analysis.CapacitySweep:
    points = np.random.default_rng(1).integers(2, size=(60, 24)).astype(np.float32)
    return capacity_sweep(points, [8, 60], width=48, depth=4, corruption="gaussian:0.5", epochs=800, key=jr.key(0))


def test_a_small_network_holds_few_and_not_many(sweep: ax.analysis.CapacitySweep) -> None:
    few, many = sweep.points
    assert (few.num_examples, few.cues, few.recovered, few.attractors) == (8, 8, 8, 8)
    assert few.bits == few.graded_bits == 8 * 24
    assert few.num_weights == many.num_weights == 24 * 48 + 48 + 3 * (48 * 48 + 48) + 48 * 24 + 24
    assert few.bits_per_weight == 192 / few.num_weights
    assert many.rate < 0.5
    assert many.loss > 1e-6 > few.loss
    assert sweep.cliff == 60
    assert many.bits == pytest.approx(many.rate * 60 * 24)
    assert 0 <= many.graded_bits < 0.1 * 60 * 24
    assert (sweep.dimension, sweep.width, sweep.depth) == (24, 48, 4)


def test_capacity_arguments() -> None:
    points = np.eye(4)
    for numbers, options, words in (
        ([], {}, "at least one number"),
        ([5], {}, "at most 4"),
        ([0], {}, "at least 1"),
        ([2], {"width": 0}, "width"),
        ([2], {"depth": 0}, "depth"),
        ([2], {"epochs": 0}, "epochs"),
        ([2], {"repeats": 0}, "repeats"),
        ([2], {"corruption": "blur:1"}, "must be one of"),
        ([2], {"corruption": "occlude:0.5"}, "needs pictures"),
        ([1], {"corruption": "blend:0.2"}, "start numbers at 2"),
        ([2], {"activation": "step"}, "activation"),
    ):
        with pytest.raises(ValueError, match=words):
            capacity_sweep(points, numbers, key=jr.key(0), **options)


def test_the_figures(sweep: ax.analysis.CapacitySweep) -> None:
    left, right = capacity_figure(sweep).axes
    assert left.get_lines()[0].get_ydata().tolist() == [point.rate for point in sweep.points]
    assert right.get_lines()[0].get_ydata().tolist() == [point.bits_per_weight for point in sweep.points]
    points = RNG.random((20, 12))
    found = nearest_agreement(snapping(points), ["none", "gaussian:0.5..1"], key=jr.key(0))
    one = agreement_figure({"a": found})
    assert [axes.get_title() for axes in one.axes] == ["none", "gaussian"]
    two = agreement_figure({"a": found, "b": found}, {"a": (4, 1), "b": (9, 3)})
    assert [axes.get_xlabel() for axes in two.axes[2:]] == ["entries per state", "hidden layers"]
    with pytest.raises(ValueError, match="at least one memory"):
        agreement_figure({})


# --- the commands --------------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *arguments: Any) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


@pytest.fixture(scope="module")
def corners(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each entry z becomes clip(2z − ½, 0, 1), so it goes to 0 or 1, whichever is nearer; two corners are stored."""
    weights = (np.repeat(2 * np.eye(2), 2, axis=0), np.kron(np.eye(2), [1.0, -1.0]))
    network = ax.maps.MLP(weights, (np.tile([-0.5, -1.5], 2), np.zeros(2)), (2,), "relu")
    memory = ax.Memory(network, ax.Patterns.from_examples(np.eye(2)))
    return ax.save(tmp_path_factory.mktemp("corners") / "corners.attrax", memory)


def test_tolerance_as_a_command(capsys: pytest.CaptureFixture[str], corners: Path, tmp_path: Path) -> None:
    arguments = ["analyze", "tolerance", corners, "--copies", 400, "-o", tmp_path / "new"]
    status, out, err = run(capsys, *arguments, "--json")
    assert (status, err) == (0, "")
    record = json.loads(out)
    # Both entries must move by less than ½: P(|σZ| < ½)² > 0.9, to one side only.
    expected = 0.5 / scipy.stats.norm.ppf(np.sqrt(0.9))
    assert [row["sigma"] for row in record["examples"]] == pytest.approx([expected] * 2, rel=0.15)
    assert record["rank_correlation"] is None
    assert all(Path(name).stat().st_size > 500 for name in record["files"])
    status, out, _ = run(capsys, *arguments)
    assert (status, "median" in out) == (0, True)
    status, out, _ = run(capsys, *arguments, "--within", "0.01", "--json")
    assert (status, json.loads(out)["within"]) == (0, 0.01)
    assert run(capsys, "analyze", "tolerance", corners, "--rate", "1")[0] == 2


def test_nearest_as_a_command(capsys: pytest.CaptureFixture[str], corners: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.attrax"
    other.write_bytes(corners.read_bytes())
    arguments = ["analyze", "nearest", corners, other, "--corrupt", "gaussian:0.1..0.4", "-o", tmp_path / "new"]
    status, out, err = run(capsys, *arguments, "--json")
    assert (status, err) == (0, "")
    record = json.loads(out)
    assert [row["name"] for row in record["memories"]] == ["corners", "other"]
    assert {row["entries"] for row in record["memories"]} == {2}
    assert len(record["memories"][0]["points"]) == 6
    assert record["memories"][0]["points"] == record["memories"][1]["points"]
    assert record["memories"][0]["points"][0]["agreement"] == 1.0
    assert all(Path(name).stat().st_size > 500 for name in record["files"])
    status, out, _ = run(capsys, *arguments)
    assert (status, "mean agreement" in out) == (0, True)
    status, _, err = run(capsys, "analyze", "nearest", corners, corners)
    assert (status, "named once" in err) == (2, True)
    assert run(capsys, "analyze", "nearest", corners, "--rule", "manhattan")[0] == 2


def test_capacity_as_a_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["analyze", "capacity", "random:16", "--numbers", "2", "--width", 16, "--depth", 1, "--epochs", 50]
    status, out, err = run(capsys, *arguments, "-o", tmp_path / "new", "--json")
    assert (status, err) == (0, "")
    record = json.loads(out)
    assert [point["num_examples"] for point in record["points"]] == [2]
    assert record["dimension"] == 16
    assert all(Path(name).stat().st_size > 500 for name in record["files"])
    status, out, _ = run(capsys, *arguments)
    assert (status, "bits/weight" in out) == (0, True)
    for wrong, words in (
        (["random:x"], "number of entries"),
        (["random:8", "digits"], "only source"),
        (["random:8", "--shuffle"], "leave them out"),
        (["digits", "--numbers", "3,a"], "whole numbers"),
        (["digits", "--numbers", "5000"], "at most 1797"),
    ):
        status, out, err = run(capsys, "analyze", "capacity", *wrong)
        assert (status, out) == (2, ""), wrong
        assert words in err


@pytest.mark.parametrize("command", ["tolerance", "nearest", "capacity"])
def test_help_has_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    status, out, _ = run(capsys, "analyze", command, "--help")
    assert status == 0
    assert f"Example: attrax analyze {command}" in " ".join(out.split())
