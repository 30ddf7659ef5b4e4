"""The settings that all writers share: each does something, is named in one place, and comes back from a record."""

from dataclasses import fields, replace
from functools import partial
from itertools import pairwise
from typing import Any

import jax.random as jr
import numpy as np
import optax
import pytest

import attrax as ax
from attrax.training import from_record, to_record
from attrax.writing import writer_of

POINTS = np.random.default_rng(0).uniform(size=(5, 4, 4)).astype(np.float32)
PATTERNS = ax.Patterns.from_examples(POINTS)
RECIPE = partial(ax.maps.mlp, width=24, depth=1, init="kaiming_uniform")
SEEN = {"corruptions": ("gaussian:0.2",)}
OTHER = {
    "optimizer": "momentum",
    "learning_rate": 3e-3,
    "momentum": 0.5,
    "weight_decay": 0.1,
    "batch": 2,
    "epochs": 11,
    "tol": 10.0,
    "coordinates": 1.0,
    "polish": True,
    "noise": 0.1,
    "corruptions": ("drop:0.5",),
    "adversarial_deviation": 0.1,
    "jacobian_penalty": 0.1,
    "copies": 3,
}
"""Another value of each shared setting than the one in `weights`."""
NAMES = [field.name for kind in (ax.Training, ax.Augmentation) for field in fields(kind)]


def weights(**settings: Any) -> list[np.ndarray]:
    # Momentum and decay belong to an optimizer that has them, copies and polish to training with augmentation.
    base: dict[str, Any] = {"optimizer": "gd", "epochs": 12, "learning_rate": 0.02}
    if {"copies"} & settings.keys():
        base["noise"] = 0.1
    writer = ax.Gradient(**(base | settings))
    return [np.asarray(weight) for weight in writer.write(PATTERNS, RECIPE, key=jr.key(0)).map.weights]


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "time_limit"])
def test_every_shared_setting_changes_the_network(name: str) -> None:
    assert name in OTHER, f"give {name} another value in OTHER, so that it is shown to do something"
    found = weights(**{name: OTHER[name]})
    assert not same(found, weights(**({"copies": 1} if name == "copies" else {})))
    assert same(found, weights(**{name: OTHER[name]}))


def test_the_settings_of_the_other_writers_change_the_network() -> None:
    def written(writer: Any) -> Any:
        return writer.write(PATTERNS, key=jr.key(0))

    # Widths that nobody would take by default.
    plain = ax.WinnerTakeAll(width=41, optimizer=optax.sgd(1e-2), epochs=3, **SEEN)
    one, other = written(plain), written(replace(plain, rounds=9))
    assert one.map.widths[0] == other.map.widths[0] == 41
    assert len(one.map.widths) < len(other.map.widths)
    assert one.details["optimizer"] == "optax"
    film = ax.Patterns.from_cycles([POINTS[:2], POINTS[2:]])
    made = [
        writer.write(film, key=jr.key(0)).map.weights[0]
        for writer in (ax.Constructed(), ax.Constructed("pseudoinverse"), ax.Constructed(fallback=1))
    ]
    assert not any(one.shape == other.shape and np.allclose(one, other) for one, other in pairwise(made))


def test_there_are_twenty_settings_at_most() -> None:
    kinds = (ax.Training, ax.Augmentation, ax.Gradient, ax.WinnerTakeAll, ax.Constructed, ax.Auto)
    names = {field.name for kind in kinds for field in fields(kind)} - {"training", "augmentation"}
    assert len(names) <= 20, sorted(names)


def test_a_setting_named_by_itself_is_the_same_as_in_its_record() -> None:
    whole = ax.Gradient(ax.Training(epochs=7, optimizer="gd"), ax.Augmentation(noise=0.1))
    assert ax.Gradient(noise=0.1, epochs=7, optimizer="gd") == whole
    assert ax.Gradient(ax.Training(optimizer="gd"), noise=0.1, epochs=7) == whole
    assert replace(whole, epochs=9).training == ax.Training(epochs=9, optimizer="gd")
    assert ax.WinnerTakeAll(width=9, epochs=7).training == ax.Training(epochs=7)
    assert ax.Auto(epochs=None) == ax.Auto()


