"""Other associative memories, each at its best: nearest neighbours, Hopfield's networks and their kin, a denoiser."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax.random as jr
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._corruptions import corrupt, parse_corruption
from attrax._numerics import apply_rows, cast
from attrax._patterns import Patterns
from attrax._types import HostIndices, HostStates
from attrax.analysis._neighbors import RULES, nearest_neighbor
from attrax.maps import mlp
from attrax.writing import Gradient

Answer = Callable[[np.ndarray, np.ndarray | None], np.ndarray]
"""From flat cues, and which of their entries are known where that is told, to flat states."""
_MAX_STEPS = 50
_ANGLE = 2.5
_DENOISER = {"width": 512, "depth": 3, "epochs": 600}


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What rivals have to do.

    **Fields:** `points`, the examples, n×state shape; `successor`, what follows on what; `periods`, the length of the
    cycle each lies on; `corruptions`, those of the cues (which a rival may prepare for); `key`, for rivals that train.
    """

    points: HostStates
    successor: HostIndices
    periods: HostIndices
    corruptions: tuple[str, ...]
    key: PRNGKeyArray

    @property
    def flat(self) -> np.ndarray:
        """The examples as rows, float64."""
        return np.asarray(self.points, np.float64).reshape(len(self.points), -1)

    def first(self, num: int) -> "Task":
        """The same with the first `num` examples only, each its own successor."""
        return Task(self.points[:num], np.arange(num), np.ones(num, int), self.corruptions, self.key)


@dataclass(frozen=True, slots=True, eq=False)
class Associator:
    """A rival, ready to answer.

    **Fields:** `num_bytes`, what it has to keep; `references`, what stands for each example in its answers, flat;
    `answer`.
    """

    num_bytes: int
    references: np.ndarray
    answer: Answer


def task_of(patterns: Patterns, points: HostStates, corruptions: Sequence[str], key: PRNGKeyArray) -> Task:
    """The task that a memory of these patterns has."""
    periods = np.ones(len(patterns), int)
    for cycle in patterns.cycles:
        periods[list(cycle)] = len(cycle)
    return Task(points, np.asarray(patterns.successor), periods, tuple(corruptions), key)


def entry_bytes(points: HostStates) -> int:
    """Bytes an entry takes without loss: one where all are multiples of 1/255 in [0, 1], as pictures of 8 bits are."""
    points = np.asarray(points)
    level = np.round(np.clip(points, 0, 1).astype(np.float64) * 255)
    if np.array_equal((level / 255).astype(np.float32), points.astype(np.float32)):
        return 1
    return 4 if np.array_equal(points.astype(np.float32), points) else points.dtype.itemsize


def _list_bytes(task: Task) -> int:
    return task.points.size * entry_bytes(task.points)


def _chosen(flat: np.ndarray, found: np.ndarray) -> np.ndarray:
    """The example of each index; one without an answer (−1) is NaN, which is near nothing."""
    return np.where((found >= 0)[:, None], flat[found], np.nan)


def _neighbor(task: Task, rule: str) -> Associator:
    flat = task.flat

    def answer(cues: np.ndarray, known: np.ndarray | None) -> np.ndarray:
        return _chosen(flat, nearest_neighbor(cues, flat, rule=rule))

    return Associator(_list_bytes(task), flat, answer)


def _masked_neighbor(task: Task, setting: str) -> Associator:
    flat = task.flat
    squares = flat**2

    def answer(cues: np.ndarray, known: np.ndarray | None) -> np.ndarray:
        mask = np.ones_like(cues) if known is None else known.astype(np.float64)
        return flat[np.argmin(mask @ squares.T - 2 * (mask * cues) @ flat.T, axis=1)]

    return Associator(_list_bytes(task), flat, answer)


def _moves(task: Task) -> list[str]:
    """The shifts and turns that the corruptions of the task may hold, every pixel and every 2.5 degrees."""
    reach, angle = 0, 0.0
    for name in task.corruptions:
        for part in name.split("+"):
            asked = parse_corruption(part)
            size = abs(float(np.asarray(asked.level)))
            reach = max(reach, int(size)) if asked.kind == "shift" else reach
            angle = max(angle, size) if asked.kind == "rotate" else angle
    shifts = [f"move:{down},{right}" for down in range(-reach, reach + 1) for right in range(-reach, reach + 1)]
    steps = int(np.ceil(angle / _ANGLE))
    return shifts + [f"rotate:{step * _ANGLE:g}" for step in range(-steps, steps + 1) if step]


