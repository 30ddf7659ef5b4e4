"""Sequences: patterns of several lengths, context, ambiguity, certificates of cycles, and their recall."""

from functools import partial
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
import mpmath
import numpy as np
import pytest
from helpers import logistic, logistic_cycle, straight

import attrax as ax
from attrax import Patterns

RNG = np.random.default_rng(0)
A, B, C, D = RNG.random((4, 2, 3)).astype(np.float32)


def word(*frames: np.ndarray) -> np.ndarray:
    return np.stack(frames)


# --- patterns ------------------------------------------------------------------------------------


def test_an_open_sequence_holds_its_last_state() -> None:
    patterns = Patterns.from_sequences([word(A, B, C), D[None]], end="hold")
    assert patterns.successor.tolist() == [1, 2, 2, 3]
    assert patterns.cycles == ((2,), (3,))
    assert patterns.open_sequences == ((0, 1, 2),)
    assert patterns.context == 1
    assert Patterns.from_sequences([word(A, B), word(C, D)], end=["loop", "hold"]).successor.tolist() == [1, 0, 3, 3]


def test_open_sequences_may_meet() -> None:
    patterns = Patterns.from_sequences([word(A, B, C), word(D, B, C)], end="hold")
    assert np.array_equal(patterns.points, word(A, B, C, D))
    assert patterns.successor.tolist() == [1, 2, 2, 1]
    assert patterns.merged == ((4, 1), (5, 2))
    assert patterns.open_sequences == ((0, 1, 2), (3, 1, 2))


def test_ambiguity_is_refused_with_the_option_that_resolves_it() -> None:
    with pytest.raises(ValueError, match=r"states 1 and 3 .*, b and b again, are equal.*context='auto'"):
        Patterns.from_sequences([word(A, B, C, B)], names=["a", "b", "c", "b again"])
    with pytest.raises(ValueError, match=r"states 1 and 4 .* 2 frames up to"):
        Patterns.from_sequences([word(A, B, C), word(A, B, D)], context=2)
    with pytest.raises(ValueError, match="cycle 0 repeats itself after 2 of its 4 states"):
        Patterns.from_sequences([word(A, B, A, B)], context="auto")
    with pytest.raises(ValueError, match="cycles 0 and 1 are the same: states 0 and 4"):
        Patterns.from_sequences([word(A, B, C), word(C, A, B)], context="auto")
    with pytest.raises(ValueError, match="no context tells all states apart"):
        Patterns.from_sequences([word(A, B, A)], end="hold", context="auto")


