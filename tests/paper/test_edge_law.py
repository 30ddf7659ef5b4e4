"""The experiment on radii while training goes on at a fixed rate."""

from itertools import product
from typing import Any

import numpy as np
import pytest

from attrax.paper import Outcome, planned
from attrax.paper.experiments.edge import EXPERIMENT, law, run
from attrax.paper.sweeps import Cell, CellRecord, CellStatus, Work

CONSTANT = 0.05


def record(speed: float, width: int, depth: int, *, held: bool = False, off: float = 1.0, **changed: Any) -> CellRecord:
    """A network whose median radius is 40 (rate × width)^-1 epochs^-0.5 width^0.25 / depth, times `off`."""
    settings = {"speed": speed, "width": width, "depth": depth, "held": held, "n": 4, "side": 8, "source": "natural"}
    settings |= {"optimizer": "adam", "activation": "selu"} | changed
    radii = [(epochs, off * 40 / speed * epochs**-0.5 * width**0.25 / depth) for epochs in (100, 400, 1600)]
    rows = [[epochs, 1e-5, radius, 2 * radius, 1] for epochs, radius in radii]
    numbers = {"rate": speed / width, "constant": CONSTANT, "rows": rows}
    return CellRecord(Cell("edge", "x", "m:f", settings), CellStatus.DONE, numbers, {}, 1.0)


FITTED = [record(*place) for place in product((0.1, 0.2), (16, 64), (2, 4))]


def test_the_law_finds_powers_and_predicts_what_was_held_back() -> None:
    found = law([*FITTED, record(0.15, 32, 3, held=True)])
    assert found is not None
    assert found.kinds == ("adam, selu",)
    np.testing.assert_allclose(found.powers, [-1, -0.5, 0.25, -1], atol=1e-9)
    np.testing.assert_allclose(10**found.constants, [40])
    np.testing.assert_allclose(found.predicted, found.measured)
    assert len(found.measured) == 3


@pytest.mark.parametrize(("off", "wanted"), [(1.9, Outcome.REPRODUCED), (2.1, Outcome.NOT), (0.4, Outcome.NOT)])
def test_a_prediction_counts_within_a_factor_of_two(off: float, wanted: Outcome) -> None:
    records = [*FITTED, record(0.15, 32, 3, held=True, off=off)]
    assert EXPERIMENT.summarize(records).outcome is wanted
    (drawing,) = EXPERIMENT.draw(records)
    assert "4 gray pictures of 8×8" in drawing.caption
    formula, measured = EXPERIMENT.tabulate(records)
    assert formula.rows[-1] == ("power of depth", "-1.000")
    assert len(measured.rows) == 27


def test_what_says_nothing_is_left_out() -> None:
    held = record(0.15, 32, 3, held=True)
    high = record(0.1, 16, 2, off=9.0)
    for row in high.numbers["rows"]:
        row[1] = 0.02 * CONSTANT
    found = law([*FITTED, high, held, record(0.15, 32, 3, held=True, off=9.0, activation="swish")])
    assert found is not None
    np.testing.assert_allclose(found.predicted, found.measured)  # a high loss, and a kind that nothing was fitted to
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
    assert not found.trained
