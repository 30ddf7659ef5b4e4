"""scikit-learn, Flax and PyTorch: networks and arrays from there."""

import jax.random as jr
import ml_dtypes
import numpy as np
import pytest
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import MinMaxScaler, PowerTransformer, StandardScaler

import attrax as ax
from attrax import foreign
from attrax._base.states import as_array  # how states are read, whoever reads them
from attrax.foreign import ForeignError

POINTS = np.random.default_rng(0).normal(size=(5, 4)) * [1, 10, 100, 0.1] + [0, 5, 0, 3]

PLAIN = np.random.default_rng(1).normal(size=(5, 8))


@pytest.mark.parametrize("scaler", [None, StandardScaler(), MinMaxScaler()], ids=str)
@pytest.mark.filterwarnings("ignore")
def test_a_regressor_of_sklearn_with_its_scaler(scaler: object) -> None:
    scaled = POINTS if scaler is None else scaler.fit_transform(POINTS)
    for layers, activation in (((6, 5), "logistic"), ((), "identity")):
        fitted = MLPRegressor(hidden_layer_sizes=layers, activation=activation, max_iter=20, random_state=0)
        fitted.fit(scaled, scaled)
        found = foreign.from_sklearn(fitted, scaler)
        assert isinstance(found.map, ax.maps.MLP)
        assert found.difference is not None
        assert found.difference < 1e-12
        wanted = fitted.predict(scaled)
        wanted = wanted if scaler is None else scaler.inverse_transform(wanted)
        for point, exact in zip(POINTS, wanted, strict=True):
            assert np.allclose(found.map(point.astype(np.float32)), exact, rtol=1e-3, atol=1e-3 * np.abs(exact).max())


@pytest.mark.filterwarnings("ignore")
def test_what_is_no_such_regressor_is_refused() -> None:
    fitted = MLPRegressor(hidden_layer_sizes=(3,), max_iter=2).fit(POINTS, POINTS)
    for model, scaler, says in (
        (MLPRegressor(), None, "has no coefs_"),
        (MLPRegressor(max_iter=2).fit(POINTS, POINTS[:, :2]), None, "as many outputs as inputs; it takes 4 to 2"),
        (fitted, StandardScaler(), "fit it first"),
        (fitted, PowerTransformer().fit(POINTS), "scale and shift"),
    ):
        with pytest.raises(ForeignError, match=says):
            foreign.from_sklearn(model, scaler)


def test_arrays_of_any_floating_point_type_are_stored_and_recalled() -> None:
    points = np.round(PLAIN * 4) / 4
    given = [points.astype(kind) for kind in (np.float16, ml_dtypes.bfloat16, np.float32, np.longdouble)]
    assert [as_array(one).dtype for one in given] == [np.float32, np.float32, np.float32, np.float64]
    memory = ax.store(given[1], writer=ax.Constructed(), key=jr.key(0))
    recalled = ax.recall(memory, given[0])
    assert np.array_equal(recalled.nearest, np.arange(5))


@pytest.mark.filterwarnings("ignore")
def test_tensors_of_pytorch_are_arrays() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'attrax[torch]'")
    for kind in (torch.float16, torch.bfloat16, torch.float64, torch.int64):
        tensor = torch.tensor(PLAIN).to(kind)
        tensor.requires_grad_(tensor.is_floating_point())
        found = as_array(tensor)
        assert found.dtype == (np.float64 if kind == torch.float64 else np.int64 if kind == torch.int64 else np.float32)
        assert np.array_equal(found, tensor.detach().double().numpy())
    memory = ax.store(torch.tensor(PLAIN), writer=ax.Constructed(), key=jr.key(0))
    assert np.array_equal(ax.recall(memory, torch.tensor(PLAIN, requires_grad=True)).nearest, np.arange(5))


def test_a_module_of_flax_is_a_map() -> None:
    nnx = pytest.importorskip("flax.nnx", reason="Flax is not installed: pip install flax")
    layer = nnx.Linear(4, 4, kernel_init=nnx.initializers.constant(0.1), rngs=nnx.Rngs(0))
    memory = ax.Memory(layer, ax.Patterns.from_examples(np.zeros((1, 4))))
    assert ax.certify(memory).all_attractors
