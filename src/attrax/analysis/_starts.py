"""The starts of a census: pictures that were not stored, noise, and states near and between the stored examples."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from attrax._base import checks
from attrax._base.types import HostStates

START_KINDS = ("test", "uniform", "gaussian", "blend", "midpoint", "crop", "flip", "derived")
"""Kinds of starts: given states; U[0, 1] noise (over the range of the examples if that is larger); N(0, 4) noise;
blends of two examples in a random ratio; midpoints of two examples; enlarged parts of an example; mirrored examples;
and enlarged parts, mirror images and blends of the given states, which are used when there are too few of these."""

DEFAULT_SHARES: dict[str, float] = {
    "test": 4,
    "uniform": 1,
    "gaussian": 1,
    "blend": 0.5,
    "midpoint": 0.5,
    "crop": 0.5,
    "flip": 0.5,
}
"""Of the paper's 60,000 starts, 40,000 were test images and 10,000 each kind of noise."""
_PICTURES = ("crop", "flip")
_VARIANCE = 4.0
_LEAST_PART = 0.5


def check_shares(shares: Mapping[str, float] | None, points: HostStates, images: Any) -> dict[str, float]:
    """The shares to use: the given ones, or the default ones of all kinds that are possible here.

    **Raises** `ValueError` for an unknown kind, a share that is not a positive number, or a kind that is not possible.
    """
    lacking = {kind: _lacking(kind, points, images) for kind in START_KINDS}
    if shares is None:
        return {kind: share for kind, share in DEFAULT_SHARES.items() if not lacking[kind]}
    if not shares:
        raise ValueError(f"shares must name at least one of {', '.join(START_KINDS)}; got none")
    found = {}
    for kind, share in shares.items():
        checks.one_of("each kind in shares", kind, START_KINDS)
        found[kind] = checks.real(f"the share of {kind}", share, above=0)
        if lacking[kind]:
            raise ValueError(f"starts of the kind {kind!r} need {lacking[kind]}; remove {kind} from shares")
    return {kind: found[kind] for kind in START_KINDS if kind in found}


def _lacking(kind: str, points: HostStates, images: Any) -> str:
    if kind in ("test", "derived") and images is None:
        return "images (states that were not stored)"
    if kind == "derived" and not can_derive(points, images):
        return "pictures, or at least two given states to blend"
    if kind in ("blend", "midpoint") and len(points) < 2:
        return "at least two examples"
    if kind in _PICTURES and points.ndim < 3:
        return "pictures, states of at least two axes"
    return ""


def can_derive(points: HostStates, images: Any) -> bool:
    """Whether more starts can be made from given states: parts and mirror images of pictures, or blends of two."""
    return images is not None and (points.ndim > 2 or len(images) > 1)


