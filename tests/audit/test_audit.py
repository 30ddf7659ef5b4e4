"""What an audit says of networks whose memories are known."""

from pathlib import Path

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from helpers.audited import autoencoder_file, digits, leaky_file, memory, memory_file, residual_file

from attrax import foreign, iterate
from attrax.audit import (
    Audit,
    LatentView,
    audit,
    benjamini_hochberg,
    conformal_p_values,
    input_cycle,
    input_value,
    latent_map,
    latent_map_of,
    layout_of,
    proposals,
    restore,
    state_map,
)
from attrax.foreign import ForeignError, Value

pytest.importorskip("onnx", reason="onnx is not installed: pip install 'attrax[onnx]'")


@pytest.fixture(scope="module")
def audited() -> Audit:
    """Six stored digits and two that are not, as training data; 99 others held out."""
    train = digits()[:8]
    return audit(memory().map, train, digits()[41:140], num_starts=40, max_steps=2000, key=jr.key(0))


def test_stored_examples_are_told_from_others(audited: Audit) -> None:
    table = audited.examples
    assert table is not None
    assert [str(one.verdict) for one in table.examples[:6]] == ["attractor"] * 6
    assert [str(one.verdict) for one in table.examples[6:]] == ["not_attractor"] * 2
    assert [one.memorized for one in table.examples] == [True] * 6 + [False] * 2
    assert {one.p_value for one in table.examples[:6]} == {0.01}
    assert all(one.evidence == "bound" and one.recovered["gaussian:0.1"] for one in table.examples[:6])
    assert all(one.distance <= table.recovery_atol and one.cosine > 0.99999 for one in table.examples[:6])
    assert table.num_memorized == 6
    nearest = [one.nearest for one in table.examples[:6]]
    assert len(set(nearest)) == 6


def test_shares_and_kinds_of_starts_add_up(audited: Audit) -> None:
    rows = audited.by_start()
    assert sum(row["starts"] for row in rows.values()) == len(audited.ends.label)
    noise = audited.from_noise
    attractors = audited.ends.num_attractors
    assert list(noise[:attractors]) == sorted(noise[:attractors], reverse=True)
    assert rows["train"]["attractors"] >= 6
    record = audited.as_dict()
    assert {"kind", "radius", "time_constant", "share"} <= set(record["ends"][0])
    assert {"verdict", "memorized", "p_value", "nearest"} <= set(record["examples"][0])
    assert (
        sum(end["count"] for end in record["ends"])
        == len(audited.ends.label) - audited.ends.diverged - audited.ends.not_converged
    )


def test_false_accusations_come_at_the_rate_asked_for() -> None:
    """A network that was trained on none of them, many times over."""
    rng = np.random.default_rng(0)
    accused = 0
    for _ in range(400):
        scores = rng.standard_t(1, size=20 + 39)
        accused += int((conformal_p_values(scores[:20], scores[20:]) <= 0.05).sum())
    assert 0.035 < accused / 8000 < 0.06  # two of forty at most: 5 %
    assert conformal_p_values(np.ones(2), np.ones(99)).tolist() == [1.0, 1.0]  # ties accuse nobody


def test_benjamini_and_hochberg() -> None:
    values = np.array([0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216])
    assert benjamini_hochberg(values, 0.05).tolist() == [True, True] + [False] * 8
    assert benjamini_hochberg(values, 0.1).sum() == 6
    assert not benjamini_hochberg(np.ones(3), 0.5).any()


def test_too_few_held_out_examples_are_refused_before_any_work() -> None:
    with pytest.raises(ValueError, match="at least 99 examples"):
        audit(memory().map, digits()[:2], digits()[10:20], key=jr.key(0))
    with pytest.raises(ValueError, match="train"):
        audit(memory().map, None, digits(), key=jr.key(0))


def test_held_out_examples_that_were_trained_on_are_noticed() -> None:
    train, others = np.array([[0.9575], [0.5]]), np.array([[0.5], [0.2]])
    found = audit(lambda x: jnp.tanh(2 * x), train, others, false_rate=0.5, num_starts=5, key=jr.key(0))
    assert [note for note in found.notes if note.startswith("1 of the held-out examples")]


def test_a_wrong_threshold_is_refused_before_the_search() -> None:
    with pytest.raises(ValueError, match="recovery_atol"):
        audit(lambda x: pytest.fail("it was run"), np.ones((1, 2)), recovery_atol=-1.0, key=jr.key(0))


def test_a_convolutional_network_takes_pictures_without_channels(tmp_path: Path) -> None:
    made = foreign.from_onnx(residual_file(tmp_path))
    train = np.random.default_rng(0).uniform(size=(3, 4, 4)).astype(np.float32)
    found = audit(made.map, train, num_starts=12, key=jr.key(0))
    assert found.ends.num_attractors == len(found.ends.ends) == 1
    assert found.ends.ends[0].evidence == "dense"
    assert found.examples is not None
    assert [str(one.verdict) for one in found.examples.examples] == ["not_attractor"] * 3
    assert [one.memorized for one in found.examples.examples] == [None] * 3


