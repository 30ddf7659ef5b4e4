"""Corruptions: each does what its name says, by its own draw."""

from collections import Counter
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
import scipy.ndimage

import attrax as ax
from attrax import CORRUPTIONS, corrupt, parse_corruption
from attrax.extending import float64

RNG = np.random.default_rng(0)
MANY = 200
GRAY = RNG.uniform(0.2, 0.8, (MANY, 8, 6))
COLOR = RNG.uniform(0.2, 0.8, (MANY, 8, 6, 3))
VECTORS = RNG.uniform(0.2, 0.8, (MANY, 20))
KEY = jr.key(0)

# One of each kind, at a level that changes nearly every state.
TEXTS = [
    "gaussian:0.3",
    "occlude:0.5",
    "drop:0.4",
    "uniform:0.4",
    "saltpepper:0.4",
    "block:0.3",
    "blocknoise:0.3",
    "half:right,0.5",
    "shift:2",
    "rotate:30",
    "scale:1.5",
    "elastic:1",
    "contrast:0.5",
    "blend:0.3",
    "hide:0.75",
    "blank:0.4",
    "none",
]
PICTURE_ONLY = [
    "occlude:0.5",
    "block:0.3",
    "blocknoise:0.3",
    "half:top,0",
    "shift:1",
    "rotate:10",
    "scale:2",
    "elastic:1",
    "hide:0.5",
]
WITHOUT_DRAW = ["occlude:0.5", "half:right,0.5", "shift:2", "rotate:30", "scale:1.5", "contrast:0.5", "none"]

given = partial(pytest.mark.parametrize, "states")
both = given([GRAY, COLOR], ids=["gray", "color"])
all_three = given([GRAY, COLOR, VECTORS], ids=["gray", "color", "vectors"])


def changed_pixels(found: np.ndarray, states: np.ndarray) -> np.ndarray:
    """Which pixels changed; all channels of a pixel have to agree on it."""
    changed = found != states
    if states.ndim == 4:
        assert np.array_equal(changed.any(axis=-1), changed.all(axis=-1)), "a pixel changed in part"
        changed = changed.any(axis=-1)
    return changed


def assert_rate(hits: np.ndarray, rate: float) -> None:
    """The mean of independent draws is at the rate within five standard deviations."""
    assert abs(hits.mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / hits.size)


def test_every_corruption_is_tested_here() -> None:
    assert {text.partition(":")[0] for text in TEXTS} == set(CORRUPTIONS)


# --- each kind -----------------------------------------------------------------------------------


@all_three
def test_gaussian_adds_noise_and_does_not_clip(states: np.ndarray) -> None:
    noise = (corrupt("gaussian:0.7", states, key=KEY) - states) / 0.7
    assert abs(noise.mean()) < 5 / np.sqrt(noise.size)
    assert abs(noise.var() - 1) < 5 * np.sqrt(2 / noise.size)
    assert abs(np.mean(noise**4) - 3) < 5 * np.sqrt(96 / noise.size)
    rows = noise.reshape(MANY, -1)
    covariance = rows.T @ rows / MANY
    assert np.abs(covariance - np.eye(len(covariance))).max() < 6 * np.sqrt(2 / MANY), "entries share a draw"
    found = corrupt("gaussian:0.7", states, key=KEY)
    assert found.min() < 0
    assert found.max() > 1


@both
@pytest.mark.parametrize(("level", "hidden"), [(0.25, 2), (0.5, 4), (0.55, 4), (0.6, 5), (1.0, 8), (0.05, 0)])
def test_occlude_blackens_the_lower_rows(states: np.ndarray, level: float, hidden: int) -> None:
    found = corrupt(f"occlude:{level}", states, key=KEY)
    expected = states.copy()
    expected[:, 8 - hidden :] = 0
    assert np.array_equal(found, expected)


@all_three
@pytest.mark.parametrize("level", [0.1, 0.5])
def test_drop_blackens_each_pixel_with_its_probability(states: np.ndarray, level: float) -> None:
    found = corrupt(f"drop:{level}", states, key=KEY)
    changed = changed_pixels(found, states)
    assert not found[changed].any()
    assert_rate(changed, level)
    # Every pixel has its turn: no place is always kept or always dropped.
    assert changed.any(axis=0).all()
    assert not changed.all(axis=0).any()


