"""Networks of PyTorch become maps with the same outputs and derivatives."""

import os
from typing import Any

import jax
import numpy as np
import pytest
from helpers.torch_networks import NAMES, network

import attrax as ax
from attrax import foreign

pytestmark = pytest.mark.filterwarnings("ignore")

# Exporting takes PyTorch a second or more for each network.
WHOLE = os.environ.get("ATTRAX_ONNX") == "all"
CHOSEN = NAMES if WHOLE else ("autoencoder", "unet")


@pytest.fixture(scope="module")
def torch() -> Any:
    """Imported by the worker that has these tests, and not by all of them while they collect."""
    pytest.importorskip("onnxscript", reason="onnxscript is not installed: pip install 'attrax[torch]'")
    return pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'attrax[torch]'")


@pytest.mark.parametrize("name", CHOSEN)
def test_outputs_and_jacobian_products_are_those_of_pytorch(torch: Any, name: str) -> None:
    module, example = network(name)
    made = foreign.from_torch(module, example)
    assert made.difference is not None
    assert made.difference <= 1e-5
    assert "PyTorch" in made.against
    x, way = (np.random.default_rng(seed).normal(size=example.shape[1:]).astype(np.float32) for seed in (1, 2))

    def batch_of_one(z: object) -> object:
        return module(z[None])[0]

    # The quick forms of these layers have no forward derivative in PyTorch.
    plain = torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH)
    with torch.backends.mkldnn.flags(enabled=False), plain:
        wanted = torch.func.jvp(batch_of_one, (torch.tensor(x),), (torch.tensor(way),))
    value, slope = jax.jit(lambda x, way: jax.jvp(made.map, (x,), (way,)))(x, way)
    for found, exact, close in ((value, wanted[0], 1e-5), (slope, wanted[1], 1e-4)):
        exact = exact.detach().numpy()
        assert np.abs(np.asarray(found) - exact).max() <= close * np.abs(exact).max()
    if name == "autoencoder":
        assert isinstance(made.map, ax.maps.MLP)
        assert made.map.activation == "swish"
        with pytest.raises(foreign.ForeignError, match=r"module\.eval"):
            foreign.from_torch(module.train(), example)
    else:
        assert isinstance(made.map, foreign.ProgramMap)
        assert not isinstance(made.map, ax.maps.MLP)
