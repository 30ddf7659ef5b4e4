"""Tables of stored examples: their cells, the paper's numbers and readings, and the order of both."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import scipy.stats
from helpers.training import network

import attrax as ax
from attrax.paper import EXPERIMENTS
from attrax.paper._networks import radii_at
from attrax.paper._paper_tables import ACTIVATIONS, PAPER, PAPER_FIG15, PAPER_FIG16
from attrax.paper._pictures import data_source, least_distance, pictures
from attrax.paper._ranks import compare_ranks, rank_agreement
from attrax.paper._tables import LOW_LOSS, Entry, Table, entry_settings, run
from attrax.paper._tables_report import paper_text, rank_text, storage_figure, storage_table
from attrax.paper.sweeps import CellFound, CellRecord, CellStatus, Work

POINTS = np.random.default_rng(0).random((3, 4)).astype(np.float32)
SMALL: dict[str, Any] = {
    "activation": "swish",
    "optimizer": "adam",
    "rate": None,
    "init": "pytorch",
    "bias": True,
    "n": 3,
    "depth": 2,
    "width": 32,
    "seeds": [0, 1],
    "epochs": 20_000,
    "seconds": None,
    "tol": 1e-6,
    "dtype": "float32",
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("points") / "points.npy"
    np.save(file, POINTS)
    return str(file)


def ran(source: str, checkpoint: Path | None = None, progress: Any = lambda *_: None, **changed: Any) -> CellFound:
    return run({**SMALL, "source": source, **changed}, Work(progress, checkpoint))


def trials(found: CellFound) -> list[dict[str, Any]]:
    return found.numbers["trials"]


# --- the paper's numbers ---------------------------------------------------------------------------


def test_every_reading_has_the_printed_numbers() -> None:
    for table in PAPER.values():
        for row in table.values():
            for reading in row.readings:
                said = [value for value in reading if value is not None]
                assert len(reading) == 6
                assert sorted(said) == sorted(row.printed)
            if row.readings:  # the first one has them in the order of the text
                assert [value for value in row.readings[0] if value is not None] == list(row.printed)
            assert len(set(row.readings)) == len(row.readings)


def test_readings_where_the_text_leaves_them_open() -> None:
    assert PAPER_FIG15["gd"].possible("swish") == (5, None)
    assert PAPER_FIG15["momentum"].possible("cosid") == (21, 2)
    assert PAPER_FIG15["momentum"].possible("selu") == (10,)
    assert len(PAPER_FIG15["momentum_decay"].readings) == 15
    assert set(PAPER_FIG15["momentum_decay"].possible("swish")) == {None, 18, 22}
    assert PAPER_FIG15["rmsprop"].possible("swish") == (49,)
    assert PAPER_FIG16["uniform:0.05"].possible("cosid") == (100, 89)
    assert PAPER_FIG16["uniform:0.1"].possible("sinusoid") == (None, 100)
    assert PAPER_FIG16["uniform:0.15"].possible("relu") == (34,)
    assert PAPER_FIG16["pytorch"].possible("relu") == ()
    assert paper_text(PAPER_FIG16["pytorch"], "relu") == "lost"


# --- cells ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["relu", "sinusoid"])
def test_radii_are_those_of_the_jacobian_at_the_point_itself(activation: str) -> None:
    map = network(np.float64, shape=(2, 2), width=9, depth=3, activation=activation)
    points = POINTS.reshape(3, 2, 2).astype(np.float64)
    with jax.enable_x64(True):
        derivative = jax.jit(jax.jacfwd(map))
        jacobians = [np.asarray(derivative(point)).reshape(4, 4) for point in points]
    expected = [np.abs(np.linalg.eigvals(jacobian)).max() for jacobian in jacobians]
    assert np.allclose(radii_at(map, points), expected, rtol=1e-9)
    # One pattern, but two pictures.
    assert np.allclose(radii_at(map, points[[0, 1, 0]]), np.array(expected)[[0, 1, 0]], rtol=1e-9)


@pytest.fixture(scope="module")
def small(source: str) -> CellFound:
    return ran(source)


def test_a_cell_counts_what_its_networks_store(small: CellFound) -> None:
    assert small.numbers["trained"] == 2
    for seed, trial in zip(SMALL["seeds"], trials(small), strict=True):
        start = ax.maps.mlp((4,), width=32, depth=2, activation="swish", key=jax.random.key(seed))
        alone = ax.training.fit(
            start, POINTS, POINTS, optimizer=ax.training.optimizer("adam"), tol=1e-6, key=jax.random.key(0)
        )
        assert (trial["seed"], trial["status"]) == (seed, "reached")
        assert trial["epochs"] == pytest.approx(alone.epochs, rel=0.02)
        radii = radii_at(alone.map, POINTS)
        assert trial["largest_radius"] == pytest.approx(radii.max(), rel=0.02)
        memory = ax.writing.refine_and_certify(ax.Memory(alone.map, ax.Patterns.from_examples(POINTS)))
        assert memory.certificate is not None
        assert abs(trial["below_one"] - (radii < 1).sum()) <= 1
        assert abs((trial["certified"] or 0) - memory.certificate.num_attractors) <= 1
    entry = Entry(SMALL, trials(small))
    stored, total = entry.stored("below_one")
    assert (stored, total) == (small.numbers["below_one"], small.numbers["below_one_of"])
    assert total == 6
    assert entry.interval("below_one") == ax.analysis.wilson_interval(stored, 6)


def test_without_the_loss_nothing_counts_as_stored(source: str) -> None:
    # Weights near 0 send everything to one point: all radii are tiny, and nothing is stored.
    found = ran(source, init="uniform:0.01", epochs=0)
    assert not found.trained
    assert [trial["status"] for trial in trials(found)] == 2 * ["epochs_over"]
    assert [trial["below_one"] for trial in trials(found)] == [3, 3]
    assert [trial["certified"] for trial in trials(found)] == [None, None]
    entry = Entry(SMALL, trials(found))
    assert entry.stored() == entry.stored("below_one") == (0, 0)
    # Nor where a low loss is enough: the points are about 0.5 apart from their mean in each entry.
    assert entry.stored("below_one_low_loss") == (0, 0)
    assert np.isnan(entry.rate())
    assert entry.interval() is None
    with pytest.raises(ValueError, match="count must be one of"):
        entry.rate("stored")


def test_time_that_runs_out_ends_a_cell(source: str) -> None:
    found = ran(source, seconds=0.0)
    assert {trial["status"] for trial in trials(found)} == {"time_over"}
    assert not found.trained


def test_a_cell_of_one_seed_goes_on_from_its_checkpoint(source: str, small: CellFound, tmp_path: Path) -> None:
    file = tmp_path / "cell.checkpoint"
    begun = trials(ran(source, file, seeds=[0], epochs=100))[0]
    assert (begun["epochs"], begun["status"]) == (100, "epochs_over")
    steps: list[int] = []
    found = trials(ran(source, file, lambda *told: steps.append(told[1]), seeds=[0]))[0]
    # It is the network that is trained with others at once, up to rounding.
    expected = trials(small)[0]
    assert min(steps) > 100
    assert found["status"] == "reached"
    assert found["epochs"] == pytest.approx(expected["epochs"], rel=0.02)
    assert (found["certified"], found["below_one"]) == (expected["certified"], expected["below_one"])
    late = trials(ran(source, tmp_path / "late.checkpoint", seeds=[0], seconds=0.0))[0]
    assert late["status"] == "time_over"
    # The seeds of a cell are trained together, and a checkpoint is of one network.
    ran(source, tmp_path / "several.checkpoint", epochs=1)
    assert not (tmp_path / "several.checkpoint").exists()


def test_scales_name_every_cell() -> None:
    cells = entry_settings("fig15", "full")
    assert len(cells) == 30
    chosen = cells["momentum_decay", "selu"]
    assert (chosen["optimizer"], chosen["activation"], chosen["init"]) == ("momentum_decay", "selu", "pytorch")
    assert (chosen["n"], chosen["width"], chosen["seconds"]) == (100, 1024, 42 * 3600)
    cells = entry_settings("fig16", "quick")
    assert len(cells) == 48
    # a·√(k/3), the growth of a signal from layer to layer, is that of 256 units.
    assert cells["uniform:0.15", "cosid"]["init"] == f"uniform:{0.15 * 2**0.5:.6g}"
    assert entry_settings("fig16", "full")["uniform:0.15", "cosid"]["init"] == "uniform:0.15"
    # One row is in both tables, and need not be run twice.
    assert entry_settings("fig15", "quick")["adam", "relu"] == cells["pytorch", "relu"]
    one, other = (EXPERIMENTS[name].cells("smoke", "paper", 0) for name in ("fig15", "fig16"))
    assert len({cell.fingerprint for cell in (*one, *other)}) == len(one) + len(other) - 2


def test_a_scale_may_have_rates_of_its_own(source: str) -> None:
    cells = entry_settings("fig15", "quick")
    assert (cells["adam", "relu"]["rate"], cells["gd", "relu"]["rate"]) == (1e-3, None)
    assert entry_settings("fig15", "tables")["adam", "relu"]["rate"] is None
    fast, slow, named = (trials(ran(source, rate=rate, epochs=20))[0] for rate in (1e-3, None, 1e-4))
    assert fast["loss"] < slow["loss"]
    assert named["loss"] == slow["loss"]


def test_data_stand_in_for_what_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ATTRAX_DATA", raising=False)
    assert data_source("cifar10") == "natural"
    found = pictures({"source": "natural", "n": 5, "gray": True})
    assert found.shape == (5, 32, 32)
    flat = found.reshape(5, -1).astype(np.float64)
    apart = [np.linalg.norm(flat[i] - flat[j]) for i in range(5) for j in range(i)]
    assert least_distance(found) == pytest.approx(min(apart), rel=1e-9)
    assert pictures({"source": data_source("mnist"), "n": 2, "side": 4}).shape == (2, 4, 4)
    with pytest.raises(ValueError, match="wanted must be one of"):
        data_source("svhn")


# --- tables -----------------------------------------------------------------------------------------


def told(figure: str, counts: dict[tuple[str, str], int | None], *, lost: float = 0.1) -> Table:
    """A table of 100 examples in which so many were stored; `None` for not trained, with `lost` as their loss."""
    rows, columns = (tuple(dict.fromkeys(key[place] for key in counts)) for place in (0, 1))
    entries = {}
    for place, count in counts.items():
        trial = {
            "seed": 0,
            "loss": lost if count is None else 1e-9,
            "epochs": 5,
            "status": "epochs_over" if count is None else "reached",
            "certified": None if count is None else count // 2,
            "below_one": count or 0,
            "largest_radius": 0.5,
        }
        entries[place] = Entry({"n": 100, "depth": 10, "width": 8, "source": "points"}, [trial])
    return Table(figure, rows, columns, entries, 1.0)


def as_printed(figure: str, reading: int = 0) -> dict[tuple[str, str], int | None]:
    return {
        (name, column): row.readings[min(reading, len(row.readings) - 1)][place]
        for name, row in PAPER[figure].items()
        if row.readings
        for place, column in enumerate(ACTIVATIONS)
    }


@pytest.mark.parametrize("reading", [0, 1])
@pytest.mark.parametrize(("figure", "cells"), [("fig15", 22), ("fig16", 28)])
def test_the_papers_own_numbers_agree_with_themselves(figure: str, cells: int, reading: int) -> None:
    # Two complete rows and two with a gap; three and two. The row that may be read in fifteen ways is left out.
    found = rank_agreement(told(figure, as_printed(figure, reading)), reading=reading)
    assert found.cells == found.said == cells
    assert found.spearman == pytest.approx(1)
    assert found.kendall == pytest.approx(1)
    assert found.p_value < 0.001
    assert found.spearman_interval == pytest.approx((1, 1))
    assert "Spearman 1.00" in rank_text(found)


@pytest.mark.parametrize("figure", ["fig15", "fig16"])
def test_the_other_reading_is_compared_with_its_own_numbers(figure: str) -> None:
    swapped = told(figure, as_printed(figure, 1))
    assert rank_agreement(swapped, reading=1).spearman == pytest.approx(1)
    assert rank_agreement(swapped, reading=0).spearman < 0.97


@pytest.mark.parametrize(("figure", "cells"), [("fig15", 18), ("fig16", 20)])
def test_cells_that_are_read_in_one_way_are_the_same_in_both(figure: str, cells: int) -> None:
    # Three columns of the rows with a gap and two whole rows; four columns of five rows.
    found = [rank_agreement(told(figure, as_printed(figure, reading)), reading=None) for reading in (0, 1)]
    assert found[0] == found[1]
    assert (found[0].cells, found[0].said, found[0].reading) == (cells, cells, None)
    assert found[0].spearman == pytest.approx(1)


def test_cells_without_a_trained_network_are_not_compared() -> None:
    counts = as_printed("fig15")
    counts["adam", "relu"] = None
    found = rank_agreement(told("fig15", counts))
    assert (found.cells, found.said) == (21, 22)


def test_a_low_loss_counts_by_its_own_name_only() -> None:
    counts = as_printed("fig15")
    counts["rmsprop", "relu"] = None
    missed = told("fig15", counts, lost=2e-5)
    result = missed.entries["rmsprop", "relu"]
    assert result.stored() == result.stored("below_one") == (0, 0)
    assert result.stored("below_one_low_loss") == (0, 100)
    assert rank_agreement(missed).cells == 21
    assert rank_agreement(missed, count="below_one_low_loss").cells == 22
    plateau = told("fig15", counts, lost=LOW_LOSS).entries["rmsprop", "relu"]
    assert plateau.stored("below_one_low_loss") == (0, 0)


def test_a_table_under_way_shows_what_was_run() -> None:
    counts = as_printed("fig15")
    whole = told("fig15", counts)
    cells = {place: whole.entries[place] for place in (("adam", "relu"), ("rmsprop", "selu"))}
    part = replace(whole, entries=cells)
    assert np.isfinite(part.grid()).sum() == 2
    assert part.grid()[whole.rows.index("rmsprop"), whole.columns.index("selu")] == 0.5
    assert len(storage_table(part, "").rows) == 2
    ours = storage_figure(part).axes[0]
    assert [text.get_text() for text in ours.texts if text.get_text()] == ["50", "19"]
    assert rank_agreement(part).cells == 2


def test_ranks_of_known_orders() -> None:
    up = np.arange(8.0)
    assert compare_ranks(up, up**3).spearman == pytest.approx(1)
    down = compare_ranks(up, -up)
    assert (down.spearman, down.kendall) == pytest.approx((-1, -1))
    assert down.p_value < 0.01
    # Of 4! orders two are as far from 0 as a perfect one.
    few = compare_ranks(up[:4], up[:4])
    assert few.p_value == pytest.approx(2 / 24, abs=0.02)
    # By symmetry there is no order in this one.
    none = compare_ranks(up, np.abs(up - 3.5))
    assert (none.spearman, none.kendall) == pytest.approx((0, 0), abs=1e-12)
    assert none.p_value == 1
    low, high = none.spearman_interval
    assert low < -0.3
    assert high > 0.3
    draw = np.random.default_rng(0)
    one, other = draw.integers(0, 6, 30).astype(float), draw.integers(0, 6, 30).astype(float)
    found = compare_ranks(one, other)
    assert found.spearman == pytest.approx(scipy.stats.spearmanr(one, other).statistic)
    assert found.kendall == pytest.approx(scipy.stats.kendalltau(one, other).statistic)
    assert np.isnan(compare_ranks(np.ones(5), up[:5]).spearman)
    assert "too few" in rank_text(compare_ranks(up[:2], up[:2]))


def as_records(figure: str, counts: dict[tuple[str, str], int | None]) -> list[CellRecord]:
    """Records of the cells of the scale `tables`: so many of 100 stored in the first network, `None` for none."""
    records = []
    parts = EXPERIMENTS[figure].cells("tables", "paper", 0)
    for place, part in zip(entry_settings(figure, "tables"), parts, strict=True):
        count = counts.get(place)
        trial = {
            "seed": 1,
            "loss": 0.1,
            "epochs": 5,
            "status": "time_over",
            "certified": None,
            "below_one": 0,
            "largest_radius": 2.0,
        }
        if count is not None:
            stored = round(count * 25 / 100)
            trial |= {"loss": 1e-9, "status": "reached", "certified": stored, "below_one": stored}
        numbers = {"nearest": 1.0, "trials": [trial]}
        records.append(CellRecord(part, CellStatus.NOT_TRAINED if count is None else CellStatus.DONE, numbers, {}, 1.0))
    return records


# In Fig. 16 the other reading gives so many cells another number that its interval goes below one half.
@pytest.mark.parametrize(("figure", "best"), [("fig15", "reproduced"), ("fig16", "partly")])
def test_the_verdict_of_a_table(figure: str, best: str) -> None:
    summarize = EXPERIMENTS[figure].summarize
    printed = as_printed(figure)
    alike = summarize(as_records(figure, printed))
    assert alike.here == pytest.approx(1, abs=0.01)
    assert alike.outcome == best
    assert f"cells read in one way only, {18 if figure == 'fig15' else 20} of" in alike.text
    reversed_ = {place: None if count is None else 100 - count for place, count in printed.items()}
    assert summarize(as_records(figure, reversed_)).outcome == "not"
    # Three cells in the paper's own order are no order of thirty.
    few = {place: count for place, count in printed.items() if place[1] == "relu"}
    found = summarize(as_records(figure, few))
    assert (found.here, found.outcome) == (None, "inconclusive")
    assert "Of 2" in found.text
    draw = np.random.default_rng(0)
    noise = {place: int(draw.integers(0, 100)) for place in printed}
    assert summarize(as_records(figure, noise)).outcome in ("inconclusive", "not")
    assert summarize(as_records(figure, {})).outcome == "not trained"
    nothing = [replace(one, numbers={}) for one in as_records(figure, {})]
    assert summarize(nothing).outcome == "not trained"
    assert summarize(as_records(figure, printed)[1:]).outcome == "unfinished"
    assert summarize([]).outcome == "unfinished"


def test_text_and_figure_have_both_sides() -> None:
    counts = as_printed("fig15")
    counts["gd", "relu"] = None
    table = told("fig15", counts)
    rows = {row[:2]: row[2:] for row in storage_table(table, "").rows}
    assert len(rows) == 30
    assert rows["gd", "swish"][3:] == ("2 of 100", "0.01 to 0.07", "5 of 100", "0.5", "5 of 100", "5 / –")
    assert rows["gd", "relu"][3:] == ("–", "–", "–", "–", "–", "28")
    figure = storage_figure(table)
    figure.canvas.draw()
    ours, read, loose, paper = figure.axes[:4]
    assert paper.get_title() == "the paper (100 examples)"
    assert [text.get_text() for text in ours.texts][:2] == ["–", "17"]
    assert [text.get_text() for text in read.texts][:2] == ["–", "34"]
    assert [text.get_text() for text in loose.texts][:2] == ["–", "34"]
    assert [text.get_text() for text in paper.texts][:5] == ["28", "34", "10", "5/–", "19/5"]
    assert [text.get_text() for text in paper.texts][12:19] == [*"??????", "97"]


# --- at the largest stable rate --------------------------------------------------------------------


def test_cells_at_the_edge_have_one_network_each_and_the_optimizer_of_their_row() -> None:
    cells = EXPERIMENTS["fig15"].cells("quick", "edge", 0)
    paper = EXPERIMENTS["fig15"].cells("quick", "paper", 0)
    assert len({cell.name for cell in cells}) == len(cells) == 2 * len(paper)
    for cell in cells:
        assert len(cell.settings["seeds"]) == 1
        assert (cell.settings["rate"], cell.settings["seconds"]) == ("edge", None)
        assert cell.name.startswith(f"{cell.settings['optimizer']}-{cell.settings['activation']}-")
    assert {cell.settings["optimizer"] for cell in EXPERIMENTS["fig16"].cells("quick", "edge", 0)} == {"adam"}


def test_a_network_at_the_edge_tells_its_rate(source: str, tmp_path: Path) -> None:
    changed = {"rate": "edge", "seeds": [0], "activation": "selu", "epochs": 600, "tol": 1e-4}
    found = ran(source, tmp_path / "half.checkpoint", **changed)
    (trial,) = trials(found)
    assert trial["edge_rate"] > 1e-4
    assert (trial["status"], found.trained) == ("reached", True)
    assert trial["certified"] == found.numbers["certified"] <= 3
