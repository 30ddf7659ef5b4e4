"""Functions that attrax does not know, affine in pieces, with jumps and bends near the place of a fixed point."""

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import numpy as np

import attrax as ax
from attacks.harness import Outcome
from attrax import Verdict

_SIZES = (1, 2, 3, 5)
"""Entries of a state. All cases of one size share their programs."""
_PIECES = 2
_EACH = 125
_TOLD = 1e-11
"""A fixed point nearer than this to a jump or bend is not judged: arithmetic in 64 bits cannot tell its sides apart."""


class Pieces(eqx.Module):
    """f(x) = Ax + b + Σ (u_j·(w_j·x − c_j) + s_j) over all j with w_j·x > c_j: a bend of u_j, and a jump of s_j."""

    matrix: Any
    bias: Any
    normals: Any
    places: Any
    bends: Any
    steps: Any

    def __call__(self, x: Any) -> Any:
        beyond = self.normals @ x - self.places
        on = (beyond > 0).astype(x.dtype)
        return self.matrix @ x + self.bias + self.bends @ (on * beyond) + self.steps @ on


@dataclass(frozen=True, slots=True)
class Jumps:
    """A case is one function. Its fixed points are known: one candidate for each choice of pieces."""

    each: int = _EACH
    name: str = "jumps"
    limit_s: float = 60.0

    def batches(self, scale: float) -> Sequence[Sequence[int]]:
        """One for each size of a state."""
        count = max(4, round(self.each * scale))
        return [[place * 1000 + number for number in range(count)] for place in range(len(_SIZES))]

    def case(self, number: int, seed: int) -> Outcome:
        """One function, certified at a state near which its slopes promise a fixed point."""
        place, turn = divmod(number, 1000)
        pieces, start = drawn(_SIZES[place], np.random.default_rng([seed, 17, place, turn]))
        return judge(pieces, start)


def drawn(size: int, rng: np.random.Generator) -> tuple[Pieces, np.ndarray]:
    """A function and a state to certify. The fixed point of one choice of pieces lies beside jumps or bends, on their
    right side or on the wrong one."""
    matrix = rng.normal(size=(size, size))
    matrix *= rng.uniform(0.05, 0.999) / np.abs(np.linalg.eigvals(matrix)).max()
    near = 10 ** rng.uniform(-10, -4.3)
    normals = rng.normal(size=(_PIECES, size))
    jumping = rng.random(_PIECES) < 0.7
    steps = near * rng.normal(size=(size, _PIECES)) * 10 ** rng.uniform(-2, 1, _PIECES) * jumping
    bends = rng.normal(size=(size, _PIECES)) * 10 ** rng.uniform(-2, 0.5, _PIECES) * ~jumping
    on = rng.integers(0, 2, _PIECES)
    point = rng.normal(size=size) * rng.integers(0, 2)
    beyond = near * rng.uniform(-3, 3, _PIECES) * rng.choice([0.01, 1, 10], _PIECES)
    bias = point - matrix @ point - bends @ (on * beyond) - steps @ on
    start = point + near * rng.normal(size=size) * rng.choice([0, 1, 10])
    return Pieces(matrix, bias, normals, normals @ point - beyond, bends, steps), start


def fixed_points(pieces: Pieces) -> list[tuple[np.ndarray, float, float]]:
    """All fixed points, each with its spectral radius and its distance from the nearest jump or bend."""
    found = []
    for choice in itertools.product((0, 1), repeat=len(pieces.places)):
        on = np.array(choice)
        jacobian = pieces.matrix + (pieces.bends * on) @ pieces.normals
        offset = pieces.bias - (pieces.bends * on) @ pieces.places + pieces.steps @ on
        point = np.linalg.solve(np.eye(len(offset)) - jacobian, offset)
        beyond = (pieces.normals @ point - pieces.places) / np.linalg.norm(pieces.normals, axis=1)
        if ((beyond > 0) == on).all() or np.abs(beyond).min() < _TOLD:
            found.append((point, float(np.abs(np.linalg.eigvals(jacobian)).max()), float(np.abs(beyond).min())))
    return found


def judge(pieces: Pieces, start: np.ndarray, certify: Any = ax.certify) -> Outcome:
    """The certificate at a state beside the truth."""
    # A second state far away, so that the threshold is larger than the jumps.
    patterns = ax.Patterns.from_examples(np.stack([start, start + 1.0]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        certificate = certify(ax.Memory(pieces, patterns))
    verdict, bound = certificate.verdict[0], float(certificate.upper_bound[0])
    reach = float(certificate.distance[0] + certificate.distance_error[0]) + _TOLD
    truth = fixed_points(pieces)
    counts = {"functions": 1, f"verdict {verdict}": 1, "without a fixed point": int(not truth)}
    if verdict not in (Verdict.ATTRACTOR, Verdict.DISPLACED):
        return Outcome(counts)
    near = [one for one in truth if np.linalg.norm(one[0] - start) <= reach]
    if any(margin < _TOLD or radius <= min(bound * (1 + 1e-9), 1) for _, radius, margin in near):
        return Outcome(counts)
    counts["false certificates"] = 1
    others = [f"{np.linalg.norm(point - start):.3g} away, radius {radius:.6g}" for point, radius, _ in truth]
    told = f"{verdict} of bound {bound!r} within {reach:.3g}; the fixed points: {'; '.join(others) or 'none'}"
    return Outcome(counts, told)