@pytest.mark.parametrize(
    "wrong", [{"end": "stop"}, {"end": ["loop", "hold"]}, {"context": 0}, {"context": "most"}, {"names": ["a"]}]
)
def test_wrong_options_of_sequences(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Patterns.from_sequences([word(A, B)], **wrong)


@pytest.mark.parametrize(
    ("sequences", "context"),
    [
        ([word(A, B, C)], 1),
        ([word(A, B, A, C)], 2),
        ([word(A, B, C), word(A, B, D)], 3),
        ([word(A, A, A, B)], 3),
    ],
)
def test_auto_takes_the_least_context_that_is_enough(sequences: list[np.ndarray], context: int) -> None:
    patterns = Patterns.from_sequences(sequences, context="auto")
    assert patterns.context == context
    assert [len(cycle) for cycle in patterns.cycles] == [len(sequence) for sequence in sequences]
    if context > 1:
        with pytest.raises(ValueError, match="are equal"):
            Patterns.from_sequences(sequences, context=context - 1)


@pytest.mark.parametrize("shape", [(5,), (4, 3), (2, 3, 3)])
def test_a_state_is_the_last_frames(shape: tuple[int, ...]) -> None:
    frames = RNG.random((4, *shape))
    patterns = Patterns.from_sequences([frames], context=3)
    assert np.array_equal(patterns.as_frames(patterns.points), frames)
    assert patterns.frame_shape == shape
    assert patterns.points[0].size == 3 * frames[0].size
    # The state at place 2 is what frames 0, 1 and 2 make, and it leads to the one at place 3.
    assert np.array_equal(patterns.one_state(frames[:3])[0], patterns.points[2])
    assert np.array_equal(patterns.targets[2], patterns.points[3])
    # A single frame is repeated.
    assert np.array_equal(patterns.as_states(frames[1:2]), patterns.one_state(frames[[1, 1, 1]]))
    with pytest.raises(ValueError, match="must be states of shape"):
        patterns.as_states(np.zeros((1, 7)))


def test_context_of_an_open_sequence() -> None:
    patterns = Patterns.from_sequences([word(A, B)], end="hold", context=2)
    # (A A) → (A B) → (B B), which holds.
    assert np.array_equal(
        patterns.points, np.concatenate([patterns.one_state(word(*pair)) for pair in ((A, A), (A, B), (B, B))])
    )
    assert patterns.successor.tolist() == [1, 2, 2]


def test_near_states_with_different_successors_are_named() -> None:
    film = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.1], [0.0, 1.0], [0.0, 1.05]])
    patterns = Patterns.from_cycles([film])
    # The median step is 1.0 or a little more. 3 and 4 are near as well, and their successors farther apart.
    assert [pair.states for pair in patterns.ambiguities()] == [(3, 4), (0, 2)]
    near = patterns.ambiguities()[1]
    assert near.distance == pytest.approx(0.1)
    assert near.successor_distance == pytest.approx(np.sqrt(2))
    # Alike twins that go alike ways are no ambiguity, and neither are examples, which stay.
    twins = [np.array([[0.0, 0.0], [0.0, 1.0]]), np.array([[0.1, 0.0], [0.1, 1.0]])]
    assert Patterns.from_cycles(twins).ambiguities() == ()
    assert Patterns.from_examples(film).ambiguities() == ()


# --- certificates --------------------------------------------------------------------------------


class Walk(eqx.Module):
    """On the line: near each whole number the map goes to another place, with a known slope."""

    places: np.ndarray
    slopes: np.ndarray

    def __call__(self, x: Any) -> Any:
        place = jnp.clip(jnp.round(x), 0, len(self.places) - 1)
        index = place.astype(int)
        return jnp.asarray(self.places)[index] + jnp.asarray(self.slopes)[index] * (x - place)


def stepping(slopes: np.ndarray) -> Walk:
    """From each place to the next one, and from the last place to 0."""
    return Walk(np.roll(np.arange(len(slopes), dtype=float), -1), np.asarray(slopes, float))


@pytest.mark.parametrize(("slope", "verdict"), [(1e-3, "attractor"), (1e3, "not_attractor")])
def test_products_of_400_matrices(slope: float, verdict: str) -> None:
    slopes = slope * np.exp(RNG.normal(size=400))
    places = np.arange(400.0)[:, None]
    found = ax.certify(ax.Memory(stepping(slopes), Patterns.from_cycles([places])))
    assert found.log_spectral_radius[0] == pytest.approx(np.log(slopes).sum(), rel=1e-12)
    assert found.spectral_radius[0] == (0.0 if slope < 1 else np.inf)
    assert found.verdict[0] == verdict
    assert found.period.tolist() == [400]


def test_a_product_that_is_exactly_zero() -> None:
    slopes = np.full(400, 1e3)
    slopes[17] = 0.0
    found = ax.certify(ax.Memory(stepping(slopes), Patterns.from_cycles([np.arange(400.0)[:, None]])))
    assert found.log_spectral_radius[0] == -np.inf
    assert found.spectral_radius[0] == 0.0
    # Rounding at one state grows a thousandfold a step before it meets the slope 0, so no cycle is shown to be there.
    assert (found.verdict[0], found.reason[0]) == ("inconclusive", "existence_not_shown")


