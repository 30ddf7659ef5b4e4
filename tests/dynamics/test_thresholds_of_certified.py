"""Thresholds of a certified memory: the certificate says what applying the map to all examples would show."""

from dataclasses import replace

import jax.random as jr
import numpy as np
import pytest

import attrax as ax
from attrax.dynamics import _stored, thresholds_of  # whose loop must not run

POINTS = np.random.default_rng(0).random((6, 5))


def test_a_certified_memory_is_not_iterated(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = ax.store(POINTS, writer=ax.Constructed(), key=jr.key(0))
    iterated = thresholds_of(replace(memory, certificate=None))

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the map was applied to the examples")

    monkeypatch.setattr(_stored, "run", refuse)
    assert thresholds_of(memory) == iterated
    assert iterated.reading == "literal"
    with pytest.raises(AssertionError, match="was applied"):
        thresholds_of(replace(memory, certificate=None))


@pytest.mark.parametrize("off", [0.0, 1e-6])
def test_the_reading_is_that_of_the_residuals(off: float) -> None:
    memory = ax.Memory(lambda x: x + off, ax.Patterns.from_examples(POINTS))
    certified = replace(memory, certificate=ax.certify(memory))
    assert thresholds_of(certified) == thresholds_of(memory)
    assert thresholds_of(certified).reading == ("mean_square" if off else "literal")
