"""One by one or in sequences: arrangements, trials, and what is read off a grid."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import attrax as ax
from attrax.experiments import (
    EfficiencyScale,
    EfficiencyStudy,
    EfficiencyTrial,
    StudyData,
    arranged,
    efficiency_figure,
    efficiency_study,
    efficiency_text,
    efficiency_trial,
    spectra_figure,
)

POINTS = np.random.default_rng(0).random((4, 6)).astype(np.float32)
SCALE = EfficiencyScale(4, (1, 2, 4), (1, 2), (8, 24), epochs=300)
STORED, FAILED = ax.StoreStatus.STORED, ax.StoreStatus.LOSS_NOT_REACHED


def test_arrangements_keep_every_example() -> None:
    assert [len(cycle) for cycle in arranged(POINTS, 1).cycles] == [1, 1, 1, 1]
    assert arranged(POINTS, 2).cycles == ((0, 1), (2, 3))
    assert arranged(POINTS, 4).cycles == ((0, 1, 2, 3),)
    assert np.array_equal(arranged(POINTS, 4).targets, np.roll(POINTS, -1, axis=0))


def test_attrax_stores_all_and_counts_every_example_of_a_cycle() -> None:
    found = efficiency_trial(POINTS, SCALE, mode="attrax", length=2, depth=2, width=24)
    assert found.trained
    assert found.certified == found.stable == found.stored == 4
    assert found.writer
    assert found.loss <= 1e-8
    assert found.parameters == 6 * 24 + 24 + 24 * 24 + 24 + 24 * 6 + 6
    assert not len(found.radii)


def test_the_papers_mode_has_the_spectra_and_says_what_was_not_trained() -> None:
    found = efficiency_trial(POINTS, replace(SCALE, epochs=3), mode="paper", length=1, depth=1, width=8)
    assert (found.trained, found.certified, found.stable, found.epochs) == (False, 0, 0, 3)
    assert found.status is FAILED
    assert found.radii.shape == (4,)
    assert found.eigenvalues.shape == (4,)  # one percent of six entries is one eigenvalue
    assert np.isfinite(found.radii).all()
    chain = efficiency_trial(POINTS, replace(SCALE, epochs=3), mode="paper", length=4, depth=1, width=8)
    assert not len(chain.radii)


def trial(
    mode: str, length: int, depth: int, width: int, stored: int, status: Any = STORED, seed: int = 0
) -> EfficiencyTrial:
    certified = 0 if length > 1 else stored  # sequences strayed too far to be certified
    some = np.full(4, 0.1 * depth) if length == 1 else np.zeros(0)
    return EfficiencyTrial(
        mode, length, depth, width, seed, depth * width**2, "Adam", 1e-9, 5, 1.0, status, certified, stored, some,
        some / 2,
    )  # fmt: skip


def study() -> EfficiencyStudy:
    """One by one only the largest network stores all, in one sequence the smallest does; one seed of one fails."""
    scale = replace(SCALE, lengths=(1, 4), seeds=(0, 1))
    counts = {(1, 8): 0, (1, 24): 2, (2, 8): 3, (2, 24): 4}
    trials = [
        trial("paper", length, depth, width, count if length == 1 else 4, seed=seed)
        for length in (1, 4) for (depth, width), count in counts.items() for seed in (0, 1)
    ]  # fmt: skip
    trials[0] = trial("paper", 1, 1, 8, 0, FAILED)
    trials[1] = trial("paper", 1, 1, 8, 0, FAILED, seed=1)
    trials[3] = trial("paper", 1, 1, 24, 0, FAILED, seed=1)
    return EfficiencyStudy(scale, ("paper",), tuple(trials), StudyData(POINTS, "points", None, 1.0), 1.0)


def test_the_smallest_network_that_stores_all() -> None:
    found = study()
    assert np.array_equal(found.counts("paper", 1), [[np.nan, 2], [3, 4]], equal_nan=True)
    assert found.smallest("paper", 1) == (2, 24)
    assert found.smallest("paper", 4) == (1, 8)
    # One seed that falls short is enough.
    trials = [replace_count(one) if (one.length, one.width, one.seed) == (4, 8, 1) else one for one in found.trials]
    assert EfficiencyStudy(found.scale, ("paper",), tuple(trials), found.data, 1.0).smallest("paper", 4) == (1, 24)
    text = efficiency_text(found).splitlines()
    assert text[2] == "| paper | 4 one by one | 2×24 | – | 2 | 3 | 4 |"
    assert text[3] == "| paper | 1 sequence of 4 | 1×8 | 4 (0) | 4 (0) | 4 (0) | 4 (0) |"


def replace_count(one: EfficiencyTrial) -> EfficiencyTrial:
    return trial(one.mode, one.length, one.depth, one.width, 0, seed=one.seed)


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
        assert [axes.get_title() for axes in panels] == [
            "1×8, trained 0 of 2", "1×24, trained 1 of 2", "2×8", "2×24"
        ]  # fmt: skip
        bars = panels[3].patches
        full = [bar for bar in bars if bar.get_height()]
        assert [bar.get_height() for bar in full] == [8]  # both seeds
        assert full[0].get_x() <= value <= full[0].get_x() + full[0].get_width()
    empty = EfficiencyStudy(found.scale, ("paper",), found.trials[8:], found.data, 1.0)
    with pytest.raises(ValueError, match="the length 1"):
        spectra_figure(empty)


def test_a_study_runs_every_cell() -> None:
    scale = replace(SCALE, lengths=(4,), depths=(1,), widths=(8,), epochs=2)
    seen: list[EfficiencyTrial] = []
    calls: list[Any] = []
    data = StudyData(POINTS, "points", None, 1.0)
    found = efficiency_study(scale, modes=("paper",), data=data, each=seen.append,
                             progress=lambda *call: calls.append(call))  # fmt: skip
    assert list(found.trials) == seen
    assert calls[-1][:3] == ("networks", 1, 1)
    assert found.at("paper", 4, 1, 8)[0].status is FAILED


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: arranged(POINTS, 3), "length must divide"),
        (lambda: EfficiencyScale(4, (3,)), "each of lengths must divide"),
        (lambda: EfficiencyScale(4, (1,), widths=()), "widths must hold"),
        (lambda: EfficiencyScale(4, (1,), seeds=()), "seeds must hold"),
        (lambda: efficiency_study("huge"), "scale must be one of smoke"),
        (lambda: efficiency_study(SCALE, modes=("fast",)), "each of modes"),
        (lambda: efficiency_study(SCALE, data=StudyData(POINTS[:2], "", None, 1.0)), "n = 4 examples"),
        (lambda: efficiency_trial(POINTS, SCALE, mode="fast"), "mode must be one of"),
        (lambda: efficiency_trial(POINTS, SCALE, length=3), "length must divide"),
        (lambda: spectra_figure(study(), "angles"), "what must be one of"),
    ],
)
def test_wrong_input_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
