"""Basins on maps whose answers are known: the same labels as from every point, from a part of the points."""

import json
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from helpers import around, linear, newton_cube, straight

import attrax as ax
from attrax.analysis import OUTCOMES, Basins, Plane, basins, plane_of
from attrax.analysis._basins import _others  # a limit that only rounding makes, and that rarely
from attrax.cli import main
from attrax.paper import four_circles, train_plane
from attrax.report import PANELS, basin_map
from attrax.sources import load

ROOTS = np.exp(2j * np.pi * np.arange(3) / 3)
CORNERS = np.array([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
OUT = {str(name): code for code, name in enumerate(OUTCOMES)}


def cubic(x: Any) -> Any:
    """Each entry goes to −1 or 1 by its sign: x ↦ (3x − x³)/2 for |x| < √3."""
    return (3 * x - x**3) / 2


def twist(x: Any) -> Any:
    """In polar coordinates r ↦ √r and a quarter turn: the unit circle attracts, and its points return after four."""
    return jnp.stack([-x[1], x[0]]) / jnp.sqrt(jnp.sqrt(x[0] ** 2 + x[1] ** 2 + 1e-300))


def hop(x: Any) -> Any:
    """(a, b) ↦ (−sign a, sign b/2): a 2-cycle between a = ±1 above and another one below."""
    return jnp.stack([-jnp.sign(x[0]), jnp.sign(x[1]) / 2])


@pytest.fixture(scope="module")
def newton() -> Basins:
    return basins(around(newton_cube, *np.column_stack([ROOTS.real, ROOTS.imag])), extent=(-2, 2, -2, 2), resolution=72)


def test_each_quadrant_is_a_basin() -> None:
    found = basins(around(cubic, *CORNERS), extent=(-1.5, 1.5, -1.5, 1.5), resolution=64)
    x = -1.5 + (np.arange(64) + 0.5) * 3 / 64
    expected = (x > 0)[None, :] + 2 * (x > 0)[:, None]
    assert (found.label == expected).all()
    assert (found.nearest == expected).all()
    assert found.voronoi_agreement == found.labeled_fraction == 1.0
    assert (found.phase == 0).all()
    assert found.num_evaluations == found.evaluated.sum() < 0.35 * 64 * 64
    # On the axis of an attractor the number of steps is that of a scalar iteration.
    row = int(np.abs(x - 1).argmin())
    for column in np.flatnonzero(found.evaluated[row])[::3]:
        state, steps = np.array([x[column], x[row]]), 0
        while np.linalg.norm(state - np.sign(state)) > 1e-7:
            state, steps = cubic(state), steps + 1
        assert found.num_steps[row, column] == steps


def test_labels_are_those_from_every_point(newton: Basins) -> None:
    memory = around(newton_cube, *np.column_stack([ROOTS.real, ROOTS.imag]))
    every = basins(memory, extent=(-2, 2, -2, 2), resolution=72, coarse=1)
    assert every.num_evaluations == 72 * 72
    assert (newton.label == every.label).all()
    assert (newton.num_steps == every.num_steps)[newton.evaluated].all()
    assert newton.evaluated_fraction < 0.35
    assert 0.7 < newton.voronoi_agreement < 0.99
    # Turning by a third of a circle permutes the basins, so each has the same area.
    areas = np.bincount(every.label.ravel()) / every.label.size
    assert np.abs(areas - areas.mean()).max() < 0.03


def test_a_small_basin_is_seen_by_its_attractor() -> None:
    def spot(x: Any) -> Any:
        near = jnp.sum((x - jnp.array([0.6, 0.6])) ** 2) < 0.03**2
        return jnp.where(near, jnp.array([0.6, 0.6]), jnp.array([-0.6, -0.6]))

    for points in ([[-0.6, -0.6], [0.6, 0.6]], [[-0.6, -0.6]]):
        memory = around(spot, *points)
        found = basins(memory, extent=(-1, 1, -1, 1), resolution=48, coarse=16)
        every = basins(memory, extent=(-1, 1, -1, 1), resolution=48, coarse=1)
        assert (found.label == every.label).all() or len(points) == 1
    assert (every.other == 0).sum() == (every.label < 0).sum() > 0


def test_cycles_and_their_phases() -> None:
    upper, lower = np.array([[1.0, 0.5], [-1.0, 0.5]]), np.array([[1.0, -0.5], [-1.0, -0.5]])
    memory = ax.Memory(hop, ax.Patterns.from_cycles([lower, upper]))
    found = basins(memory, extent=(-2, 2, -2, 2), resolution=32)
    right, above = np.arange(32) >= 16, np.arange(32)[:, None] >= 16
    assert (found.label == above * np.ones(32, int)).all()
    # One step takes a > 0 to −1, the second point of its cycle: the start keeps step with the first.
    assert (found.phase == ~right * np.ones((32, 1), int)).all()
    assert set(np.unique(found.num_steps)) == {1.0}


def test_what_was_never_stored_is_found_with_its_verdict() -> None:
    found = basins(around(cubic, *CORNERS[:2]), extent=(-1.5, 1.5, -1.5, 1.5), resolution=32)
    assert found.labeled_fraction == 0.5
    assert found.voronoi_agreement == 0.5
    assert [np.round(other.points[0], 9).tolist() for other in found.others] == [[-1.0, 1.0], [1.0, 1.0]]
    assert {other.verdict for other in found.others} == {ax.Verdict.ATTRACTOR}
    assert all(other.spectral_radius < 1e-6 for other in found.others)
    assert (found.outcome[found.label < 0] == OUT["spurious"]).all()
    assert (found.other[16:, :16] == 0).all()
    assert (found.other[16:, 16:] == 1).all()
    assert found.others_complete


def test_a_cycle_never_stored_and_starts_that_are_lost() -> None:
    cycle = basins(around(hop, [9.0, 9.0]), extent=(-2, 2, -2, 2), resolution=16)
    assert (cycle.outcome == OUT["cycle"]).all()
    assert [len(other.points) for other in cycle.others] == [2, 2]
    lost = basins(around(linear([[3.0, 0.0], [0.0, 0.5]]), [0.0, 0.0]), extent=(-1, 1, -1, 1), resolution=9, coarse=2)
    assert (lost.label[:, 4] == 0).all()
    assert (np.delete(lost.outcome, 4, axis=1) == OUT["diverged"]).all()
    slow = basins(around(twist, [0.0, 0.0]), extent=(0.5, 1, 0.5, 1), resolution=4, max_steps=3, arrows=0)
    assert slow.fractions()["not_converged"] == 1.0


def test_a_lap_that_is_one_cycle_twice_over_gets_a_verdict() -> None:
    def halving(x: Any) -> Any:
        """A 2-cycle at a = ±1, approached by a half in each step."""
        return jnp.stack([-jnp.sign(x[0]) - (x[0] - jnp.sign(x[0])) / 2, x[1] / 2])

    once = np.array([[-1.0, 0.0], [1.0, 0.0]])
    for points in (once, np.tile(once, (2, 1))):
        (other,), _ = _others(halving, Plane(np.zeros(2), np.eye(2)), [points], [len(points)])
        assert other.verdict is ax.Verdict.ATTRACTOR
        assert other.spectral_radius == pytest.approx(0.25)
        assert other.points.tolist() == once.tolist()


def test_a_map_of_fixed_points_only_is_cut_off() -> None:
    found = basins(around(straight(1), [0.0, 0.0]), extent=(0.1, 1, 0.1, 1), resolution=10, coarse=1, arrows=0)
    assert len(found.others) == 32
    assert not found.others_complete
    assert (found.outcome == OUT["spurious"]).all()


def test_a_slice_through_three_pictures() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.normal(size=(5, 3, 4))

    def nearest(x: Any) -> Any:
        gaps = jnp.sum((jnp.asarray(pictures) - x) ** 2, axis=(1, 2))
        return jnp.asarray(pictures)[jnp.argmin(gaps)]

    memory = around(nearest, *pictures)
    found = basins(memory, plane=(4, 0, 2), resolution=40)
    assert found.plane.through == (4, 0, 2)
    axes = found.plane.axes.reshape(2, -1)
    np.testing.assert_allclose(axes @ axes.T, np.eye(2), atol=1e-12)
    on_plane = [4, 0, 2]
    np.testing.assert_allclose(found.distances[on_plane], 0, atol=1e-12)
    assert found.distances[[1, 3]].min() > 0.1
    np.testing.assert_allclose(found.plane.states(found.points[on_plane]), pictures[on_plane], atol=1e-12)
    assert found.voronoi_agreement == 1.0
    states = found.plane.states(found.arrows_at)
    gaps = np.linalg.norm((states[:, None] - pictures).reshape(len(states), 5, -1), axis=-1)
    moved = pictures[gaps.argmin(axis=1)] - states
    np.testing.assert_allclose(found.arrows, moved.reshape(len(moved), -1) @ axes.T, atol=1e-12)


def test_arrows_in_the_plane_are_the_displacement() -> None:
    found = basins(around(linear([[0.5, 0.2], [0.0, 0.3]]), [0.0, 0.0]), extent=(-2, 2, -1, 1), resolution=8, arrows=4)
    assert found.label.shape == (4, 8)
    assert found.arrows_at.shape == (8, 2)
    np.testing.assert_allclose(found.arrows, found.arrows_at @ np.array([[-0.5, 0.2], [0.0, -0.7]]).T, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"plane": (0, 1)}, "three different"),
        ({"plane": (0, 1, 9)}, "at most 3"),
        ({"plane": (0, 0, 1)}, "three different"),
        ({"plane": Plane(np.zeros(3), np.eye(3)[:2])}, "shape"),
        ({"plane": Plane(np.zeros(2), 2 * np.eye(2))}, "orthonormal"),
        ({"extent": (1, 0, 0, 1)}, "left < right"),
        ({"extent": (0, 1, 2)}, "four numbers"),
        ({"extent": (0, float("nan"), 0, 1)}, "finite"),
        ({"resolution": 1}, "resolution"),
        ({"coarse": 0}, "coarse"),
        ({"arrows": -1}, "arrows"),
        ({"max_steps": 0}, "max_steps"),
    ],
)
def test_wrong_arguments(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        basins(around(cubic, *CORNERS), **options)


def test_planes_that_can_not_be() -> None:
    line = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [2.0, 2.0, 2.0]])
    with pytest.raises(ValueError, match="one line"):
        plane_of(around(cubic, *line))
    with pytest.raises(ValueError, match="holds 2"):
        plane_of(around(cubic, *line[:2]))