@all_three
def test_uniform_replaces_pixels_by_anything_between_black_and_white(states: np.ndarray) -> None:
    found = corrupt("uniform:0.3", states, key=KEY)
    changed = changed_pixels(found, states)
    assert_rate(changed, 0.3)
    values = found[changed].reshape(-1)
    assert values.min() >= 0
    assert values.max() <= 1
    quantiles = np.quantile(values, [0.1, 0.5, 0.9])
    assert np.allclose(quantiles, [0.1, 0.5, 0.9], atol=5 * 0.5 / np.sqrt(values.size))
    if states.ndim == 4:
        assert np.ptp(found[changed], axis=-1).min() > 0, "channels share a draw"


@all_three
def test_saltpepper_makes_pixels_black_or_white(states: np.ndarray) -> None:
    found = corrupt("saltpepper:0.4", states, key=KEY)
    changed = changed_pixels(found, states)
    assert_rate(changed, 0.4)
    values = found[changed]
    assert set(np.unique(values)) == {0.0, 1.0}
    white = values if states.ndim < 4 else values[:, 0]
    assert states.ndim < 4 or (values == values[:, :1]).all(), "a white pixel is white in all channels"
    assert_rate(white, 0.5)


def square(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Top, left, height and width of the one rectangle that the mask consists of."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    assert mask[np.ix_(rows, columns)].all()
    assert np.array_equal(rows, np.arange(rows[0], rows[-1] + 1))
    assert np.array_equal(columns, np.arange(columns[0], columns[-1] + 1))
    return rows[0], columns[0], len(rows), len(columns)


@both
@pytest.mark.parametrize("kind", ["block", "blocknoise"])
@pytest.mark.parametrize(("level", "side"), [(0.2, 3), (0.34, 4), (0.02, 1)])
def test_blocks_are_squares_of_their_area_anywhere(states: np.ndarray, kind: str, level: float, side: int) -> None:
    # The side nearest to the square root of level·8·6.
    assert side == round(np.sqrt(level * 48))
    found = corrupt(f"{kind}:{level}", states, key=KEY)
    changed = changed_pixels(found, states)
    places = [square(mask) for mask in changed]
    assert {place[2:] for place in places} == {(side, side)}
    # All places that hold the square occur, about equally often.
    corners = [(place[0], place[1]) for place in places]
    possible = (8 - side + 1) * (6 - side + 1)
    counts = np.unique(corners, axis=0, return_counts=True)[1]
    assert counts.max() < 5 * MANY / possible
    assert len(counts) > 0.9 * possible
    values = found[changed]
    if kind == "block":
        assert not values.any()
    else:
        assert 0 <= values.min() < 0.05
        assert 0.95 < values.max() <= 1
        assert abs(values.mean() - 0.5) < 5 / np.sqrt(12 * values.size)
        assert len(np.unique(values)) == values.size


@both
@pytest.mark.parametrize("kind", ["block", "blocknoise"])
def test_a_block_that_does_not_fit_is_cut_off(states: np.ndarray, kind: str) -> None:
    # The side would be 7 of 8 rows and 6 columns.
    changed = changed_pixels(corrupt(f"{kind}:1", states, key=KEY), states)
    assert {square(mask)[2:] for mask in changed} == {(7, 6)}


@pytest.mark.parametrize(
    ("side", "hidden"),
    [
        ("left", np.s_[:, :, :3]),
        ("right", np.s_[:, :, 3:]),
        ("top", np.s_[:, :4]),
        ("bottom", np.s_[:, 4:]),
    ],
)
@both
def test_half_sets_one_half(states: np.ndarray, side: str, hidden: Any) -> None:
    for value in (0.0, 0.5, -3.0):
        expected = states.copy()
        expected[hidden] = value
        assert np.array_equal(corrupt(f"half:{side},{value}", states, key=KEY), expected)


def test_half_of_an_odd_number_leaves_the_middle() -> None:
    states = RNG.random((2, 5, 7))
    for side, hidden in {"top": 2, "bottom": 2, "left": 3, "right": 3}.items():
        found = corrupt(f"half:{side},9", states, key=KEY)
        assert (found == 9).sum() == 2 * hidden * (7 if side in ("top", "bottom") else 5)


@both
@pytest.mark.parametrize("amount", [2, 1, -3, 5, 6, 100, -100])
def test_shift_moves_right_and_down(states: np.ndarray, amount: int) -> None:
    expected = np.zeros_like(states)
    if 0 <= amount < 6:
        expected[:, amount:, amount:] = states[:, : 8 - amount, : 6 - amount]
    elif -6 < amount < 0:
        expected[:, :amount, :amount] = states[:, -amount:, -amount:]
    assert np.array_equal(corrupt(f"shift:{amount}", states, key=KEY), expected)


@pytest.mark.parametrize("shape", [(3, 7, 7), (3, 7, 7, 3), (3, 6, 6)])
def test_rotate_by_quarters_is_exact_and_counter_clockwise(shape: tuple) -> None:
    states = RNG.random(shape)
    for quarters in (1, 2, 3, -1, 4):
        found = corrupt(f"rotate:{90 * quarters}", states, key=KEY)
        assert np.allclose(found, np.rot90(states, quarters, axes=(1, 2)), atol=1e-12)


@both
@pytest.mark.parametrize("degrees", [30.0, -75.0])
def test_rotate_interpolates_between_pixels(states: np.ndarray, degrees: float) -> None:
    found = corrupt(f"rotate:{degrees}", states, key=KEY)[:3]
    # SciPy turns from the first axis to the second, which for rows and columns is counter-clockwise.
    expected = scipy.ndimage.rotate(
        states[:3], degrees, axes=(1, 2), reshape=False, order=1, mode="grid-constant", cval=0.0
    )
    assert np.allclose(found, expected, atol=1e-12)
    assert found[:, 0, 0].max() < states[:3, 0, 0].min(), "what comes from outside is not black"


@both
@pytest.mark.parametrize("factor", [0.5, 1.3, 2.0])
def test_scale_enlarges_about_the_center(states: np.ndarray, factor: float) -> None:
    found = corrupt(f"scale:{factor}", states, key=KEY)[:3]
    middle = np.array([3.5, 2.5])
    for state, answer in zip(states[:3], found, strict=True):
        planes, answers = state.reshape(8, 6, -1), answer.reshape(8, 6, -1)
        for channel in range(planes.shape[-1]):
            expected = scipy.ndimage.affine_transform(
                planes[..., channel], np.eye(2) / factor, middle - middle / factor, order=1, mode="grid-constant"
            )
            assert np.allclose(answers[..., channel], expected, atol=1e-12)
    assert (found[:, 0, 0] == 0).all() == (factor < 1)


def test_elastic_warps_by_a_smooth_field_of_its_standard_deviation() -> None:
    # Channels that hold their own row and column show where each pixel was read.
    side, level = 48, 1.5
    place = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), axis=-1) + 100.0
    found = corrupt(f"elastic:{level}", np.repeat(place[None], 40, axis=0), key=KEY)
    field = (found - place)[:, 6:-6, 6:-6]  # farther out the black surroundings come in
    assert abs(field.mean()) < 0.3
    assert abs(field.std(axis=(1, 2)).mean() - level) < 0.2 * level
    # Neighbors move together; the components and the pictures have nothing to do with each other.
    step = np.sqrt(np.mean((field[:, 1:] - field[:, :-1]) ** 2))
    assert 0 < step < 0.25 * level
    assert abs(np.mean(field[..., 0] * field[..., 1])) < 0.3 * level**2
    assert abs(np.mean(field[:-1] * field[1:])) < 0.3 * level**2


