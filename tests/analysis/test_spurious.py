"""The census of limits on maps whose limits are known, its statistics by other means, and its starts."""

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.stats
from helpers import around, logistic, logistic_cycle, straight

import attrax as ax
from attrax.analysis import (
    START_KINDS,
    Census,
    LimitKind,
    _spurious,  # its blocks are made small
    chao1,
    discovery_curve,
    find_spurious,
    upper_confidence_bound,
)
from attrax.analysis._census_blocks import starts_within  # how large its pieces are
from attrax.analysis._starts import allot, make_starts  # one kind of starts by itself
from attrax.cli import main
from attrax.report import census_figure, limits_figure, outcome_rates


def cubic(x: Any) -> Any:
    """Each entry: −1 and 1 attract all that is nearer to them than √3 from 0, 0 repels, beyond √5 all diverges."""
    return (3 * x - x**3) / 2


def census(memory: ax.Memory, starts: Any, **options: Any) -> Census:
    """A census of given starts alone, in their order."""
    starts = np.asarray(starts, float)
    return find_spurious(memory, starts, num_starts=len(starts), shares={"test": 1}, key=jr.key(0), **options)


# --- limits ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def line() -> Census:
    """Stored: 1. Known besides: the attractor −1, the repelling 0, and starts that diverge."""
    return census(around(cubic, [1.0]), [[0.5], [1.4], [-0.3], [0.0], [3.0], [-1.0], [1.0], [-1.2]])


def test_each_limit_is_found_and_named(line: Census) -> None:
    kinds = [limit.kind for limit in line.limits]
    assert kinds == [LimitKind.STORED, LimitKind.SPURIOUS, LimitKind.SADDLE]
    assert line.label.tolist() == [0, 0, 1, 2, -1, 1, 0, 1]
    stored, spurious, saddle = line.limits
    assert (stored.count, stored.index, stored.distance) == (3, 0, 0.0)
    assert (spurious.count, spurious.index, spurious.nearest) == (3, -1, 0)
    np.testing.assert_allclose(spurious.state, [-1.0], atol=1e-12)
    assert spurious.distance == pytest.approx(2.0)
    assert spurious.verdict is ax.Verdict.ATTRACTOR
    assert spurious.spectral_radius < 1e-6
    np.testing.assert_allclose(saddle.state, [0.0], atol=1e-12)
    assert saddle.spectral_radius == pytest.approx(1.5)
    assert saddle.verdict is ax.Verdict.NOT_ATTRACTOR


def test_what_ended_elsewhere_is_counted(line: Census) -> None:
    assert (line.starts, line.recovered, line.other, line.diverged, line.not_converged) == (8, 3, 5, 1, 0)
    assert line.by_kind["test"] == {"starts": 8, "recovered": 3, "other": 5, "upper_bound": line.upper_bound}
    assert line.counts().tolist() == [3, 3, 1]
    assert line.counts(stored=False).tolist() == [3, 1]
    # One limit was seen once and none twice: 1·0/2 beyond the three that were seen.
    assert line.richness() == 3.0
    assert outcome_rates(line)["test"] == {"stored": 3 / 8, "spurious": 3 / 8, "saddle": 1 / 8, "diverged": 1 / 8}


def test_limits_are_merged_and_examined_in_the_order_of_their_counts() -> None:
    corners = np.array(list(itertools.product((-1.0, 1.0), repeat=2)))
    starts = np.random.default_rng(0).uniform(-1.7, 1.7, (200, 2))
    found = census(around(cubic, *corners[:2]), starts, num_certified=1)
    ends = np.sign(starts)
    assert len(found.limits) == 4
    for limit, label in zip(found.limits, range(4), strict=True):
        state = np.round(limit.state)
        assert limit.count == (ends == state).all(axis=1).sum()
        assert (found.label == label).tolist() == (ends == state).all(axis=1).tolist()
    foreign = found.limits[2:]
    assert foreign[0].count >= foreign[1].count
    assert foreign[0].verdict is ax.Verdict.ATTRACTOR
    assert foreign[1].verdict is None
    assert np.isnan(foreign[1].spectral_radius)