def _moved(points: HostStates, move: str) -> HostStates:
    kind, _, level = move.partition(":")
    if kind == "rotate":
        return corrupt(move, points, key=jr.key(0))
    down, right = (int(part) for part in level.split(","))
    moved = np.zeros_like(points)
    height, width = points.shape[1:3]
    if abs(down) >= height or abs(right) >= width:
        return moved
    to_rows, to_columns = slice(max(down, 0), height + min(down, 0)), slice(max(right, 0), width + min(right, 0))
    rows, columns = slice(max(-down, 0), height + min(-down, 0)), slice(max(-right, 0), width + min(-right, 0))
    moved[:, to_rows, to_columns] = points[:, rows, columns]
    return moved


def _templates(task: Task, rule: str) -> Associator:
    """1-NN over all moved examples. They are made as needed, so only the examples themselves are kept."""
    flat, moves = task.flat, _moves(task) if task.points.ndim > 2 else []
    points = np.asarray(task.points, np.float32)

    def prepared(rows: np.ndarray) -> np.ndarray:
        if rule == "euclidean":
            return rows
        rows = rows - rows.mean(axis=1, keepdims=True) if rule == "correlation" else rows
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)

    def answer(cues: np.ndarray, known: np.ndarray | None) -> np.ndarray:
        best, found = np.full(len(cues), -np.inf), np.full(len(cues), -1)
        asked = prepared(cues)
        for move in moves or ["move:0,0"]:
            moved = _moved(points, move) if points.ndim > 2 else points
            rows = prepared(moved.reshape(len(points), -1).astype(np.float64))
            likeness = asked @ rows.T - (0.5 * (rows**2).sum(axis=1) if rule == "euclidean" else 0.0)
            row = np.argmax(likeness, axis=1)
            value = likeness[np.arange(len(cues)), row]
            found = np.where(value > best, row, found)
            best = np.maximum(best, value)
        return _chosen(flat, found)

    return Associator(_list_bytes(task), flat, answer)


def _threshold(flat: np.ndarray, setting: str) -> np.ndarray | float:
    if setting == "middle":
        return float(flat.min() + flat.max()) / 2
    return float(flat.mean()) if setting == "mean" else np.median(flat, axis=0)


