"""Recovery curves and clamped recall on maps where the answers are known, and Wilson's interval by its definition."""

import json
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.stats
from helpers import around

import attrax as ax
from attrax.analysis import (
    CurvePoint,
    default_curves,
    recovery_curves,
    wilson_interval,
)
from attrax.analysis._curves import curve_levels  # the choice of levels by itself
from attrax.cli import main
from attrax.corruptions import known_entries
from attrax.report import curve_figure

ROWS = 10


def together(x: Any) -> Any:
    """Every entry becomes g(m) of the mean m, with g(m) = m²(3 − 2m): all 0 and all 1 attract, all ½ repels."""
    mean = jnp.mean(x)
    return jnp.full_like(x, mean**2 * (3 - 2 * mean))


@pytest.fixture(scope="module")
def memory() -> ax.Memory:
    return around(together, np.zeros((ROWS, 1)), np.ones((ROWS, 1)))


def reaches_one(share: float) -> bool:
    """Whether recall leads to 1 where this share of the entries is held at 1, by its scalar form.

    The other entries begin at the mean of the two examples.
    """
    free = 0.5
    for _ in range(2000):
        mean = share + (1 - share) * free
        free = mean**2 * (3 - 2 * mean)
    return share + (1 - share) * free > 0.5


# --- intervals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "total"), [(0, 10), (1, 10), (5, 10), (10, 10), (98, 100), (3, 4000), (1, 1)])
def test_wilsons_interval(count: int, total: int) -> None:
    low, high = wilson_interval(count, total)
    assert 0 <= low <= count / total <= high <= 1
    # By definition: the rates p whose score (p̂ − p)/√(p(1 − p)/n) is the quantile.
    quantile = scipy.stats.norm.ppf(0.975)
    for end in {low, high} - {0.0, 1.0}:
        assert (count / total - end) ** 2 == pytest.approx(quantile**2 * end * (1 - end) / total)


def test_closed_values_of_wilsons_interval() -> None:
    square = scipy.stats.norm.ppf(0.975) ** 2
    assert wilson_interval(0, 10) == pytest.approx((0.0, square / (10 + square)))
    assert wilson_interval(10, 10) == pytest.approx((10 / (10 + square), 1.0))
    low, high = wilson_interval(5, 10)
    assert low + high == pytest.approx(1)
    assert high - low == pytest.approx(np.sqrt(square / (10 + square)))


# --- known entries --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "occlude:0.5",
        "drop:0.4",
        "uniform:0.4",
        "saltpepper:0.4",
        "half:left,0.5",
        "block:0.3",
        "blocknoise:0.3",
        "drop:0.3+occlude:0.3",
    ],
)
def test_known_entries_are_those_that_come_through(name: str) -> None:
    states = np.random.default_rng(0).random((4, 8, 8)).astype(np.float32)
    known = known_entries(name, states, key=jr.key(5))
    assert known is not None
    cues = ax.corrupt(name, states, key=jr.key(5))
    assert (cues[known] == states[known]).all()
    assert 0 < known.mean() < 1
    # States that no corruption of the kind produces tell all the others apart.
    assert ((cues == states) == known).mean() > 0.999


def test_corruptions_without_known_entries() -> None:
    states = np.ones((2, 8, 8), np.float32)
    for name in ("gaussian:0.1", "blend:0.2", "shift:1", "rotate:5", "contrast:0.5", "drop:0.5+gaussian:0.1"):
        assert known_entries(name, states, key=jr.key(0)) is None


# --- curves ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def curve(memory: ax.Memory) -> tuple[CurvePoint, ...]:
    return recovery_curves(memory, ["occlude:0..1", "gaussian:0.01"], repeats=2, key=jr.key(0))


def test_a_curve_with_known_rates(curve: tuple[CurvePoint, ...]) -> None:
    *occluded, noisy = curve
    assert [point.level for point in occluded] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert [point.name for point in occluded][:2] == ["occlude:0", "occlude:0.2"]
    for point in occluded:
        # All 0 always comes back. All 1 does while more than half is left, clamped as long as its scalar form says.
        # Where nothing is left, clamped recall begins at ½, the fixed point between them.
        left = 1 - point.level
        assert point.cues == 4
        assert point.recovered == 2 * (1 + (left > 0.5))
        assert point.clamped == (2 * (1 + reaches_one(left)) if left > 0 else 0)
        assert point.interval == wilson_interval(point.recovered, 4)
        assert point.clamped_interval == wilson_interval(int(point.clamped or 0), 4)
        assert point.one_nn_rate == (1.0 if left >= 0.5 else 0.5)
    assert any(point.clamped_rate != point.rate for point in occluded)
    assert (noisy.rate, noisy.clamped, noisy.clamped_rate, noisy.clamped_interval) == (1.0, None, None, None)


def test_levels_of_a_range() -> None:
    named = curve_levels(["shift:1..3+occlude:0.5"], (8, 8), 2)
    assert [name for _, _, name in named] == [f"shift:{number}+occlude:0.5" for number in (1, 2, 3)]
    assert {kind for kind, _, _ in named} == {"shift+occlude:0.5"}
    assert curve_levels(["half:left,0.5"], (8, 8), 2) == [("half:left", 0.5, "half:left,0.5")]
    assert len(curve_levels(["gaussian:0.1..1"], (3,), 1)) == 6
    assert curve_levels(["none"], (3,), 1) == [("none", 0.0, "none")]
    every = curve_levels(None, (8, 8), 2)
    assert len(every) == sum(len(levels) for levels in default_curves().values())
    assert {kind for kind, _, _ in curve_levels(None, (8,), 1)} == {
        "gaussian",
        "saltpepper",
        "drop",
        "uniform",
        "contrast",
        "drop:0.5+gaussian",
    }
    for wrong, words in (
        (["gaussian:a..b"], "LO..HI"),
        (["blur:1..2"], "must be one of"),
        (["occlude:0.5"], "needs pictures"),
        (["blend:0.1"], "another example"),
        ([], "at least one"),
        ("gaussian:1", "at least one"),
    ):
        with pytest.raises(ValueError, match=words):
            curve_levels(wrong, (8,), 1)


def test_the_figure_tells_seen_from_unseen(curve: tuple[CurvePoint, ...]) -> None:
    figure = curve_figure(curve)
    assert [axes.get_title().splitlines()[0] for axes in figure.axes] == ["occlude", "gaussian"]
    with pytest.raises(ValueError, match="at least one level"):
        curve_figure([])


def test_the_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    network = ax.maps.MLP((np.zeros((1, 4)), np.zeros((4, 1))), (None, np.full(4, 0.5)), (2, 2), "relu")
    file = ax.save(tmp_path / "m.attrax", ax.Memory(network, ax.Patterns.from_examples(np.full((1, 2, 2), 0.5))))
    arguments = ["analyze", "recovery", file, "--corrupt", "gaussian:0.1..1", "--corrupt", "occlude:0.5"]
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in [*arguments, "-o", tmp_path / "new", "--json"]])
    assert not ended.value.code
    record = json.loads(capsys.readouterr().out)
    assert [point["rate"] for point in record["curves"]] == [1.0] * 7
    assert all(Path(name).stat().st_size > 500 for name in record["files"])
    for options, words in ((["--corrupt", "blur:1"], "must be one of"), (["--repeats", "0"], "repeats")):
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in [*arguments, *options]])
        assert ended.value.code == 2
        assert words in capsys.readouterr().err