def test_the_latent_map_of_a_cut_autoencoder(tmp_path: Path) -> None:
    program = foreign.load(autoencoder_file(tmp_path))
    latent = latent_map(program, "code")
    assert (latent.shape, latent.outer_shape) == ((3,), (64,))
    z = np.array([0.3, -0.2, 0.1])
    assert np.allclose(latent(jnp.asarray(z, jnp.float32)), np.tanh(4 * z), atol=1e-6)
    again = latent_map_of(program.until("code"), program.after("code"))
    assert np.allclose(again.codes(latent.pictures(z[None])), np.tanh(4 * z), atol=1e-6)
    found = audit(latent, num_starts=100, key=jr.key(0))
    # z ↦ tanh(4z) has an attractor in each of the eight corners.
    assert found.ends.num_attractors == 8
    view = LatentView(latent, layout_of((64,), (8, 8)))
    seen = audit(latent, digits()[:2], view=view, num_starts=8, key=jr.key(0))
    assert seen.view.pictures(seen.ends.ends[0].states).shape == (1, 8, 8)
    for answer in (seen, seen.ends, seen.view):
        assert repr(answer).startswith(type(answer).__name__)
        assert len(repr(answer).splitlines()) <= 12
        assert len(repr(answer)) <= 2000
    with pytest.raises(ForeignError, match="no node"):
        latent_map(program, "nothing")


def test_how_long_a_recurrent_state_remembers_and_what_adds_up(tmp_path: Path) -> None:
    program = foreign.load(leaky_file(tmp_path))
    silent = state_map(program, {"state": "stateN"}, fixed={"sound": np.zeros((1, 1), np.float32)})
    (end,) = audit(silent, num_starts=8, key=jr.key(0)).ends.ends
    # The cell that adds up holds whatever it held: a line of resting states.
    assert (end.marginal, str(end.kind)) == (1, "line")
    assert sorted(np.abs(end.eigenvalues).round(6).tolist()) == [0.5, 0.99, 1.0]
    loud = state_map(program, {"state": "stateN"}, fixed={"sound": np.ones((1, 1), np.float32)})
    moving = audit(loud, num_starts=8, max_steps=2000, key=jr.key(0)).ends.moving[0]
    assert (str(moving.motion), moving.growing[0]) == ("drift", ((2,), pytest.approx(0.25)))
    with pytest.raises(ForeignError, match="sound"):
        state_map(program, {"state": "stateN"})
    with pytest.raises(ForeignError, match="no output"):
        state_map(program, {"state": "state"})


def test_a_round_of_inputs_is_one_step(tmp_path: Path) -> None:
    """The kept cells are at a·x + 1 and a·x − 1 in turn; over a round of two, deviations shrink by a²."""
    program = foreign.load(leaky_file(tmp_path))
    sound = np.array([1.0, -1.0], np.float32).reshape(2, 1, 1)
    driven = state_map(program, {"state": "stateN"}, driven={"sound": sound})
    step = state_map(program, {"state": "stateN"}, fixed={"sound": sound[0]})
    back = state_map(program, {"state": "stateN"}, fixed={"sound": sound[1]})
    x = jnp.array([0.3, -0.2, 0.1])
    np.testing.assert_allclose(driven(x), back(step(x)), atol=1e-6)
    (end,) = audit(driven, num_starts=8, key=jr.key(0)).ends.ends
    assert sorted(np.abs(end.eigenvalues).round(6).tolist()) == [0.25, 0.9801, 1.0]
    np.testing.assert_allclose(end.states[0, :2], [(0.99 - 1) / (1 - 0.99**2), (0.5 - 1) / (1 - 0.25)], rtol=1e-5)
    for wrong, words in (
        ({"nothing": sound}, "no input"),
        ({"state": sound}, "the state"),
        ({"sound": sound[:0]}, "steps"),
    ):
        with pytest.raises(ForeignError, match=words):
            state_map(program, {"state": "stateN"}, driven=wrong)


def test_cycles_of_inputs(tmp_path: Path) -> None:
    sound = Value((1, None), np.dtype(np.float32))
    tone = input_cycle("sound", "tone:100:1x80:3", sound, rate=16_000)
    assert tone.shape == (3, 1, 80)
    np.testing.assert_allclose(tone.ravel(), np.sin(2 * np.pi * 100 * np.arange(240) / 16_000), atol=1e-6)
    np.save(tmp_path / "turns.npy", np.arange(6.0).reshape(2, 1, 3))
    assert input_cycle("sound", str(tmp_path / "turns.npy"), sound).tolist() == [[[0, 1, 2]], [[3, 4, 5]]]
    np.save(tmp_path / "flat.npy", np.arange(6.0))
    for wrong in ("tone:100:1x80", "tone:100:1x80:0", "zeros", str(tmp_path / "flat.npy"), "missing.npy"):
        with pytest.raises(ForeignError):
            input_cycle("sound", wrong, sound)