@all_three
@pytest.mark.parametrize("level", [0.0, 0.4, 3.0])
def test_contrast_scales_the_deviation_from_the_mean(states: np.ndarray, level: float) -> None:
    mean = states.reshape(MANY, -1).mean(axis=1).reshape((MANY,) + (1,) * (states.ndim - 1))
    found = corrupt(f"contrast:{level}", states, key=KEY)
    assert np.allclose(found, mean + level * (states - mean), atol=1e-14)


@all_three
def test_blend_mixes_in_another_example(states: np.ndarray) -> None:
    few = states[:5]
    mates = set()
    for seed in range(12):
        found = corrupt("blend:0.25", few, key=jr.key(seed))
        for row in range(5):
            errors = [np.abs(found[row] - (0.75 * few[row] + 0.25 * mate)).max() for mate in few]
            assert min(errors) < 1e-14
            assert int(np.argmin(errors)) != row
            mates.add((row, int(np.argmin(errors))))
    assert len(mates) > 15  # of 20 pairs; a fixed choice would give 5


def test_blend_takes_partners_that_differ() -> None:
    partners = np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    cues = np.repeat([[1.0, 0.0]], 6, axis=0)
    assert np.array_equal(corrupt("blend:1", cues, partners=partners, key=KEY), np.zeros((6, 2)))
    half = corrupt("blend:0.5", np.full((4, 2), 4.0), partners=partners, key=KEY)
    assert {tuple(row) for row in half} <= {(2.5, 2.0), (2.0, 2.0)}
    with pytest.raises(ValueError, match="blend needs another example"):
        corrupt("blend:0.5", np.ones((3, 2)), key=KEY)
    with pytest.raises(ValueError, match="blend needs another example"):
        corrupt("blend:0.5", np.ones((1, 2)), partners=np.ones((2, 2)), key=KEY)


