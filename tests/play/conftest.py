"""What the playground's tests share."""

import jax.random as jr
import pytest

import attrax as ax


@pytest.fixture(scope="session")
def digits() -> ax.Memory:
    """A certified memory of five shipped pictures."""
    points = ax.sources.load("digits", n=5).patterns.points
    return ax.store(points, writer=ax.Constructed("margin"), key=jr.key(0))
