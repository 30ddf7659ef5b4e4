"""Any Equinox module that keeps the shape of a state is trained, changed and certified; what is none is refused."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import attrax as ax
from attrax.training import Layered, takes_coordinates

POINTS = np.random.default_rng(0).uniform(size=(3, 4, 4)).astype(np.float32)
# Shared, as is the size of the networks: training is then compiled once for all tests that have it.
SETTINGS = {"noise": 0.1, "epochs": 600, "tol": 1e-9, "learning_rate": 5e-3}
NOISY = ax.Gradient(**SETTINGS)


class Mixed(eqx.Module):
    """A convolution, attention over the rows of a picture, dropout, and a fully connected network over all of it."""

    first: eqx.nn.Sequential
    attention: eqx.nn.MultiheadAttention
    dropout: eqx.nn.Dropout
    rest: eqx.nn.MLP

    def __init__(self, key: Any) -> None:
        first, one, other = jr.split(key, 3)
        layers = [eqx.nn.Lambda(lambda x: x[None]), eqx.nn.Conv2d(1, 4, 3, padding=1, key=first)]
        self.first = eqx.nn.Sequential([*layers, eqx.nn.Lambda(jax.nn.relu), eqx.nn.Lambda(lambda x: x.sum(axis=0))])
        self.attention = eqx.nn.MultiheadAttention(2, 4, key=one)
        self.dropout = eqx.nn.Dropout(0.2)
        self.rest = eqx.nn.MLP(16, 16, 48, 2, key=other)

    def __call__(self, x: Any) -> Any:
        seen = x + self.first(x)
        seen = seen + self.dropout(self.attention(seen, seen, seen))
        return self.rest(jnp.ravel(seen)).reshape(x.shape)


class Flat(eqx.Module):
    """A network of vectors on pictures."""

    inner: Any

    def __call__(self, x: Any) -> Any:
        return self.inner(jnp.ravel(x)).reshape(x.shape)


MODULES = {
    "eqx.nn.MLP": lambda: Flat(eqx.nn.MLP(16, 16, 48, 2, key=jr.key(0))),
    "convolution and attention": lambda: eqx.nn.inference_mode(Mixed(jr.key(0))),
    "conv_autoencoder": lambda: ax.maps.conv_autoencoder((4, 4), channels=8, levels=1, key=jr.key(0)),
}


@cache
def stored(name: str) -> ax.Memory:
    return ax.store(POINTS, MODULES[name](), writer=NOISY, key=jr.key(1))


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_trained_on_noise_and_ends_on_the_examples(name: str) -> None:
    memory = stored(name)
    assert memory.status == "stored", memory.written
    assert memory.certificate.all_attractors
    assert memory.written["writer"] == "gradient"
    assert memory.written["epochs"] <= memory.written["epochs_limit"] == 600
    assert jax.tree.structure(memory.map) == jax.tree.structure(MODULES[name]())


def test_without_polish_the_clean_epochs_are_left_out_and_the_noise_keeps_the_loss_up() -> None:
    noisy = replace(NOISY, polish=False)
    assert noisy.write(ax.Patterns.from_examples(POINTS), MODULES["eqx.nn.MLP"](), key=jr.key(1)).loss > 1e-8


def test_the_default_writer_trains_a_module_by_gradients() -> None:
    memory = ax.store(POINTS, MODULES["eqx.nn.MLP"](), writer=ax.Auto(**SETTINGS), key=jr.key(1))
    assert {attempt["writer"] for attempt in memory.written["attempts"]} == {"gradient"}
    assert memory.written["attempts"][0]["parameters"] == 16 * 48 + 48 + 48 * 48 + 48 + 48 * 16 + 16
    patterns = ax.Patterns.from_examples(POINTS)
    plain = ax.Auto().attempts(MODULES["convolution and attention"](), patterns)
    assert [attempt.training.optimizer_name for attempt in plain] == ["adam"] * 3  # no K-FAC
    assert [attempt.training.coordinates for attempt in plain] == [None] * 3
    assert [attempt.augmentation.changes_inputs for attempt in plain] == [True, True, False]


def test_without_settings_training_ends_by_loss_or_by_epochs_that_are_on_record() -> None:
    memory = ax.store(POINTS, MODULES["eqx.nn.MLP"](), writer=ax.Gradient(), key=jr.key(1))
    assert memory.written["epochs_limit"] == 20_000
    assert memory.written["loss"] <= memory.written["tol"] == 1e-8
    assert not memory.written["time_limited"]


def test_a_recipe_makes_a_module() -> None:
    def make(shape: tuple[int, ...], width: int, *, key: Any) -> Flat:
        assert shape == (4, 4)
        return Flat(eqx.nn.MLP(16, 16, width, 2, key=key))

    writer = ax.Gradient(epochs=4)
    one, other = (ax.store(POINTS, partial(make, width=48), writer=writer, key=jr.key(2)) for _ in range(2))
    assert one.map.inner.width_size == 48
    for a, b in zip(jax.tree.leaves(one.map), jax.tree.leaves(other.map), strict=True):
        assert a is b or np.array_equal(a, b)
    with pytest.raises(ValueError, match=r"called as recipe\(shape, key=key\)"):
        ax.store(POINTS, partial(make), writer=writer, key=jr.key(0))


def test_a_memory_in_a_module_is_changed_by_its_writer() -> None:
    memory = stored("eqx.nn.MLP")
    # A change takes a quarter of this: as many epochs as elsewhere, so that nothing new is compiled.
    memory = replace(memory, written={**memory.written, "epochs_limit": 4 * 600})
    change = ax.forget(memory, [0], key=jr.key(2))
    assert change.accepted
    assert isinstance(change.memory.map, Flat)
    assert ax.add(change.memory, POINTS[:1], key=jr.key(3)).accepted


def test_what_only_fully_connected_networks_have_is_refused_for_others() -> None:
    module = MODULES["conv_autoencoder"]()
    assert not isinstance(module, Layered)
    assert isinstance(ax.maps.mlp((2,), width=2, depth=1, key=jr.key(0)), Layered)
    assert not takes_coordinates(module)
    for settings, message in (
        ({"optimizer": "kfac"}, "kfac trains fully connected networks"),
        ({"polish": True}, "polish solves the last layer of a fully connected network"),
        ({"coordinates": 0.0}, "needs a fully connected network with biases"),
    ):
        with pytest.raises(ValueError, match=message):
            ax.store(POINTS, module, writer=ax.Gradient(**settings), key=jr.key(0))
        recipe = partial(ax.maps.conv_autoencoder, channels=2)
        with pytest.raises(ValueError, match=message):
            ax.store(POINTS, recipe, writer=ax.Gradient(**settings), key=jr.key(0))


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "a number": (lambda: 3, "network must be a module from a state of shape"),
    "a class": (lambda: ax.maps.MLP, "network must be a module from a state of shape"),
    "a function": (lambda: lambda x: x / 2, "has none. Give an Equinox module"),
    "integers": (lambda: Flat(lambda x: x), "has none. Give an Equinox module"),
    "another shape": (
        lambda: eqx.nn.Linear(16, 16, key=jr.key(0)),
        r"Linear fails on such a state: [^.]*\. It takes states as vectors",
    ),
    "flat states": (
        lambda: eqx.nn.MLP(16, 16, 8, 1, key=jr.key(0)),
        r"[^.]\. .*examples\.reshape\(len\(examples\), -1\)$",
    ),
    "other states": (
        lambda: eqx.nn.MLP(5, 5, 8, 1, key=jr.key(0)),
        r"MLP fails on such a state: (?!.*(vectors|inference)).*[^.]$",
    ),
    "another output": (lambda: eqx.nn.Lambda(eqx.nn.Linear(4, 2, key=jr.key(0))), "Lambda fails|Lambda gives"),
    "another MLP": (lambda: ax.maps.mlp((3,), width=4, depth=1, key=jr.key(0)), r"must be states of shape \(3,\)"),
    "dropout in training": (lambda: Mixed(jr.key(0)), "inference_mode"),
    "two precisions": (
        lambda: Flat(
            eqx.nn.Sequential(
                [eqx.nn.Linear(16, 16, key=jr.key(0)), eqx.nn.Linear(16, 16, dtype=jnp.float16, key=jr.key(0))]
            )
        ),
        "arrays of float16, float32",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_trainable_map_is_refused_before_work(name: str) -> None:
    make, message = WRONG[name]
    network = make()
    worked: list[Any] = []
    for writer in (None, ax.Gradient()):
        with pytest.raises(ValueError, match=message):
            ax.store(POINTS, network, writer=writer, progress=lambda *told: worked.append(told), key=jr.key(0))
    assert not worked