def test_cycles_are_stored_or_not() -> None:
    cycle = logistic_cycle()
    starts = [[0.3], [0.5], [0.7], [0.0], cycle[0], cycle[1]]
    unknown = census(around(logistic, [0.0]), starts)
    (zero, two) = unknown.limits
    assert (zero.kind, zero.count) == (LimitKind.STORED, 1)
    # Entered at either of its states it is one cycle.
    assert (two.kind, two.period, two.count) == (LimitKind.CYCLE, 2, 5)
    assert two.verdict is ax.Verdict.ATTRACTOR
    assert two.spectral_radius == pytest.approx(0.16, abs=1e-6)
    known = census(ax.Memory(logistic, ax.Patterns.from_cycles([cycle])), starts)
    assert [(limit.kind, limit.period, limit.count) for limit in known.limits] == [
        (LimitKind.STORED, 2, 5),
        (LimitKind.SADDLE, 1, 1),
    ]
    assert known.label.tolist() == [0, 0, 0, 1, 0, 0]


def test_a_start_that_creeps_is_not_converged() -> None:
    found = census(around(straight(0.99), [0.0]), [[1.0], [0.0], [2.0]], max_steps=20)
    assert found.label.tolist() == [-2, 0, -2]
    assert (found.not_converged, found.other, found.recovered) == (2, 2, 1)
    assert (found.num_steps <= 21).all()


def test_the_exact_bound_is_clopper_and_pearsons() -> None:
    for other, total in ((0, 60), (3, 60), (60, 60), (1, 7)):
        two_sided = scipy.stats.binomtest(other, total).proportion_ci(0.9, method="exact")
        assert upper_confidence_bound(other, total) == pytest.approx(two_sided.high)
    assert upper_confidence_bound(0, 1000) == pytest.approx(1 - 0.05 ** (1 / 1000))
    # So few or fewer have a probability of exactly 1 − confidence at the bound.
    assert scipy.stats.binom.cdf(3, 60, upper_confidence_bound(3, 60, confidence=0.99)) == pytest.approx(0.01)
    found = census(around(cubic, [1.0]), np.full((40, 1), 0.5), confidence=0.99)
    assert found.upper_bound == pytest.approx(1 - 0.01 ** (1 / 40))


def test_chao_and_the_discovery_curve_by_their_formulas() -> None:
    for counts in ([1, 1, 1, 2, 9], [1, 1], [3, 4], [2, 2, 1], []):
        once, twice = counts.count(1), counts.count(2)
        assert chao1(np.array(counts, int)) == len(counts) + once * (once - 1) / (2 * (twice + 1))
    counts, missing = [3, 1, 2], 1
    sample = [0, 0, 0, 1, 2, 2] + [-1] * missing
    for size in range(len(sample) + 1):
        seen = [len({one for one in part if one >= 0}) for part in itertools.combinations(sample, size)]
        found = discovery_curve(np.array(counts), np.array([size]), total=len(sample))
        assert found[0] == pytest.approx(np.mean(seen))


def test_wrong_arguments_are_refused(tmp_path: Path) -> None:
    memory = around(cubic, [1.0])
    for wrong, words in (
        ({"num_starts": 0}, "num_starts"),
        ({"confidence": 1.0}, "confidence"),
        ({"shares": {"photo": 1}}, "each kind in shares"),
        ({"shares": {"uniform": 0}}, "share of uniform"),
        ({"shares": {"crop": 1}}, "need pictures"),
        ({"shares": {"blend": 1}}, "at least two examples"),
        ({"shares": {"test": 1}}, "images"),
        ({"images": np.zeros((3, 2))}, r"shape \(1,\)"),
        ({"images": np.zeros((1, 1)), "shares": {"derived": 1}}, "at least two given states"),
        ({"images": np.zeros((1, 1)), "shares": {"test": 1}, "num_starts": 5}, "give 1 starts at most"),
    ):
        with pytest.raises(ValueError, match=words):
            find_spurious(memory, key=jr.key(0), **wrong)
    for counts in (np.array([-1]), np.array([0.5])):
        with pytest.raises(ValueError, match="counts"):
            chao1(counts)


