"""The parts of the benchmarks that other numbers rest on."""

import sys
from dataclasses import replace
from pathlib import Path

import jax.random as jr
import numpy as np
import pytest

import attrax as ax
from attrax._numerics import float64

sys.path.insert(0, str(Path(__file__).parents[1]))  # plain `pytest` does not look for packages where it is started

from benchmarks.write_common import parameters
from benchmarks.write_recovery import no_larger, untrained_size
from benchmarks.write_scaling import power_law
from benchmarks.write_shifts import moved, nearest_template


def test_exponent_of_a_power_law_is_exact() -> None:
    sizes = [25, 50, 100, 2000]
    exponent, factor = power_law(sizes, [0.3 * size**1.7 for size in sizes])
    np.testing.assert_allclose((exponent, factor), (1.7, 0.3), rtol=1e-12)


def blobs(count: int, side: int) -> np.ndarray:
    """Random pictures with a black border that shifts by four do not push out of sight."""
    pictures = np.zeros((count, side, side), np.float32)
    pictures[:, 5:-5, 5:-5] = np.random.default_rng(0).random((count, side - 10, side - 10))
    return pictures


@pytest.mark.parametrize(("down", "right"), [(0, 0), (2, 2), (-4, 3), (4, -4)])
def test_transformed_templates_find_whatever_they_hold(down: int, right: int) -> None:
    pictures = blobs(7, 16)
    for found in nearest_template(moved(pictures, down, right), pictures, angles=(-5, 0)).values():
        np.testing.assert_array_equal(found, np.arange(7))


def test_moved_is_the_corruption_of_that_name() -> None:
    pictures = np.random.default_rng(1).random((3, 6, 5)).astype(np.float32)
    for amount in (-2, 0, 3):
        np.testing.assert_array_equal(
            moved(pictures, amount, amount), ax.corrupt(f"shift:{amount}", pictures, key=jr.key(0))
        )


def test_templates_include_every_angle() -> None:
    pictures = blobs(5, 16)
    turned = moved(ax.corrupt("rotate:10", pictures, key=jr.key(0)), 1, -2)
    for found in nearest_template(turned, pictures, most_shift=2).values():
        np.testing.assert_array_equal(found, np.arange(5))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", ["relu", "cosid", "sinusoid"])
def test_the_references_network_is_the_same_in_attrax(activation: str, bias: bool) -> None:
    torch = pytest.importorskip("torch")
    from benchmarks.reference import Reference

    points = np.random.default_rng(2).random((4, 3, 2))
    reference = Reference(points, (7, 5), activation=activation, bias=bias, dtype="float64")
    reference.train(epochs=3)
    network = reference.network()
    with torch.no_grad(), float64():
        expected = reference(reference.examples).numpy()
        found = np.stack([np.asarray(network(point)).ravel() for point in points])
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


def test_the_contest_is_as_large_as_the_margin_network_allows() -> None:
    points = np.random.default_rng(3).random((6, 12, 12)).astype(np.float32)
    patterns = ax.Patterns.from_examples(points)
    most = parameters(ax.training.margin(points)) + 1_000
    writer = no_larger(points, most)
    wider = replace(writer, width=writer.width + 1)
    assert untrained_size(writer, patterns) <= most < untrained_size(wider, patterns)
    written = replace(writer, epochs=0)(None, patterns, key=jr.key(1))
    assert parameters(written.map) == untrained_size(writer, patterns)
