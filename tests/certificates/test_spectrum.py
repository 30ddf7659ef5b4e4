"""Eigenvalues against known spectra and full Jacobians, with their errors and bounds."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from helpers import SPECTRA, around, linear, logistic, logistic_cycle

import attrax as ax
from attrax.analysis import eigenvalue_histogram
from attrax.certificates import spectrum
from attrax.extending import cast, float64
from attrax.linalg import probable_bound
from attrax.maps import linearizer
from attrax.report import eigenvalue_panels, radius_plot

KEY = jr.key(0)


@pytest.mark.parametrize("name", SPECTRA)
def test_known_spectra(name: str) -> None:
    matrix, radius = SPECTRA[name]
    size = len(matrix)
    found = spectrum(around(linear(matrix), np.zeros(size)), top=size, key=KEY)
    known = np.linalg.eigvals(np.asarray(matrix, float))
    slack = 1e-4 if name == "defective" else 1e-9
    assert np.abs(found.eigenvalues[0, 0]) == pytest.approx(radius, abs=slack)
    assert np.sort(np.abs(found.eigenvalues[0])) == pytest.approx(np.sort(np.abs(known)), abs=slack)
    assert (np.diff(np.abs(found.eigenvalues[0])) <= 1e-12).all()
    assert found.upper_bound[0] >= radius * (1 - 1e-12)
    assert found.status[0] == "bounded"
    # Each is an exact eigenvalue of a matrix that is as close as is said.
    for value, error in zip(found.eigenvalues[0], found.backward_error[0], strict=True):
        gap = np.linalg.svd(np.asarray(matrix) - value * np.eye(size), compute_uv=False)[-1]
        assert gap <= error + 1e-300
    assert (found.residual <= found.backward_error).all()


def test_a_few_eigenvalues_that_stand_out_of_many() -> None:
    matrix = np.diag(0.9 * 0.8 ** np.arange(200))
    found = spectrum(around(lambda x: matrix @ x, np.zeros(200)), top=3, key=KEY)
    assert found.method == ("arnoldi",)
    assert found.eigenvalues[0] == pytest.approx([0.9, 0.72, 0.576], abs=1e-12)


@pytest.mark.parametrize("kind", ["random", "zero", "close"])
def test_the_largest_singular_value_of_a_large_matrix(kind: str) -> None:
    draw = np.random.default_rng(0).standard_normal((200, 200)) / 20
    matrix = {"random": draw, "zero": 0 * draw, "close": np.diag(1 - 1e-9 * np.arange(200))}[kind]
    found = spectrum(around(lambda x: matrix @ x, np.zeros(200)), top=1, key=KEY)
    assert found.largest_singular_value[0] == pytest.approx(np.linalg.norm(matrix, 2), rel=1e-9)


def test_the_condition_of_the_leading_eigenvalue() -> None:
    found = spectrum(around(linear([[0.6, 40.0], [0.0, 0.5]]), np.zeros(2)), key=KEY)
    # Left (1, 400)/√(1 + 400²) and right (1, 0) eigenvectors.
    assert found.condition[0] == pytest.approx(np.hypot(1, 400), rel=1e-6)
    normal = spectrum(around(linear(np.diag([0.9, -0.3])), np.zeros(2)), key=KEY)
    assert normal.condition[0] == pytest.approx(1)
    defective = spectrum(around(linear(SPECTRA["nilpotent"][0]), np.zeros(2)), key=KEY)
    assert defective.condition[0] > 1e12


@pytest.mark.parametrize(("width", "size"), [(60, 40), (200, 400)])
def test_networks_against_the_full_jacobian(width: int, size: int) -> None:
    """Below the width of the network and above it."""
    x = np.random.default_rng(0).random(size)
    network = ax.maps.mlp((size,), width=width, depth=2, activation="swish", key=jr.key(1))
    with float64():
        exact = cast(network, np.float64)
        image, full = jax.jit(lambda x: (exact(x), jax.jacfwd(exact)(x)))(jnp.asarray(x))
        gap, full = x - np.asarray(image), np.asarray(full)
        weights = tuple(np.asarray(weight) for weight in exact.weights)
        biases = tuple(np.asarray(bias) for bias in exact.biases if bias is not None)
    network = ax.maps.MLP(weights, (*biases[:-1], biases[-1] + gap), (size,), "swish")
    found = spectrum(around(network, x), top=5, key=KEY)
    known = np.sort(np.abs(np.linalg.eigvals(full)))[::-1]
    assert np.abs(found.eigenvalues[0]) == pytest.approx(known[:5], abs=1e-9)
    assert found.method == ("dense",)  # also where it is large: the eigenvalues have much the same modulus
    assert found.upper_bound[0] >= known[0] * (1 - 1e-12)
    assert found.largest_singular_value[0] == pytest.approx(np.linalg.norm(full, 2), rel=1e-6)
    assert (found.dimension, found.rank[0]) == (size, min(width, size))
    for value, error in zip(found.eigenvalues[0], found.backward_error[0], strict=True):
        assert np.linalg.svd(full - value * np.eye(size), compute_uv=False)[-1] <= 100 * error + 1e-9


def test_without_a_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = np.random.default_rng(0).normal(size=(30, 30)) / 6
    memory = around(linear(matrix), np.zeros(30))
    dense = spectrum(memory, top=4, key=KEY)
    monkeypatch.setattr("attrax.maps.wrapped._jacobian.FORMED", 1)
    found = spectrum(memory, top=4, key=KEY)
    assert found.method[0] == "matrix-free"
    assert found.status[0] == "probable"
    assert np.abs(found.eigenvalues[0]) == pytest.approx(np.abs(dense.eigenvalues[0]), abs=1e-7)
    assert found.condition[0] == pytest.approx(dense.condition[0], rel=1e-4)
    radius = np.abs(dense.eigenvalues[0, 0])
    assert radius <= found.upper_bound[0] <= 1.15 * radius
    zero = spectrum(around(linear(np.zeros((30, 30))), np.zeros(30)), top=3, key=KEY)
    assert zero.eigenvalues.tolist() == [[0, 0, 0]]
    assert zero.upper_bound[0] == 0
    lost = spectrum(around(linear(np.full((30, 30), np.nan)), np.zeros(30)), top=3, key=KEY)
    assert lost.status[0] == "not_finite"


def test_the_probable_bound_is_not_below_the_radius_of_hidden_directions() -> None:
    """One direction in 60 carries the leading eigenvalue; non-normal entries hide it from the first powers."""
    rng = np.random.default_rng(1)
    for _ in range(5):
        matrix = np.triu(rng.normal(size=(60, 60)), 1) / 10
        matrix[rng.integers(60)] = 0
        place = rng.integers(60)
        matrix[place, place] = 0.95
        found = linearizer(linear(matrix))(np.zeros((1, 60)), 0.0)
        bound = probable_bound(found.forward, 60, 128, rng)
        assert bound >= np.log(0.95)


def test_zero_jacobians_and_more_eigenvalues_than_units() -> None:
    points = np.random.default_rng(0).random((4, 30))
    constructed = spectrum(around(ax.training.pseudoinverse(points), *points), top=3, key=KEY)
    assert np.abs(constructed.eigenvalues).max() < 1e-9
    assert np.isfinite(constructed.upper_bound).all()
    weights = (np.eye(2, 30), 0.5 * np.eye(30, 2))
    narrow = ax.maps.MLP(weights, (np.ones(2), np.r_[-0.5, -0.5, np.zeros(28)]), (30,), "relu")
    found = spectrum(around(narrow, np.zeros(30)), top=4, key=KEY)
    assert np.abs(found.eigenvalues[0]).tolist() == pytest.approx([0.5, 0.5, 0, 0])
    assert found.rank[0] == 2
    assert found.log_modulus[0, 2] == -np.inf


def test_cycles() -> None:
    found = spectrum(ax.Memory(logistic, ax.Patterns.from_cycles([logistic_cycle()])), key=KEY)
    assert found.cycles == ((0, 1),)
    assert found.eigenvalues[0, 0] == pytest.approx(0.16)
    assert found.condition[0] == pytest.approx(1)


def test_wrong_arguments() -> None:
    memory = around(lambda x: x / 2, np.zeros(2))
    for top in (0, 3, 1.5):
        with pytest.raises(ValueError, match="top"):
            spectrum(memory, top=top, key=KEY)
    found = spectrum(memory, key=KEY)
    with pytest.raises(ValueError, match="part"):
        eigenvalue_histogram(found, part="phase")
    with pytest.raises(ValueError, match="limits"):
        eigenvalue_histogram(found, limits=(1.0, 0.0))
    with pytest.raises(ValueError, match="spectra"):
        eigenvalue_panels({})


def test_histograms_and_figures() -> None:
    memory = around(linear(np.diag([0.9, -0.5, 0.1])), np.zeros(3))
    found = spectrum(memory, top=3, key=KEY)
    moduli = eigenvalue_histogram(found, bins=10, limits=(0, 1))
    assert moduli.counts.sum() == 3
    assert (moduli.mean, moduli.variance) == (pytest.approx(0.5), pytest.approx(np.var([0.9, 0.5, 0.1])))
    assert (moduli.share, moduli.left_out) == (1.0, 0)
    real = eigenvalue_histogram(found, bins=3, part="real")
    assert (real.edges[0], real.edges[-1]) == (pytest.approx(-0.5), pytest.approx(0.9))
    figure = eigenvalue_panels({"one": found, "two": found}, bins=10)
    assert [axes.get_title().partition("\n")[0] for axes in figure.axes] == ["one", "two"]
    assert sum(patch.get_height() for patch in figure.axes[0].patches) == 3
    radii = ax.basin_radius(memory, second_derivative=0.0, num_directions=4, key=KEY)
    assert radius_plot(radii).axes[0].get_yscale() == "log"


def test_commands(capsys: pytest.CaptureFixture[str], tmp_path) -> None:
    from attrax.cli import main

    def run(*arguments) -> tuple[int | str | None, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return ended.value.code, out, err

    file, folder = tmp_path / "m.attrax", tmp_path / "out"
    points = np.random.default_rng(0).random((3, 4, 5))
    memory = ax.Memory(ax.training.margin(points), ax.Patterns.from_examples(points, names=["a.png", "b.png", "c.png"]))
    ax.save(file, memory)
    status, out, err = run("analyze", "spectrum", file, "--top", 2, "-o", folder, "--json")
    record = json.loads(out)
    assert (status, err) == (0, "")
    assert (record["dimension"], record["top"], len(record["cycles"])) == (20, 2, 3)
    assert {field.name for field in dataclasses.fields(ax.certificates.Spectrum)} < record.keys()
    assert record["status"][0] == "bounded"
    assert len(record["eigenvalues"][0]) == 2
    assert record["histogram"]["number"] == 6
    assert (folder / "spectrum.png").stat().st_size > 1000
    assert np.load(folder / "spectrum.npz")["eigenvalues"].shape == (3, 2)
    status, out, err = run("analyze", "radius", file, "--directions", 8, "-o", folder, "--json")
    record = json.loads(out)
    assert (status, err) == (0, "")
    assert record["proved"] == 3
    assert all(row["sampled_radius"] >= row["proved_radius"] > 0 for row in record["examples"])
    assert record["confidence"] == 0.95
    assert (
        record["examples"][0].keys() - {"name"}
        == ax.basin_radius(memory, num_directions=1, key=KEY).as_rows()[0].keys()
    )
    assert (folder / "radius.png").stat().st_size > 1000
    for command in (("radius", file, "--directions", 0), ("spectrum", file)):
        status, out, _ = run("analyze", *command)
        assert (status, len(out.splitlines())) == (0, 5)
        assert [line.split()[0] for line in out.splitlines()[1:4]] == ["a.png", "b.png", "c.png"]
    for wrong in (("--top", 21), ("-o", file)):
        status, _, err = run("analyze", "spectrum", file, *wrong)
        assert status == 2
        assert len(err.splitlines()) == 1
    status, _, err = run("analyze", "radius", file, "--confidence", 1.5)
    assert (status, "--confidence" in err) == (2, True)


def test_the_bound_holds_where_the_exact_point_lies() -> None:
    """The fixed point 0 is farther away than a refinement may lead, and its slope, 0.5, exceeds that at 0.1."""
    network = ax.maps.MLP((np.array([[1.0]]), np.array([[0.5]])), (np.zeros(1), np.zeros(1)), (1,), "tanh")
    memory = around(network, [0.1], [1.0])
    found, certificate = spectrum(memory, top=1, key=KEY), ax.certify(memory)
    assert abs(found.eigenvalues[0, 0]) < 0.496 < 0.5 <= found.upper_bound[0] < 1
    assert found.upper_bound[0] == pytest.approx(certificate.upper_bound[0], rel=1e-9)
    assert np.isfinite(certificate.distance_error[0])
