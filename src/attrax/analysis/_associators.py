"""Other associative memories, each at its best: nearest neighbors, Hopfield networks and their relatives, a
denoiser."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import jax.random as jr
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._base.numerics import apply_rows, cast
from attrax._base.shown import Record
from attrax._base.types import HostIndices, HostStates
from attrax.analysis._neighbors import RULES, nearest_neighbor
from attrax.corruptions import Motion, corrupt, parse_corruption
from attrax.maps import describe, mlp
from attrax.patterns import Patterns
from attrax.writing import Gradient

Answer = Callable[[np.ndarray, np.ndarray | None], np.ndarray]
"""A function of cues as vectors and, if available, which of their entries are known. Returns states as vectors."""
_MAX_STEPS = 50
_ANGLE = 2.5
_STILL = 1e-12
"""A softmax whose weights change by less than this has converged."""


@dataclass(frozen=True, slots=True, eq=False)
class Task(Record):
    """The task given to rivals.

    **Fields:** `points`, the examples, n×state shape; `successor`, the index of the state after each; `periods`, the
    length of the cycle of each; `corruptions`, those of the cues (which a rival may be tuned to); `key`, for rivals
    that train.
    """

    points: HostStates
    successor: HostIndices
    periods: HostIndices
    corruptions: tuple[str, ...]
    key: PRNGKeyArray

    @property
    def vectors(self) -> np.ndarray:
        """The examples as rows, float64."""
        return np.asarray(self.points, np.float64).reshape(len(self.points), -1)

    @property
    def rounds(self) -> int:
        """The number of steps of a rival that iterates: twice around the longest cycle; 0 if all are fixed points."""
        alone = np.array_equal(self.successor, np.arange(len(self.points)))
        return 0 if alone else 2 * int(self.periods.max())

    def ahead(self, steps: int) -> HostIndices:
        """The example that follows each one after this many steps."""
        found = np.arange(len(self.points))
        for _ in range(steps):
            found = self.successor[found]
        return found

    def first(self, num: int) -> "Task":
        """The same task with only the first `num` examples, each its own successor."""
        return Task(self.points[:num], np.arange(num), np.ones(num, int), self.corruptions, self.key)


@dataclass(frozen=True, slots=True, eq=False)
class Associator(Record):
    """A rival, ready to answer.

    **Fields:** `num_bytes`, the bytes it has to keep; `references`, the vector that represents each example in its
    answers; `answer`; `expected`, for each example the index of the right answer (on a cycle, a rival that iterates
    ends some steps later).
    """

    num_bytes: int
    references: np.ndarray
    answer: Answer
    expected: HostIndices


def task_of(patterns: Patterns, points: HostStates, corruptions: Sequence[str], key: PRNGKeyArray) -> Task:
    """The task for a memory of these patterns."""
    periods = np.ones(len(patterns), int)
    for cycle in patterns.cycles:
        periods[list(cycle)] = len(cycle)
    return Task(points, np.asarray(patterns.successor), periods, tuple(corruptions), key)


def entry_bytes(points: HostStates) -> int:
    """Bytes per entry without loss: one if all entries are multiples of 1/255 in [0, 1], as in 8-bit pictures.

    >>> entry_bytes(np.array([0.0, 1.0])), entry_bytes(np.array([0.25], np.float32))
    (1, 4)
    """
    points = np.asarray(points)
    level = np.round(np.clip(points, 0, 1).astype(np.float64) * 255)
    if np.array_equal((level / 255).astype(np.float32), points.astype(np.float32)):
        return 1
    return 4 if np.array_equal(points.astype(np.float32), points) else points.dtype.itemsize


def _list_bytes(task: Task) -> int:
    return task.points.size * entry_bytes(task.points)


def _listed(task: Task, answer: Answer) -> Associator:
    """A rival that stores the examples as they are and answers with one of them."""
    return Associator(_list_bytes(task), task.vectors, answer, task.ahead(0))


def _chosen(vectors: np.ndarray, found: np.ndarray) -> np.ndarray:
    """The example of each index; for no answer (−1), NaN, which is close to nothing."""
    return np.where((found >= 0)[:, None], vectors[found], np.nan)


def _neighbor(task: Task, rule: str) -> Associator:
    vectors = task.vectors
    return _listed(task, lambda cues, known: _chosen(vectors, nearest_neighbor(cues, vectors, rule=rule)))


def _masked_neighbor(task: Task, setting: str) -> Associator:
    vectors = task.vectors
    squares = vectors**2

    def answer(cues: np.ndarray, known: np.ndarray | None) -> np.ndarray:
        mask = np.ones_like(cues) if known is None else known.astype(np.float64)
        return vectors[np.argmin(mask @ squares.T - 2 * (mask * cues) @ vectors.T, axis=1)]

    return _listed(task, answer)


def _moves(task: Task) -> list[tuple[int, int, float]]:
    """The shifts (down, right) and rotations that the corruptions may contain, in steps of one pixel and 2.5 degrees.

    Shifts and rotations are separate, or in all combinations if some corruption composes the two.
    """
    asked = [parse_corruption(name) for name in task.corruptions]
    reach = int(max((one.largest(Motion.TRANSLATION) for one in asked), default=0))
    angle = max((one.largest(Motion.ROTATION) for one in asked), default=0.0)
    together = any(one.largest(Motion.TRANSLATION) and one.largest(Motion.ROTATION) for one in asked)
    side = range(-reach, reach + 1)
    steps = int(np.ceil(angle / _ANGLE))
    turns = [step * _ANGLE for step in range(-steps, steps + 1)]
    if together:
        return list(product(side, side, turns))
    return [(down, right, 0.0) for down, right in product(side, side)] + [(0, 0, turn) for turn in turns if turn]


def _moved(points: HostStates, move: tuple[int, int, float]) -> HostStates:
    down, right, turn = move
    if turn:
        points = corrupt(f"rotate:{turn:g}", points, key=jr.key(0))
    if not (down or right):
        return points
    moved = np.zeros_like(points)
    height, width = points.shape[1:3]
    if abs(down) >= height or abs(right) >= width:
        return moved
    to_rows, to_columns = slice(max(down, 0), height + min(down, 0)), slice(max(right, 0), width + min(right, 0))
    rows, columns = slice(max(-down, 0), height + min(-down, 0)), slice(max(-right, 0), width + min(-right, 0))
    moved[:, to_rows, to_columns] = points[:, rows, columns]
    return moved


def _directions(rows: np.ndarray, rule: str) -> np.ndarray:
    """Rows whose dot products are the similarity of the rule; unchanged for the Euclidean rule."""
    if rule not in ("cosine", "correlation"):
        return rows
    rows = rows - rows.mean(axis=1, keepdims=True) if rule == "correlation" else rows
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-150)


def _templates(task: Task, rule: str) -> Associator:
    """1-NN over all moved examples. They are made as needed, so only the examples themselves are stored."""
    vectors, moves = task.vectors, _moves(task) if task.points.ndim > 2 else [(0, 0, 0.0)]
    points = np.asarray(task.points, np.float32)

    def answer(cues: np.ndarray, known: np.ndarray | None) -> np.ndarray:
        best, found = np.full(len(cues), -np.inf), np.full(len(cues), -1)
        asked = _directions(cues, rule)
        for move in moves:
            rows = _directions(_moved(points, move).reshape(len(points), -1).astype(np.float64), rule)
            likeness = asked @ rows.T - (0.5 * (rows**2).sum(axis=1) if rule == "euclidean" else 0.0)
            row = np.argmax(likeness, axis=1)
            value = likeness[np.arange(len(cues)), row]
            found = np.where(value > best, row, found)
            best = np.maximum(best, value)
        return _chosen(vectors, found)

    return _listed(task, answer)


def _threshold(vectors: np.ndarray, setting: str) -> np.ndarray | float:
    if setting == "middle":
        return float(vectors.min() + vectors.max()) / 2
    return float(vectors.mean()) if setting == "mean" else np.median(vectors, axis=0)


def _iterated(task: Task, state: np.ndarray, step: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Iterates ±1 states until all are fixed or alternate between two; on cycles, twice around the longest one."""
    before = None
    for _ in range(task.rounds or _MAX_STEPS):
        moved = step(state)
        still = np.array_equal(moved, state) or (before is not None and np.array_equal(moved, before))
        if not task.rounds and still:
            break
        before, state = state, moved
    return state


