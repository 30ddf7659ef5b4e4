"""Rivals whose powers are known: Hopfield's capacity, limits of the modern network, nearest neighbors by hand."""

import json
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from helpers import around
from matplotlib.backends.backend_agg import FigureCanvasAgg

import attrax as ax
from attrax.analysis import RIVALS, RULES, _associators, compare, map_bytes, nearest_neighbor  # one rival by itself
from attrax.analysis._associators import ASSOCIATORS, Associator, Task, entry_bytes  # one rival by itself
from attrax.cli import main
from attrax.report import comparison_figure

RNG = np.random.default_rng(0)


def task(points: Any, *corruptions: str, successor: Any = None, periods: Any = None) -> Task:
    points = np.asarray(points)
    every = np.arange(len(points))
    return Task(
        points,
        every if successor is None else np.asarray(successor),
        np.ones(len(points), int) if periods is None else np.asarray(periods),
        corruptions,
        jr.key(0),
    )


def made(name: str, on: Task, setting: Any) -> Associator:
    return ASSOCIATORS[name][0](on, setting)


def flipped(points: np.ndarray, share: float) -> np.ndarray:
    """Zeros and ones with this share of the entries of each exchanged."""
    return np.where(RNG.random(points.shape) < share, 1 - points, points)


def exact(built: Associator, cues: np.ndarray, known: np.ndarray | None = None) -> float:
    return float((built.answer(cues, known) == built.references[built.expected]).all(axis=1).mean())


# --- Hopfield and the pseudo-inverse -----------------------------------------------------------------


@pytest.mark.parametrize("setting", ["middle", "mean", "mean, centered"])
def test_hopfield_recovers_below_its_capacity_and_fails_above(setting: str) -> None:
    # N/(2 ln N) = 36 random patterns of N = 400 entries are kept without errors, 0.138·N = 55 with some.
    points = RNG.integers(2, size=(200, 400)).astype(float)
    few = made("Hopfield", task(points[:12]), setting)
    assert exact(few, flipped(points[:12], 0.1)) == 1.0
    many = made("Hopfield", task(points), setting)
    assert exact(many, points) < 0.1
    assert exact(made("Hopfield", task(points[:70]), setting), flipped(points[:70], 0.1)) < 0.5


def test_hopfield_prefers_neither_a_pattern_nor_its_negative() -> None:
    points = RNG.integers(2, size=(3, 200)).astype(float)
    built = made("Hopfield", task(points), "middle")
    assert np.array_equal(built.answer(1 - points, None), -built.answer(points, None))


@pytest.mark.parametrize("name", ["Hopfield", "pseudo-inverse"])
def test_cycles_of_different_lengths_go_round(name: str) -> None:
    points = RNG.integers(2, size=(5, 300)).astype(float)
    on = task(points, successor=[1, 2, 0, 4, 3], periods=[3, 3, 3, 2, 2])
    built = made(name, on, "middle")
    # Six steps: both lengths divide them, so each start comes back to itself.
    assert on.rounds == 6
    assert built.expected.tolist() == [0, 1, 2, 3, 4]
    assert exact(built, flipped(points, 0.1)) == 1.0
    longer = task(points, successor=[1, 2, 3, 0, 4], periods=[4, 4, 4, 4, 1])
    assert longer.ahead(1).tolist() == [1, 2, 3, 0, 4]
    odd = task(points, successor=[1, 2, 3, 4, 0], periods=[5, 5, 5, 5, 5])
    assert exact(made(name, odd, "middle"), flipped(points, 0.1)) == 1.0
    mixed = task(points, successor=[1, 2, 0, 4, 3], periods=[5, 5, 5, 5, 5])
    # Ten steps turn a cycle of three on by one state.
    assert made(name, mixed, "middle").expected.tolist() == [1, 2, 0, 3, 4]
    assert exact(made(name, mixed, "middle"), points) == 1.0


def test_the_pseudo_inverse_keeps_every_independent_pattern() -> None:
    points = RNG.integers(2, size=(150, 200)).astype(float)
    built = made("pseudo-inverse", task(points), "middle")
    assert exact(built, points) == 1.0
    assert exact(made("Hopfield", task(points), "middle"), points) < 0.1
    assert exact(made("pseudo-inverse", task(points[:20]), "middle"), flipped(points[:20], 0.1)) == 1.0


# --- the modern network and the neighbors -------------------------------------------------------------