@pytest.mark.parametrize("panels", [None, ("basins",), PANELS])
def test_figures_draw_what_the_record_says(newton: Basins, panels: tuple | None, tmp_path: Any) -> None:
    figure = basin_map(newton, panels=panels)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert len(titles) == len(panels or ("basins", "steps"))
    assert f"{100 * newton.voronoi_agreement:.1f} %" in titles[0]
    image = np.asarray(figure.axes[0].images[0].get_array())
    for label in range(3):
        # One hue a basin: its pixels lie on the line from one color to white.
        mine = 1 - image[newton.label == label]
        share = mine / mine.max(axis=1, keepdims=True)
        assert np.abs(share - share[0]).max() < 1e-6
    names = [text.get_text() for text in figure.legends[0].get_texts()] if figure.legends else []
    assert names == ["example 0", "example 1", "example 2"]
    figure.savefig(tmp_path / "basins.svg")
    with pytest.raises(ValueError, match="each of panels"):
        basin_map(newton, panels=("colors",))
    with pytest.raises(ValueError, match="at least one"):
        basin_map(newton, panels=())


def test_a_figure_of_cycles_and_of_what_was_never_stored() -> None:
    lower = np.array([[1.0, -0.5], [-1.0, -0.5]])
    found = basins(ax.Memory(hop, ax.Patterns.from_cycles([lower])), extent=(-2, 2, -2, 2), resolution=16)
    figure = basin_map(found)
    assert sum(bool(axes.get_title()) for axes in figure.axes) == 3
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["cycle 0", "a spurious cycle (50.0 %)"]
    phases = np.asarray(figure.axes[1].images[0].get_array())
    assert (phases[0, 0] != phases[0, -1]).any()