def test_an_unknown_mask_is_found_and_filled() -> None:
    """A network that pulls toward three points: half of an entry-wise mask leaves too little for the network alone."""
    points = np.random.default_rng(0).uniform(0.2, 1, size=(3, 40))

    def nearest(x: jnp.ndarray) -> jnp.ndarray:  # the softmax of a modern Hopfield network
        weight = jnp.exp(4 * (points @ x - (points**2).sum(1) / 2))
        return weight @ points / weight.sum()

    lost = np.arange(40) < 28
    masked = np.where(lost, 0.0, points)
    found = restore(nearest, masked, fill=0.0)
    free = iterate(nearest, masked).value
    right = [np.linalg.norm(one - points, axis=1) < 1e-3 for one in (found.value, free)]
    assert right[0].sum() > right[1].sum()
    assert (found.known[right[0]] == ~lost).all()
    for wrong in ({"steps": 0}, {"fill": np.nan}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            restore(nearest, masked, **wrong)


def test_walks_find_what_plain_noise_misses() -> None:
    """A softmax memory of ten points, one of them in the middle, where most noise leads to."""
    points = 0.5 + 0.8 * np.eye(10, 12)
    points[0] = 0.5

    def step(x: jnp.ndarray) -> jnp.ndarray:
        scores = 200 * (points @ x - (points**2).sum(1) / 2 + 0.15 * (jnp.arange(10) == 0))
        weight = jnp.exp(scores - scores.max())
        return weight @ points / weight.sum()

    found = audit(step, points, num_starts=8, num_walks=128, corruptions=(), key=jr.key(0))
    noise = int((found.from_noise > 0).sum())
    walked = found.by_start()["walk"]
    assert (walked["starts"], walked["attractors"]) == (128, 128)
    assert walked["different_attractors"] >= 2 * noise
    assert found.from_noise.sum() == pytest.approx(1)  # walks don't count for the shares
    assert found.examples is not None
    assert found.examples.num_extracted == max(walked["different_attractors"], noise)
    with pytest.raises(ValueError, match="num_walks"):
        audit(step, points, num_walks=-1, key=jr.key(0))


def test_values_of_inputs() -> None:
    sound = Value((None, None), np.dtype(np.float32))
    tone = input_value("sound", "tone:200:1x80", sound, rate=16_000)
    assert tone.shape == (1, 80)
    assert tone[0, 20] == pytest.approx(1.0)  # a quarter of 80 samples
    assert input_value("sound", "zeros:2x3", sound).shape == (2, 3)
    assert input_value("n", "3", Value((), np.dtype(np.int64))).dtype == np.int64
    for wrong in ("zeros:2xa", "tone:x:1x2", "loud", "missing.npy", "zeros:99999999x99999999"):
        with pytest.raises(ForeignError):
            input_value("sound", wrong, sound)
    with pytest.raises(ForeignError, match="whole"):
        input_value("n", "0.5", Value((), np.dtype(np.int64)))


def test_layouts_are_undone() -> None:
    color = np.random.default_rng(0).uniform(size=(2, 4, 5, 3))
    for state in ((3, 4, 5), (60,), (4, 5, 3)):
        layout = layout_of(state, (4, 5, 3))
        assert layout.states(color).shape == (2, *state)
        assert np.array_equal(layout.pictures(layout.states(color)), color)
    assert np.array_equal(layout_of((3, 4, 5), (4, 5, 3)).states(color)[:, 1], color[..., 1])
    first = np.moveaxis(color, -1, 1)  # channels first already
    assert np.array_equal(layout_of((60,), (3, 4, 5)).states(first), first.reshape(len(first), 60))
    assert np.array_equal(layout_of((60,), (3, 4, 5)).pictures(first.reshape(len(first), 60)), first)
    with pytest.raises(ValueError, match="data have the shape"):
        layout_of((10,), (4, 5, 3))


def test_proposals_name_what_can_be_audited(tmp_path: Path) -> None:
    found = proposals(foreign.load(leaky_file(tmp_path)))
    assert found.proposals[0].options == "--map state --state state=stateN --input sound=zeros:1x1"
    kinds = {one.options for one in proposals(foreign.load(autoencoder_file(tmp_path))).proposals}
    assert "--map image" in kinds
    assert "--map latent --split code" in kinds or "--map latent --split e" in kinds


def test_an_exported_memory_is_audited_as_it_was_stored(tmp_path: Path) -> None:
    made = foreign.from_onnx(memory_file(tmp_path))
    found = audit(made.map, digits()[:6], num_starts=10, key=jr.key(0))
    assert found.examples is not None
    assert [str(one.verdict) for one in found.examples.examples] == ["attractor"] * 6
