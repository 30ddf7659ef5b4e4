"""The numbers of the page are those of Python."""

import base64
import hashlib
import json
import struct
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from helpers.javascript import evaluate

import attrax as ax
from attrax.activations import ACTIVATIONS
from attrax.files import checksum
from attrax.maps import MLP
from attrax.patterns._delays import delayed  # the states without their patterns

READ = """
import { readMemory } from "./memory.js";
import { Iteration, spectralRadius } from "./iterate.js";
import { jacobian } from "./mlp.js";
const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
export const result = given.files.map(({ content, cue, steps }) => {
  let memory;
  try {
    memory = readMemory(bytes(content), "it");
  } catch (error) {
    return { error: error.message, kind: error.constructor.name };
  }
  const iteration = new Iteration(memory.network, cue);
  const states = Array.from({ length: steps }, () => [...iteration.step().state]);
  const at = (cycle) => cycle.map((index) => memory.points[index]);
  const radii = memory.cycles.map((cycle) => spectralRadius(memory.network, at(cycle)));
  return {
    states, radii, certified: memory.certified, names: memory.names, shape: memory.shape, cycles: memory.cycles,
    atol: memory.atol, jacobian: [...jacobian(memory.network, Float64Array.from(cue))],
  };
});
"""


def entry(content: bytes, cue: Any = (), steps: int = 0) -> dict[str, Any]:
    numbers = np.asarray(cue, float).ravel().tolist()
    return {"content": base64.b64encode(content).decode(), "cue": numbers, "steps": steps}