@pytest.mark.parametrize("width", [7, 40])
def test_a_cycle_against_fifty_digits(width: int) -> None:
    """Random features with the last layer solved for: an exact cycle with a generic product."""
    points = np.random.default_rng(width).normal(size=(6, 4))
    fresh = ax.maps.mlp((4,), width=width, depth=1, activation="tanh", key=jr.key(width))
    network = ax.training.polish(fresh, points, np.roll(points, -1, axis=0))
    found = ax.certify(ax.Memory(network, Patterns.from_cycles([points])))
    assert found.residual[0] < 1e-11
    refined = ax.refine(network, points).points
    with mpmath.workdps(50):
        first, last = (mpmath.matrix(np.asarray(weight).tolist()) for weight in network.weights)
        bias = network.biases[0]
        assert bias is not None
        product = mpmath.eye(4)
        for point in refined:
            pre = first * mpmath.matrix(point.tolist()) + mpmath.matrix(np.asarray(bias, float).tolist())
            slopes = mpmath.diag([1 - mpmath.tanh(value) ** 2 for value in pre])
            product = last * slopes * first * product
        values, _ = mpmath.eig(product)
        log_radius = float(mpmath.log(max(abs(value) for value in values)))
    assert found.log_spectral_radius[0] == pytest.approx(log_radius, abs=1e-9)
    assert found.verdict[0] == ("attractor" if log_radius < 0 else "not_attractor")


def test_newton_refines_the_whole_cycle() -> None:
    exact = logistic_cycle()
    found = ax.refine(logistic, exact + 1e-3)
    assert found.converged
    assert np.abs(found.points - exact).max() < 1e-14
    memory = ax.Memory(logistic, Patterns.from_cycles([exact + 1e-5]))
    certificate = ax.certify(memory)
    assert certificate.verdict[0] == "attractor"
    assert certificate.moved[0] == pytest.approx(1e-5, rel=1e-6)
    assert certificate.log_spectral_radius[0] == pytest.approx(np.log(0.16))


def test_the_least_period_is_what_counts() -> None:
    """Four states that are the 2-cycle twice over: no cycle of length four, however stable."""
    exact = logistic_cycle()
    twice = Patterns(np.concatenate([exact, exact]), np.array([1, 2, 3, 0]))
    found = ax.certify(ax.Memory(logistic, twice))
    assert found.period.tolist() == [2]
    assert found.verdict[0] == "not_attractor"
    off = ax.certify(ax.Memory(logistic, Patterns.from_cycles([np.array([[0.2], [0.9]])])))
    assert off.period.tolist() == [0]
    assert off.verdict[0] == "not_attractor"


def test_the_way_of_an_open_sequence_is_run() -> None:
    patterns = Patterns.from_sequences([np.arange(5.0)[:, None]], end="hold")

    def certified(places: Any, *slopes: float) -> ax.Certificate:
        return ax.certify(ax.Memory(Walk(np.array(places, float), np.array(slopes, float)), patterns))

    found = certified([1, 2, 3, 4, 4], 0, 0, 0, 0, 0)
    assert found.open_sequence_error.tolist() == [0.0]
    assert found.all_attractors
    # The same fixed point at the end, but the way takes a short cut.
    short = certified([4, 4, 4, 4, 4], 0, 0, 0, 0, 0)
    assert short.verdict == ("attractor",)
    assert short.open_sequence_error[0] == pytest.approx(9.0 / patterns.unit**2)
    assert not short.all_attractors
    # It arrives, and then leaves again: a fixed point, but only just.
    leaving = certified([*(np.arange(1.0, 5.0) + 1e-6), 4], 1, 1, 1, 1, 2)
    assert not leaving.open_sequences_kept[0]


# --- every writer --------------------------------------------------------------------------------

WRITERS = {
    "pseudoinverse": ax.Constructed("pseudoinverse"),
    "margin": ax.Constructed("margin"),
    "winner_take_all": ax.WinnerTakeAll(epochs=20, corruptions=("gaussian:0.1",)),
    "gradient": ax.Gradient(noise=0.15, epochs=600, learning_rate=5e-3),
    "kfac": ax.Gradient(optimizer="kfac", coordinates=1.0, noise=0.01, epochs=60),
    "auto": ax.Auto(epochs=20, corruptions=("gaussian:0.1",)),
}


NETWORKS: dict[str, dict[str, Any]] = {"gradient": {"depth": 2, "init": "kaiming_uniform"}, "kfac": {"depth": 1}}


