"""Convolutional autoencoders: their numbers of parameters, PyTorch's own layers beside them, certificates."""

from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.random as jr
import numpy as np
import pytest
from helpers.maps import MAPS

import attrax as ax
from attrax.extending import cast
from attrax.maps import ConvAutoencoder, conv_autoencoder
from attrax.maps.conv._network import _interpolation  # the matrix by itself

# 3 → 64, fifteen of 64 → 64, 64 → 3, all 3×3; then what biases and skip connections add.
PAPER = 9 * (3 * 64 + 15 * 64 * 64 + 64 * 3)


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ({"bias": "none"}, PAPER),
        ({}, PAPER + 3),
        ({"bias": "all"}, PAPER + 16 * 64 + 3),
        ({"strided": False}, PAPER + 3),
        ({"skips": True}, PAPER + 3 + 9 * 6 * 64 * 64),
    ],
)
def test_parameters_of_the_papers_network(options: dict, parameters: int) -> None:
    network = eqx.filter_eval_shape(partial(conv_autoencoder, (64, 64, 3), **options), key=jr.key(0))
    assert network.parameters == parameters
    assert network.levels == 6
    assert len(network.weights) == 17
    sizes = list(_sides(network))
    assert sizes == ([64, 32, 16, 8, 4, 2, 1, 2, 4, 8, 16, 32, 64] if network.strided else [64] * 13)


def _sides(network: ConvAutoencoder) -> list[int]:
    side = network.shape[0]
    halved = [side // 2**level if network.strided else side for level in range(network.levels + 1)]
    return [*halved, *halved[-2::-1]]


@pytest.mark.parametrize("options", [{}, {"skips": True, "bias": "all"}, {"strided": False}, {"activation": "selu"}])
def test_the_same_as_pytorchs_layers(options: dict) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch, the peer, is not installed")
    functional = torch.nn.functional
    network = conv_autoencoder((4, 8, 3), channels=5, levels=2, dtype="float64", key=jr.key(1), **options)
    picture = np.random.default_rng(0).normal(size=(4, 8, 3))
    phi = {"cosid": lambda z: torch.cos(z) - z, "selu": functional.selu}[network.activation]
    layers = iter(zip(network.weights, network.biases, strict=True))

    def convolve(x: Any, stride: int = 1) -> Any:
        weight, bias = next(layers)
        kernel = torch.tensor(np.asarray(weight).transpose(3, 2, 0, 1))
        return functional.conv2d(x, kernel, None if bias is None else torch.tensor(np.asarray(bias)), stride, 1)

    x = convolve(torch.tensor(picture.transpose(2, 0, 1))[None])
    before = []
    for _ in range(2):
        before.append(x)
        x = phi(convolve(x, 2 if network.strided else 1))
    for _ in range(2):
        x = phi(convolve(x))
    for _ in range(2):
        if network.strided:
            x = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
        other = before.pop()
        x = phi(convolve(torch.cat([x, other], 1) if network.skips else x))
    expected = convolve(phi(convolve(x)))[0].numpy().transpose(1, 2, 0)
    with jax.enable_x64(True):
        np.testing.assert_allclose(eqx.filter_jit(network)(picture), expected, rtol=1e-9, atol=1e-12)
    assert list(layers) == []


def test_doubling_keeps_the_corners_and_what_is_linear() -> None:
    for side in (1, 2, 3, 8):
        matrix = _interpolation(side)
        np.testing.assert_allclose(matrix.sum(axis=1), 1)
        np.testing.assert_allclose(matrix @ np.arange(side), np.linspace(0, side - 1, 2 * side), atol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shape": (12, 12), "levels": 3}, "multiples of 8"),
        ({"shape": (8,)}, "picture"),
        ({"shape": (7, 8)}, "levels"),
        ({"shape": (8, 8), "bias": "first"}, "bias"),
        ({"shape": (8, 8), "activation": "cosine"}, "activation"),
        ({"shape": (8, 8), "init": "he"}, "init"),
        ({"shape": (8, 8), "channels": 0}, "channels"),
    ],
)
def test_wrong_arguments(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        conv_autoencoder(**{"key": jr.key(0), **options})


def test_a_network_of_other_kernels_is_refused() -> None:
    network = conv_autoencoder((8, 8), channels=4, key=jr.key(0))
    rest = (network.shape, network.activation, network.levels, network.strided, network.skips)
    wrong = (network.weights[0], network.weights[0], *network.weights[2:])
    with pytest.raises(ValueError, match="kernel 2"):
        ConvAutoencoder(wrong, network.biases, *rest)
    with pytest.raises(ValueError, match="11 kernels"):
        ConvAutoencoder(network.weights[1:], network.biases[1:], *rest)


def test_a_certificate_beside_the_full_jacobian(monkeypatch: pytest.MonkeyPatch) -> None:
    # Structure and shapes of `test_whole_way`, whose programs are those of the first certificate here.
    make, shape = MAPS["conv"]
    network = make()
    point = ax.iterate(network, np.zeros((1, *shape))).value
    found = ax.certify(ax.Memory(network, ax.Patterns.from_examples(point)))
    assert found.method == ("dense",)
    with jax.enable_x64(True):
        exact = cast(network, np.float64)
        points = ax.refine(exact, point)
        assert points.converged
        jacobian = np.asarray(jax.jit(jax.jacfwd(exact))(points.points[0])).reshape(16, 16)
    radius = np.abs(np.linalg.eigvals(jacobian)).max()
    assert found.spectral_radius[0] == pytest.approx(radius, rel=1e-6)
    assert found.upper_bound[0] >= radius * (1 - 1e-9)
    # As if it had too many entries for a dense Jacobian: the bound is a probable one, and says so.
    for module in ("attrax.maps.conv._network", "attrax.maps.wrapped._jacobian"):
        monkeypatch.setattr(f"{module}.FORMED", 15)
    found = ax.certify(ax.Memory(network, ax.Patterns.from_examples(point)))
    assert found.method == ("matrix-free",)
    assert (found.verdict[0], found.evidence[0]) == ("attractor", "probable")
    assert found.failure_probability[0] == 1e-10
    assert found.spectral_radius[0] == pytest.approx(radius, rel=1e-3)
    assert found.spectral_radius[0] < found.upper_bound[0] < 1