@both
@pytest.mark.parametrize(("level", "rows", "columns", "box"), [(0.75, 2, 2, (4, 3)), (0.9, 1, 1, (3, 2))])
def test_hide_leaves_a_side_or_a_rectangle(
    states: np.ndarray, level: float, rows: int, columns: int, box: tuple[int, int]
) -> None:
    found = corrupt(f"hide:{level}", states, key=KEY)
    middle = np.broadcast_to(states.mean(axis=0), states.shape)
    hidden = changed_pixels(found, states)
    assert np.allclose(found[hidden], middle[hidden], atol=1e-12)
    seen = Counter()
    for mask in ~hidden:
        top, left, height, width = square(mask)
        side = {
            (0, 0, rows, 6): "upper",
            (8 - rows, 0, rows, 6): "lower",
            (0, 0, 8, columns): "left",
            (0, 6 - columns, 8, columns): "right",
        }.get((top, left, height, width))
        assert side is not None or (height, width) == box
        seen[side] += 1
    assert len(seen) == 5
    for count in seen.values():
        assert_rate(np.arange(MANY) < count, 0.2)


@all_three
def test_blank_sets_pixels_to_the_mean_of_the_partners(states: np.ndarray) -> None:
    found = corrupt("blank:0.4", states, partners=np.stack([states[0] + 1, states[0] + 3]), key=KEY)
    changed = changed_pixels(found, states)
    middle = np.broadcast_to(states[0] + 2, states.shape)
    assert np.allclose(found[changed], middle[changed], atol=1e-12)
    assert_rate(changed, 0.4)


def test_in_training_every_octave_of_what_is_left_has_its_turn() -> None:
    state, mean = jnp.ones((64, 64)), jnp.zeros((64, 64))
    train = jax.jit(jax.vmap(CORRUPTIONS["blank"].at(0.875).trained, in_axes=(0, None, None, None)))
    left = np.asarray(train(jr.split(KEY, 600), state, 0.875, mean)).mean(axis=(1, 2))
    octaves = np.histogram(left, [0, 0.1, 0.25, 0.5, 1.01])[0] / 600
    assert left.min() > 0.09
    assert np.abs(octaves - [0, 1 / 3, 1 / 3, 1 / 3]).max() < 0.12


def test_hidden_at_the_mean_and_mixed_with_another_example_is_refused() -> None:
    with pytest.raises(ValueError, match="only one of these is possible"):
        parse_corruption("blend:0.5+hide:0.5")


# --- several in a row, and functions -------------------------------------------------------------


def test_several_happen_from_left_to_right() -> None:
    text = "half:top,0.9+shift:2+occlude:0.5"
    one_by_one = GRAY
    for part in text.split("+"):
        one_by_one = corrupt(part, one_by_one, key=KEY)
    assert np.array_equal(corrupt(text, GRAY, key=KEY), one_by_one)
    assert not np.array_equal(corrupt("occlude:0.5+shift:2+half:top,0.9", GRAY, key=KEY), one_by_one)
    parsed = parse_corruption(text)
    assert (parsed.name, parsed.kind, parsed.level) == (text, "half+shift+occlude", (0.9, 2.0, 0.5))
    assert parsed.picture
    assert not parse_corruption("gaussian:0.1+drop:0.1").picture
    with pytest.raises(ValueError, match="needs pictures"):
        corrupt("gaussian:0.1+shift:1", VECTORS, key=KEY)
    mixed = corrupt("blend:1+contrast:0", GRAY[:2], key=KEY)
    assert np.allclose(mixed, GRAY[1::-1].mean(axis=(1, 2), keepdims=True))


