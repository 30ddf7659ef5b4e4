"""The starts of an audit."""

from dataclasses import dataclass

import jax.random as jr
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._base.shown import Record
from attrax._base.types import HostStates, Map
from attrax.audit._walks import walks
from attrax.corruptions import corrupt

NOISE = ("zero", "gaussian:0.1", "gaussian:1", "gaussian:3", "uniform")
"""Starts without data: the zero state, Gaussian noise of three sizes around the middle of the range, in units of the
typical deviation of an entry, and uniform noise over the range. Of data that are given, only the range and that
deviation are used: three numbers."""
WALK = "walk"
"""Starts that noise and the network made in turn, of the same three numbers; see `walks`."""
BLENDS = "blend"
TRAIN, HELD_OUT = "train", "held out"


@dataclass(frozen=True, slots=True, eq=False)
class Starts(Record):
    """Starts, one row each, with the `kind` of each."""

    states: HostStates
    kind: np.ndarray

    def rows(self, kind: str) -> np.ndarray:
        """Indices of the starts of a kind."""
        return np.flatnonzero(self.kind == kind)


def copies_of(states: HostStates, corruptions: tuple[str, ...], key: PRNGKeyArray) -> dict[str, HostStates]:
    """One corrupted copy of each state for each corruption, by its name."""
    return {
        name: np.asarray(corrupt(name, states, key=jr.fold_in(key, number)), np.float64)
        for number, name in enumerate(corruptions)
    }


def starts_of(
    shape: tuple[int, ...],
    num: int,
    num_walks: int,
    scale: float,
    map: Map,
    key: PRNGKeyArray,
    train: HostStates | None,
    held_out: HostStates | None,
    train_copies: dict[str, HostStates],
    held_out_copies: dict[str, HostStates],
) -> Starts:
    """`num` starts from noise (and blends of two examples, if there are some), walks, then the examples and their
    copies."""
    rng = np.random.default_rng([int(word) for word in np.asarray(jr.key_data(key)).ravel()])
    low = 0.0 if train is None else min(float(train.min()), 0.0)
    high = 1.0 if train is None else max(float(train.max()), 1.0)
    center = 0.0 if train is None else (low + high) / 2
    kinds = [kind for kind in NOISE if kind != "zero"]
    kinds += [BLENDS] if train is not None and len(train) > 1 else []
    parts: list[tuple[str, HostStates]] = [("zero", np.zeros((1, *shape)))]
    for number, kind in enumerate(kinds):
        count = (num - 1 + number) // len(kinds)
        if not count:
            continue
        name, _, size = kind.partition(":")
        if name == "gaussian":
            states = center + float(size) * scale * rng.standard_normal((count, *shape))
        elif name == "uniform":
            states = rng.uniform(low, high, (count, *shape))
        else:
            assert train is not None  # blends are of examples
            one = rng.integers(len(train), size=count)
            other = (one + rng.integers(1, len(train), size=count)) % len(train)
            part = rng.uniform(size=(count, *(1,) * len(shape)))
            states = (1 - part) * train[one] + part * train[other]
        parts.append((kind, states))
    if num_walks:
        parts.append((WALK, walks(map, shape, num_walks, low, high, scale, key)))
    for name, states, copies in ((TRAIN, train, train_copies), (HELD_OUT, held_out, held_out_copies)):
        if states is not None:
            parts += [(name, states.astype(np.float64))]
            parts += [(f"{name}, {corruption}", copy) for corruption, copy in copies.items()]
    kind = np.concatenate([np.full(len(states), name, object) for name, states in parts])
    return Starts(np.concatenate([states for _, states in parts]), kind)
