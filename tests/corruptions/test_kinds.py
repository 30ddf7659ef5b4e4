"""Every record of a corruption keeps its word, and a new kind needs nothing but its record."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from helpers.commands import run, strict
from helpers.named import forgetting

import attrax as ax
from attrax.analysis import default_curves, recovery_curves, used_in_training
from attrax.analysis._associators import ASSOCIATORS, Task  # one rival by itself
from attrax.corruptions import (
    AS_IS,
    CORRUPTIONS,
    FACTOR,
    CorruptionKind,
    Motion,
    as_corruption,
    corrupt,
    known_entries,
    register,
)
from attrax.extending import float64
from attrax.report import describe_corruption
from attrax.training import Coordinates, objective

KEY = jr.key(0)
PICTURES = np.random.default_rng(0).uniform(0.2, 0.8, (6, 8, 6))
VECTORS = np.random.default_rng(1).uniform(0.2, 0.8, (6, 20))


def fade(key: Any, x: Any, level: Any, partner: Any) -> Any:
    """Darkens."""
    return (1 - level) * x


def stripe(key: Any, x: Any, level: Any, partner: Any) -> Any:
    """Whole rows are made gray at random."""
    hidden = jr.bernoulli(key, level, x.shape[:1])
    return jnp.where(hidden.reshape((-1,) + (1,) * (x.ndim - 1)), 0.5, x)


FADE = CorruptionKind("fade", fade, about="darkens by the fraction F", levels=(0.25, 0.75))
STRIPE = CorruptionKind(
    "stripe", stripe, about="makes rows gray with probability F", words="{percent} of the rows gray", masks=True
)
EVERY = [*CORRUPTIONS.values(), FADE, STRIPE]


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    with forgetting():
        yield


def each(records: list[CorruptionKind]) -> Any:
    return pytest.mark.parametrize("kind", records, ids=lambda kind: kind.name)


def typical(kind: CorruptionKind) -> list[ax.Corruption]:
    """The kind at a level that changes nearly every state, with each of its choices."""
    level = {"scale": 1.5, "elastic": 1.0, "blocknoise": 0.3, "rotate": 30.0, "none": 0.0, "stripe": 0.5}.get(kind.name)
    level = 0.5 if kind.mean else level
    level = kind.levels[1] if level is None else level
    return [kind.at(level, choice) for choice in kind.choices or ("",)]


# --- what the records say --------------------------------------------------------------------------


@each(EVERY)
def test_levels_and_words(kind: CorruptionKind) -> None:
    assert kind.about
    assert kind.meaning.startswith(kind.usage)
    for level in kind.levels:
        for choice in kind.choices or ("",):
            one = kind.at(level, choice)
            assert one.level == level
            assert one.kind == kind.name
            said = one.describe()
            assert "{" not in said
            assert f"{level:g}" in said or f"{100 * level:.3g} %" in said
            assert choice in said
    for level in (kind.least - 1, kind.most * 2 + 1, float("nan")):
        if abs(level) < 1e299:
            with pytest.raises(ValueError, match="level in"):
                kind.at(level, *kind.choices[:1])
    if kind.whole:
        with pytest.raises(ValueError, match="whole number"):
            kind.at(1.5)
    if kind.choices:
        with pytest.raises(ValueError, match=f"{kind.name} must be written"):
            kind.at(kind.levels[0], "elsewhere")


@each(list(CORRUPTIONS.values()))
def test_texts_and_records_are_the_same(kind: CorruptionKind) -> None:
    for one in typical(kind):
        read = ax.parse_corruption(one.name)
        assert read == one
        assert hash(read) == hash(one), "so that compiled programs are found again"
        assert describe_corruption(one.name) == one.describe()


@each(EVERY)
def test_vectors_are_for_kinds_that_need_no_pictures(kind: CorruptionKind) -> None:
    for one in typical(kind):
        assert one.fits((8, 6), 2)
        assert one.fits((20,), 2) != kind.picture
        assert one.fits((8, 6), 1) != kind.partner
        assert corrupt(one, PICTURES, key=KEY).shape == PICTURES.shape
        if kind.picture:
            with pytest.raises(ValueError, match="needs pictures"):
                corrupt(one, VECTORS, key=KEY)
        else:
            assert corrupt(one, VECTORS, key=KEY).shape == VECTORS.shape


@each(EVERY)
def test_masks_only_mask(kind: CorruptionKind) -> None:
    """What a mask replaces depends on the draw alone: which pixels, and by what."""
    others = PICTURES[::-1] * 0.9
    for one in typical(kind):
        found, also = (corrupt(one, states, partners=PICTURES, key=KEY) for states in (PICTURES, others))
        changed = found != PICTURES
        only_masks = (
            changed.any()
            and not changed.all()
            and bool(np.array_equal(changed, also != others))
            and bool(np.array_equal(found[changed], also[changed]))
        )
        assert only_masks == kind.masks
        known = known_entries(one, PICTURES, key=KEY)
        assert (known is not None) == kind.masks
        if known is not None:
            assert np.array_equal(known, ~changed)


@each(EVERY)
def test_only_some_move_pixels(kind: CorruptionKind) -> None:
    """A change of one pixel is seen at another one where pixels move, and most at its own place where they do not."""
    row, column = 2, 1
    touched = PICTURES.copy()
    touched[:, row, column] += 0.1
    for one in typical(kind):
        partners = np.roll(PICTURES, 1, axis=0)
        with float64():
            apart = np.abs(
                corrupt(one, touched, partners=partners[:1] + 1, key=KEY)
                - corrupt(one, PICTURES, partners=partners[:1] + 1, key=KEY)
            )
        felt = apart.reshape(len(apart), -1).max(axis=1) > 1e-6
        largest = apart.reshape(len(apart), -1).argmax(axis=1) == row * PICTURES.shape[2] + column
        assert (not largest[felt].all()) == (kind.motion is not None)


@each(EVERY)
def test_some_move_as_a_whole(kind: CorruptionKind) -> None:
    """A level of 1 moves the content by one pixel, a level of 90 turns it by a right angle."""
    square = PICTURES[:, :6, :6]
    if kind.motion is Motion.TRANSLATION:
        moved = corrupt(kind.at(1), square, key=KEY)
        np.testing.assert_allclose(moved[:, 1:, 1:], square[:, :-1, :-1])
    elif kind.motion is Motion.ROTATION:
        turned, wanted = corrupt(kind.at(90), square, key=KEY), np.rot90(square, axes=(1, 2))
        np.testing.assert_allclose(turned[:, 1:-1, 1:-1], wanted[:, 1:-1, 1:-1], atol=1e-4)


@each(EVERY)
def test_only_isotropic_noise_adds_what_it_would_add_to_nothing(kind: CorruptionKind) -> None:
    if kind.picture or kind.partner:
        assert not kind.isotropic
        return
    for one in typical(kind):
        with float64():
            added = corrupt(one, VECTORS, key=KEY) - VECTORS
            alone = corrupt(one, np.zeros_like(VECTORS), key=KEY)
        assert (np.allclose(added, alone) and 0.5 * one.level < added.std() < 2 * one.level) == kind.isotropic


@each([kind for kind in EVERY if kind.masks])
def test_what_is_scattered_leaves_no_neighborhood_whole(kind: CorruptionKind) -> None:
    for one in typical(kind):
        changed = corrupt(kind.at(0.4, one.choices[0]), PICTURES, partners=PICTURES + 1, key=KEY) != PICTURES
        neighbors = (changed[:, 1:] == changed[:, :-1]).mean(), (changed[:, :, 1:] == changed[:, :, :-1]).mean()
        assert (max(neighbors) < 0.6) == kind.scattered


@each(EVERY)
def test_one_does_nothing(kind: CorruptionKind) -> None:
    answers = [corrupt(one, PICTURES, partners=PICTURES[::-1], key=KEY) for one in typical(kind)]
    assert all(np.array_equal(answer, PICTURES) for answer in answers) == kind.identity


@each(EVERY)
def test_partners_matter_to_those_that_need_one(kind: CorruptionKind) -> None:
    for one in typical(kind):
        found = [corrupt(one, PICTURES, partners=partners, key=KEY) for partners in (PICTURES + 1, PICTURES + 2)]
        assert np.array_equal(*found) != (kind.partner or kind.mean)


@eqx.filter_jit
def draws(draw: Any, keys: Any, level: Any) -> Any:
    return jax.vmap(draw, in_axes=(0, None))(keys, level)


@each(EVERY)
def test_training_draws_what_it_is_said_to_cover(kind: CorruptionKind) -> None:
    for one in typical(kind):
        asked = one.levels[0]
        levels = np.asarray(draws(kind.drawn.draw, jr.split(KEY, 50), np.float32(asked)))
        assert all(one.covers(kind.at(asked, choice)) for choice in one.choices)
        assert all(kind.drawn.covers(asked, float(level) * (1 - 1e-6)) for level in levels)
        assert len(np.unique(levels)) > 40 or kind.drawn is AS_IS or asked == 0
        if kind.drawn is FACTOR:
            assert not kind.drawn.covers(asked, asked * 1.1)
            assert kind.drawn.covers(asked, 1 / asked)


def test_help_names_every_kind(capsys: pytest.CaptureFixture[str]) -> None:
    text = "".join(run(capsys, "recall", "--help")[1].split())
    for kind in CORRUPTIONS.values():
        assert kind.usage in text


# --- new ones --------------------------------------------------------------------------------------


def test_a_record_needs_no_registration() -> None:
    assert np.allclose(corrupt(FADE.at(0.25), VECTORS, key=KEY), 0.75 * VECTORS)
    memory = ax.store(
        VECTORS.astype(np.float32),
        partial(ax.maps.mlp, width=32, depth=1),
        writer=ax.Gradient(corruptions=[FADE.at(0.5)], epochs=20),
        key=jr.key(0),
    )
    assert memory.written["corruptions"] == ["fade:0.5"]
    assert ax.recovery(memory, FADE.at(0.25), key=KEY).corruption == "fade:0.25"
    with pytest.raises(ValueError, match="needs a level: give fade:F by its method at"):
        as_corruption(FADE)


def test_what_a_kind_does_decides_and_not_its_name() -> None:
    """Kinds of other names, with the records of noise and of shifts, are taken as these are."""
    hiss = replace(CORRUPTIONS["gaussian"], name="hiss").at(0.5)
    frame = Coordinates.of(PICTURES, 0.0)
    codes = frame.encode(PICTURES).astype(np.float32)
    disturb = eqx.filter_jit(lambda made, codes, rows: made.disturb(None, codes, rows, KEY)[0])
    made = [
        objective(corruptions=(one,), pictures=PICTURES, coordinates=frame, dtype=np.dtype("float32"))
        for one in (hiss, CORRUPTIONS["gaussian"].at(0.5))
    ]
    seen = [disturb(one, codes, np.arange(6)) for one in made]
    np.testing.assert_array_equal(*seen)
    register(replace(CORRUPTIONS["shift"], name="slide"))
    search, rules = ASSOCIATORS["1-NN templates"]
    built = search(Task(PICTURES, np.arange(6), np.ones(6, int), ("slide:2",), KEY), rules[0])
    answer = built.answer(corrupt("slide:2", PICTURES, key=KEY).reshape(6, -1), None)
    np.testing.assert_allclose(answer, PICTURES.reshape(6, -1), rtol=1e-6)


def test_a_new_kind_is_one_record(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """In a file of one's own: nothing else is touched."""
    register(FADE)
    register(STRIPE)
    assert default_curves()["fade"] == (0.25, 0.75)
    assert describe_corruption("fade:0.5+stripe:0.25") == "fade 0.5, then 25 % of the rows gray"
    file = tmp_path / "digits.attrax"
    options = ["--writer", "gradient", "--width", 32, "--depth", 1, "--epochs", 50, "--train-corruption", "fade:0.5"]
    status, _, err = run(capsys, "store", "digits", "--n", 3, *options, "-o", file)
    assert status in (0, 1), err
    memory = ax.load(file)
    assert used_in_training(memory, "fade:0.4") == "yes"
    assert used_in_training(memory, "fade:0.6") == "kind only, up to 0.5"
    status, out, err = run(capsys, "recall", file, "--corrupt", "fade:0.3", "--json")
    assert strict(out)["corruption"] == "fade:0.3", err
    points = recovery_curves(memory, ["stripe:0.2..0.4", "fade:0.1"], repeats=1, max_steps=5, key=KEY)
    assert [point.clamped is not None for point in points] == [True] * 6 + [False]
    assert "fade:F" in ax.report.corruption_table()
    status, _, err = run(capsys, "recall", file, "--corrupt", "fade:1.5")
    assert status == 2
    assert "darkens by the fraction F" in " ".join(err.split())


def test_wrong_records_are_refused() -> None:
    with pytest.raises(ValueError, match="another corruption called 'drop'"):
        register(CorruptionKind("drop", fade))
    with pytest.raises(ValueError, match="letters, digits"):
        register(CorruptionKind("shift+drop", fade))
    with pytest.raises(ValueError, match="CorruptionKind"):
        register(fade)
    assert register(FADE) is register(FADE)


def test_names_are_read_without_jax() -> None:
    """Help and refusals of the command line need the names, and are not to wait for JAX."""
    code = (
        "import sys, attrax.activations as a, attrax.corruptions as c\n"
        "assert len(a.ACTIVATIONS) > 10 and len(c.CORRUPTIONS) > 10\n"
        "c.parse_corruption('shift:2+half:left,0.5').describe()\n"
        "assert not {'jax', 'numpy', 'scipy', 'equinox'} & set(sys.modules), sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
