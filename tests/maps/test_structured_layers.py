"""Layers that are diagonal plus rank one: the same network as with matrices, and bounds that hold of what they do."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import jax
import jax.random as jr
import numpy as np
import pytest
import safetensors.numpy

import attrax as ax
from attrax.extending import cast, float64
from attrax.linalg import Factor, RankOneBlock, RunningProduct, frobenius_bound, gamma, two_norm_bound
from attrax.maps import MLP, DiagonalPlusRankOne
from attrax.maps.mlp import _inhibition, _linearize  # what is kept of the units that are on
from attrax.maps.mlp._factors import network_factors  # the bounds by themselves
from attrax.maps.mlp._slopes import Evaluation  # a certificate shows its errors only added up
from attrax.maps.mlp._weights import (  # parts of these errors
    block,
    block_norms,
    common_and_rest,
    row_sizes,
    rows_through,
)

EXACT = np.longdouble
"""With 64 digits of the mantissa to 53: what it computes of small matrices is exact in comparison."""


def drawn(size: int, random: np.random.Generator, scale: float = 1.0) -> DiagonalPlusRankOne:
    diagonal, left, right = (random.standard_normal(size) * scale for _ in range(3))
    return DiagonalPlusRankOne(diagonal, left, right / np.sqrt(size))


def exact(weight: object) -> np.ndarray:
    """The matrix that a weight stands for, in higher precision."""
    if isinstance(weight, RankOneBlock):
        found = np.outer(weight.left.astype(EXACT), weight.right.astype(EXACT))
        found[weight.rows, weight.columns] += weight.entries
        return found
    if isinstance(weight, DiagonalPlusRankOne):
        parts = (np.asarray(part, EXACT) for part in (weight.diagonal, weight.left, weight.right))
        diagonal, left, right = parts
        return np.diag(diagonal) + np.outer(left, right)
    return np.asarray(weight, EXACT)


def structured(random: np.random.Generator, sizes: tuple[int, ...] = (6, 9, 9, 9, 6), gain: float = 0.4) -> MLP:
    """A network whose middle layers are diagonal plus rank one."""
    weights: list = []
    for into, out in pairwise(sizes):
        dense = gain * random.standard_normal((out, into)) / np.sqrt(into)
        weights.append(drawn(out, random, gain) if into == out else dense)
    biases = [0.3 * random.standard_normal(out) for out in sizes[1:]]
    return MLP(tuple(weights), tuple(biases), (sizes[0],), "relu")


def winner(num: int = 40, size: int = 16) -> ax.Memory:
    points = np.random.default_rng(1).random((num, size))
    scores = ax.training.encoder(points, widths=(2 * num,), key=jr.key(0))
    return ax.Memory(ax.training.winner_take_all_network(scores, points), ax.Patterns.from_examples(points))


@pytest.mark.parametrize("seed", range(4))
def test_products_of_blocks_are_as_exact_as_their_bounds_say(seed: int) -> None:
    random = np.random.default_rng(seed)
    weight = drawn(30, random, 10.0 ** random.integers(-3, 4))
    weight = replace(weight, diagonal=weight.diagonal - weight.left * weight.right)  # cancels on the diagonal
    rows, columns = (np.sort(random.choice(30, count, replace=False)) for count in (17, 12))
    part = block(weight, rows, columns)
    assert isinstance(part, RankOneBlock)
    np.testing.assert_array_equal(exact(part), exact(weight)[np.ix_(rows, columns)])
    for one, product in (
        (random.standard_normal((12, 5)), lambda one: (part @ one, exact(part) @ one.astype(EXACT))),
        (random.standard_normal((5, 17)), lambda one: (one @ part, one.astype(EXACT) @ exact(part))),
    ):
        found, true = product(one)
        assert np.linalg.norm(found - true) <= gamma(17 + 2) * frobenius_bound(part) * frobenius_bound(one)
    formed, rounding = Factor(part, 0.0, 0.0).formed()
    assert np.linalg.norm((formed - exact(part)).astype(float)) <= rounding
    norm = np.linalg.norm(exact(part).astype(float), 2)
    assert norm <= two_norm_bound(part)
    on, live = np.zeros((1, 30), bool), np.zeros((1, 30), bool)
    on[0, rows], live[0, columns] = True, True
    for sharp in (False, True):
        assert norm <= block_norms(weight, on, live, sharp=sharp)[0, 0]
    lengths = np.linalg.norm(exact(weight)[:, columns].astype(float), axis=1)
    assert (lengths <= row_sizes(weight, live)[0]).all()


@pytest.mark.parametrize("seed", range(4))
def test_running_products_of_blocks_are_within_their_error(seed: int) -> None:
    random = np.random.default_rng(seed)
    blocks = [block(drawn(8, random, 10.0 ** random.integers(-2, 3)), None, None) for _ in range(3)]
    chain = [blocks[0], random.standard_normal((8, 8)), blocks[1], blocks[2]][: 2 + seed % 3]
    running, true = RunningProduct(8), np.eye(8, dtype=EXACT)
    running.multiply_block([Factor(one, two_norm_bound(one), 0.0) for one in chain])
    for one in chain:
        true = exact(one) @ true
    found = running.product()
    assert 0 < found.error < 1e-12
    # The scale is a power of two, whose logarithm is rounded.
    scale = 2.0 ** round(found.log_scale / np.log(2))
    gap = found.matrix.astype(EXACT) * scale - true
    assert np.linalg.norm(gap.astype(float)) <= found.error * scale


@pytest.mark.parametrize("seed", range(3))
def test_pre_activations_are_within_their_errors(seed: int) -> None:
    random = np.random.default_rng(seed)
    network = structured(random, gain=2.0)
    states = random.standard_normal((40, 6))
    evaluation = Evaluation(network_factors(network), states, fixed=True)
    values = states.astype(EXACT)
    for layer, total in enumerate(evaluation.totals(0.0)):
        before = values @ exact(network.weights[layer]).T + network.biases[layer]
        assert (np.abs(before - evaluation.pre[layer]) <= total).all()
        values = np.maximum(before, 0)


@pytest.mark.parametrize("seed", range(3))
def test_outputs_of_features_that_are_nearly_all_one_number_are_within_their_errors(seed: int) -> None:
    random = np.random.default_rng(seed)
    level = random.choice([1.0, -0.3, 1e-3])
    # W_1 is 0 but for a few rows, so that all other features are at their bias.
    first = np.where(np.arange(200)[:, None] < 5, random.standard_normal((200, 6)), 0.0)
    last = random.standard_normal((6, 200)) * 10.0 ** random.integers(-2, 3)
    network = MLP((first, last), (np.full(200, level), random.standard_normal(6)), (6,), "identity")
    states = random.standard_normal((40, 6))
    common, rest = common_and_rest(states @ first.T + level)
    assert common == level
    assert (np.count_nonzero(rest, axis=1) == 5).all()
    evaluation = Evaluation(network_factors(network), states, fixed=True)
    true = (states.astype(EXACT) @ first.T.astype(EXACT) + level) @ last.T.astype(EXACT) + network.biases[1]
    for found in (rows_through(last, evaluation.hidden[-1]) + network.biases[1], network.on_host().rows(states)):
        errors = np.linalg.norm((found - true).astype(float), axis=1)
        assert errors.max() > 0
        assert (errors <= evaluation.rounding()[1]).all()
    # With the output as the next state, what remains is rounding.
    assert (evaluation.residuals(sharp=False) >= np.linalg.norm((true - states).astype(float), axis=1)).all()
    odd = np.where(np.arange(200) == 150, np.nan, level) * np.ones((40, 1))
    assert np.isnan(rows_through(last, odd)).all()


def test_rounds_of_inhibition_are_computed_from_the_units_that_are_on() -> None:
    memory = winner(num=400)
    points = memory.examples().points
    cues = np.concatenate([points, points + np.random.default_rng(2).normal(scale=0.2, size=points.shape)])
    network = memory.map
    before, whole = cues, []
    for weight, bias in zip(network.weights[:-1], network.biases[:-1], strict=True):
        before = np.maximum(before @ np.asarray(weight).T + bias, 0.0)
        whole.append(before)
    assert np.count_nonzero(whole[2]) * 8 < whole[2].size  # so that the units that are off are left out
    expected = before @ np.asarray(network.weights[-1]).T + network.biases[-1]
    np.testing.assert_allclose(network.on_host().rows(cues), expected, atol=1e-9)
    odd = cues.copy()
    odd[3, 0], odd[5, 0] = np.nan, np.inf
    with np.errstate(invalid="ignore"):
        found = network.on_host().rows(odd)
    assert np.isnan(found[[3, 5]]).all()
    np.testing.assert_allclose(np.delete(found, [3, 5], axis=0), np.delete(expected, [3, 5], axis=0), atol=1e-9)


def inhibiting(random: np.random.Generator, size: int = 60, front: bool = False) -> MLP:
    """Four rounds with uneven weights, and a layer of which each unit has one input; in `front` another layer."""
    sizes = (5, 7, size) if front else (5, size)
    weights: list = [random.standard_normal((out, into)) for into, out in pairwise(sizes)]
    biases: list = [random.standard_normal(len(weight)) for weight in weights]
    for strength in (0.02, 0.05, 0.2, 0.6):
        diagonal, left, right = (random.uniform(0.5, 1.5, size) for _ in range(3))
        weights.append(DiagonalPlusRankOne(diagonal + strength, -strength * left, right))
        biases.append(-0.01 * random.random(size))
    weights.append(DiagonalPlusRankOne(-random.uniform(50, 100, size), np.zeros(size), random.standard_normal(size)))
    biases.append(np.ones(size))
    return MLP((*weights, random.standard_normal((5, size))), (*biases, random.standard_normal(5)), (5,), "relu")


@pytest.mark.parametrize("seed", range(8))
def test_units_that_are_off_stay_off_and_the_others_are_within_their_errors(seed: int) -> None:
    random = np.random.default_rng(seed)
    network = inhibiting(random, front=seed % 2 == 0)
    rounds = _inhibition.rounds_of(network_factors(network))
    assert rounds is not None
    scored = network.depth - 6
    assert (rounds.front is not None) == (scored == 1)
    states = random.standard_normal((40, 5))
    radius = np.full(40, 10.0 ** random.integers(-12, 0))
    inputs, away = states, radius[:, None]
    if rounds.front is not None:
        evaluation = Evaluation(rounds.front, states, fixed=True)
        inputs, (away, _) = evaluation.hidden[-1], evaluation.carried(radius)
    few, sure = rounds.scores.inhibited(inputs, away, *rounds.rounds[0])
    assert sure.all()
    inside = random.standard_normal((30, 40, 5))
    inside *= radius[:, None] / np.linalg.norm(inside, axis=2, keepdims=True)
    values = np.concatenate([states[None], states + inside]).astype(EXACT)
    for layer in range(scored + 5):
        values = np.maximum(values @ exact(network.weights[layer]).T + network.biases[layer], 0)
        if layer > scored + 1:
            few = few.inhibited(rounds.factors.weights[layer], rounds.factors.biases[layer]).packed()
        if layer > scored:
            known = np.zeros((40, 60))
            for row in range(40):
                known[row, few.columns[row][few.kept[row]]] = few.values[row][few.kept[row]]
                others = np.setdiff1d(np.arange(60), few.columns[row][few.kept[row]])
                assert (values[:, row, others] == 0).all()
            # Factors may have other units of measure than the network; here all have the same.
            gaps = np.linalg.norm((values - known).astype(float), axis=2)
            assert (gaps <= few.away[:, 0]).all()
    assert few.kept.any()
    constant, chosen, errors = few.chosen(rounds.factors.weights[-2], rounds.factors.biases[-2])
    values = np.maximum(values @ exact(network.weights[-2]).T + network.biases[-2], 0)
    outputs, rounding = rounds._outputs(few, chosen, errors)
    true = values @ network.weights[-1].T.astype(EXACT) + network.biases[-1]
    gaps = np.linalg.norm((true - outputs).astype(float), axis=2)
    assert (gaps <= rounding).all()
    assert (np.ptp(values[:, constant].astype(float), axis=0) == 0).all()


@pytest.mark.parametrize("part", ["sign", "inputs", "weights", "resting"])
def test_other_layers_are_computed_in_full(part: str) -> None:
    network = inhibiting(np.random.default_rng(0))
    weights, biases = [*network.weights], [*network.biases]
    if part == "sign":
        weights[4] = replace(weights[4], left=-weights[4].left)  # it excites
    elif part == "inputs":
        weights[5] = replace(weights[5], left=np.ones(60))  # each unit has all of them
    elif part == "weights":
        weights[6] = np.full((5, 60), np.inf)
    else:
        biases[5] = np.full(60, np.nan)
    changed = replace(network, weights=(*weights,), biases=(*biases,))
    assert _inhibition.rounds_of(network_factors(changed)) is None


def test_certificates_from_few_units_are_those_from_all(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = winner(num=400)
    points = np.asarray(memory.examples().points)
    middle = (points[:40] + points[40:80]) / 2  # at a tie, or where another picture comes out
    states = np.concatenate([points, points + 1e-13, middle, points + 1e-3])
    few = ax.maps.linearizer(memory.map).constant_at(states)
    assert _inhibition.rounds_of(network_factors(memory.map)) is not None
    monkeypatch.setattr(_linearize, "rounds_of", lambda factors: None)
    full = ax.maps.linearizer(memory.map).constant_at(states)
    assert None not in few[:800]
    values = states[:800].astype(EXACT)
    for weight, bias in zip(memory.map.weights[:-1], memory.map.biases[:-1], strict=True):
        values = np.maximum(values @ exact(weight).T + bias, 0)
    fixed = values @ exact(memory.map.weights[-1]).T + memory.map.biases[-1]
    away = np.linalg.norm((fixed - states[:800]).astype(float), axis=1)
    for one, other, distance in zip(few[:800], full[:800], away, strict=True):
        # The sum over all pictures is rounded once, not with each state.
        assert distance <= one.enclosure_radius < other.enclosure_radius
        assert one.product.matrix.shape == other.product.matrix.shape == (1, 1)
    assert few[800:] == [None] * 440
    assert full[800:840] == [None] * 40


def test_it_is_the_network_with_matrices() -> None:
    random = np.random.default_rng(0)
    network, states = structured(random), random.standard_normal((40, 6))
    dense = network.dense()
    assert all(isinstance(weight, np.ndarray) for weight in dense.weights)
    assert dense.dense() is dense
    assert network.widths == dense.widths
    with float64():
        compiled = jax.jit(jax.vmap(cast(network, np.float64)))(states)
        expected = ax.maps.each_row(dense, states)
        slopes = [dense.on_host().push(state, None) for state in states[:3]]
        np.testing.assert_allclose([network.on_host().push(state, None) for state in states[:3]], slopes, atol=1e-14)
        np.testing.assert_allclose(ax.maps.each_row(network, states), expected, atol=1e-14)
        np.testing.assert_allclose(compiled, expected, atol=1e-14)


@pytest.mark.parametrize("seed", range(4))
def test_certificates_of_layers_that_are_not_flat(seed: int) -> None:
    """The radius round the fixed point is that of the formed Jacobian, within the error and below the bound."""
    random = np.random.default_rng(seed)
    network = structured(random, gain=0.7)
    point = np.zeros(6)
    for _ in range(400):
        point = network.on_host().rows(point[None])[0]
    found = ax.certify(ax.Memory(network, ax.Patterns.from_examples(point[None])))
    assert found.verdict[0] == "attractor"
    radius = np.abs(np.linalg.eigvals(network.dense().on_host().push(point, None))).max()
    assert found.spectral_radius[0] == pytest.approx(radius, abs=1e-12)
    assert radius <= found.upper_bound[0] + 1e-15
    assert radius > 1e-4
    here = point.astype(EXACT)
    for _ in range(400):
        for number, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
            here = exact(weight) @ here + bias
            here = np.maximum(here, 0) if number < network.depth else here
    assert np.linalg.norm((here - point).astype(float)) <= found.distance_error[0]


def test_nothing_of_the_size_of_the_examples_squared_is_formed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is certified together is what is certified alone, and of the network with matrices."""
    memory = winner()
    dense = ax.certify(memory.dense())

    def refuse(*_: object, **__: object) -> np.ndarray:
        raise AssertionError("formed")

    monkeypatch.setattr(DiagonalPlusRankOne, "__array__", refuse)
    points = memory.examples().points
    assert None not in ax.maps.linearizer(memory.map).constant_at(points)
    found = ax.certify(memory)
    assert found.all_attractors
    assert dense.all_attractors
    assert (found.upper_bound == 0).all()
    assert (found.largest_singular_value == 0).all()
    alone = ax.certify(ax.Memory(memory.map, ax.Patterns.from_examples(points[3:4])))
    assert 0 < found.distance_error[3] < 1.5 * alone.distance_error[0]
    assert alone.spectral_radius[0] == found.spectral_radius[3] == 0
    assert found.distance_error.max() < 1e-9