def test_the_palette_lasts_for_more_examples_than_colors() -> None:
    points = np.array([[x, y] for x in (-1.5, -0.5, 0.5, 1.5) for y in (-1.0, 0.0, 1.0)])

    def nearest(x: Any) -> Any:
        return jnp.asarray(points)[jnp.argmin(jnp.sum((jnp.asarray(points) - x) ** 2, axis=1))]

    figure = basin_map(basins(around(nearest, *points), resolution=24))
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(names) == 9
    assert names[-1] == "another example"


# --- points in the plane, from the command line to the picture -----------------------------------


def run(capsys: pytest.CaptureFixture[str], *arguments: Any) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def test_points_and_tables(tmp_path: Path) -> None:
    written = load("points:0.1,-2;3e-1,.5").values
    assert written.tolist() == [[0.1, -2.0], [0.3, 0.5]]
    table = tmp_path / "points.csv"
    for text in ("0.1,-2\n0.3,0.5\n", "x,y\n0.1, -2\n\n3e-1,.5"):
        table.write_text(text)
        found = load(str(table))
        assert found.kind == "vectors"
        assert found.names == ("points.csv[0]", "points.csv[1]")
        assert (found.values == written).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at least one"),
        ("1.5,2;3", "one length"),
        ("1,2;a,3", "'a'"),
        ("1.5,2;nan,2.5", "'nan'"),
        ("1,inf", "'inf'"),
    ],
)
def test_points_that_are_none(text: str, message: str, tmp_path: Path) -> None:
    table = tmp_path / "points.csv"
    table.write_text(text.replace(";", "\n"))
    for source in (f"points:{text}", table):
        with pytest.raises(ValueError, match=message):
            load(source)


