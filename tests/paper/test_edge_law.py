"""The experiment on radii while training goes on at a fixed rate."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from attrax.paper import Outcome, planned
from attrax.paper._law import law
from attrax.paper.experiments.edge import EXPERIMENT, run
from attrax.paper.sweeps import Cell, CellRecord, CellStatus, Work

CONSTANT = 0.05
EPOCHS = (500, 1000, 2000, 4000, 8000, 16_000)


def record(speed: float, width: int, depth: int, *, held: bool = False, off: float = 1.0, **changed: Any) -> CellRecord:
    """A network with R = 1.2/(1 + (t/T)²) and T = 4000 (.01/speed) (width/64)^¼ (10/depth)² √(n/20), R times `off`."""
    settings = {"speed": speed, "width": width, "depth": depth, "held": held, "n": 20, "side": 8, "source": "natural"}
    settings |= {"optimizer": "rmsprop", "activation": "selu"} | changed
    time = 4000 * (0.01 / speed) * (width / 64) ** 0.25 * (10 / depth) ** 2 * (settings["n"] / 20) ** 0.5
    radii = [(epochs, off * 1.2 / (1 + (epochs / time) ** 2)) for epochs in EPOCHS]
    rows = [[epochs, 1e-3, radius, 1e-6, radius, 2 * radius, 1] for epochs, radius in radii]
    numbers = {"rate": speed / width, "constant": CONSTANT, "rows": rows}
    name = "-".join(map(str, settings.values()))
    return CellRecord(Cell("edge", name, "m:f", settings), CellStatus.DONE, numbers, {}, 1.0)


FITTED = [record(*place) for place in product((0.025, 0.05), (32, 64), (8, 10))]


def test_the_law_finds_its_constants_and_predicts_what_was_held_back() -> None:
    found = law([*FITTED, record(0.04, 48, 14, held=True)])
    assert found is not None
    assert found.kinds == ("rmsprop, selu",)
    np.testing.assert_allclose(np.exp(found.constants[0, :2]), [1.2, 4000], rtol=1e-3)
    np.testing.assert_allclose(found.constants[0, 2:], [-1, 0.25, -2, 0, 2], rtol=1e-3)
    np.testing.assert_allclose(found.predicted, found.measured, atol=1e-3)
    assert found.factor == pytest.approx(1, abs=1e-4)
    assert len(found.held) == len(EPOCHS)


def test_the_number_of_pictures_counts_where_it_differs() -> None:
    others = [record(0.025, 64, 10, n=n) for n in (10, 40)]
    found = law([*FITTED, *others, record(0.04, 48, 14, held=True, n=30)])
    assert found is not None
    np.testing.assert_allclose(found.constants[0, 2:], [-1, 0.25, -2, 0.5, 2], rtol=1e-3)
    np.testing.assert_allclose(found.predicted, found.measured, atol=1e-3)
    alone = law([*FITTED, record(0.04, 48, 14, held=True)])
    assert alone is not None
    assert alone.errors[0, 5] == 0 < found.errors[0, 5]


def test_errors_are_those_of_networks_not_of_measurements() -> None:
    # Each network is off by a factor of its own; measuring it more often must not make the errors smaller.
    draws = np.exp(0.2 * np.random.default_rng(0).standard_normal(24))
    places = product((0.0125, 0.025, 0.05), (32, 64, 128, 256), (8, 10))
    networks = [record(*place, off=float(off)) for place, off in zip(places, draws, strict=True)]
    held = record(0.04, 48, 14, held=True)
    once = law([*networks, held])
    for one in networks:
        one.numbers["rows"] *= 4
    often = law([*networks, held])
    assert once is not None
    assert often is not None
    np.testing.assert_allclose(often.errors, once.errors, rtol=1e-3)
    told = [2, 3, 4, 6]
    away = np.abs(once.constants[0] - [0, 0, -1, 0.25, -2, 0, 2])[told] / once.errors[0, told]
    assert (away < 4).all()
    assert once.errors[0, 0] == pytest.approx(0.2 / np.sqrt(24), rel=1.0)


@pytest.mark.parametrize(
    ("off", "wanted"),
    [(1.0, Outcome.REPRODUCED), (1.9, Outcome.REPRODUCED), (2.1, Outcome.NOT), (0.4, Outcome.NOT)],
)
def test_a_prediction_counts_within_a_factor_of_two(off: float, wanted: Outcome) -> None:
    records = [*FITTED, record(0.05, 48, 14, held=True, off=off)]
    assert EXPERIMENT.summarize(records).outcome is wanted
    (drawing,) = EXPERIMENT.draw(records)
    assert "20 gray pictures of 8×8" in drawing.caption
    constants, powers, of_the_paper, measured = EXPERIMENT.tabulate(records)
    right = len(EPOCHS) if wanted is Outcome.REPRODUCED else 0
    assert constants.rows[0][:2] == ("rmsprop, selu", "1.20")
    assert constants.rows[0][-1] == f"{right} of {len(EPOCHS)}"
    assert powers.rows[0][-1].startswith("+2.00")
    assert len(of_the_paper.rows) == 1
    assert len(measured.rows) == 9 * len(EPOCHS)


def test_radii_that_any_formula_predicts_decide_nothing() -> None:
    # As predicted, but only one of five is below .3; then most of them, in less than two decades.
    assert EXPERIMENT.summarize([*FITTED, record(0.02, 48, 6, held=True)]).outcome is Outcome.INCONCLUSIVE
    near = record(0.05, 48, 14, held=True)
    near.numbers["rows"] = near.numbers["rows"][1:3]
    assert EXPERIMENT.summarize([*FITTED, near]).outcome is Outcome.INCONCLUSIVE


def test_small_radii_must_be_predicted_as_well() -> None:
    # Nine of ten are within a factor of two, but of those below .3 only four of five.
    right = [record(0.01, 48, 6, held=True, name=name) for name in "ab"]
    deep = [record(0.05, 48, 14, held=True, name=name) for name in "abc"]
    assert EXPERIMENT.summarize([*FITTED, *right, *deep]).outcome is Outcome.REPRODUCED
    for one in deep:
        one.numbers["rows"][-1][4] /= 3
    summary = EXPERIMENT.summarize([*FITTED, *right, *deep])
    assert summary.here == pytest.approx(0.9)
    assert summary.outcome is Outcome.PARTLY


def test_what_says_nothing_is_left_out() -> None:
    held = record(0.04, 48, 14, held=True)
    high = record(0.05, 32, 9, off=9.0)
    for row in high.numbers["rows"]:
        row[3] = 0.02 * CONSTANT
    found = law([*FITTED, high, held, record(0.04, 48, 14, held=True, off=9.0, activation="swish")])
    assert found is not None
    # neither a high loss nor a kind that nothing was fitted to
    np.testing.assert_allclose(found.predicted, found.measured, atol=1e-3)
    assert law([held]) is None
    assert EXPERIMENT.summarize([held]).outcome is Outcome.INCONCLUSIVE
    assert EXPERIMENT.summarize([]).outcome is Outcome.UNFINISHED
    assert not EXPERIMENT.draw([])


def test_a_cell_measures_after_each_number_of_epochs() -> None:
    ((_, mode, cells),) = planned(["edge"], scale="smoke")
    assert mode == "paper"
    assert len({cell.name for cell in cells}) == len(cells)
    assert {cell.settings["seed"] for cell in cells if cell.settings["held"]}.isdisjoint(
        cell.settings["seed"] for cell in cells if not cell.settings["held"]
    )
    small = {"n": 2, "side": 2, "width": 2, "depth": 1, "epochs": [1, 3], "source": "natural"}
    found = run({**cells[0].settings, **small}, Work(lambda *_: None))
    assert [row[0] for row in found.numbers["rows"]] == [1, 3]
    assert np.isfinite(found.numbers["rows"]).all()
    assert found.trained
    assert not run({**cells[0].settings, **small, "speed": 1e-6}, Work(lambda *_: None)).trained
