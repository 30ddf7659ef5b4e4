"""The experiment on how recall, weights, seconds and bytes grow with the number of examples."""

from typing import Any

import pytest

from attrax.paper import Outcome, planned
from attrax.paper.experiments.capacity import EXPERIMENT, run
from attrax.paper.sweeps import Cell, CellRecord, CellStatus, Work


def record(writer: str, n: int, recalled: float = 1.0, neighbor: float = 1.0) -> CellRecord:
    """A memory that takes n² seconds, and as many weights as the examples have entries."""
    numbers = {
        "n": n,
        "entries": 64,
        "network": "one",
        "parameters": 64 * n,
        "bytes": 256 * n,
        "seconds": float(n * n),
        "loss": 0.0,
        "certified": n,
        "cues": n,
        "recalled": recalled,
        "neighbor": neighbor,
        "content": 128 * n,
    }
    cell = Cell("capacity", f"{writer}-{n}", "m:f", {"writer": writer, "n": n, "corruption": "gaussian:0.5"})
    return CellRecord(cell, CellStatus.DONE, numbers, {}, 1.0)


def test_growth_is_fitted_for_each_writer_and_bits_count_what_is_recalled() -> None:
    records = [record("default", n, recalled=0.5) for n in (10, 100, 1000)] + [record("constructed", 10)]
    memories, growth = EXPERIMENT.tabulate(records)
    assert growth.rows == (("default", "2.00", "1.00", "1.00"), ("constructed", "–", "–", "–"))
    assert [row[-1] for row in memories.rows] == ["1.000"] * 3 + ["2.000"]
    assert "n^2.00 (default)" in EXPERIMENT.summarize(records).text
    (drawing,) = EXPERIMENT.draw(records)
    assert "2·H·64 weights" in drawing.caption


@pytest.mark.parametrize(
    ("recalled", "wanted"),
    [((0.995, 1.0), Outcome.REPRODUCED), ((0.98, 1.0), Outcome.PARTLY), ((0.4, 0.3), Outcome.NOT)],
)
def test_every_memory_must_keep_up_with_the_nearest_neighbor(recalled: tuple[float, float], wanted: Outcome) -> None:
    records = [record("default", n, share) for n, share in zip((10, 20), recalled, strict=True)]
    assert EXPERIMENT.summarize(records).outcome is wanted


def test_nothing_is_drawn_of_nothing() -> None:
    assert EXPERIMENT.summarize([]).outcome is Outcome.UNFINISHED
    assert not EXPERIMENT.draw([])
    assert not EXPERIMENT.tabulate([])


def test_a_cell_stores_and_recalls() -> None:
    ((_, mode, cells),) = planned(["capacity"], scale="smoke")
    assert mode == "attrax"
    assert {cell.settings["writer"] for cell in cells} == {"trained", "default", "constructed"}
    settings: dict[str, Any] = dict(next(cell for cell in cells if cell.settings["writer"] == "constructed").settings)
    numbers = run({**settings, "n": 3}, Work(lambda *_: None)).numbers
    assert numbers["certified"] == numbers["n"] == 3
    assert numbers["recalled"] == numbers["neighbor"] == 1.0
    assert numbers["bytes"] > 0
