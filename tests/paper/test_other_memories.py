"""Tables of other groups: the rivals, and each experiment at its smallest."""

from pathlib import Path

import numpy as np
import pytest

from attrax.paper import COMPARISONS, EXPERIMENTS, planned
from attrax.paper._predictive import size_of, units_for
from attrax.paper._rival_autoencoders import autoencoders
from attrax.paper._rival_counts import OURS, counted
from attrax.paper._rival_memories import (
    SEPARATIONS,
    SIMILARITIES,
    best_of,
    classical_hopfield,
    modern_hopfield,
    nearest_neighbor_memory,
    separated,
    similarities,
    universal_hopfield,
)
from attrax.paper._rival_tables import Published, pooled, side_by_side
from attrax.paper._scaffold import hebbian, hidden_for, mesh, mesh_size, pseudo_inverse
from attrax.paper.experiments import salvatori
from attrax.paper.sweeps import CellRecord, CellStatus, ResultStore, Work, sweep

DRAW = np.random.default_rng(0)
ROWS = DRAW.uniform(size=(7, 12))


@pytest.mark.parametrize("similarity", SIMILARITIES)
def test_similarities_are_what_they_say(similarity: str) -> None:
    cues, known = DRAW.uniform(size=(3, 12)), DRAW.uniform(size=(3, 12)) < 0.6
    wanted = {
        "dot": lambda row, cue: row @ cue,
        "cosine": lambda row, cue: row @ cue / np.linalg.norm(row) / np.linalg.norm(cue),
        "euclidean": lambda row, cue: -np.sum((row - cue) ** 2),
        "manhattan": lambda row, cue: -np.sum(np.abs(row - cue)),
    }[similarity]
    every = [[wanted(row, cue) for row in ROWS] for cue in cues]
    np.testing.assert_allclose(similarities(ROWS, cues, similarity), every)
    some = [[wanted(row[one], cue[one]) for row in ROWS] for cue, one in zip(cues, known, strict=True)]
    np.testing.assert_allclose(similarities(ROWS, cues, similarity, known), some)


@pytest.mark.parametrize("separation", SEPARATIONS)
def test_separations_are_weights_that_favor_the_best(separation: str) -> None:
    for scores in (DRAW.normal(size=(4, 6)), -DRAW.uniform(size=(4, 6))):
        weights = separated(scores, separation, 2.0)
        np.testing.assert_allclose(weights.sum(axis=1), 1)
        assert (weights.argmax(axis=1) == scores.argmax(axis=1)).all()
    sharp = separated(scores, separation, 1e3)
    assert (sharp.max(axis=1) > 0.99).all()


def test_known_entries_decide_for_masked_neighbors() -> None:
    known = np.arange(12) < 4
    cues = np.where(known, ROWS, 5.0)
    told = np.broadcast_to(known, cues.shape)
    masked, plain = nearest_neighbor_memory(ROWS, masked=True), nearest_neighbor_memory(ROWS)
    np.testing.assert_array_equal(masked.answer(cues, told), ROWS)
    assert len(np.unique(plain.answer(cues, told), axis=0)) < len(ROWS)
    targets = DRAW.uniform(size=ROWS.shape)
    np.testing.assert_array_equal(
        universal_hopfield(ROWS, "euclidean", "max", targets=targets).answer(ROWS, None), targets
    )


def test_the_sharpness_is_the_best_on_the_tuning_cues() -> None:
    cues = ROWS + 0.01 * DRAW.normal(size=ROWS.shape)
    chosen = best_of(modern_hopfield(ROWS), cues, ROWS, 1e-4)
    blunt = universal_hopfield(ROWS, "dot", "softmax", 1e-3, steps=5)

    def error(memory):
        return np.mean((memory.answer(cues, None) - ROWS) ** 2)

    assert error(chosen) < error(blunt)
    assert best_of([blunt, chosen], cues, ROWS, 1e-4) is chosen


def test_hopfield_networks_keep_their_patterns() -> None:
    signs = np.where(DRAW.uniform(size=(4, 60)) < 0.5, -1.0, 1.0)
    flipped = signs.copy()
    flipped[:, :3] *= -1
    for memory in (hebbian(signs), pseudo_inverse(signs), mesh(signs, labels=6, hidden=120, seed=0)):
        np.testing.assert_array_equal(memory.answer(flipped, None), signs)
        assert memory.num_bytes == 4 * memory.parameters
    binary = (signs + 1) / 2
    found = classical_hopfield(binary)
    assert found.references is not None
    np.testing.assert_array_equal(found.answer(binary, None), found.references)
    with pytest.raises(ValueError, match="labels must give a state to each of 4 patterns; 3 have 1"):
        mesh(signs, labels=3, hidden=8, seed=0)
    assert mesh_size(64, 15, hidden_for(64, 15, 20_000)) <= 20_000 < mesh_size(64, 15, hidden_for(64, 15, 20_000) + 1)


def test_mesh_keeps_part_of_every_pattern_beyond_capacity() -> None:
    signs = np.where(DRAW.uniform(size=(200, 220)) < 0.5, -1.0, 1.0)
    right = {
        name: (make(signs).answer(signs, None) == signs).mean()
        for name, make in (("mesh", lambda rows: mesh(rows, labels=12, hidden=100, seed=0)), ("hebbian", hebbian))
    }
    assert right["mesh"] > 0.8 > right["hebbian"]