def test_examples_that_are_not_flat_are_looked_at_one_by_one() -> None:
    """Among forty, one example that another's score wins, and one between two of them."""
    memory = winner()
    points = memory.examples().points.copy()
    network = memory.map
    shifted = MLP(network.weights, (*network.biases[:-1], network.biases[-1] + 0.01), network.shape, "relu")
    points[:39] = shifted.on_host().rows(points[:39])
    found = ax.certify(ax.Memory(shifted, ax.Patterns.from_examples(points)))
    assert [str(one) for one in found.verdict[:39]] == ["attractor"] * 39
    assert found.verdict[39] != "attractor"


def test_files_hold_three_vectors(tmp_path: Path) -> None:
    memory = replace(winner(), written={"status": "stored"})
    path = ax.save(tmp_path / "it.attrax", memory)
    again = ax.load(path)
    for one, other in zip(memory.map.weights, again.map.weights, strict=True):
        assert type(one) is type(other)
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    assert path.stat().st_size < ax.save(tmp_path / "dense.attrax", memory.dense()).stat().st_size
    arrays = safetensors.numpy.load(path.read_bytes())
    assert arrays["map.weight.2.diagonal"].shape == (40,)
    assert memory.dense().certificate is None


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays.pop("map.weight.2.left"),
        lambda arrays: arrays.update({"map.weight.2.left": np.ones(3)}),
        lambda arrays: arrays.update({"map.weight.2.left": np.ones((40, 1))}),
        lambda arrays: arrays.update({"map.weight.2": np.eye(40)}),
        lambda arrays: arrays["map.weight.2.right"].__setitem__(0, np.nan),
    ],
)
def test_files_with_vectors_that_do_not_fit_are_refused(change: object, tmp_path: Path) -> None:
    from attrax.files import checksum

    content = ax.save(tmp_path / "it.attrax", winner()).read_bytes()
    arrays = {name: np.array(array) for name, array in safetensors.numpy.load(content).items()}
    change(arrays)
    with safetensors.safe_open(tmp_path / "it.attrax", "numpy") as file:
        metadata = file.metadata()
    metadata["checksum"] = checksum(arrays, metadata["memory"])
    (tmp_path / "forged").write_bytes(safetensors.numpy.save(arrays, metadata))
    with pytest.raises(ax.MemoryFileError, match="contradicts itself"):
        ax.load(tmp_path / "forged")


