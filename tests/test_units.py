"""Data and map times s: distances times s; every verdict, status and rate as before, in the core of each command."""

from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from helpers import straight

import attrax as ax
from attrax.analysis import compare, find_spurious, measured_period, noise_tolerance
from attrax.certificates import basin_radius
from attrax.maps import Scalable
from attrax.training import default_tol, unscaled_network

POINTS = np.random.default_rng(5).random((4, 6))
FAINT, BRIGHT = 64.0**-3, 1e6
SCALES = (FAINT, BRIGHT)
KEY = jr.key(0)
WRITERS = {
    "margin": ax.Constructed("margin"),
    "pseudoinverse": ax.Constructed("pseudoinverse"),
    "winner_take_all": ax.WinnerTakeAll(epochs=60),
    "gradient": ax.Gradient(epochs=300),
    "coordinates": ax.Gradient(epochs=300, coordinates=0.0),
}


def stored(writer: str, scale: float) -> ax.Memory:
    chosen = WRITERS[writer]
    network = partial(ax.maps.mlp, width=24, depth=2) if isinstance(chosen, ax.Gradient) else None
    return ax.store(scale * POINTS, network, writer=chosen, key=KEY)


def constructed(scale: float) -> ax.Memory:
    """A memory whose stored points are the given ones but for a deviation of a third of the recovery threshold."""
    network = unscaled_network(ax.training.margin(POINTS), scale)
    off = POINTS + 1e-4 * np.random.default_rng(1).standard_normal(POINTS.shape)
    return ax.Memory(network, ax.Patterns.from_examples(scale * off))


@pytest.mark.parametrize("writer", list(WRITERS))
def test_storing(writer: str) -> None:
    plain = stored(writer, 1.0)
    for scale in SCALES:
        if scale == BRIGHT and writer in ("gradient", "coordinates"):
            continue  # training takes the same steps only where the scale is a power of 64
        other = stored(writer, scale)
        assert other.written["status"] == plain.written["status"]
        assert other.written["epochs"] == plain.written["epochs"]
        assert other.written["loss"] == pytest.approx(plain.written["loss"] * scale**2, rel=1e-3, abs=1e-25 * scale**2)
        assert other.certificate.verdict == plain.certificate.verdict
        assert other.certificate.reason == plain.certificate.reason
        np.testing.assert_allclose(other.certificate.upper_bound, plain.certificate.upper_bound, rtol=1e-2, atol=1e-9)


def same(other: Any, plain: Any, scale: float) -> None:
    np.testing.assert_allclose(other, scale * np.asarray(plain), rtol=1e-6, atol=1e-12 * scale)


def cues(scale: float) -> np.ndarray:
    draw = np.random.default_rng(2)
    return scale * np.concatenate([POINTS + 0.3 * draw.standard_normal(POINTS.shape), draw.random((6, 6))])


@pytest.mark.parametrize("scale", SCALES)
def test_tolerance_of_training(scale: float) -> None:
    """Within a factor of two in distance, as the unit is rounded to a power of 4: below the recovery threshold."""
    loss, unit = default_tol(ax.Patterns.from_examples(scale * POINTS)), ax.Patterns.from_examples(scale * POINTS).unit
    assert 0.25e-8 <= loss / unit**2 <= 4e-8
    assert default_tol(ax.Patterns.from_examples(np.array([[0.0, 1.0], [0.5, 0.0]]))) == 1e-8


CONVOLUTIONAL = partial(ax.maps.conv_autoencoder, channels=2, levels=1, activation="tanh", skips=True, bias="all")


def test_storing_in_a_convolutional_network() -> None:
    pictures = np.random.default_rng(6).random((2, 4, 4, 2))
    plain, faint = (
        ax.store(
            s * pictures,
            CONVOLUTIONAL,
            writer=ax.Gradient(epochs=200, learning_rate=1e-2, noise=0.02 * s, polish=False),
            key=KEY,
        )
        for s in (1.0, FAINT)
    )
    assert plain.certificate is not None
    assert faint.certificate is not None
    assert faint.written["epochs"] == plain.written["epochs"]
    np.testing.assert_allclose(faint.written["loss"] / FAINT**2, plain.written["loss"], rtol=1e-6)
    assert faint.certificate.verdict == plain.certificate.verdict
    np.testing.assert_allclose(faint.certificate.spectral_radius, plain.certificate.spectral_radius, rtol=1e-5)
    same(faint.certificate.distance, plain.certificate.distance, FAINT)
    assert plain.written["loss"] < 0.05  # of a variance of about .08 before