def test_predictive_coding_writes_and_completes() -> None:
    settings = {"units": [], "epochs": 600, "read_steps": [300], "ae": None, "task": "completion", "seed": 0}
    ((memory,),) = salvatori._trained(settings, ROWS, size_of(12, 24), Work(lambda *_: None))
    assert memory.name == "predictive coding (own), size of ours"
    assert memory.parameters == size_of(12, 24)
    assert memory.num_bytes == 4 * memory.parameters
    assert np.mean((memory.answer(ROWS, None) - ROWS) ** 2) < 1e-3
    known = np.broadcast_to(np.arange(12) < 8, ROWS.shape)
    cues = np.where(known, ROWS, ROWS.mean(axis=0))
    answers = memory.answer(cues, known)
    np.testing.assert_array_equal(answers[known], ROWS[known])
    # What is unknown is filled in better than by the mean, and does not affect the answer.
    assert np.mean((answers - ROWS) ** 2) < 0.5 * np.mean((cues - ROWS) ** 2)
    np.testing.assert_allclose(memory.answer(np.where(known, ROWS, 9.0), known), answers, atol=1e-6)
    assert size_of(12, units_for(12, 5000)) <= 5000 < size_of(12, units_for(12, 5000) + 1)


def test_autoencoders_are_applied_once_or_again() -> None:
    once, again = autoencoders(ROWS[:3].astype(np.float32), width=16, depth=1, epochs=40, seed=0)
    state = ROWS[:3]
    for _ in range(100):
        state = once.answer(state, None)
    np.testing.assert_allclose(again.answer(ROWS[:3], None), state, rtol=1e-4, atol=1e-5)
    assert once.parameters == again.parameters == 12 * 16 + 16 + 16 * 12 + 12


def test_rates_are_pooled_with_wilsons_interval() -> None:
    cell = COMPARISONS["salvatori"].cells("smoke", "attrax", 0)[0]
    truth = np.zeros((10, 2))
    answers = truth.copy()
    answers[8:] = 0.5
    answers[7] = 0.01
    entry = counted("x", "s", (3, "c"), answers, truth, threshold=1e-3, parameters=5, num_bytes=20, certified=(9, 10))
    assert (entry["good"], entry["exact"], entry["total"]) == (8, 7, 10)
    records = [CellRecord(cell, CellStatus.DONE, {"rows": [entry, entry]}, {}, 1.0)]
    (one,) = pooled(records)
    assert (one.good, one.total, one.certified) == (16, 20, ((9, 10), (9, 10)))
    assert one.interval[0] < 0.8 < one.interval[1]
    (table,) = side_by_side(records, "", ("n", "cue"), "1e-3", [Published(("3", "c"), "theirs", "about 40", "a paper")])
    theirs, ours = table.rows
    assert theirs[:2] == ours[:2] == ("3", "c")
    assert (theirs[6], theirs[-1]) == ("about 40", "a paper")
    assert ours[4:7] == ("5", "20", "80 (58.4 to 91.9)")
    assert len(table.head) == len(theirs) == len(ours)
    known = np.broadcast_to(np.array([True, False]), truth.shape)
    half = np.where(known, 9.0, 0.0)
    options = {"threshold": 1e-3, "parameters": 1, "num_bytes": 4}
    assert counted("x", "s", (), half, truth, known=known, **options)["good"] == 10


def test_small_networks_get_the_same_cues() -> None:
    cells = salvatori.cells("quick", "attrax", 0)
    places = {(cell.settings["n"], cell.seeds) for cell in cells if cell.name.startswith("denoising-")}
    small = [cell for cell in cells if cell.name.startswith("small-")]
    assert places <= {(cell.settings["n"], cell.seeds) for cell in small}
    tiny = salvatori.cells("smoke", "attrax", 0)[0].settings
    own = {salvatori.SMALL: {"width": 24, "corruptions": ["gaussian:0.5"], "epochs": 200}}
    work = Work(lambda *_: None)
    (row,) = salvatori.run_small({**tiny, "own": own}, work).numbers["rows"]
    (beside, *_) = salvatori.run({**tiny, "own": {"margin": {}}, "trained": False}, work).numbers["rows"]
    assert row["method"] == OURS + salvatori.SMALL
    assert (row["place"], row["total"], row["certified"][1]) == (beside["place"], beside["total"], beside["total"])
    # Its summary asks for the certificates, too.
    record = CellRecord(small[0], CellStatus.DONE, {"rows": [{**row, "good": 6, "certified": [6, 6]}]}, {}, 1.0)
    assert str(salvatori.summarize([record]).outcome) == "reproduced"
    record.numbers["rows"][0]["certified"] = [5, 6]
    assert str(salvatori.summarize([record]).outcome) == "partly"


def test_rivals_stand_for_all_comparisons() -> None:
    assert not COMPARISONS.keys() & EXPERIMENTS.keys()
    assert [one.id for one, _, _ in planned(["rivals"], scale="smoke")] == list(COMPARISONS)
    assert {one.group for one, _, _ in planned(scale="smoke")} == {"paper"}
    for scale in ("smoke", "quick"):
        for _, _, cells in planned(["rivals"], scale=scale):
            assert len({cell.name for cell in cells}) == len(cells)
            assert len({cell.fingerprint for cell in cells}) == len(cells)


@pytest.mark.parametrize("name", list(COMPARISONS))
def test_every_comparison_runs(name: str, tmp_path: Path) -> None:
    one = COMPARISONS[name]
    with ResultStore(tmp_path / "results.sqlite") as store:
        found = list(sweep(one.cells("smoke", "attrax", 0), store, jobs=1))
    assert [record.message for record in found if record.status != "done"] == []
    assert str(one.summarize(found).outcome) in {"reproduced", "partly", "not"}
    assert len(one.draw(found)) > 0
    tables = one.tabulate(found)
    assert tables
    for table in tables:
        assert {len(row) for row in table.rows} == {len(table.head)}
        assert {"parameters", "bytes"} <= set(table.head)
        assert any(row[table.head.index("method")].startswith((OURS, "their")) for row in table.rows)