# --- a census that is interrupted ------------------------------------------------------------------


def test_a_resumed_census_is_the_undisturbed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_spurious, "BLOCK", 40)
    monkeypatch.setattr(_spurious, "_SAVE_EVERY", 0.0)
    memory, file = around(cubic, [1.0, 1.0], [-1.0, -1.0]), tmp_path / "census"
    options: dict[str, Any] = {"num_starts": 300, "key": jr.key(3), "num_certified": 2}
    whole = find_spurious(memory, **options)
    blocks = 0

    def stop(task: str, *_: Any) -> None:
        nonlocal blocks
        blocks += task == "starting"
        if blocks == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_spurious(memory, checkpoint=file, progress=stop, **options)
    done: list[int] = []
    resumed = find_spurious(memory, checkpoint=file, progress=lambda task, at, *_: done.append(at), **options)
    assert min(done[:1]) > 80, "it began anew"
    assert resumed.label.tolist() == whole.label.tolist()
    assert resumed.num_steps.tolist() == whole.num_steps.tolist()
    assert resumed.start_kind.tolist() == whole.start_kind.tolist()
    for one, other in zip(resumed.limits, whole.limits, strict=True):
        assert (one.kind, one.count, one.verdict) == (other.kind, other.count, other.verdict)
        assert np.array_equal(one.state, other.state)
    with pytest.raises(ValueError, match="another memory, or with other starts"):
        find_spurious(memory, checkpoint=file, **{**options, "key": jr.key(4)})
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        find_spurious(memory, checkpoint=file, **options)
    file.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="not a readable checkpoint"):
        find_spurious(memory, checkpoint=file, **options)


def test_a_census_within_a_limit_is_the_whole() -> None:
    memory = around(cubic, [1.0, 1.0], [-1.0, -1.0])
    options: dict[str, Any] = {"num_starts": 2100, "key": jr.key(3), "num_certified": 2}
    whole = find_spurious(memory, **options)
    with pytest.raises(ValueError, match="memory_limit must be at least 1 MB, which 8 starts of 2 entries take"):
        find_spurious(memory, memory_limit=90_000, **options)
    pieces: list[int] = []
    within = starts_within(150_000, memory)
    assert within == 64
    found = find_spurious(memory, memory_limit=150_000, progress=lambda task, at, *_: pieces.append(at), **options)
    assert found.label.tolist() == whole.label.tolist()
    assert found.num_steps.tolist() == whole.num_steps.tolist()
    assert [(one.kind, one.count, one.verdict) for one in found.limits] == [
        (one.kind, one.count, one.verdict) for one in whole.limits
    ]


# --- starts ----------------------------------------------------------------------------------------

PICTURES = np.random.default_rng(1).random((5, 6, 4)).astype(np.float32)
SEED = (0, 7)


def test_shares_become_numbers() -> None:
    assert allot(10, {"uniform": 1.0, "gaussian": 3.0}, 5, 0) == {"uniform": 3, "gaussian": 7}
    # Ten midpoints are all there are; the rest goes to the other kind.
    assert allot(100, {"midpoint": 1.0, "uniform": 1.0}, 5, 0) == {"midpoint": 10, "uniform": 90}
    assert allot(60, {"test": 2.0, "uniform": 1.0}, 5, 8) == {"test": 8, "uniform": 52}
    assert allot(60, {"test": 2.0, "uniform": 1.0}, 5, 8, True) == {"test": 8, "uniform": 20, "derived": 32}
    assert allot(12, {"test": 2.0, "uniform": 1.0}, 5, 8, True) == {"test": 8, "uniform": 4}
    assert allot(50, {"test": 1.0}, 5, 8, True) == {"test": 8, "derived": 42}
    for num in (1, 17, 60_000):
        assert sum(allot(num, {"test": 4.0, "uniform": 1.0, "flip": 0.5}, 5, 8, True).values()) == num