@pytest.mark.parametrize("kind", [ax.Gradient, ax.WinnerTakeAll, ax.Auto])
def test_an_unknown_setting_is_named_with_what_there_is(kind: Any) -> None:
    with pytest.raises(TypeError, match=rf"{kind.__name__} has no setting 'nois'; did you mean noise\? .* epochs"):
        kind(nois=0.1)
    with pytest.raises(ValueError, match=r"training must be an attrax\.Training"):
        kind(training={"epochs": 3})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "sgd"}, "optimizer must be one of"),
        ({"learning_rate": 0.0}, "learning_rate must be"),
        ({"optimizer": "kfac", "learning_rate": 0.1}, "learning_rate does not apply to kfac"),
        ({"optimizer": optax.sgd(0.1), "momentum": 0.1}, "momentum does not apply to an Optax transformation"),
        ({"momentum": 0.5}, "momentum does not apply to adam"),
        ({"batch": 0}, "batch must be"),
        ({"epochs": 1.5}, "epochs must be"),
        ({"tol": -1.0}, "tol must be"),
        ({"time_limit": 0}, "time_limit must be"),
        ({"coordinates": 2}, "coordinates must be"),
        ({"polish": "yes"}, "polish must be"),
        ({"copies": 0}, "copies must be"),
        ({"corruptions": "drop:0.5"}, "corruptions must be a sequence"),
        ({"corruptions": ("smear:1",)}, "smear"),
    ],
)
def test_wrong_settings_are_refused_by_every_writer(settings: dict[str, Any], message: str) -> None:
    for kind in (ax.Gradient, ax.WinnerTakeAll, ax.Auto):
        with pytest.raises(ValueError, match=message):
            kind(**settings)


@pytest.mark.parametrize("name", ["polish", "adversarial_deviation", "jacobian_penalty"])
def test_winner_take_all_refuses_what_it_would_not_heed(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} does not apply to winner_take_all"):
        ax.WinnerTakeAll(**{name: OTHER[name]})


def test_any_optax_transformation_and_any_schedule_train() -> None:
    recipe = partial(RECIPE, width=64, depth=2)
    own = ax.Gradient(optimizer=optax.adam(1e-3), noise=0.1, epochs=500, coordinates=0.0)
    memory = ax.store(POINTS[:4], recipe, writer=own, key=jr.key(0))
    assert memory.certificate.all_attractors
    assert memory.written["optimizer"] == "optax"
    falling = optax.exponential_decay(3e-3, 100, 0.5)
    assert not same(weights(optimizer="adam", learning_rate=falling), weights(optimizer="adam", learning_rate=3e-3))
    # A schedule is used as it is: with noise, a number would fall along a cosine.
    steady = weights(learning_rate=lambda step: 0.02, noise=0.1)
    assert not same(steady, weights(learning_rate=0.02, noise=0.1))
    # A record holds no functions, so whoever changes such a memory gives the writer.
    scheduled = ax.Gradient(optimizer="adam", learning_rate=falling, epochs=12)  # as above, and so compiled already
    for stored in (memory, ax.store(POINTS, RECIPE, writer=scheduled, key=jr.key(0))):
        with pytest.raises(ValueError, match=r"which can't be made from its record .* give it"):
            ax.add(stored, POINTS[4:] / 2, key=jr.key(1))
    assert ax.add(memory, POINTS[4:], writer=own, key=jr.key(1)).accepted


@pytest.mark.parametrize(
    "writer",  # without epochs: what is on record is what was asked for, and nothing has to be compiled
    [
        ax.Gradient(**{name: value for name, value in OTHER.items() if name != "momentum"} | {"epochs": 0}),
        ax.Gradient(optimizer="kfac", epochs=0, noise=0.1),
        ax.WinnerTakeAll(width=(16, 12), rounds=4, epochs=0, corruptions=("drop:0.5",), copies=2, coordinates=0.5),
    ],
    ids=["gradient", "kfac", "winner_take_all"],
)
def test_a_writer_comes_back_from_its_record(writer: Any) -> None:
    network = RECIPE if isinstance(writer, ax.Gradient) else None
    record = ax.store(POINTS, network, writer=writer, key=jr.key(0)).written
    again = writer_of(record)
    assert type(again) is type(writer)
    made = [to_record(one.training, one.augmentation) for one in (writer, again)]
    assert made[1] | made[0] == made[1]
    if isinstance(writer, ax.WinnerTakeAll):
        assert (again.width, again.rounds) == (writer.width, writer.rounds)


def test_records_of_version_1_are_understood() -> None:
    record = {
        "writer": "gradient",
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "copies": 2,
        "noise": 0.1,
        "coordinate_noise": 0.0,
        "corruptions": ["drop:0.5"],
        "deviation": 0.2,
        "penalty": 0.3,
        "spare": 0,
        "tol": 1e-8,
        "epochs_limit": 40,
        "time_limit": 3.0,
    }
    training, augmentation = from_record(record)
    assert training == ax.Training(optimizer="adam", learning_rate=1e-3, tol=1e-8, epochs=40)
    assert augmentation == ax.Augmentation(0.1, ("drop:0.5",), 0.2, 0.3, 2)
    with pytest.raises(ValueError, match="epochs_limit"):
        from_record({})
    memory = ax.store(POINTS[:4], writer=ax.WinnerTakeAll(128, epochs=0, noise=0.1), key=jr.key(0))
    former = replace(memory, written=memory.written | {"writer": "contest", "width": 128, "layers": 1})
    change = ax.add(former, POINTS[4:], key=jr.key(1))
    assert change.accepted
    assert change.memory.written["writer"] == "winner_take_all"