@pytest.mark.parametrize(("similarity", "rule"), [("euclidean", "euclidean"), ("correlation", "correlation")])
def test_the_modern_network_at_large_beta_is_the_nearest_neighbor(similarity: str, rule: str) -> None:
    points = RNG.random((30, 40))
    cues = points + 0.8 * RNG.standard_normal(points.shape)
    near = nearest_neighbor(cues, points, rule=rule)
    assert 0.2 < (near == np.arange(30)).mean() < 1
    answers = made("modern Hopfield", task(points), (similarity, 1e6)).answer(cues, None)
    np.testing.assert_allclose(answers, points[near], atol=1e-6)


def test_the_modern_network_at_large_beta_takes_the_largest_product() -> None:
    points = RNG.standard_normal((30, 40))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    cues = points + 0.3 * RNG.standard_normal(points.shape)
    answers = made("modern Hopfield", task(points), ("dot", 1e6)).answer(cues, None)
    np.testing.assert_allclose(answers, points[(cues @ points.T).argmax(axis=1)], atol=1e-6)


@pytest.mark.parametrize("similarity", ["dot", "euclidean", "correlation"])
def test_the_modern_network_is_its_update_rule_in_the_open(similarity: str) -> None:
    points, cues = RNG.random((6, 10)), RNG.random((4, 10))
    scale = 3.0 if similarity == "correlation" else 3.0 / ((points - points.mean(axis=0)) ** 2).sum(axis=1).mean()
    x = cues
    for _ in range(50):
        if similarity == "dot":
            energy = x @ points.T
        elif similarity == "euclidean":
            energy = -0.5 * ((x[:, None] - points) ** 2).sum(axis=2)
        else:
            energy = np.corrcoef(x, points)[: len(x), len(x) :]
        weights = np.exp(scale * energy)
        x = weights / weights.sum(axis=1, keepdims=True) @ points
    found = made("modern Hopfield", task(points), (similarity, 3.0)).answer(cues, None)
    np.testing.assert_allclose(found, x, atol=1e-9)
    vague = made("modern Hopfield", task(points), (similarity, 1e-9)).answer(cues, None)
    np.testing.assert_allclose(vague, np.tile(points.mean(axis=0), (4, 1)), atol=1e-6)


def test_the_modern_network_goes_round_a_cycle() -> None:
    points = RNG.random((4, 20))
    on = task(points, successor=[1, 2, 0, 3], periods=[3, 3, 3, 1])
    built = made("modern Hopfield", on, ("euclidean", 1e4))
    np.testing.assert_allclose(built.answer(points, None), points[on.ahead(6)], atol=1e-9)


@pytest.mark.parametrize("rule", RULES)
def test_neighbors_are_those_of_the_rule(rule: str) -> None:
    points, cues = RNG.random((20, 3, 5)), RNG.random((50, 15))
    built = made(f"1-NN {rule}", task(points), rule)
    flat = points.reshape(20, -1)
    assert np.array_equal(built.answer(cues, None), flat[nearest_neighbor(cues, flat, rule=rule)])
    blank = built.answer(np.zeros((1, 15)), None)
    assert np.isfinite(blank).all() == (rule == "euclidean")


def test_the_masked_neighbor_is_perfect_on_what_it_is_told() -> None:
    points = RNG.random((40, 6, 6))
    cues = ax.corrupt("occlude:0.8", points, key=jr.key(0)).reshape(40, -1)
    known = (np.arange(6)[:, None] < 1) & np.ones((40, 6, 6), bool)
    built = made("1-NN masked", task(points), "told")
    assert exact(built, cues, known.reshape(40, -1)) == 1.0
    assert exact(built, cues) < 0.5, "where nobody tells it is the Euclidean rule"
    assert np.array_equal(
        built.answer(cues, None), made("1-NN euclidean", task(points), "euclidean").answer(cues, None)
    )


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ["shift:2", "shift:-1", "rotate:10", "shift:2+rotate:5", "rotate:-5+shift:1"])
def test_templates_find_what_was_moved(rule: str, name: str) -> None:
    points = RNG.random((12, 9, 9)).astype(np.float32)
    cues = ax.corrupt(name, points, key=jr.key(0)).reshape(12, -1).astype(float)
    assert exact(made("1-NN templates", task(points, name), rule), cues) == 1.0
    if name == "shift:2":
        assert exact(made("1-NN euclidean", task(points), "euclidean"), cues) < 0.6