def test_every_start_is_what_its_kind_says() -> None:
    images = np.random.default_rng(2).random((7, 6, 4)).astype(np.float32)

    def made(kind: str, count: int = 10) -> np.ndarray:
        found = make_starts(kind, 0, count, count, PICTURES, images, SEED)
        assert found.dtype == np.float32
        assert found.shape == (count, 6, 4)
        assert np.array_equal(found, make_starts(kind, 0, count, count, PICTURES, images, SEED))
        return found

    assert set(START_KINDS) == {"test", "uniform", "gaussian", "blend", "midpoint", "crop", "flip", "derived"}
    assert np.array_equal(made("test", 7), images)
    noise = make_starts("gaussian", 0, 5000, 5000, PICTURES, None, SEED)
    assert abs(noise.var() - 4) < 0.05
    flat = made("uniform", 500)
    assert 0 <= flat.min() < 0.01 < 0.99 < flat.max() <= 1
    pairs = [(PICTURES[i] + PICTURES[j]) / 2 for i, j in itertools.combinations(range(5), 2)]
    middles = made("midpoint")
    assert all(min(np.abs(middle - pair).max() for middle in middles) < 1e-6 for pair in pairs), "each of them once"
    turned = {view.tobytes() for p in PICTURES for view in (p[::-1], p[:, ::-1], p[::-1, ::-1])}
    assert {flip.tobytes() for flip in made("flip", 15)} == turned
    for blend in made("blend"):
        assert on_a_segment(blend, PICTURES)
    for kind, pool in (("crop", PICTURES), ("derived", images)):
        parts = made(kind, 30)
        assert pool.min() <= parts.min() <= parts.max() <= pool.max()
        assert len(np.unique(parts.reshape(30, -1), axis=0)) > 20
    derived = made("derived", 30)
    assert {one.tobytes() for one in derived[1::3]} <= {
        view.tobytes() for p in images for view in (p[::-1], p[:, ::-1], p[::-1, ::-1])
    }
    assert all(on_a_segment(one, images) for one in derived[2::3])


def on_a_segment(state: np.ndarray, pool: np.ndarray) -> bool:
    """Whether a state lies between two of the pool."""
    for one, other in itertools.combinations(pool.astype(float), 2):
        way = other - one
        share = ((state - one) * way).sum() / (way**2).sum()
        if -1e-6 <= share <= 1 + 1e-6 and np.abs(one + share * way - state).max() < 1e-5:
            return True
    return False


def test_a_part_of_a_picture_is_enlarged_linearly() -> None:
    ramp = np.linspace(0, 1, 9)[None, :, None] * np.ones((1, 9, 9))
    part = make_starts("crop", 0, 20, 20, ramp, None, SEED)
    steps = np.diff(part, axis=1)
    assert np.ptp(steps, axis=1).max() < 1e-5, "a part of a ramp is a ramp"
    share = steps[:, 0, 0] * 8
    assert (share > 0.5 - 1e-6).all()
    assert (share < 1).all()
    assert np.abs(np.diff(part, axis=2)).max() < 1e-5


# --- the command -----------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *arguments: Any) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


