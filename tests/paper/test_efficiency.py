"""One by one or in sequences: arrangements, networks, and what is read off a grid."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attrax.paper import EXPERIMENTS
from attrax.paper._efficiency import Study, arranged, run
from attrax.paper._efficiency import study as study_of
from attrax.paper._efficiency_figures import efficiency_figure, efficiency_table, spectra_figure, spectra_table
from attrax.paper.sweeps import Cell, CellFound, CellRecord, CellStatus, Work

POINTS = np.random.default_rng(0).random((4, 6)).astype(np.float32)
SETTINGS: dict[str, Any] = {
    "mode": "paper",
    "n": 4,
    "length": 1,
    "depth": 1,
    "width": 8,
    "seed": 0,
    "epochs": 300,
    "seconds": None,
    "tol": 1e-8,
    "activation": "relu",
    "dtype": "float32",
}


@pytest.fixture
def source(tmp_path: Path) -> str:
    np.save(tmp_path / "points.npy", POINTS)
    return str(tmp_path / "points.npy")


def ran(source: str, progress: Any = lambda *_: None, checkpoint: Path | None = None, **changed: Any) -> CellFound:
    return run({**SETTINGS, "source": source, **changed}, Work(progress, checkpoint))


def test_at_the_edge_sequences_have_smaller_networks_and_names_of_their_own() -> None:
    sequences, alone = (EXPERIMENTS[name].cells("quick", "edge", 0) for name in ("fig5", "fig12"))
    assert {cell.settings["length"] for cell in sequences} == {1, 4, 10, 20}
    assert min(cell.settings["width"] for cell in sequences) < min(cell.settings["width"] for cell in alone)
    assert {cell.settings["rate"] for cell in (*sequences, *alone)} == {"edge"}
    names = [cell.name for cell in (*sequences, *alone)]
    assert len({*names}) == len(names)


def test_arrangements_keep_every_example() -> None:
    assert [len(cycle) for cycle in arranged(POINTS, 1).cycles] == [1, 1, 1, 1]
    assert arranged(POINTS, 2).cycles == ((0, 1), (2, 3))
    assert arranged(POINTS, 4).cycles == ((0, 1, 2, 3),)
    assert np.array_equal(arranged(POINTS, 4).targets, np.roll(POINTS, -1, axis=0))
    with pytest.raises(ValueError, match="length must divide the number of examples, 4; got 3"):
        arranged(POINTS, 3)


def test_attrax_stores_all_and_counts_every_example_of_a_cycle(source: str) -> None:
    found = ran(source, mode="attrax", length=2, depth=2, width=24)
    assert found.trained
    assert found.numbers["certified"] == found.numbers["stable"] == 4
    assert found.numbers["writer"] == "K-FAC in whitened coordinates"
    assert found.numbers["loss"] <= 1e-8
    assert found.numbers["parameters"] == 6 * 24 + 24 + 24 * 24 + 24 + 24 * 6 + 6
    assert not len(found.arrays["radii"])


def test_the_papers_mode_has_the_spectra_and_says_what_was_not_trained(source: str) -> None:
    found = ran(source, epochs=3)
    numbers = found.numbers
    assert (found.trained, numbers["certified"], numbers["stable"], numbers["epochs"]) == (False, 0, 0, 3)
    assert numbers["status"] == "loss_not_reached"
    assert found.arrays["radii"].shape == (4,)
    assert found.arrays["eigenvalues"].shape == (4,)  # one percent of six entries is one eigenvalue
    assert np.isfinite(found.arrays["radii"]).all()
    assert not len(ran(source, epochs=3, length=4).arrays["radii"])


def study() -> Study:
    """One by one only the largest network stores all, in one sequence the smallest does; one seed of one fails."""
    counts = {(1, 8): 0, (1, 24): 2, (2, 8): 3, (2, 24): 4}
    places = [(length, depth, width, seed) for length in (1, 4) for depth, width in counts for seed in (0, 1)]

    def missed(own: Any) -> bool:
        return own["length"] == 1 and own["depth"] == 1 and (own["width"], own["seed"]) != (24, 0)

    made = []
    for one in records(places, missed=missed, radii=lambda own: np.full(4, 0.1 * own["depth"])):
        own = one.cell.settings
        count = 0 if missed(own) else 4 if own["length"] == 4 else counts[own["depth"], own["width"]]
        # Sequences strayed too far to be certified.
        numbers = {"stable": count, "certified": 0 if own["length"] == 4 else count}
        arrays = {**one.arrays, "eigenvalues": one.arrays["radii"] / 2}
        made.append(replace(one, numbers={**one.numbers, **numbers}, arrays=arrays))
    found = study_of(made)
    assert found is not None
    return found


def test_the_smallest_network_that_stores_all() -> None:
    found = study()
    assert np.array_equal(found.counts(1), [[np.nan, 2], [3, 4]], equal_nan=True)
    assert found.smallest(1) == (2, 24)
    assert found.smallest(4) == (1, 8)
    # One seed that falls short is enough.
    trials = [
        replace(one, stored=0) if (one.length, one.depth, one.width, one.seed) == (4, 1, 8, 1) else one
        for one in found.trials
    ]
    # Of the others one has fewest parameters: here their number is depth times width.
    assert replace(found, trials=tuple(trials)).smallest(4) == (2, 8)
    table = efficiency_table(found, "All.")
    assert table.head == ("examples", "smallest that stores all", "1×8", "1×24", "2×8", "2×24")
    assert table.rows == (
        ("4 one by one", "2×24", "–", "2", "3", "4"),
        ("1 sequence of 4", "1×8", "4 (0)", "4 (0)", "4 (0)", "4 (0)"),
    )


def test_figures_show_counts_and_spectra() -> None:
    found = study()
    figure = efficiency_figure(found)
    figure.canvas.draw()
    first = figure.axes[0]
    assert [text.get_text() for text in first.texts] == ["–", "2", "3", "4"]
    assert [text.get_text() for text in figure.axes[1].texts] == ["4\n(0)"] * 4
    assert len(first.patches) == 1
    for what, value in (("radii", 0.2), ("eigenvalues", 0.1)):
        panels = spectra_figure(found, what).axes
        assert [axes.get_title() for axes in panels] == ["1×8, not trained", "1×24, trained 1 of 2", "2×8", "2×24"]
        bars = panels[3].patches
        full = [bar for bar in bars if bar.get_height()]
        assert [bar.get_height() for bar in full] == [8]  # both seeds
        assert full[0].get_x() <= value <= full[0].get_x() + full[0].get_width()
        gray = [bar.get_height() for bar in panels[1].patches if bar.get_facecolor()[0] > 0.4]
        assert sum(gray) == 4  # the seed that was not trained


def test_panels_without_values_are_blank() -> None:
    found = study()
    bare = [replace(one, radii=np.zeros(0)) if (one.depth, one.width) == (1, 8) else one for one in found.trials]
    gone = [one for one in bare if (one.depth, one.width) != (2, 8)]
    figure = spectra_figure(replace(found, trials=tuple(gone)), "radii")
    figure.canvas.draw()
    assert [axes.get_title() for axes in figure.axes][::2] == ["1×8, not trained", "2×8, no network"]
    assert [bool(axes.patches) for axes in figure.axes] == [False, True, False, True]


def test_the_numbers_behind_the_spectra() -> None:
    found = study()
    trials = [
        replace(one, radii=np.array([0.5, 1.5, 2.5, np.nan])) if (one.width, one.seed) == (24, 1) else one
        for one in found.trials
    ]
    rows = spectra_table(replace(found, trials=tuple(trials)), "radii", "").rows
    assert rows[0] == ("1", "8", "0 of 2", "–", "–", "–")
    assert rows[1] == ("1", "24", "1 of 2", "0.1", "0", "1")  # the other seed is not trained
    assert rows[3] == ("2", "24", "2 of 2", "0.85 (0.2 to 1.5)", "0.333 (0 to 0.667)", "0.667 (0.333 to 1)")


def test_training_goes_on_from_a_checkpoint(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attrax.training._fit._CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr("attrax.training._fit._WRITING_TIMES", 0.0)
    monkeypatch.setattr("attrax.training._fit._PROGRESS_SECONDS", 0.0)  # a block an epoch
    setting: Any = {"length": 4, "depth": 1, "width": 8, "epochs": 40}
    file = tmp_path / "one.checkpoint"
    first: list[int] = []

    def kill(task: str, done: int, total: int, numbers: dict[str, float]) -> None:
        if done == 20:
            raise KeyboardInterrupt

    def note(task: str, done: int, total: int, numbers: dict[str, float]) -> None:
        first.append(done)

    straight = ran(source, **setting).numbers
    with pytest.raises(KeyboardInterrupt):
        ran(source, kill, file, **setting)
    again = ran(source, note, file, **setting).numbers
    assert first[0] == 20
    assert (again["loss"], again["epochs"]) == (straight["loss"], straight["epochs"]) == (straight["loss"], 40)
    # A writer that is tried later is not stopped by the file of the first.
    file = tmp_path / "two.checkpoint"
    assert ran(source, checkpoint=file, **{**setting, "mode": "attrax", "epochs": 2}).numbers["epochs"] == 4
    # Going on would give a network more than its seconds.
    file = tmp_path / "three.checkpoint"
    ran(source, checkpoint=file, **{**setting, "seconds": 60.0})
    assert not file.exists()


@cache
def first_cell() -> Cell:
    return EXPERIMENTS["fig5"].cells("smoke", "paper", 0)[0]


def records(
    settings: Sequence[Any],
    *,
    missed: Any = lambda own: False,
    stored: Any = lambda own: True,
    radii: Any = lambda own: np.full(4, 0.1),
) -> list[CellRecord]:
    """What the cells of a study would tell: at each setting, whether all four pictures are stored."""
    cell, found = first_cell(), []
    for length, depth, width, seed in settings:
        own = dict(cell.settings) | {"length": length, "depth": depth, "width": width, "seed": seed}
        count = 0 if missed(own) or not stored(own) else 4
        numbers = {
            "writer": "Adam",
            "loss": 1e-9,
            "epochs": 5,
            "parameters": depth * width,
            "certified": count,
            "stable": count,
            "nearest": 1.0,
            "status": "loss_not_reached" if missed(own) else "stored",
        }
        values = radii(own) if length == 1 else np.zeros(0)
        found.append(
            CellRecord(
                replace_settings(cell, own),
                CellStatus.NOT_TRAINED if missed(own) else CellStatus.DONE,
                numbers,
                {"radii": values, "eigenvalues": values},
                1.0,
            )
        )
    return found


def replace_settings(cell: Cell, settings: Any) -> Cell:
    return replace(cell, settings=settings, name=f"{settings['length']}-{settings['depth']}x{settings['width']}")


def without_numbers(record: CellRecord, status: CellStatus) -> CellRecord:
    return CellRecord(record.cell, status, {}, {}, 1.0, "the time limit of 5 s was over")


GRID = [(length, depth, width, 7) for length in (1, 4) for depth in (1, 2) for width in (8, 24)]
ALONE = [setting for setting in GRID if setting[0] == 1]


def shrinking(own: Any) -> np.ndarray:
    """Radii and their spread that fall with depth and width."""
    return np.linspace(0.0, 1.0, 5) * 40 / (own["depth"] * own["width"])


@pytest.mark.parametrize(
    ("experiment", "settings"), [("fig5", GRID), ("fig12", ALONE), ("fig13", ALONE)], ids=["fig5", "fig12", "fig13"]
)
def test_nothing_raises_whatever_became_of_the_cells(experiment: str, settings: Any) -> None:
    one = EXPERIMENTS[experiment]
    assert one.summarize([]).outcome == "unfinished"
    assert not one.draw([])
    assert not one.tabulate([])
    made = records(settings)[:4]
    states = {
        "done": lambda record: record,
        "missed": lambda record: replace(
            record,
            status=CellStatus.NOT_TRAINED,
            numbers={**record.numbers, "status": "diverged", "loss": None},
            arrays={},
        ),
        "late": lambda record: without_numbers(record, CellStatus.NOT_TRAINED),
        "failed": lambda record: without_numbers(record, CellStatus.FAILED),
    }
    pairs = [(one, one, other, other) for one, other in itertools.combinations_with_replacement(states, 2)]
    for chosen in [*pairs, tuple(states)]:
        there = [states[name](record) for name, record in zip(chosen, made, strict=True)]
        summary, drawings, tables = one.summarize(there), one.draw(there), one.tabulate(there)
        failed = chosen.count("failed")
        assert (summary.outcome == "unfinished") is bool(failed), chosen
        assert (f"{failed} of 4 cells failed." in summary.text) is bool(failed), chosen
        if not failed and "done" not in chosen:
            assert summary.outcome == "not trained", chosen
        # All places of the grid are there, whatever became of their networks.
        assert len(tables) == (failed < 4)
        if tables and experiment != "fig5":
            assert len(tables[0].rows) == 4
        said = f"{chosen.count('done')} of {4 - failed} networks reached"
        assert all(said in drawing.caption for drawing in drawings), chosen
        assert len(drawings) == ("done" in chosen or (experiment == "fig5" and failed < 4)), chosen
        assert all(("gray" in drawing.caption) is (chosen.count("done") < 4 - failed) for drawing in drawings), chosen


def test_a_cell_out_of_time_keeps_its_place() -> None:
    made = records(GRID)
    late = [without_numbers(one, CellStatus.NOT_TRAINED) if one.cell.settings["width"] == 24 else one for one in made]
    found = study_of(late)
    assert found is not None
    assert (found.depths, found.widths, found.lengths) == ((1, 2), (8, 24), (1, 4))
    assert np.array_equal(found.counts(1), [[4, np.nan], [4, np.nan]], equal_nan=True)
    assert not found.at(1, 2, 24)[0].trained
    (table,) = EXPERIMENTS["fig5"].tabulate(late)
    assert table.rows[0] == ("4 one by one", "1×8", "4", "–", "4", "–")
    gone = [without_numbers(one, CellStatus.FAILED) if one.cell.settings["width"] == 24 else one for one in made]
    assert EXPERIMENTS["fig5"].tabulate(gone)[0].rows[0] == ("4 one by one", "1×8", "4", "", "4", "")


def test_pictures_belong_to_a_cell() -> None:
    cell = first_cell()
    other = replace(cell, settings={**cell.settings, "source": "svhn"})
    assert other.fingerprint != cell.fingerprint
    with pytest.raises(ValueError, match="svhn"):
        run(other.settings, Work(lambda *_: None))


def outcome(experiment: str, made: list[CellRecord]) -> str:
    return EXPERIMENTS[experiment].summarize(made).outcome


def test_sequences_take_far_smaller_networks() -> None:
    def alone(own: Any) -> bool:
        return own["length"] == 1

    summary = EXPERIMENTS["fig5"].summarize(records(GRID, stored=lambda own: own["length"] == 4 or own["width"] == 24))
    assert (summary.here, summary.low, summary.high, summary.outcome) == (1 / 3, None, None, "reproduced")
    assert "at most 0.5 of the parameters" in summary.text
    assert "4 one by one: 1×24 (4 of 4 networks trained)" in summary.text
    # Smaller, but not far smaller.
    near = records(
        [(*place, 7) for place in itertools.product((1, 4), (1,), (20, 24))],
        stored=lambda own: own["length"] == 4 or own["width"] == 24,
    )
    assert outcome("fig5", near) == "partly"
    # Far smaller, but not in one hidden layer.
    deep = records(GRID, stored=lambda own: (own["depth"], own["width"]) == (2, 24 if alone(own) else 8))
    assert outcome("fig5", deep) == "partly"
    assert outcome("fig5", records(GRID, stored=alone)) == "not"
    # One by one none stores all: it must have been trained, and be large enough.
    assert outcome("fig5", records(GRID, stored=lambda own: not alone(own))) == "reproduced"
    none = EXPERIMENTS["fig5"].summarize(records(GRID, missed=alone))
    assert none.outcome == "inconclusive"
    assert "4 one by one: none stores all (0 of 4 networks trained)" in none.text
    assert "no network as large as that of one sequence" in none.text
    small = records(
        GRID, missed=lambda own: own["width"] == (24 if alone(own) else 8), stored=lambda own: not alone(own)
    )
    assert outcome("fig5", [one for one in small if one.cell.settings["depth"] == 1]) == "inconclusive"
    # A smaller one stores all one by one; what larger ones would do does not matter.
    larger = records(
        [(1, 1, 8, 7), (1, 1, 24, 7), (4, 1, 8, 7), (4, 1, 24, 7)],
        missed=lambda own: own["width"] == (24 if alone(own) else 8),
    )
    assert outcome("fig5", larger) == "partly"
    assert EXPERIMENTS["fig5"].summarize(larger).here == 3
    assert outcome("fig5", records(GRID, missed=lambda own: not alone(own))) == "inconclusive"
    assert outcome("fig5", records(GRID, missed=lambda own: True)) == "not trained"


def test_what_the_smallest_network_certifies_is_said() -> None:
    made = [
        replace(one, numbers={**one.numbers, "certified": 1}) if one.cell.settings["length"] == 4 else one
        for one in records(GRID)
    ]
    text = EXPERIMENTS["fig5"].summarize(made).text
    assert "4 one by one: 1×8 (4 of 4 networks trained); 1 sequence of 4: 1×8, 1 of 4 certified (4 of 4" in text


def test_radii_move_to_0() -> None:
    seeds = [(*place, seed) for place in itertools.product((1,), (1, 2), (8, 24)) for seed in (1, 2, 3)]
    summary = EXPERIMENTS["fig12"].summarize(records(seeds, radii=lambda own: shrinking(own) * own["seed"] ** 0.25))
    # The spread is that of the largest network's own medians, not of the grid.
    largest = [20 / 48 * seed**0.25 for seed in (2, 1, 3)]
    assert (summary.here, summary.low, summary.high) == pytest.approx(largest)
    assert summary.outcome == "reproduced"
    assert "12 of 12 networks, of 4 of 4 sizes" in summary.text
    assert "falls with the next depth in 2 of the 2 pairs of sizes that can be compared (of 2)" in summary.text

    def said(radii: Any, missed: Any = lambda own: False, settings: Any = ALONE) -> str:
        return outcome("fig12", records(settings, radii=radii, missed=missed))

    assert said(shrinking) == "reproduced"
    assert said(lambda own: 20 * shrinking(own)) == "partly"  # not below 1
    assert said(lambda own: shrinking(own) ** 0.1) == "partly"  # not below half
    assert said(lambda own: shrinking({**own, "width": 8})) == "partly"  # not with width
    assert said(lambda own: 1 / (0.1 + shrinking(own))) == "not"
    assert said(shrinking, lambda own: (own["depth"], own["width"]) == (1, 24)) == "partly"
    assert said(shrinking, lambda own: (own["depth"], own["width"]) == (2, 24)) == "inconclusive"
    assert said(shrinking, lambda own: (own["depth"], own["width"]) == (1, 8)) == "inconclusive"
    assert said(shrinking, lambda own: True) == "not trained"
    assert said(shrinking, lambda own: own["seed"] == 1, seeds) == "partly"  # not from every seed
    assert said(shrinking, settings=ALONE[:1]) == "inconclusive"
    assert said(shrinking, settings=[one for one in ALONE if one[2] == 8]) == "partly"  # nothing of width
    (table,) = EXPERIMENTS["fig12"].tabulate(records(ALONE, radii=shrinking))
    assert table.rows[0] == ("1", "8", "1 of 1", "2.5", "3.12", "0.2")


def test_width_narrows_and_depth_lowers_the_largest_eigenvalues() -> None:
    def said(radii: Any, missed: Any = lambda own: False, settings: Any = ALONE) -> Any:
        return EXPERIMENTS["fig13"].summarize(records(settings, radii=radii, missed=missed))

    summary = said(shrinking)
    assert (summary.here, summary.low, summary.high, summary.outcome) == (1.0, None, None, "reproduced")
    assert "falls with the next width in 2 of the 2 pairs of sizes that can be compared (of 2)" in summary.text
    assert said(lambda own: shrinking({**own, "width": 8})).outcome == "partly"
    assert said(lambda own: 1 / shrinking(own)[1:]).outcome == "not"
    # One size of four missing leaves half of the pairs.
    summary = said(shrinking, lambda own: (own["depth"], own["width"]) == (2, 24))
    assert (summary.here, summary.outcome) == (1.0, "partly")
    assert "the median with the next depth in 1 of the 1 pairs of sizes that can be compared (of 2)" in summary.text
    summary = said(shrinking, lambda own: own["width"] == 24)
    assert (summary.here, summary.outcome) == (None, "inconclusive")
    assert said(shrinking, settings=[one for one in ALONE if one[2] == 8]).outcome == "inconclusive"
    assert said(shrinking, lambda own: True).outcome == "not trained"
