"""Memories and maps as files of ONNX and PyTorch."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

import attrax as ax
from attrax import foreign
from attrax.cli import main
from attrax.foreign import ForeignError
from attrax.maps import OperatorWriter

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'attrax[onnx]'")
KEY = jr.key(0)


class Doubled(eqx.Module):
    """A kind of map that attrax does not know."""

    shape: tuple[int, ...] = eqx.field(static=True)

    def __call__(self, x: Any) -> Any:
        return jnp.tanh(2 * x)

    def write_operators(self, write: OperatorWriter, x: str) -> str:
        return write.apply("Tanh", write.apply("Mul", x, write.constant(np.float32(2))))


MAPS: dict[str, Callable[[], Any]] = {
    "relu": lambda: ax.maps.mlp((3, 2), width=(9, 7), activation="relu", key=KEY),
    "gelu, no biases": lambda: ax.maps.mlp((5,), width=8, depth=1, activation="gelu", bias=False, key=KEY),
    "of one's own": lambda: ax.maps.mlp((5,), width=8, depth=1, activation=_own, key=KEY),
    "convolutional": lambda: ax.maps.conv_autoencoder((4, 4, 3), channels=2, levels=1, bias="all", skips=True, key=KEY),
    "argmax": lambda: ax.maps.recurrent(5, width=7, key=KEY),
    "softmax": lambda: ax.maps.recurrent(5, width=7, feedback="softmax", key=KEY),
    "of another kind": lambda: Doubled((4,)),
}


def _own(z: Any) -> Any:
    return z * jnp.tanh(jnp.log1p(jnp.exp(z))) + jnp.where(z > 0, jnp.sqrt(1 + z**2), 1.0)


def images(map: Any, states: np.ndarray) -> np.ndarray:
    """One program: without it, JAX would compile every operation by itself."""
    return np.asarray(eqx.filter_jit(lambda states: jax.vmap(map)(states))(states))


@pytest.mark.parametrize("name", MAPS)
def test_exported_maps_have_equal_outputs(name: str, tmp_path: Path) -> None:
    map = MAPS[name]()
    made = foreign.export(map, tmp_path / "model.onnx")
    assert made.difference <= 1e-6
    states = np.random.default_rng(3).normal(size=(2, *map.shape)).astype(np.float32)
    wanted = images(map, states)
    program = foreign.load(made.path)
    assert program.inputs["state"].shape == (None, *map.shape)
    try:
        import onnxruntime
    except ImportError:
        found = eqx.filter_jit(lambda states: program.call({"state": states})["next_state"])(states)
        assert np.abs(np.asarray(found) - wanted).max() <= 2e-6
        return
    assert made.against.startswith("onnxruntime")
    session = onnxruntime.InferenceSession(made.path, providers=["CPUExecutionProvider"])
    assert np.abs(session.run(None, {"state": states})[0] - wanted).max() <= 2e-6


@pytest.mark.filterwarnings("ignore")
def test_a_program_of_pytorch_needs_pytorch_only(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'attrax[torch]'")
    map = MAPS["relu"]()
    made = foreign.export(map, tmp_path / "model.pt2")
    assert made.difference <= 1e-6
    states = np.random.default_rng(3).normal(size=(5, *map.shape)).astype(np.float32)
    found = torch.export.load(made.path).module()(torch.tensor(states)).detach().numpy()
    assert np.abs(found - images(map, states)).max() <= 2e-6


def test_a_memory_is_exported_by_method_and_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    points = np.random.default_rng(0).normal(size=(3, 6))
    memory = ax.store(points, writer=ax.Constructed(), key=KEY)
    ax.save(tmp_path / "memory.attrax", memory)
    made = memory.to_onnx(tmp_path / "model.onnx")
    again = foreign.from_onnx(made.path)
    assert isinstance(again.map, ax.maps.MLP)
    assert np.allclose(images(again.map, points.astype(np.float32)), points, atol=1e-4)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["export", "memory.attrax", "-o", "other.onnx", "--json"])
    assert not ended.value.code
    assert json.loads(capsys.readouterr().out)["difference"] <= 1e-6
    assert (tmp_path / "other.onnx").stat().st_size == made.path.stat().st_size
    for output, says in (("memory.attrax", "--output must end in"), ("none/a.onnx", "does not exist")):
        with pytest.raises(SystemExit) as ended:
            main(["export", "memory.attrax", "-o", output, "--json"])
        assert ended.value.code == 2
        assert says in json.loads(capsys.readouterr().out)["error"]


def test_what_has_no_such_form_is_refused(tmp_path: Path) -> None:
    for map, path, says in (
        (lambda x: x / 2, "model.onnx", "attribute shape"),
        (MAPS["relu"](), "model.pkl", r"must end in \.onnx or \.pt2"),
        (ax.maps.mlp((2,), width=3, depth=1, activation=jax.scipy.special.gammaln, key=KEY), "model.onnx", "'lgamma'"),
    ):
        with pytest.raises(ForeignError, match=says):
            foreign.export(map, tmp_path / path)
    assert not [*tmp_path.iterdir()]

    class Other(eqx.Module):
        shape: tuple[int, ...] = eqx.field(static=True)

    with pytest.raises(ForeignError, match="write_operators"):
        foreign.export(Other((3,)), tmp_path / "model.onnx")