def test_the_command_writes_pictures_and_one_object(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file, folder = tmp_path / "m.attrax", tmp_path / "new" / "figures"
    status, _, _ = run(capsys, "store", "points:-0.5,0;0.5,0;0,0.6", "--writer", "pseudoinverse", "-o", file)
    assert status in (0, 1)
    status, out, _ = run(
        capsys, "analyze", "basins", file, "-o", folder, "--resolution", 24, "--extent=-1,1,-1,1", "--json"
    )
    assert status == 0
    record = json.loads(out)
    assert record["resolution"] == [24, 24]
    assert record["extent"] == [-1, 1, -1, 1]
    assert sum(record["outcomes"].values()) == pytest.approx(1)
    assert [Path(name).name for name in record["files"]] == ["basins.png", "basins.svg", "basins.npz"]
    assert all(Path(name).stat().st_size > 500 for name in record["files"])
    with np.load(folder / "basins.npz") as grids:
        assert grids["label"].shape == (24, 24)
        assert (grids["label"] == grids["nearest"]).mean() == pytest.approx(record["voronoi_agreement"])
    status, out, _ = run(capsys, "analyze", "basins", "--help")
    assert status == 0
    assert "Example: attrax analyze basins" in " ".join(out.split())


@pytest.mark.parametrize(
    "option", [["--plane", "0,1"], ["--plane", "0,x,1"], ["--extent", "1,2"], ["--plane", "0,1,9"]]
)
def test_wrong_usage(capsys: pytest.CaptureFixture[str], option: list[str], tmp_path: Path) -> None:
    network = ax.maps.mlp((2,), width=4, depth=1, key=jr.key(0))
    file = ax.save(tmp_path / "m.attrax", ax.Memory(network, ax.Patterns.from_examples(CORNERS)))
    status, out, err = run(capsys, "analyze", "basins", file, "-o", tmp_path / "new", *option)
    assert (status, out) == (2, "")
    assert "plane" in err or "extent" in err
    assert not (tmp_path / "new").exists()


def test_a_trained_network_in_the_plane() -> None:
    memory, loss, epochs, status = train_plane(four_circles(length=2), width=32, depth=3, epochs=2, seed=1)
    assert (epochs, str(status), memory.written["status"]) == (2, "epochs_over", "loss_not_reached")
    again = train_plane(four_circles(length=2), width=32, depth=3, epochs=2, seed=1)
    assert again[1] == loss
    assert np.asarray(memory.map.weights[0]).dtype == np.float64
    circles = four_circles(radius=0.2, length=3)
    assert [len(cycle) for cycle in circles.cycles] == [3] * 4
    middles = circles.points.reshape(4, 3, 2).mean(axis=1)
    np.testing.assert_allclose(np.abs(middles), 0.6)