def test_each_of_several_has_a_draw_of_its_own() -> None:
    noise = corrupt("gaussian:0.6+gaussian:0.8", GRAY, key=KEY) - GRAY
    # Independent variances add to 1; one draw twice would have 1.96.
    assert abs(noise.var() - 1) < 5 * np.sqrt(2 / noise.size)
    kept = corrupt("drop:0.4+drop:0.4", GRAY, key=KEY) != 0
    assert_rate(kept, 0.36)


def test_a_function_is_a_corruption() -> None:
    def fade(key: Any, x: Any) -> Any:
        return 0.5 * x + jr.uniform(key)

    shift = corrupt(fade, GRAY, key=KEY) - 0.5 * GRAY
    assert np.ptp(shift, axis=(1, 2)).max() < 1e-12
    assert len(np.unique(shift[:, 0, 0])) == MANY
    assert np.array_equal(corrupt(fade, GRAY, key=KEY), corrupt(fade, GRAY, key=KEY))
    with pytest.raises(ValueError, match="shape"):
        corrupt(lambda key, x: x[:2], GRAY, key=KEY)
    for wrong in (3, None, 0.5):
        with pytest.raises(ValueError, match="a corruption must be"):
            corrupt(wrong, GRAY, key=KEY)


@eqx.filter_jit
def trained_rows(function: Any, keys: Any, states: Any, level: Any, mates: Any) -> Any:
    return jax.vmap(function, in_axes=(0, 0, None, 0))(keys, states, level, mates)


def trained(text: str, states: np.ndarray) -> np.ndarray:
    parsed = parse_corruption(text)
    keys = jr.split(KEY, len(states))
    given = states.astype(np.float32)
    return np.asarray(trained_rows(parsed.trained, keys, given, np.float32(parsed.level), given[::-1]))


def test_in_training_levels_are_drawn_up_to_the_given_one() -> None:
    ones = np.ones((2000, 8, 6))
    hidden = (trained("occlude:0.5", ones)[:, :, 0] == 0).sum(axis=1)
    assert set(hidden) == {0, 1, 2, 3, 4}
    values = trained("half:left,0.5", ones)[:, 0, 0]
    assert 0 <= values.min() < 0.01
    assert 0.49 < values.max() <= 0.5
    ramp = np.arange(48.0).reshape(8, 6)
    factors = np.ptp(trained("contrast:3", ramp[None] * ones), axis=(1, 2)) / 47
    assert factors.min() >= 1 - 1e-5
    assert 2.99 < factors.max() <= 3 + 1e-5
    assert abs(factors.mean() - 2) < 0.1
    noise = np.log(trained("gaussian:0.4", 0 * ones).std(axis=(1, 2)))
    assert np.exp(noise.max()) < 0.6
    assert np.exp(noise.min()) < 0.01
    dot = np.zeros((2000, 9, 9))
    dot[:, 4, 4] = 1
    places = {tuple(np.argwhere(row == 1)[0] - 4) for row in trained("shift:2", dot)}
    assert places == {(down, right) for down in range(-2, 3) for right in range(-2, 3)}
    places = {tuple(np.argwhere(row == 1)[0] - 4) for row in trained("shift:-1", dot)}
    assert places == {(down, right) for down in range(-1, 2) for right in range(-1, 2)}


def test_in_training_turns_and_sizes_go_both_ways() -> None:
    along = np.broadcast_to(np.linspace(-1, 1, 17)[:, None], (500, 17, 17))
    inner = np.s_[:, 7:10, 7:10]
    turned = trained("rotate:40", along + 5)[inner]
    # The slope along the columns is the sine of the angle.
    sines = (turned[:, 1, 2] - turned[:, 1, 0]) / (2 / 8)
    angles = np.rad2deg(np.arcsin(np.clip(sines, -1, 1)))
    assert -40.5 < angles.min() < -38
    assert 38 < angles.max() < 40.5
    scaled = trained("scale:2", along + 5)[inner]
    factors = (2 / 8) / (scaled[:, 2, 1] - scaled[:, 0, 1])
    assert 0.49 < factors.min() < 0.52
    assert 1.95 < factors.max() < 2.05
    assert abs(np.mean(np.log(factors))) < 0.1


# --- what they have in common --------------------------------------------------------------------


