"""What a run will take, said before it begins."""

from dataclasses import replace
from pathlib import Path

import pytest

from attrax.paper import expected, planned
from attrax.paper._cost import core_seconds, training_products  # what the estimate is made of
from attrax.paper.sweeps import Cell, CellRecord, CellStatus, ResultStore


@pytest.mark.parametrize(
    ("settings", "weights", "examples"),
    [
        ({"n": 2, "source": "digits"}, 2 * 64 * 5 + 2 * 25, 2),
        ({"n": 2, "source": "cifar10", "gray": True}, 2 * 1024 * 5 + 2 * 25, 2),
        ({"n": 2, "source": "cifar10", "side": 8}, 2 * 192 * 5 + 2 * 25, 2),
        ({"n": 2, "source": "mnist", "side": 8}, 2 * 64 * 5 + 2 * 25, 2),
        ({"frames": 7, "side": 8}, 2 * 64 * 5 + 2 * 25, 7),
        ({"n": 2, "source": "cifar10", "coordinates": 0}, 2 * 2 * 5 + 2 * 25, 2),
    ],
)
def test_products_are_those_of_all_weights_for_all_examples_in_three_passes(
    settings: dict[str, object], weights: int, examples: int
) -> None:
    sizes = {"width": 5, "depth": 3, "epochs": 10}
    assert training_products({**settings, **sizes}) == 3 * examples * weights * 10
    assert training_products({**settings, **sizes, "epochs": [4, 10]}) == 3 * examples * weights * 10
    assert training_products({**settings, **sizes, "seeds": [1, 2]}) == 2 * 3 * examples * weights * 10


def test_a_writer_that_chooses_its_network_is_not_counted() -> None:
    assert training_products({"n": 3, "source": "digits"}) is None
    assert core_seconds(Cell("mine", "one", "m:f", {"n": 3, "seed": 0})) is None


def test_limits_of_time_are_kept() -> None:
    endless = Cell("mine", "one", "m:f", {"width": 999, "depth": 99, "epochs": 10**12, "seed": 0}, time_limit=70.0)
    assert core_seconds(endless) == 70.0
    assert core_seconds(replace(endless, settings={**endless.settings, "seconds": 30})) == 30


def test_finished_cells_are_not_counted(tmp_path: Path) -> None:
    plan = planned(["fig3"], scale="smoke")
    path = tmp_path / "results.sqlite"
    before = expected(plan, path)
    assert not path.exists()
    assert (before.cells, before.known, before.counted) == (2, 0, 1)
    assert before.core_seconds > 0
    first = plan[0][2][0]
    with ResultStore(path) as store:
        store.add(CellRecord(first, CellStatus.DONE, {}, {}, 1.0))
    after = expected(plan, path)
    assert (after.cells, after.known, after.counted, after.core_seconds) == (2, 1, 0, 0.0)
    assert after.text == "1 of 2 cells are to run, none for more than 10 minutes."