# --- bytes -------------------------------------------------------------------------------------------


def test_bytes_are_counted() -> None:
    pictures = np.round(RNG.random((3, 4, 5)) * 255) / 255
    assert entry_bytes(pictures) == entry_bytes(pictures.astype(np.float32)) == 1
    assert entry_bytes(pictures.astype(np.float32) - 1) == 4
    assert entry_bytes(RNG.standard_normal((2, 3))) == 8
    assert made("1-NN cosine", task(pictures), "cosine").num_bytes == 60
    bits = RNG.integers(2, size=(50, 8)).astype(float)
    # Couplings: 28 whole numbers from −50 to 50, seven bits each; and a threshold of four bytes.
    assert made("Hopfield", task(bits), "middle").num_bytes == -(-(28 * 7 + 32) // 8)
    # Two patterns are fewer bits than the couplings between their entries.
    assert made("Hopfield", task(bits[:2]), "middle").num_bytes == -(-(16 + 32) // 8)
    network = ax.maps.MLP((np.ones((2, 3)), np.full((3, 2), 0.1)), (None, np.ones(3)), (3,), "relu")
    assert map_bytes(network) == 4 * 6 + 8 * 6 + 4 * 3, "what float32 holds exactly counts as float32"


# --- the comparison ------------------------------------------------------------------------------------


def snapping(points: np.ndarray) -> ax.Memory:
    """Goes to the nearest point at once. It holds no array, so that its bytes are none."""
    flat = points.reshape(len(points), -1)

    def map(x: Any) -> Any:
        gaps = jnp.sum((jnp.asarray(flat, x.dtype) - jnp.ravel(x)) ** 2, axis=1)
        return jnp.asarray(points, x.dtype)[jnp.argmin(gaps)]

    return around(map, *points)


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.round(np.random.default_rng(3).random((30, 6, 6)) * 255) / 255


@pytest.fixture(scope="module")
def eight(pictures: np.ndarray) -> ax.Memory:
    """One for all tests that have no wishes, as every function is compiled."""
    return snapping(pictures[:8])


def test_a_memory_that_snaps_is_the_euclidean_neighbor(eight: ax.Memory) -> None:
    cues = ["gaussian:0.6", "occlude:0.7"]
    found = compare(eight, cues, rivals=["1-NN euclidean", "1-NN masked"], key=jr.key(0))
    memory, neighbor, masked = found.rivals
    assert found.corruptions == tuple(cues)
    assert memory.identified == memory.recovered == neighbor.identified == neighbor.recovered
    assert 0 < neighbor.recovered["gaussian:0.6"] < 1
    assert masked.recovered["occlude:0.7"] == 1.0
    assert masked.recovered["gaussian:0.6"] == neighbor.recovered["gaussian:0.6"]
    assert memory.distance == neighbor.distance == 0.0
    assert all(rival.seconds > 0 for rival in found.rivals)
    again = compare(eight, cues, rivals=["1-NN masked"], key=jr.key(0))
    assert again.rivals[1].identified == masked.identified


def test_capacities_end_where_the_bytes_do(pictures: np.ndarray, eight: ax.Memory) -> None:
    found = compare(
        eight,
        ["none"],
        rivals=["1-NN euclidean", "1-NN cosine"],
        budget=36 * 17 + 5,
        more=pictures[5:],
        key=jr.key(0),
    )
    own, *others = found.capacities
    assert (own.name, own.num_examples, own.limit) == ("memory", 8, "examples")
    for one in others:
        assert (one.num_examples, one.num_bytes, one.rate, one.limit) == (17, 36 * 17, 1.0, "budget")
    plenty = compare(eight, ["none"], rivals=["1-NN cosine"], budget=10**9, key=jr.key(0))
    assert (plenty.capacities[1].num_examples, plenty.capacities[1].limit) == (8, "examples")
    small = compare(eight, ["none"], rivals=["1-NN cosine"], budget=35, key=jr.key(0))
    assert (small.capacities[1].num_examples, small.capacities[1].limit) == (0, "budget")


def test_the_capacity_of_hopfield_is_that_of_its_rule() -> None:
    points = RNG.integers(2, size=(60, 100)).astype(float)
    found = compare(snapping(points[:3]), ["none"], rivals=["Hopfield"], budget=10**6, more=points, key=jr.key(0))
    one = found.capacities[1]
    # N/(2 ln N) is 11 for 100 entries, 0.138·N is 14.
    assert 5 <= one.num_examples <= 30
    assert one.limit == "rate"
    assert one.rate >= 0.9


def test_the_best_setting_is_taken(eight: ax.Memory) -> None:
    # Cues of a tenth of the contrast: only the correlation still tells them.
    found = compare(eight, ["contrast:0.02"], rivals=["modern Hopfield", "1-NN correlation"], key=jr.key(0))
    modern, neighbor = found.rivals[1:]
    assert modern.setting.startswith("correlation")
    assert modern.mean_identified == neighbor.mean_identified == 1.0
    assert found.rivals[0].mean_identified < 0.5


def test_the_denoiser_learns_its_cues(pictures: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    make = ASSOCIATORS[_associators.DENOISER][0]
    monkeypatch.setitem(ASSOCIATORS, _associators.DENOISER, (make, ((1, 64, 250),)))
    found = compare(snapping(pictures[:6]), ["gaussian:0.3"], rivals=["denoiser once"], key=jr.key(0))
    one = found.rivals[1]
    assert one.setting.startswith("1x64, 250 epochs")
    assert one.mean_identified == 1.0
    assert one.mean_recovered == 0.0, "one application comes near, not home"
    assert 0 < one.distance < 0.3
    assert one.num_bytes == 4 * (36 * 64 + 64 + 64 * 36 + 36)


def test_what_does_not_fit_is_refused(pictures: np.ndarray) -> None:
    memory = snapping(pictures[:4])
    for wrong, words in (
        ({"rivals": ["SVM"]}, "each of rivals"),
        ({"budget": 0}, "budget"),
        ({"max_steps": 0}, "max_steps"),
        ({"more": np.zeros((2, 5))}, "more must be states"),
        ({"corruptions": ["blur:1"]}, "must be one of"),
    ):
        with pytest.raises(ValueError, match=words):
            compare(memory, key=jr.key(0), **wrong)


# --- the command ----------------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *arguments: Any) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def test_the_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file, folder = tmp_path / "m.attrax", tmp_path / "new"
    run(capsys, "store", "digits", "--n", 5, "--writer", "margin", "-o", file)
    some = [name for name in RIVALS if name != "denoiser once"]
    arguments = ["compare", file, "digits", "--n", 40, "--corrupt", "gaussian:0.2", "--corrupt", "occlude:0.5"]
    arguments += [part for name in some for part in ("--rival", name)]
    status, out, err = run(capsys, *arguments, "-o", folder, "--json")
    assert (status, err) == (0, "")
    record = json.loads(out)
    assert [rival["name"] for rival in record["rivals"]] == ["memory", *some]
    assert [one["name"] for one in record["capacities"]] == ["memory", *some]
    assert set(record["rivals"][0]["identified"]) == {"gaussian:0.2", "occlude:0.5"}
    assert record["rivals"][some.index("1-NN masked") + 1]["mean_recovered"] == 1.0
    assert [Path(name).name for name in record["files"]] == ["rivals.png", "rivals.svg"]
    assert all(Path(name).stat().st_size > 500 for name in record["files"])
    few = ["1-NN masked", "Hopfield"]
    chosen = [part for name in few for part in ("--rival", name)]
    status, out, _ = run(capsys, "compare", file, "--corrupt", "gaussian:0.2", *chosen)
    assert status == 0
    assert all(name in out for name in few)
    for options, words in ((["--rival", "SVM"], "each of rivals"), (["--budget", "0"], "budget")):
        status, out, err = run(capsys, "compare", file, *options)
        assert (status, out) == (2, "")
        assert words in err
    status, out, err = run(capsys, "compare", file, "--n", 3)
    assert status == 2
    assert "SOURCE" in err
    status, out, _ = run(capsys, "compare", "--help")
    assert status == 0
    assert "Example: attrax compare" in " ".join(out.split())


def test_the_figure(eight: ax.Memory) -> None:
    found = compare(eight, ["none", "drop:0.3"], rivals=["1-NN cosine"], key=jr.key(0))
    figure = comparison_figure(found)
    left, right = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["memory", "1-NN cosine"]
    assert {text.get_text() for text in left.texts} >= {"100"}
    assert right.get_xscale() == "log"
    FigureCanvasAgg(figure).draw()
    lower, upper = sorted((text.get_window_extent() for text in right.texts), key=lambda box: box.y0)
    assert lower.y1 <= upper.y0, "labels of equal rates stand apart"