def _round(task: Task, start: np.ndarray, step: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Steps until nothing changes; on cycles, twice round the longest one, which must bring each state back."""
    state = start
    longest = int(task.periods.max())
    for _ in range(_MAX_STEPS if longest == 1 else 2 * longest):
        moved = step(state)
        if longest == 1 and np.array_equal(moved, state):
            break
        state = moved
    return state


def _hopfield(task: Task, setting: str) -> Associator:
    """Hopfield's network on ±1 patterns, W = Σ ξ' ξᵀ without its diagonal, ξ' the successor of ξ; all units at once.

    Centered, it stores what differs from the mean pattern m, which suits patterns that are mostly of one sign:
    x ← sign(m' + Σ (ξ' − m')(ξ − m)·(x − m)/s), s the mean square of ξ − m.
    """
    flat = task.flat
    name, _, centered = setting.partition(", ")
    threshold = _threshold(flat, name)
    signs = np.where(flat > threshold, 1.0, -1.0)
    targets = signs[task.successor]
    num, size = signs.shape
    mean, target_mean = (signs.mean(axis=0), targets.mean(axis=0)) if centered else (np.zeros(size), np.zeros(size))
    keys, values = signs - mean, targets - target_mean
    scale = max(float((keys**2).sum(axis=1).mean()), 1e-12)
    diagonal = np.zeros(size) if centered else (values * keys).sum(axis=0) / scale

    def step(x: np.ndarray) -> np.ndarray:
        field = target_mean + ((x - mean) @ keys.T) @ values / scale - diagonal * x
        return np.where(np.abs(field) < 1e-12, x, np.sign(field))

    couplings = size * (size - 1) // (2 if np.array_equal(targets, signs) else 1)
    # The means follow from the patterns; beside the couplings they would have to be kept.
    bits = min(couplings * int(np.ceil(np.log2(2 * num + 1))) + (32 * size if centered else 0), num * size)
    return Associator(
        -(-bits // 8), signs, lambda cues, known: _round(task, np.where(cues > threshold, 1.0, -1.0), step)
    )


def _pseudo_inverse(task: Task, setting: str) -> Associator:
    """The projection rule, x ← sign(Ξ'ᵀ (Ξᵀ)⁺ x): every linearly independent pattern is exactly fixed."""
    flat = task.flat
    threshold = _threshold(flat, setting)
    signs = np.where(flat > threshold, 1.0, -1.0)
    targets, dual = signs[task.successor], np.linalg.pinv(signs).T
    num, size = signs.shape

    def step(x: np.ndarray) -> np.ndarray:
        field = (x @ dual.T) @ targets
        return np.where(np.abs(field) < 1e-9, x, np.sign(field))

    num_bytes = min(4 * size * (size + 1) // 2, 4 * num * num + -(-num * size // 8))
    return Associator(num_bytes, signs, lambda cues, known: _round(task, np.where(cues > threshold, 1.0, -1.0), step))


def _modern(task: Task, setting: tuple[str, float]) -> Associator:
    """Modern Hopfield network: x ← Ξ'ᵀ softmax(β s(Ξ, x)), with s a dot product, a distance or a correlation."""
    rule, beta = setting
    flat = task.flat
    targets = flat[task.successor]

    def prepared(rows: np.ndarray) -> np.ndarray:
        if rule != "correlation":
            return rows
        rows = rows - rows.mean(axis=1, keepdims=True)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)

    keys = prepared(flat)
    scale = beta / _spread(flat) if rule != "correlation" else beta
    offset = 0.5 * (keys**2).sum(axis=1) if rule == "euclidean" else 0.0

    def step(x: np.ndarray) -> np.ndarray:
        energy = scale * (prepared(x) @ keys.T - offset)
        weights = np.exp(energy - energy.max(axis=1, keepdims=True))
        return (weights / weights.sum(axis=1, keepdims=True)) @ targets

    return Associator(_list_bytes(task), flat, lambda cues, known: _round(task, cues, step))


def _spread(flat: np.ndarray) -> float:
    """Mean squared distance of the examples from their mean, which makes β a pure number."""
    return max(float(((flat - flat.mean(axis=0)) ** 2).sum(axis=1).mean()), 1e-12)


def _denoiser(task: Task, setting: str) -> Associator:
    """A denoising autoencoder of three hidden layers of 512 units, trained on corruptions as those of the cues, once."""
    writer = Gradient(corruptions=_trainable(task), coordinates=0, epochs=_DENOISER["epochs"], polish=False)
    recipe = partial(mlp, width=_DENOISER["width"], depth=_DENOISER["depth"], init="kaiming_uniform")
    # Only the trained map is needed: used once, it need not have any fixed point.
    patterns = Patterns(np.asarray(task.points), np.asarray(task.successor))
    written = writer(recipe, patterns, key=task.key, checkpoint=None, resume=False, progress=None)
    network: Any = cast(written.map, np.float32)
    parameters = sum(weight.size for weight in network.weights) + sum(bias.size for bias in network.biases)
    shape = task.points.shape[1:]

    def answer(cues: np.ndarray, known: np.ndarray | None) -> np.ndarray:
        rows = cues.astype(np.float32).reshape(len(cues), *shape)
        return apply_rows(network, rows).reshape(len(cues), -1).astype(np.float64)

    return Associator(4 * int(parameters), task.flat, answer)


def _trainable(task: Task) -> tuple[str, ...]:
    """One corruption of each kind, at its largest level: training draws levels up to it."""
    found: dict[str, tuple[float, str]] = {}
    for name in task.corruptions:
        asked = parse_corruption(name)
        size = float(np.abs(np.asarray(asked.level)).max())
        if asked.kind != "none" and size >= found.get(asked.kind, (0.0, ""))[0]:
            found[asked.kind] = (size, name)
    return tuple(name for _, name in found.values()) or ("gaussian:0.1",)


_THRESHOLDS = ("middle", "mean", "median")
_BETAS = tuple(float(beta) for beta in 10 ** np.linspace(-1, 4, 11))
_SIMILARITIES = ("dot", "euclidean", "correlation")

ASSOCIATORS: dict[str, tuple[Callable[[Task, Any], Associator], tuple[Any, ...]]] = {
    **{f"1-NN {rule}": (_neighbor, (rule,)) for rule in RULES},
    "1-NN masked": (_masked_neighbor, ("known entries told",)),
    "1-NN templates": (_templates, RULES),
    "Hopfield": (_hopfield, (*_THRESHOLDS, *(f"{name}, centered" for name in _THRESHOLDS))),
    "pseudo-inverse": (_pseudo_inverse, _THRESHOLDS),
    "modern Hopfield": (_modern, tuple((rule, beta) for rule in _SIMILARITIES for beta in _BETAS)),
    "denoiser once": (_denoiser, ("3x512, trained on such cues",)),
}
"""The rivals by name: how each is made from a task and a setting, and the settings that are searched."""