@pytest.mark.parametrize("name", WRITERS)
def test_writers_take_cycles_of_several_lengths_and_singles(name: str) -> None:
    draw = np.random.default_rng(3)
    sequences = [draw.random((length, 12)).astype(np.float32) for length in (4, 2, 1, 3)]
    patterns = Patterns.from_sequences(sequences, end=["loop", "loop", "loop", "hold"])
    network = partial(ax.maps.mlp, width=96, **NETWORKS[name]) if name in NETWORKS else None
    memory = ax.store(patterns, network, writer=WRITERS[name], key=jr.key(0))
    found = memory.certificate
    assert found is not None
    assert memory.status == "stored"
    assert [len(cycle) for cycle in found.cycles] == [4, 2, 1, 1]
    assert found.period.tolist() == [4, 2, 1, 1]
    assert found.all_attractors
    assert found.open_sequence_error.shape == (1,)
    back = ax.recall(memory, patterns.points, expected=np.arange(10))
    assert back.recovered.all()
    # A stored state is on its sequence from the first step.
    assert back.transient.tolist() == [0] * 10
    assert back.cycle.tolist() == [0] * 4 + [1] * 2 + [2] + [3] * 3
    assert back.phase.tolist() == [0, 1, 2, 3, 0, 1, 0, 0, 1, 0]


# --- recall --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def film() -> tuple[ax.Memory, np.ndarray]:
    frames = np.random.default_rng(5).random((6, 5, 4)).astype(np.float32)
    patterns = Patterns.from_cycles([frames[:4], frames[4:5], frames[5:]])
    return ax.store(patterns, writer=ax.Constructed("margin"), key=jr.key(0)), frames


def test_recall_of_a_later_and_corrupted_frame(film: tuple[ax.Memory, np.ndarray]) -> None:
    memory, frames = film
    noisy = frames[[2, 4]] + 0.02 * RNG.normal(size=(2, 5, 4))
    found = ax.recall(memory, noisy, path=True, cycles=3)
    assert found.status == ("recovered", "recovered")
    assert found.cycle.tolist() == [0, 1]
    assert found.period.tolist() == [4, 1]
    # One step brings the state after the cue's.
    assert found.transient.tolist() == [1, 1]
    assert found.phase.tolist() == [3, 0]
    assert [len(way) for way in found.path] == [1 + 3 * 4, 1 + 3]
    assert np.array_equal(found.path[0][0], noisy[0])
    assert np.allclose(found.path[0][1:5], frames[[3, 0, 1, 2]], atol=1e-12)
    assert (found.psnr_min > 200).all()
    assert (found.psnr_min <= found.psnr_median).all()
    alone = ax.recall(memory, noisy[1:], path=True, cycles=3)
    assert np.array_equal(alone.path[0], found.path[1])
    assert ax.recall(memory, noisy[:1], expected=np.array([4])).status == ("other_attractor",)


def test_recall_of_what_was_never_stored() -> None:
    exact = logistic_cycle()
    other = ax.Memory(logistic, Patterns.from_examples(np.array([[0.6875]])))  # its fixed point, which repels
    found = ax.recall(other, np.array([[0.3]]), path=True)
    assert found.status == ("cycle",)
    assert found.period.tolist() == [2]
    assert (found.cycle[0], found.phase[0], found.index[0]) == (-1, -1, -1)
    assert np.allclose(np.sort(found.path[0][-2:], axis=0), exact, atol=1e-8)
    # Against the nearest frame, as nothing else is known: the worse of the two.
    expected = 10 * np.log10(1 / ((exact - 0.6875) ** 2).max())
    assert found.psnr_min[0] == pytest.approx(expected, abs=1e-6)
    triple, onward, half = (ax.Memory(map, other.patterns) for map in (straight(3), straight(1, 1), straight(0.5)))
    gone = ax.recall(triple, np.ones((1, 1)), path=True)
    assert gone.status == ("diverged",)
    assert np.isnan(gone.psnr_min[0])
    assert np.isfinite(gone.path[0]).all()
    slow = ax.recall(onward, np.array([[0.0]]), path=True, max_steps=100)
    assert slow.status == ("not_converged",)
    assert len(slow.path[0]) == 101
    halving = ax.recall(half, np.array([[1.0]]))
    assert halving.status == ("spurious",)