@pytest.mark.parametrize("text", TEXTS)
def test_shape_dtype_and_the_callers_array(text: str) -> None:
    states = GRAY.copy()
    found = corrupt(text, states, key=KEY)
    assert isinstance(found, np.ndarray)
    assert (found.shape, found.dtype) == (states.shape, states.dtype)
    assert np.array_equal(states, GRAY)
    assert not np.shares_memory(found, states)
    assert (text == "none") == np.array_equal(found, states)


@pytest.mark.parametrize("text", TEXTS)
def test_float32_stays_float32(text: str) -> None:
    if text in (
        "gaussian:0.3",
        "rotate:30",
        "blank:0.4",
    ):  # what each does is compiled; of the others, types are enough
        assert corrupt(text, GRAY.astype(np.float32), key=KEY).dtype == np.float32
    with float64():
        state = jax.ShapeDtypeStruct((8, 6, 3), np.float32)
        found = jax.eval_shape(parse_corruption(text).function, KEY, state, np.float32(0.5), state)
    assert (found.shape, found.dtype) == ((8, 6, 3), np.float32)


@pytest.mark.parametrize("text", TEXTS)
def test_the_key_decides_the_draw(text: str) -> None:
    one, same, other = (corrupt(text, GRAY, key=jr.key(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert np.array_equal(one, other) == (text in WITHOUT_DRAW)


@pytest.mark.parametrize("text", [text for text in TEXTS if text != "blend:0.3"])
def test_a_row_depends_on_itself_and_its_place_only(text: str) -> None:
    corrupted = partial(corrupt, text, partners=GRAY, key=KEY)  # the mean of others is not a matter of the row
    whole = corrupted(GRAY)
    if text in ("gaussian:0.3", "block:0.3"):
        assert np.array_equal(whole[:7], corrupted(GRAY[:7]))
    others = GRAY.copy()
    others[[0, 2, MANY - 1]] = 0.5
    again = corrupted(others)
    kept = np.setdiff1d(np.arange(MANY), [0, 2, MANY - 1])
    assert np.array_equal(again[kept], whole[kept])


def test_a_blend_depends_on_its_own_row_where_partners_are_given() -> None:
    whole = corrupt("blend:0.5", GRAY[:9], partners=GRAY[9:20], key=KEY)
    fewer = corrupt("blend:0.5", GRAY[:4], partners=GRAY[9:20], key=KEY)
    assert np.array_equal(whole[:4], fewer)


@pytest.mark.parametrize("text", [text for text in TEXTS if text not in WITHOUT_DRAW])
def test_equal_states_are_corrupted_differently(text: str) -> None:
    found = corrupt(text, np.repeat(GRAY[:1], MANY, axis=0), partners=GRAY, key=KEY)
    assert len({row.tobytes() for row in found}) > 5


@pytest.mark.parametrize(
    "text",
    [
        "gaussian:0",
        "occlude:0",
        "drop:0",
        "uniform:0",
        "saltpepper:0",
        "block:0",
        "blocknoise:0",
        "shift:0",
        "rotate:0",
        "rotate:360",
        "scale:1",
        "elastic:0",
        "contrast:1",
        "blend:0",
        "none",
    ],
)
def test_the_neutral_level_changes_nothing(text: str) -> None:
    found = corrupt(text, GRAY, key=KEY)
    if text in ("rotate:360", "scale:1", "contrast:1"):
        assert np.allclose(found, GRAY, atol=1e-12)
    else:
        assert np.array_equal(found, GRAY)


@pytest.mark.parametrize("text", ["drop:1", "occlude:1", "contrast:0", "uniform:1", "saltpepper:1"])
def test_the_highest_level_leaves_nothing(text: str) -> None:
    found = corrupt(text, GRAY, key=KEY)
    assert not (found == GRAY).any()
    if text in ("drop:1", "occlude:1"):
        assert not found.any()


def test_a_parsed_corruption_is_its_text() -> None:
    parsed = parse_corruption("gaussian:0.3")
    assert (parsed.name, parsed.kind, parsed.level, parsed.picture) == ("gaussian:0.3", "gaussian", 0.3, False)
    assert parse_corruption("half:top,0.25").level == 0.25
    assert parse_corruption("shift:-4").level == -4.0
    assert parse_corruption("none").kind == "none"
    one, other = corrupt(parsed, GRAY, key=KEY), corrupt("gaussian:0.3", GRAY, key=KEY)
    assert np.array_equal(one, other)
    # Equal texts give one function, or every call would be compiled anew.
    for text in TEXTS:
        assert parse_corruption(text).function is parse_corruption(text).function, text


def test_no_states_give_no_states() -> None:
    assert corrupt("gaussian:0.5", np.zeros((0, 4)), key=KEY).shape == (0, 4)
    assert corrupt("blend:0.5", np.zeros((0, 4)), key=KEY).shape == (0, 4)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, bool])
def test_whole_numbers_are_corrupted_or_refused(dtype: Any) -> None:
    # A level of 0.5 must not become the integer 0 on the way, nor the Boolean 1.
    states = np.ones((2, 8, 6), dtype)
    for text in ("occlude:0.5", "contrast:0.5", "gaussian:0.5"):
        try:
            found = corrupt(text, states, key=KEY)
        except ValueError as refusal:
            assert "states" in str(refusal)  # noqa: PT017 - to be refused is one of two right answers
        else:
            assert np.array_equal(found, corrupt(text, states.astype(found.dtype), key=KEY))
            assert found.dtype.kind == "f"


def test_partners_of_another_shape_are_refused() -> None:
    for partners in (np.zeros((3, 5)), np.zeros(4), np.zeros((3, 1))):
        with pytest.raises(ValueError, match="partners"):
            corrupt("blend:0.5", np.ones((2, 4)), partners=partners, key=KEY)


@pytest.mark.parametrize("text", PICTURE_ONLY)
def test_vectors_have_no_rows(text: str) -> None:
    assert parse_corruption(text).picture
    with pytest.raises(ValueError, match=r"needs pictures .* these states are vectors") as refusal:
        corrupt(text, VECTORS[:3], key=KEY)
    assert repr(text) in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("blur:0.3", "a corruption must be one of gaussian, .*occlude.*KIND:LEVEL; got 'blur:0.3'"),
        ("", "a corruption must be one of"),
        ("Gaussian:0.3", "a corruption must be one of"),
        ("none:0.5", "a corruption must be one of"),
        ("gaussian", "'gaussian' needs a number as its level: gaussian:SIGMA"),
        ("gaussian:", "needs a number"),
        ("gaussian:loud", "needs a number"),
        ("gaussian:-0.1", "of at least 0"),
        ("gaussian:nan", "finite"),
        ("gaussian:inf", "finite"),
        ("occlude:1.01", "at most 1.*got 1.01"),
        ("occlude:-0.5", "at least 0"),
        ("drop:50", "at most 1"),
        ("uniform:2", "at most 1"),
        ("saltpepper:-1", "at least 0"),
        ("block:1.5", "at most 1"),
        ("blocknoise:-0.1", "at least 0"),
        ("blend:1.2", "at most 1"),
        ("shift:1.5", "whole number"),
        ("rotate:361", "at most 360"),
        ("scale:0", "at least 0.01"),
        ("scale:-2", "at least 0.01"),
        ("elastic:-1", "at least 0"),
        ("contrast:-1", "at least 0"),
        ("shift:1+blur:2", "must be one of .*got 'blur:2'"),
        ("shift:1+", "must be one of .*got ''"),
        ("gaussian:0.1+drop:7", "'drop:7'.*at most 1"),
        ("half:right", "needs a number as its level: half:SIDE,VALUE"),
        ("half:middle,0.5", "SIDE one of left, right, top, bottom; got 'half:middle,0.5'"),
        ("half:0.5", "half must be written"),
        ("half", "half must be written"),
        ("half:right,nan", "finite"),
        ("half:right,0.5,0.2", "needs a number"),
    ],
)
def test_wrong_corruptions_are_refused(text: str, words: str) -> None:
    for refuses in (parse_corruption, lambda t: corrupt(t, GRAY[:2], key=KEY)):
        with pytest.raises(ValueError, match=words):
            refuses(text)


def test_the_callers_configuration_stays() -> None:
    corrupt("gaussian:0.5", GRAY, key=KEY)
    assert not jax.config.read("jax_enable_x64")
    assert ax.corrupt is corrupt


def test_a_level_may_be_written_with_an_exponent() -> None:
    assert ax.parse_corruption("gaussian:5e+05").level == 5e5
    assert ax.parse_corruption("gaussian:1e+1+drop:0.5").level == (10.0, 0.5)