@pytest.fixture(scope="module")
def corners(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each entry z becomes clip(2z − ½, 0, 1), so it goes to 0 or 1, whichever is nearer; two corners are stored."""
    weights = (np.repeat(2 * np.eye(2), 2, axis=0), np.kron(np.eye(2), [1.0, -1.0]))
    network = ax.maps.MLP(weights, (np.tile([-0.5, -1.5], 2), np.zeros(2)), (2,), "relu")
    memory = ax.Memory(network, ax.Patterns.from_examples(np.eye(2)))
    return ax.save(tmp_path_factory.mktemp("corners") / "corners.attrax", memory)


def test_the_command_finds_what_is_known(capsys: pytest.CaptureFixture[str], corners: Path, tmp_path: Path) -> None:
    folder = tmp_path / "census"
    given = "points:1,0;0.9,0.1;0.2,0.8;0.7,0.9;0.1,0.2"
    arguments = ["analyze", "spurious", corners, given, "--share", "test=1", "--starts", 10, "-o", folder]
    status, out, err = run(capsys, *arguments, "--json")
    assert (status, err) == (0, "")
    record = json.loads(out)
    assert record["kinds"]["test"]["recovered"] == 2
    assert record["kinds"]["derived"]["starts"] == 6
    assert (record["states_given"], record["states_left_out"]) == (4, 1), "one of them is stored"
    assert record["starts"] == 10 == record["recovered"] + record["other"]
    foreign = [limit for limit in record["attractors"] if limit["kind"] != "stored"]
    assert {limit["verdict"] for limit in foreign} == {"attractor"}
    shown = {field.name for field in dataclasses.fields(ax.analysis.Limit)} - {"state"}
    assert all(limit.keys() == shown for limit in record["attractors"]), "the record's own rows, without pictures"
    limits = np.load(folder / "spurious-limits.npy")
    assert {tuple(np.round(state, 6) + 0.0) for state in limits} <= {(0.0, 0.0), (1.0, 1.0)}
    assert len(limits) == 2
    assert [Path(name).name for name in record["files"]] == ["spurious.png", "spurious.svg", "spurious-limits.npy"]
    assert all(Path(name).stat().st_size > 100 for name in record["files"])
    status, out, _ = run(capsys, *arguments)
    assert status == 0
    assert "blends of the 4 states given" in out
    assert "of period 1" in out


def test_wrong_usage_of_the_command(capsys: pytest.CaptureFixture[str], corners: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("something")
    for options, words in (
        (["--share", "uniform=much"], "KIND=WEIGHT"),
        (["--share", "photo=1"], "each kind"),
        (["--resume"], "--checkpoint"),
        (["--checkpoint", taken], "--resume"),
        (["--n", "3"], "SOURCE"),
        (["-o", taken], "folder"),
        (["points:1,0;0,1"], "are stored ones"),
    ):
        status, out, err = run(capsys, "analyze", "spurious", corners, "--starts", 5, *options)
        assert (status, out) == (2, "")
        assert words in err
    status, out, _ = run(capsys, "analyze", "spurious", "--help")
    assert status == 0
    assert "Example: attrax analyze spurious" in " ".join(out.split())


def test_the_figure_has_what_it_says(line: Census) -> None:
    figure = census_figure(line)
    left, right = figure.axes
    assert [text.get_text() for text in left.get_legend().get_texts()][-1] == "stored: 1"
    assert {text.get_text() for text in right.get_legend().get_texts()} == {"stored", "spurious", "saddle", "diverged"}
    assert "5 of 8 starts end elsewhere" in figure.get_suptitle()
    curve = left.get_lines()[0].get_ydata()
    assert curve[0] == 0
    assert curve[-1] == pytest.approx(3)
    assert jnp.isfinite(jnp.asarray(curve)).all()


def test_limits_are_shown_beside_the_nearest_example(line: Census) -> None:
    stored = np.ones((1, 2, 2))
    found = census(around(cubic, *stored), [np.full((2, 2), -0.5), np.full((2, 2), 0.5), np.eye(2) - 0.5])
    figure = limits_figure(found, stored)
    assert [axes.get_title() for axes in figure.axes[:2]] == ["spurious\n1 starts"] * 2
    assert [axes.get_xlabel() for axes in figure.axes[2:]] == ["2 away", "1.4 away"]
    with pytest.raises(ValueError, match="must be pictures"):
        limits_figure(line, np.ones((1, 1)))
    with pytest.raises(ValueError, match="nothing to show"):
        limits_figure(census(around(cubic, *stored), np.full((1, 2, 2), 0.5)), stored)
