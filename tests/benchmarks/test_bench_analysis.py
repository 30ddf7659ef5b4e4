"""The network of the benchmark of spectra is what it says, and every table of the benchmark runs."""

import sys
from pathlib import Path

import numpy as np
import pytest

import attrax as ax

sys.path.insert(0, str(Path(__file__).parents[2]))  # `pytest` alone does not look for packages in the root

from benchmarks.bench_analysis import _dense, interpolating, main


@pytest.fixture(scope="module")
def memory() -> ax.Memory:
    return interpolating(30, 16, 2, 8)


def test_random_features_with_a_solved_readout_interpolate(memory: ax.Memory) -> None:
    certificate = ax.certify(memory)
    assert certificate.residual.max() < 1e-11
    assert certificate.moved.max() < 1e-9, "the points themselves are fixed"
    assert (certificate.spectral_radius > 0).all()


def test_the_dense_route_finds_the_same_radius(memory: ax.Memory) -> None:
    pytest.importorskip("torch", reason="PyTorch, the peer, is not installed")
    assert _dense(memory)[1] == pytest.approx(float(ax.certify(memory).spectral_radius[0]), rel=1e-9)


def test_it_runs(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--quick", "--only", "radii"])
    out = capsys.readouterr().out
    assert "Bars: 1 of 1 reached" in out
    assert np.count_nonzero([line.startswith("| 4 |") for line in out.splitlines()]) == 1