def test_files_of_version_2_stay_readable(tmp_path: Path) -> None:
    from attrax.files import checksum

    dense = winner().dense()
    ax.save(tmp_path / "it.attrax", dense)
    with safetensors.safe_open(tmp_path / "it.attrax", "numpy") as file:
        metadata = file.metadata()
    arrays = safetensors.numpy.load((tmp_path / "it.attrax").read_bytes())
    older = {**metadata, "version": "2", "checksum": checksum(arrays, metadata["memory"], "2")}
    (tmp_path / "older").write_bytes(safetensors.numpy.save(arrays, older))
    for one, other in zip(dense.map.weights, ax.load(tmp_path / "older").map.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_wrong_layers_are_refused() -> None:
    weight = drawn(3, np.random.default_rng(0))
    with pytest.raises(ValueError, match="vectors of one length"):
        DiagonalPlusRankOne(np.ones(3), np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match="must be matrices"):
        MLP((weight, np.eye(3)), (None, None), (3,), "relu")


def test_a_dark_state_among_bright_ones_is_not_rounded_with_them() -> None:
    # At 0 the map doubles deviations; elsewhere it is off or far away. All other states are 1 but for one entry.
    draw = np.random.default_rng(7)
    states = np.ones((40, 400))
    states[np.arange(40), np.arange(40)] = 0.5
    states[7] = 0.0
    along = 1e3 * draw.normal(size=400)
    push = along * 2 / (along @ along)
    network = ax.maps.MLP(
        (along[None], np.eye(1), push[:, None]), (np.array([1e-13]), None, -1e-13 * push), (400,), "relu"
    )
    together = ax.certify(ax.Memory(network, ax.Patterns.from_examples(states)))
    alone = ax.certify(ax.Memory(network, ax.Patterns.from_examples(states[7:8])))
    assert together.verdict[7] == alone.verdict[0] == "not_attractor"
    assert together.spectral_radius[7] == pytest.approx(2)


@pytest.mark.parametrize("fixed", [True, False])
def test_sums_of_bright_states_are_within_their_bounds(fixed: bool) -> None:
    draw = np.random.default_rng(0)
    states = np.ones((40, 120))
    states[:, :8], states[3] = 0.0, 0.0
    weights = (draw.normal(size=(6, 120)), draw.normal(size=(120, 6)))
    weights[0][:, :8] *= 1e8
    network = ax.maps.MLP(weights, (np.zeros(6), np.zeros(120)), (120,), "relu")
    found = Evaluation(network_factors(network), states, fixed=fixed)
    for row, state in enumerate(states):
        exact = [
            sum((Fraction(w) * Fraction(x) for w, x in zip(unit, state, strict=True)), Fraction(0))
            for unit in weights[0]
        ]
        off = [abs(Fraction(value) - sure) for value, sure in zip(found.pre[0][row], exact, strict=True)]
        assert (np.array(off, float) <= found.sum_errors[0][row]).all()
    assert (found.sum_errors[0] >= 0).all()


@pytest.mark.parametrize(("threshold", "scale"), [(np.inf, 1.0), (1e60, 1e247)])
def test_rounds_with_numbers_out_of_range_end_in_a_status(threshold: float, scale: float) -> None:
    points = np.random.default_rng(1).normal(size=(40, 5))
    rounds = [
        DiagonalPlusRankOne(np.full(40, 1 + gain), np.full(40, -gain), np.ones(40)) for gain in (0.1, 0.2, 0.5, 1)
    ]
    chosen = DiagonalPlusRankOne(np.full(40, -50.0), np.zeros(40), np.zeros(40))
    weights = (points, *rounds, chosen, scale * points.T)
    biases = (*[np.zeros(40)] * 5, np.where(np.arange(40) < 2, threshold, 1.0), np.zeros(5))
    found = ax.certify(ax.Memory(MLP(weights, biases, (5,), "relu"), ax.Patterns.from_examples(points)))
    assert found.num_attractors == 0
    assert set(found.reason) <= {"not_finite", "no_fixed_point_near"}