def steps_of(network: MLP, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """f(x) and the Jacobian there, by NumPy in float64."""
    forms = ACTIVATIONS[str(network.activation)].theory
    assert forms is not None
    jacobian = np.eye(len(x))
    for number, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        weight = np.asarray(weight, np.float64)
        x, jacobian = weight @ x, weight @ jacobian
        x = x if bias is None else x + np.asarray(bias, np.float64)
        if number < network.depth:
            x, jacobian = forms.value(x), forms.slope(x)[:, None] * jacobian
    return x, jacobian


def drawn(activation: str, sizes: Sequence[int], random: np.random.Generator) -> MLP:
    weights = [random.standard_normal((out, into)) / np.sqrt(into) for into, out in pairwise(sizes)]
    biases = [0.3 * random.standard_normal(out) for out in sizes[1:]]
    return MLP(tuple(np.float32(weight) for weight in weights), (*biases[:-1], None), (sizes[0],), activation)


def test_shipped_memory(digits: ax.Memory, tmp_path: Path) -> None:
    memory = digits
    file = ax.save(tmp_path / "digits.attrax", memory)
    cue = memory.examples().points[2].copy()
    cue[4:] = 0
    (found,) = evaluate(READ, {"files": [entry(file.read_bytes(), cue, 6)]}, tmp_path)
    state = np.asarray(cue, float).ravel()
    for seen in found["states"]:
        state, _ = steps_of(memory.map, state)
        np.testing.assert_allclose(seen, state, atol=1e-6)
    assert memory.certificate is not None
    np.testing.assert_allclose(found["radii"], memory.certificate.spectral_radius, atol=1e-6)
    assert [one["verdict"] for one in found["certified"]] == [str(one) for one in memory.certificate.verdict]
    np.testing.assert_allclose([one["bound"] for one in found["certified"]], memory.certificate.upper_bound)
    assert found["atol"] == memory.certificate.recovery_atol


def test_every_activation(tmp_path: Path) -> None:
    names = [name for name in ACTIVATIONS if name != "exp"]
    files, maps = [], []
    random = np.random.default_rng(0)
    cycle = random.standard_normal((3, 5))
    cue = random.standard_normal(5)
    for number, name in enumerate(names):
        network = drawn(name, [5, 7, 4 if number % 2 else 9, 5], random)
        maps.append(network)
        memory = ax.Memory(network, ax.Patterns.from_cycles([cycle]))
        files.append(entry(ax.save(tmp_path / "it.attrax", memory).read_bytes(), cue, 5))
    for network, found in zip(maps, evaluate(READ, {"files": files}, tmp_path), strict=True):
        state = cue
        for seen in found["states"]:
            state, _ = steps_of(network, state)
            np.testing.assert_allclose(seen, state, atol=1e-9, rtol=1e-9, err_msg=str(network.activation))
        slopes = [steps_of(network, point)[1] for point in [*cycle, cue]]
        np.testing.assert_allclose(np.reshape(found["jacobian"], (5, 5)), slopes[3], atol=1e-9, rtol=1e-9)
        radius = np.abs(np.linalg.eigvals(slopes[2] @ slopes[1] @ slopes[0])).max()
        np.testing.assert_allclose(found["radii"], [radius], atol=1e-9, rtol=1e-6)
        assert found["certified"] is None
        assert found["cycles"] == [[0, 1, 2]]


def test_eigenvalues(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    jordan = np.diag(np.full(6, 0.5)) + np.diag(np.ones(5), 1)
    matrices = [
        *(random.standard_normal((n, n)) for n in (1, 2, 3, 4, 9, 40)),
        np.roll(np.eye(8), 1, axis=0),
        np.zeros((4, 4)),
        jordan,
        random.standard_normal((12, 3)) @ random.standard_normal((3, 12)),
        np.diag([1e-8, 1.0, 1e8]) @ random.standard_normal((3, 3)),
    ]
    text = """
    import { eigenvalues, radiusOf } from "./eigen.js";
    export const result = given.map(({ matrix, n }) => {
      const found = eigenvalues(Float64Array.from(matrix), n);
      return { radius: radiusOf(found), values: found.map(({ re, im }) => [re, im]) };
    });
    """
    given = [{"matrix": matrix.ravel().tolist(), "n": len(matrix)} for matrix in matrices]
    for matrix, found in zip(matrices, evaluate(text, given, tmp_path), strict=True):
        exact = np.linalg.eigvals(matrix)
        # Of a Jordan block of six, the eigenvalues are known to the sixth root of the rounding error only.
        loose = 1e-2 if matrix is jordan else 1e-6 * max(1.0, np.abs(exact).max())
        assert abs(found["radius"] - np.abs(exact).max()) < loose
        seen = np.array(found["values"]) @ [1, 1j]
        assert len(seen) == len(exact)
        away = np.abs(seen[:, None] - exact[None])
        assert away.min(axis=0).max() < loose
        assert away.min(axis=1).max() < loose


def test_digests(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    parts = [[random.bytes(size) for size in sizes] for sizes in ([0], [55], [56], [64], [3, 61, 200], [119, 1])]
    text = """
    import { sha256 } from "./sha256.js";
    export const result = given.map((parts) => sha256(parts.map((part) => Uint8Array.from(part))));
    """
    found = evaluate(text, [[list(part) for part in one] for one in parts], tmp_path)
    assert found == [hashlib.sha256(b"".join(one)).hexdigest() for one in parts]


def test_gradients(tmp_path: Path) -> None:
    """One step of plain descent follows the gradient, for batches and widths that do not fill a tile."""
    text = """
    import { Trainer } from "./training.js";
    export const result = given.map(({ inputs, targets, size, recipe }) => {
      const trainer = new Trainer(Float64Array.from(inputs), Float64Array.from(targets), size, recipe);
      const layers = () => trainer.layers.map(({ weight, bias }) => ({ weight: [...weight], bias: [...bias] }));
      const before = layers();
      const loss = trainer.train();
      return { before, after: layers(), loss };
    });
    """
    random = np.random.default_rng(3)
    given = [
        {
            "inputs": random.standard_normal(2 * batch).tolist(),
            "targets": random.standard_normal(2 * batch).tolist(),
            "size": 2,
            "recipe": {"depth": 2, "width": width, "activation": "cosid", "optimizer": "descent", "rate": 1, "seed": 5},
        }
        for batch, width in [(5, 7), (4, 8)]
    ]
    for one, found in zip(given, evaluate(text, given, tmp_path), strict=True):
        width = one["recipe"]["width"]
        shapes = [(width, 2), (width, width), (2, width)]
        inputs, targets = (np.reshape(one[name], (-1, 2)) for name in ("inputs", "targets"))

        def loss(
            numbers: np.ndarray, shapes: Any = shapes, inputs: np.ndarray = inputs, targets: np.ndarray = targets
        ) -> float:
            x = inputs
            for number, (rows, cols) in enumerate(shapes):
                weight, bias, numbers = np.split(numbers, [rows * cols, rows * cols + rows])
                x = x @ weight.reshape(rows, cols).T + bias
                x = np.cos(x) - x if number < 2 else x
            return float(np.mean((x - targets) ** 2))

        before, after = (
            np.concatenate([np.array(layer[name]) for layer in found[when] for name in ("weight", "bias")])
            for when in ("before", "after")
        )
        np.testing.assert_allclose(found["loss"], loss(before), rtol=1e-12)
        small = 1e-5 * np.eye(len(before))
        slope = [(loss(before + away) - loss(before - away)) / 2e-5 for away in small]
        np.testing.assert_allclose(before - after, slope, rtol=1e-6, atol=1e-8)


def test_pictures_stored_in_the_page(tmp_path: Path) -> None:
    """Pictures are stored there and then, with spectral radius 0, and come back without their lower half."""
    text = """
    import { trainScores, winnerTakeAll } from "./winner.js";
    import { Iteration, distance, nearest, spectralRadius } from "./iterate.js";
    const points = given.points.map((point) => Float64Array.from(point));
    const training = trainScores(points, given.shape, 300, 0);
    let step = training.next();
    while (!step.done) step = training.next();
    const network = winnerTakeAll(step.value, points, points);
    const ends = points.map((point) => {
      const cue = point.slice();
      cue.fill(0, cue.length / 2);
      const { state, period } = new Iteration(network, cue).settle(200);
      return { ...nearest(state, points), period };
    });
    const single = winnerTakeAll({ weight: points[0], bias: new Float64Array(1) }, [points[0]], [points[0]]);
    export const result = {
      ends,
      radii: points.map((point) => spectralRadius(network, [point])),
      single: distance(new Iteration(single, points[1]).settle(9).state, points[0]),
    };
    """
    points = ax.sources.load("faces", n=20, size=(32, 32)).patterns.points.reshape(20, -1)
    found = evaluate(text, {"points": points.tolist(), "shape": [32, 32]}, tmp_path)
    assert max(found["radii"]) < 1
    back = [
        end["index"] == index and end["distance"] < 1e-6 and end["period"] == 1
        for index, end in enumerate(found["ends"])
    ]
    assert sum(back) >= 19
    assert found["single"] < 1e-12


def damaged(content: bytes) -> dict[str, bytes]:
    """Files that are no memory, or not this one."""
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    body = content[8 + length :]

    def packed(changed: dict[str, Any]) -> bytes:
        text = json.dumps(changed).encode()
        return struct.pack("<Q", len(text)) + text + body

    def with_tensor(**entry: Any) -> bytes:
        return packed(header | {"points": header["points"] | entry})

    def signed(**text: Any) -> bytes:
        """With a checksum that is right, so that what is in it is looked at."""
        import safetensors.numpy

        metadata = dict(header["__metadata__"])
        metadata["memory"] = json.dumps(json.loads(metadata["memory"]) | text)
        metadata["checksum"] = checksum(safetensors.numpy.load(content), metadata["memory"])
        return packed(header | {"__metadata__": metadata})

    begin, end = header["points"]["data_offsets"]
    return {
        "empty": b"",
        "short": content[:100],
        "longer": content + b"\0",
        "header beyond the end": struct.pack("<Q", 2**63) + content[8:],
        "no JSON": struct.pack("<Q", 4) + b"\xff{}}" + body,
        "a bit": content[:-3] + bytes([content[-3] ^ 4]) + content[-2:],
        "shape": with_tensor(shape=[10**9, 10**9]),
        "negative": with_tensor(data_offsets=[-8, end]),
        "overlap": with_tensor(data_offsets=[begin - 4, end - 4]),
        "type": with_tensor(dtype="F16"),
        "version": packed(header | {"__metadata__": header["__metadata__"] | {"version": "9"}}),
        "kind": signed(map={"kind": "conv", "settings": {}}),
        "foreign": signed(map={"kind": None, "text": "a map", "parameters": 1}),
        "layers": signed(map={"kind": "mlp", "settings": {"activation": "relu", "layers": 10**9, "shape": [8, 8]}}),
        "activation": signed(map={"kind": "mlp", "settings": {"activation": "toString", "layers": 2, "shape": [8, 8]}}),
        "verdicts": signed(verdicts=["attractor"]),
        "examples": signed(examples=7),
        "state": signed(shape=[5]),
    }


def test_damaged_files_are_refused(digits: ax.Memory, tmp_path: Path) -> None:
    file = ax.save(tmp_path / "it.attrax", digits)
    content = file.read_bytes()
    cases = damaged(content)
    good, *found = evaluate(READ, {"files": [entry(content, np.zeros(64), 1), *map(entry, cases.values())]}, tmp_path)
    assert "error" not in good
    for name, one in zip(cases, found, strict=True):
        assert one.get("kind") == "FileError", (name, one)
        assert one["error"].isprintable()


def test_shared_links(tmp_path: Path) -> None:
    text = """
    import { fromHash, PRESET, toHash } from "./share.js";
    const recipe = { ...PRESET, depth: 3, activation: "tanh", seed: 3 };
    const scene = { recipe, cycles: [[[0.1, -1.2]], [[0, 0], [1, 1]]] };
    const many = `plane?points=${Array(500).fill("1_1").join("~")}`;
    export const result = {
      same: JSON.stringify(fromHash(toHash(scene))) === JSON.stringify(scene),
      bad: fromHash(given),
      many: fromHash(many).cycles.length,
      other: fromHash("pictures"),
      preset: PRESET,
    };
    """
    bad = "plane?depth=1e9&rate=no&activation=constructor&optimizer=toString&points=9999_1~x_y~1_2_3~100_200"
    found = evaluate(text, bad, tmp_path)
    assert found["same"]
    assert found["bad"] == {"recipe": found["preset"] | {"depth": 20}, "cycles": [[[0.1, 0.2]]]}
    assert found["many"] == 60
    assert found["other"] is None


def test_latest_frames(tmp_path: Path) -> None:
    """Of states that hold several frames, the page shows the one that attrax writes to films."""
    random = np.random.default_rng(4)
    frames = [random.random((7, *shape)) for shape in ((6, 5), (4, 3, 3), (5,), (4, 2, 1))]
    states = [delayed(sequence, 3, hold=False) for sequence in frames]
    text = """
    import { lastFrame } from "./sequences.js";
    const shown = ({ state, shape, frame }) => [...lastFrame(Float64Array.from(state), { shape, frame })];
    export const result = given.map(shown);
    """
    given = [
        {"state": state[2].ravel().tolist(), "shape": state.shape[1:], "frame": sequence.shape[1:]}
        for state, sequence in zip(states, frames, strict=True)
    ]
    for found, sequence in zip(evaluate(text, given, tmp_path), frames, strict=True):
        assert found == sequence[2].ravel().tolist()