def test_the_transient_of_a_slow_approach() -> None:
    """x ↦ x/2 comes within √1e-7 of 0 after 12 steps from 1, as 2⁻¹² is the first power below it."""
    memory = ax.Memory(straight(0.5), Patterns.from_examples(np.zeros((1, 1))))
    found = ax.recall(memory, np.ones((1, 1)), reading="mean_square")
    assert found.status == ("recovered",)
    assert found.transient.tolist() == [12]
    # Within 1e-7 after 24.
    assert ax.recall(memory, np.ones((1, 1))).transient.tolist() == [24]


def test_recall_along_an_open_sequence() -> None:
    frames = np.random.default_rng(6).random((5, 7))
    memory = ax.store(Patterns.from_sequences([frames], end="hold"), writer=ax.Constructed("margin"), key=jr.key(0))
    found = ax.recall(memory, frames[1:2] + 0.01, path=True, cycles=2)
    assert (found.transient[0], found.phase[0], found.period[0]) == (1, 2, 1)
    # The cue, what is left of the way, and the state that stays, twice.
    assert np.allclose(found.path[0][1:], frames[[2, 3, 4, 4]], atol=1e-12)
    assert len(found.psnr[0]) == 3


def test_recall_with_context_gives_plain_frames(tmp_path: Any) -> None:
    frames = np.random.default_rng(7).random((3, 4, 4)).astype(np.float32)
    patterns = Patterns.from_sequences([frames[[0, 1, 0, 2]]], context="auto")
    memory = ax.store(patterns, writer=ax.Constructed("margin"), key=jr.key(0))
    found = ax.recall(memory, patterns.one_state(frames[[1, 0]]), path=True)
    assert found.recovered.all()
    assert np.allclose(found.path[0], frames[[0, 2, 0, 1]], atol=1e-12)
    assert ax.recall(memory, frames[1:2], path=True).path[0].shape[1:] == (4, 4)
    assert ax.recall(memory, frames[1:2]).value.shape == (1, 4, 4)
    loaded = ax.load(ax.save(tmp_path / "context.attrax", memory))
    assert loaded.patterns is not None
    assert loaded.patterns.context == 2
    again = ax.recall(loaded, patterns.one_state(frames[[1, 0]]), path=True)
    assert np.array_equal(again.path[0], found.path[0])
    bare = ax.load(ax.save(tmp_path / "bare.attrax", memory, patterns=False))
    assert ax.with_patterns(bare, patterns).examples().context == 2
    with pytest.raises(ValueError, match="digest"):
        ax.with_patterns(bare, Patterns(patterns.points, np.array([1, 2, 0, 3]), (), (4, 4)))


def test_open_sequences_in_files(tmp_path: Any) -> None:
    patterns = Patterns.from_sequences([RNG.random((3, 5))], end="hold")
    memory = ax.store(patterns, writer=ax.Constructed("margin"), key=jr.key(0))
    loaded = ax.load(ax.save(tmp_path / "open.attrax", memory)).certificate
    assert loaded is not None
    assert memory.certificate is not None
    assert loaded.open_sequence_error.tolist() == memory.certificate.open_sequence_error.tolist()
    assert loaded.period.tolist() == [1]
    assert loaded.all_attractors


@pytest.mark.parametrize(
    "wrong", [{"cycles": 0}, {"max_steps": 0}, {"atol": 0.0}, {"recovery_atol": -1.0}, {"expected": np.array([9])}]
)
def test_wrong_options_of_recall(film: tuple[ax.Memory, np.ndarray], wrong: dict[str, Any]) -> None:
    memory, frames = film
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ax.recall(memory, frames[:1], **wrong)
    with pytest.raises(ValueError, match="cues"):
        ax.recall(memory, np.full((1, 5, 4), np.nan))
