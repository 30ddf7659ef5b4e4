"""Table about what no pixel metric has: memories trained on moved and turned digits, beside templates moved so too."""

import time
from collections.abc import Iterator

import jax.random as jr
import numpy as np

import attrax as ax
from attrax.analysis import RULES
from benchmarks.write_common import (
    RATES_HEAD,
    Setting,
    at_least,
    end,
    examples,
    head,
    heading,
    percent,
    rates,
    row,
    shape_of,
    store,
    verdict,
    within,
)

TRAINED = (
    "gaussian:1.2",
    "occlude:0.7",
    "drop:0.95",
    "shift:4",
    "rotate:15",
    "shift:4+occlude:0.6",
    "shift:4+occlude:0.6",
)
BARS = {"shift:2": 0.97, "shift:4": 0.97, "rotate:10": 0.97, "shift:2+occlude:0.5": 0.85}
MOST_SHIFT = 4
ANGLES = tuple(range(-15, 16, 5))


def moved(values: np.ndarray, down: int, right: int) -> np.ndarray:
    """Pictures moved by whole numbers of pixels; what is vacated is black."""
    height, width = values.shape[1:3]
    result = np.zeros_like(values)
    to_rows, from_rows = slice(max(down, 0), height + min(down, 0)), slice(max(-down, 0), height + min(-down, 0))
    to_columns, from_columns = (
        slice(max(right, 0), width + min(right, 0)),
        slice(max(-right, 0), width + min(-right, 0)),
    )
    result[:, to_rows, to_columns] = values[:, from_rows, from_columns]
    return result


def transformed(
    values: np.ndarray, *, most_shift: int = MOST_SHIFT, angles: tuple[int, ...] = ANGLES
) -> Iterator[np.ndarray]:
    """For each angle the pictures turned by it, in every position up to `most_shift` pixels away: shifts×n×d."""
    steps = range(-most_shift, most_shift + 1)
    for angle in angles:
        turned = values if angle == 0 else ax.corrupt(f"rotate:{angle}", values, key=jr.key(0))
        placed = [moved(turned, down, right) for down in steps for right in steps]
        yield np.stack(placed).reshape(len(placed), len(values), -1)


def nearest_template(
    cues: np.ndarray, values: np.ndarray, *, most_shift: int = MOST_SHIFT, angles: tuple[int, ...] = ANGLES
) -> dict[str, np.ndarray]:
    """By each rule, the example whose nearest transformed template is nearest of all to each cue.

    One angle is in memory at a time.
    """
    flat = np.asarray(cues, np.float32).reshape(len(cues), -1)
    level = flat - flat.mean(axis=1, keepdims=True)
    best = {rule: np.full(len(cues), -np.inf) for rule in RULES}
    found = {rule: np.full(len(cues), -1) for rule in RULES}
    for templates in transformed(np.asarray(values, np.float32), most_shift=most_shift, angles=angles):
        every = templates.reshape(-1, flat.shape[1])
        owner = np.arange(len(every)) % len(values)
        centered = every - every.mean(axis=1, keepdims=True)
        products = flat @ every.T
        scores = {
            "euclidean": 2 * products - (every**2).sum(axis=1),
            "cosine": products / _lengths(every),
            "correlation": level @ centered.T / _lengths(centered),
        }
        for rule, score in scores.items():
            place = np.argmax(score, axis=1)
            value = score[np.arange(len(cues)), place]
            better = value > best[rule]
            best[rule] = np.where(better, value, best[rule])
            found[rule] = np.where(better, owner[place], found[rule])
    return found


def _lengths(rows: np.ndarray) -> np.ndarray:
    """Lengths of rows; infinite for a row that has moved out of sight, so that it is like nothing."""
    found = np.linalg.norm(rows, axis=1)
    return np.where(found > 1e-6, found, np.inf)


def shifts(setting: Setting) -> None:
    """Digits trained on shifts and rotations as well."""
    num = setting.pick(100, 20)
    values = examples("mnist", num)
    heading(
        f"MNIST: {num} digits, trained on shifts and rotations as well",
        f"Training saw {', '.join(TRAINED)}. The rival has every digit at {(2 * MOST_SHIFT + 1) ** 2} places and "
        f"{len(ANGLES)} angles ({ANGLES[0]}° to {ANGLES[-1]}°), and answers with the owner of the nearest template.",
    )
    head("hidden layers", "seconds", "bar", "certified", "bar")
    done = store(values, writer=ax.Auto(corruptions=TRAINED))
    row(shape_of(done.memory.map), f"{done.seconds:.1f}", within(done.seconds, 180), done.certified,
        f"all: {verdict(done.attractors == num)}")  # fmt: skip
    end()
    head(*RATES_HEAD, "bar", *(f"templates, {rule}" for rule in RULES))
    spent = 0.0
    for number, (corruption, bar) in enumerate(BARS.items()):
        found = rates([done.memory], corruption, seed=1000 + number)
        # The draw of `rates`, so that the templates get the same cues.
        cues = ax.corrupt(corruption, done.memory.originals, key=jr.fold_in(jr.key(1000 + number), 0))
        begun = time.perf_counter()
        answers = nearest_template(cues, values)
        spent += time.perf_counter() - begun
        rivals = (percent(float((answers[rule] == np.arange(num)).mean())) for rule in RULES)
        row(*found.cells(), at_least(found.mean, bar), *rivals)
    end(f"The templates took {1e3 * spent / len(BARS) / num:.1f} ms a cue, all rules together.")