def test_a_module_is_trained_in_the_units_of_its_data() -> None:
    """It can't be written in others, so its weights meet faint data as they are. Only the tolerance is scaled."""
    module = eqx.nn.MLP(4, 4, 16, 1, jax.nn.softplus, key=KEY)
    writer = ax.Gradient(epochs=3)
    vectors = np.random.default_rng(6).random((2, 4))
    plain, faint = (ax.store(s * vectors, module, writer=writer, key=KEY) for s in (1.0, FAINT))
    assert isinstance(faint.map, eqx.nn.MLP)
    assert faint.written["tol"] / plain.written["tol"] == pytest.approx(FAINT**2, rel=1e-6)


OTHER_MAPS = {
    "convolutional": (partial(CONVOLUTIONAL, (4, 4, 2)), (4, 4, 2)),
    "module": (partial(eqx.nn.MLP, 4, 4, 7, 1, jnp.tanh), (4,)),
}


class Rescaled(eqx.Module):
    """x ↦ s·f(x/s), for a map that can't be written so itself."""

    inner: Any
    scale: np.ndarray  # no constant, or each scale would be compiled

    def __call__(self, x: Any) -> Any:
        return self.scale * self.inner(x / self.scale)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", OTHER_MAPS)
def test_certificates_and_recall_of_other_maps(name: str, scale: float) -> None:
    make, shape = OTHER_MAPS[name]
    map = make(key=KEY)
    scaled = unscaled_network(map, scale) if isinstance(map, Scalable) else Rescaled(map, np.array(scale))
    limit = ax.iterate(map, np.random.default_rng(0).random((1, *shape)), max_steps=5000).value[0]
    points = np.stack([limit, limit + np.random.default_rng(1).random(shape)])
    plain, other = (ax.Memory(one, ax.Patterns.from_examples(s * points)) for one, s in ((map, 1.0), (scaled, scale)))
    found, wanted = ax.certify(other), ax.certify(plain)
    assert wanted.verdict == ("attractor", "not_attractor")
    assert (found.verdict, found.reason, found.evidence) == (wanted.verdict, wanted.reason, wanted.evidence)
    np.testing.assert_allclose(found.spectral_radius, wanted.spectral_radius, rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(found.upper_bound, wanted.upper_bound, rtol=1e-2, atol=1e-9)
    same(found.distance[1], wanted.distance[1], scale)
    cues = points[:1] + 0.1 * np.random.default_rng(2).standard_normal((4, *shape))
    recalled, before = ax.recall(other, scale * cues), ax.recall(plain, cues)
    assert recalled.status == before.status
    assert recalled.num_steps.tolist() == before.num_steps.tolist()


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("reading", ["literal", "mean_square"])
def test_recall(scale: float, reading: str) -> None:
    plain, other = (ax.recall(constructed(s), cues(s), reading=reading) for s in (1.0, scale))
    assert other.status == plain.status
    assert len(set(plain.status)) == (1 if reading == "literal" else 2)
    assert other.index.tolist() == plain.index.tolist()
    assert other.num_steps.tolist() == plain.num_steps.tolist()
    same(other.value, plain.value, scale)
    same(other.distance, plain.distance, scale)


@pytest.mark.parametrize("scale", SCALES)
def test_certificates(scale: float) -> None:
    plain, other = (ax.certify(constructed(s)) for s in (1.0, scale))
    assert (other.verdict, other.reason, other.evidence) == (plain.verdict, plain.reason, plain.evidence)
    same(other.distance, plain.distance, scale)
    found, wanted = (ax.spectrum(constructed(s), top=2, key=KEY) for s in (scale, 1.0))
    assert found.status == wanted.status
    np.testing.assert_allclose(found.upper_bound, wanted.upper_bound, atol=1e-9)


@pytest.mark.parametrize("scale", SCALES)
def test_radii(scale: float) -> None:
    plain, other = (basin_radius(constructed(s), num_directions=16, key=KEY) for s in (1.0, scale))
    assert other.status == plain.status
    same(other.proved_radius, plain.proved_radius, scale)
    same(other.linear_radius, plain.linear_radius, scale)
    np.testing.assert_allclose(other.sampled_radius, scale * plain.sampled_radius, rtol=1e-3)
    assert other.share.tolist() == plain.share.tolist()
    # A map that contracts everywhere: the search itself has an end.
    everywhere = [
        basin_radius(
            ax.Memory(straight(0.5), ax.Patterns.from_examples(s * np.ones((1, 2)) - s)),
            second_derivative=0.0,
            num_directions=0,
            key=KEY,
        ).status
        for s in (1.0, scale)
    ]
    assert everywhere[0] == everywhere[1]


@pytest.mark.parametrize("scale", SCALES)
def test_census(scale: float) -> None:
    plain, other = (find_spurious(constructed(s), num_starts=96, key=KEY, shares=SHARES) for s in (1.0, scale))
    assert other.label.tolist() == plain.label.tolist()
    assert [limit.kind for limit in other.limits] == [limit.kind for limit in plain.limits]
    assert [limit.verdict for limit in other.limits] == [limit.verdict for limit in plain.limits]


SHARES = {"blend": 1.0, "midpoint": 1.0}


@pytest.mark.parametrize("scale", SCALES)
def test_tolerances(scale: float) -> None:
    plain, other = (noise_tolerance(constructed(s), copies=10, precision=0.5, key=KEY) for s in (1.0, scale))
    np.testing.assert_allclose(other.sigma, scale * plain.sigma, rtol=1e-3)
    assert plain.sigma.min() > 0


@pytest.mark.parametrize("scale", SCALES)
def test_rivals(scale: float) -> None:
    chosen = ["1-NN euclidean", "1-NN correlation", "Hopfield", "modern Hopfield"]
    found = [compare(constructed(s), [f"gaussian:{0.3 * s:.17g}"], rivals=chosen, key=KEY) for s in (1.0, scale)]
    for plain, other in zip(found[0].rivals, found[1].rivals, strict=True):
        assert list(other.identified.values()) == list(plain.identified.values()), plain.name
        assert list(other.recovered.values()) == list(plain.recovered.values()), plain.name
        # Where nothing was identified by chance alone, the comparison is worth something.
    assert any(0 < rival.mean_identified < 1 for rival in found[0].rivals)


def rotate(x: Any) -> Any:
    """A cycle of four states, a decay to it, and far out a divergence."""
    square = jnp.sum(x**2)
    return jnp.array([-x[1], x[0]]) * jnp.where(square > 100, 3.0, 1.5 / (0.5 + square))


@pytest.mark.parametrize("scale", SCALES)
def test_iterates(scale: float) -> None:
    starts = np.array([[0.3, 0.1], [1.0, 0.0], [0.0, 0.0], [20.0, 0.0]])
    plain, other = ax.iterate(rotate, starts), ax.iterate(Rescaled(rotate, np.array(scale)), scale * starts)
    assert [str(one) for one in plain.status] == ["cycle", "cycle", "converged", "diverged"]
    assert other.status.tolist() == plain.status.tolist()
    assert other.num_steps.tolist() == plain.num_steps.tolist()
    assert other.period.tolist() == plain.period.tolist()


@pytest.mark.parametrize("scale", SCALES)
def test_periods_and_open_sequences(scale: float) -> None:
    walk = np.random.default_rng(0).random((5, 8))
    recording = np.concatenate([walk[:2] + 1, walk, walk, walk])
    plain, other = measured_period(recording), measured_period(scale * recording)
    assert (other.period, other.start, other.status) == (plain.period, plain.start, plain.status)
    film = np.random.default_rng(3).random((4, 6))
    kept = []
    for s in (1.0, scale):
        patterns = ax.Patterns.from_sequences([s * film], end="hold")
        network = unscaled_network(ax.training.margin(film, film[[1, 2, 3, 3]] + 1e-3), s)
        found = ax.certify(ax.Memory(network, patterns))
        kept.append((found.open_sequences_kept.tolist(), found.open_sequence_error))
    assert kept[0][0] == kept[1][0] == [False]
    np.testing.assert_allclose(kept[1][1], kept[0][1], rtol=1e-6)