def _hopfield(task: Task, setting: str) -> Associator:
    """Hopfield's network on ±1 patterns, W = Σ ξ' ξᵀ without its diagonal, ξ' the successor of ξ; all units at once.

    Centered, it stores the differences from the mean pattern m, which suits patterns that are mostly of one sign: x ←
    sign(m' + Σ (ξ' − m')(ξ − m)·(x − m)/s), s the mean square of ξ − m.
    """
    vectors = task.vectors
    name, _, centered = setting.partition(", ")
    threshold = _threshold(vectors, name)
    signs = np.where(vectors > threshold, 1.0, -1.0)
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
    # The means follow from the patterns; next to the couplings they would have to be stored too.
    bits = min(couplings * int(np.ceil(np.log2(2 * num + 1))) + (32 * size if centered else 0), num * size)
    return Associator(
        -(-(bits + 32 * np.size(threshold)) // 8),
        signs,
        lambda cues, known: _iterated(task, np.where(cues > threshold, 1.0, -1.0), step),
        task.ahead(task.rounds),
    )


def _pseudo_inverse(task: Task, setting: str) -> Associator:
    """The projection rule, x ← sign(Ξ'ᵀ (Ξᵀ)⁺ x): every linearly independent pattern is exactly fixed."""
    vectors = task.vectors
    threshold = _threshold(vectors, setting)
    signs = np.where(vectors > threshold, 1.0, -1.0)
    targets, dual = signs[task.successor], np.linalg.pinv(signs).T
    num, size = signs.shape

    def step(x: np.ndarray) -> np.ndarray:
        field = (x @ dual.T) @ targets
        return np.where(np.abs(field) < 1e-9, x, np.sign(field))

    couplings = size * (size + 1) // 2 if np.array_equal(targets, signs) else size * size
    # Alternatively, the patterns as bits and the symmetric inverse of their Gram matrix.
    num_bytes = min(4 * couplings, 2 * num * (num + 1) + -(-num * size // 8)) + 4 * np.size(threshold)
    return Associator(
        num_bytes,
        signs,
        lambda cues, known: _iterated(task, np.where(cues > threshold, 1.0, -1.0), step),
        task.ahead(task.rounds),
    )


def _modern(task: Task, setting: tuple[str, float]) -> Associator:
    """Modern Hopfield network: x ← Ξ'ᵀ softmax(β s(Ξ, x)), with s a dot product, a distance or a correlation.

    From the first step on, x is a mixture of examples, so only its weights have to be iterated.
    """
    rule, beta = setting
    vectors = task.vectors
    targets = vectors[task.successor]
    keys = _directions(vectors, rule)
    scale = beta if rule == "correlation" else beta / _spread(vectors)
    offset = 0.5 * (keys**2).sum(axis=1) if rule == "euclidean" else 0.0
    mixed = targets - targets.mean(axis=1, keepdims=True) if rule == "correlation" else targets
    likeness, gram = mixed @ keys.T, mixed @ mixed.T

    def weights_of(similarity: np.ndarray) -> np.ndarray:
        energy = scale * (similarity - offset)
        weights = np.exp(energy - energy.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)

    def answer(cues: np.ndarray, known: np.ndarray | None) -> np.ndarray:
        weights = weights_of(_directions(cues, rule) @ keys.T)
        for _ in range((task.rounds or _MAX_STEPS) - 1):
            similarity = weights @ likeness
            if rule == "correlation":
                square = np.einsum("ij,ij->i", weights @ gram, weights)
                similarity = similarity / np.sqrt(np.maximum(square, 1e-300))[:, None]
            moved = weights_of(similarity)
            if not task.rounds and np.abs(moved - weights).max() < _STILL:
                break
            weights = moved
        return weights @ targets

    return Associator(_list_bytes(task), vectors, answer, task.ahead(task.rounds))


def _spread(vectors: np.ndarray) -> float:
    """Mean squared distance of the examples from their mean, which makes β a pure number."""
    return float(((vectors - vectors.mean(axis=0)) ** 2).sum(axis=1).mean()) or 1.0


def _denoiser(task: Task, setting: tuple[int, int, int]) -> Associator:
    """A denoising autoencoder, trained on corruptions as those of the cues, applied once.

    `setting`: hidden layers, units of each, epochs of Adam.
    """
    depth, width, epochs = setting
    writer = Gradient(corruptions=_trainable(task), coordinates=0, epochs=epochs, polish=False)
    recipe = partial(mlp, width=width, depth=depth, init="kaiming_uniform")
    # Only the trained map is needed: it is applied once and need not have a fixed point.
    patterns = Patterns(np.asarray(task.points), np.asarray(task.successor))
    written = writer.write(patterns, recipe, key=task.key)
    network: Any = cast(written.map, np.float32)
    shape = task.points.shape[1:]

    def answer(cues: np.ndarray, known: np.ndarray | None) -> np.ndarray:
        rows = cues.astype(np.float32).reshape(len(cues), *shape)
        return apply_rows(network, rows).reshape(len(cues), -1).astype(np.float64)

    return Associator(4 * describe(network).parameters, task.vectors, answer, task.ahead(1))


def _trainable(task: Task) -> tuple[str, ...]:
    """One corruption of each kind, at its largest level: training draws levels up to it."""
    found: dict[str, tuple[float, str]] = {}
    for name in task.corruptions:
        asked = parse_corruption(name)
        size = float(np.abs(np.asarray(asked.level)).max())
        if not asked.identity and size >= found.get(asked.kind, (0.0, ""))[0]:
            found[asked.kind] = (size, name)
    return tuple(name for _, name in found.values()) or ("gaussian:0.1",)


_THRESHOLDS = ("middle", "mean", "median")
_BETAS = tuple(float(beta) for beta in 10 ** np.linspace(-1, 4, 11))
_SIMILARITIES = ("dot", "euclidean", "correlation")
DENOISER = "denoiser once"

ASSOCIATORS: dict[str, tuple[Callable[[Task, Any], Associator], tuple[Any, ...]]] = {
    **{f"1-NN {rule}": (_neighbor, (rule,)) for rule in RULES},
    "1-NN masked": (_masked_neighbor, ("known entries told",)),
    "1-NN templates": (_templates, RULES),
    "Hopfield": (_hopfield, (*_THRESHOLDS, *(f"{name}, centered" for name in _THRESHOLDS))),
    "pseudo-inverse": (_pseudo_inverse, _THRESHOLDS),
    "modern Hopfield": (_modern, tuple((rule, beta) for rule in _SIMILARITIES for beta in _BETAS)),
    DENOISER: (_denoiser, ((3, 512, 1000), (5, 512, 3000))),
}
"""The rivals by name: the function that makes each from a task and a setting, and the settings that are searched."""


def setting_text(name: str, setting: Any) -> str:
    """A setting as a readable text."""
    if name == DENOISER:
        return "{}x{}, {:,} epochs on such cues".format(*setting)
    return setting if isinstance(setting, str) else f"{setting[0]}, β = {setting[1]:.3g}"