def allot(
    num: int, shares: Mapping[str, float], num_points: int, num_images: int, derive: bool = False
) -> dict[str, int]:
    """Splits `num` starts into kinds by their shares. What a kind can't supply goes to the others.

    The numbers of given states, midpoints and mirrored examples are limited, and each is used once. With `derive`,
    missing given states are replaced by states derived from them.

    >>> allot(10, {"test": 1.0, "uniform": 1.0}, 3, 4)
    {'test': 4, 'uniform': 6}
    >>> allot(10, {"test": 1.0, "uniform": 1.0}, 3, 4, derive=True)
    {'test': 4, 'uniform': 5, 'derived': 1}
    """
    most = {"test": num_images, "midpoint": num_points * (num_points - 1) // 2, "flip": 3 * num_points}
    counts: dict[str, int] = {}
    shares = dict(shares)
    there = num_images * sum(shares.values()) / num
    if derive and "test" in shares and there < shares["test"]:
        shares["derived"] = shares.get("derived", 0.0) + shares["test"] - there
        shares["test"] = there
    open_kinds = dict(shares)
    while True:
        left = num - sum(counts.values())
        total = sum(open_kinds.values())
        full = [kind for kind, share in open_kinds.items() if kind in most and most[kind] < left * share / total]
        if not full:
            break
        for kind in full:
            counts[kind] = most[kind]
            del open_kinds[kind]
        if not open_kinds:
            raise ValueError(
                f"the kinds of starts {', '.join(shares)} give {sum(counts.values())} starts at most; got "
                f"num_starts={num}. Lower it, give more images, or allow uniform or gaussian"
            )
    quotas = {kind: left * share / total for kind, share in open_kinds.items()}
    counts |= {kind: int(value) for kind, value in quotas.items()}
    # The rest after rounding down goes to the largest remainders, in the order of the kinds.
    rest = num - sum(counts.values())
    room = [kind for kind in quotas if kind not in most or counts[kind] < most[kind]]
    for kind in sorted(room, key=lambda kind: quotas[kind] - int(quotas[kind]), reverse=True)[:rest]:
        counts[kind] += 1
    return {kind: counts[kind] for kind in shares if counts[kind]}


def not_stored(states: HostStates, stored: HostStates) -> HostStates:
    """Those of `states` that are not in `stored`, compared entry by entry in 32 bits.

    **Raises** `ValueError` if none is left.

        >>> not_stored(np.array([[0.0], [0.5], [1.0]]), np.array([[0.5]])).ravel().tolist()
        [0.0, 1.0]
    """
    known = {np.ascontiguousarray(state, np.float32).tobytes() for state in stored}
    kept = [row for row, state in enumerate(states) if np.ascontiguousarray(state, np.float32).tobytes() not in known]
    if not kept:
        raise ValueError(f"all {len(states)} states given are stored ones; give others, or none")
    return states if len(kept) == len(states) else states[kept]


def make_starts(
    kind: str, first: int, count: int, total: int, points: HostStates, images: Any, seed: tuple[int, ...]
) -> HostStates:
    """The starts `first` to `first + count` of `total` of a kind, `count`×state shape, float32.

    They depend only on the seed, the kind, `first` and `count`, so that a census in blocks can resume anywhere.
    """
    shape = points.shape[1:]
    number = START_KINDS.index(kind)
    draw = np.random.default_rng([*seed, number, first])
    if kind == "test":
        return np.asarray(images[first : first + count], np.float32)
    if kind == "derived":
        return _derived(images, count, draw)
    if kind == "uniform":
        low, high = min(float(points.min()), 0.0), max(float(points.max()), 1.0)
        return low + np.float32(high - low) * draw.random((count, *shape), np.float32)
    if kind == "gaussian":
        return np.float32(np.sqrt(_VARIANCE)) * draw.standard_normal((count, *shape), np.float32)
    if kind == "blend":
        one, other = draw.integers(len(points), size=count), draw.integers(len(points) - 1, size=count)
        other = other + (other >= one)
        part = draw.random(count).reshape(-1, *(1,) * len(shape))
        return ((1 - part) * points[one] + part * points[other]).astype(np.float32)
    # From a limited supply each is used once, in an order drawn for the whole census.
    whole = np.random.default_rng([*seed, number])
    if kind == "midpoint":
        pairs = whole.choice(len(points) * (len(points) - 1) // 2, size=total, replace=False)[first : first + count]
        one, other = _pair(pairs)
        return (0.5 * (points[one].astype(np.float64) + points[other])).astype(np.float32)
    if kind == "flip":
        taken = whole.choice(3 * len(points), size=total, replace=False)[first : first + count]
        found = points[taken // 3].astype(np.float32)
        upright, sideways = taken % 3 != 0, taken % 3 != 1
        found[upright] = found[upright, ::-1]
        found[sideways] = found[sideways][:, :, ::-1]
        return found
    return _parts(points[draw.integers(len(points), size=count)].astype(np.float32), draw)


def _derived(images: Any, count: int, draw: np.random.Generator) -> HostStates:
    """Enlarged parts, mirror images and blends of given states in turn; for vectors, only blends."""
    one = draw.integers(len(images), size=count)
    found = np.stack([np.asarray(images[row], np.float32) for row in one])
    pictures, alone = found.ndim > 2, len(images) < 2
    derivation = np.arange(count) % (2 if alone else 3) if pictures else np.full(count, 2)
    part, mirrored, blended = derivation == 0, derivation == 1, np.flatnonzero(derivation == 2)
    if part.any():
        found[part] = _parts(found[part], draw)
    if mirrored.any():
        # Each is mirrored along one axis or both.
        turned, which = found[mirrored], draw.integers(3, size=int(mirrored.sum()))
        turned[which != 0] = turned[which != 0, ::-1]
        turned[which != 1] = turned[which != 1][:, :, ::-1]
        found[mirrored] = turned
    if len(blended):
        other = draw.integers(len(images) - 1, size=len(blended))
        other = other + (other >= one[blended])
        share = draw.random(len(blended)).astype(np.float32).reshape(-1, *(1,) * (found.ndim - 1))
        mates = np.stack([np.asarray(images[row], np.float32) for row in other])
        found[blended] = (1 - share) * found[blended] + share * mates
    return found


def _parts(pictures: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """An enlarged part of each picture: the same fraction of both sides, at a random position."""
    part = draw.uniform(_LEAST_PART, 1, len(pictures))
    for axis in (1, 2):
        pictures = _enlarged(pictures, part, draw.random(len(pictures)), axis)
    return pictures


def _pair(number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pair (i, j), i > j, that has this number in (1, 0), (2, 0), (2, 1), (3, 0), …"""
    i = ((1 + np.sqrt(1 + 8 * number.astype(np.float64))) / 2).astype(np.int64)
    i = np.where(i * (i - 1) // 2 > number, i - 1, i)
    i = np.where((i + 1) * i // 2 <= number, i + 1, i)
    return i, number - i * (i - 1) // 2


def _enlarged(pictures: np.ndarray, part: np.ndarray, place: np.ndarray, axis: int) -> np.ndarray:
    """The given part of each picture along one axis, at a position between its ends, scaled linearly to full size."""
    size = pictures.shape[axis]
    span = (size - 1) * part[:, None]
    positions = place[:, None] * (size - 1 - span) + span * np.linspace(0, 1, size)[None]
    lower = np.clip(np.floor(positions).astype(int), 0, max(size - 2, 0))
    weight = (positions - lower).astype(np.float32)

    def spread(values: np.ndarray) -> np.ndarray:
        return values.reshape([len(pictures), *(size if a == axis else 1 for a in range(1, pictures.ndim))])

    below = np.take_along_axis(pictures, spread(lower), axis)
    above = np.take_along_axis(pictures, spread(np.minimum(lower + 1, size - 1)), axis)
    return (1 - spread(weight)) * below + spread(weight) * above
