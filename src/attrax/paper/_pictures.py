"""The pictures of experiments: published ones or what stands in for them, as many as there are, and their distances."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float

from attrax.extending import HostStates, checks
from attrax.sources import SourceError, count, load

_STAND_INS = {"cifar10": "natural", "mnist": "digits", "imagenet64": "natural"}
_NAMES = {
    "mnist": "MNIST",
    "cifar10": "CIFAR-10",
    "imagenet64": "ImageNet 64×64",
    "digits": "scikit-learn's digits (8×8)",
    "natural": "crops of scikit-image's photographs (32×32)",
}


def data_source(wanted: str) -> str:
    """The name of a published data set where it is there, else that of what a dependency ships in its place.

    **Raises** `ValueError` for an unknown name.
    """
    checks.one_of("wanted", wanted, _STAND_INS)
    return wanted if _count(wanted) else _STAND_INS[wanted]


def data_note(wanted: str, used: str) -> str:
    """What a caption says of the data.

    >>> data_note("mnist", "mnist")
    'Data: MNIST.'
    """
    if used == wanted:
        return f"Data: {_NAMES[wanted]}."
    return f"Data: {_NAMES[used]} in place of {_NAMES[wanted]}, which is not there (set ATTRAX_DATA)."


def pictures(settings: Mapping[str, Any]) -> HostStates:
    """The first `n` pictures of `source`, gray where `gray`, of `side` pixels."""
    return _loaded(settings["source"], settings["n"], settings)


def unseen_pictures(settings: Mapping[str, Any]) -> HostStates:
    """`unseen` pictures that are not stored: those of the test part of `source`, then those that follow the first `n`.

    They are as many as `limited` leaves.
    """
    source, n, wanted = settings["source"], settings["n"], settings["unseen"]
    test = min(_count(f"{source}@test"), wanted)
    parts = [_loaded(f"{source}@test", test, settings)] if test else []
    if wanted > test:
        parts.append(_loaded(source, n + wanted - test, settings)[n:])
    return np.concatenate(parts)


def _loaded(source: str, n: int, settings: Mapping[str, Any]) -> HostStates:
    side = settings.get("side")
    size = None if side is None else (side, side)
    return load(source, n=n, size=size, gray=settings.get("gray", False)).values


def limited(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with as many pictures as their source has, those that are not stored (`unseen`) included.

    Where that is fewer to store than asked for, `asked` keeps that number. Unseen ones come from the source's test part
    first; where it has none, up to a third of the pictures are kept for them.
    """
    most, test = _count(settings["source"]), _count(f"{settings['source']}@test")
    if not most:
        return dict(settings)  # loading says what is missing
    wanted = settings.get("unseen", 0)
    n = min(settings["n"], most if test else most - min(wanted, most // 3))
    found = {**settings, "n": n}
    if n < settings["n"]:
        found["asked"] = settings["n"]
    return found | ({"unseen": min(wanted, test + most - n)} if "unseen" in settings else {})


def cut_note(settings: Mapping[str, Any]) -> str:
    """What a caption says where `limited` found fewer pictures than asked for; otherwise nothing."""
    if "asked" not in settings:
        return ""
    return f" Asked for were {settings['asked']} pictures; there are no more than {settings['n']} here."


def _count(source: str) -> int:
    return _counted(source, os.environ.get("ATTRAX_DATA"))


@cache
def _counted(source: str, root: str | None) -> int:
    """How many pictures a source has, under this root of published data; 0 where it is not there."""
    try:
        return count(source)
    except SourceError:
        return 0


def least_distance(states: HostStates) -> float | None:
    """The least Euclidean distance between two states; `None` for a single one.

    >>> least_distance(np.array([[0.0, 0.0], [3.0, 4.0], [9.0, 0.0]]))
    5.0
    """
    if len(states) < 2:
        return None
    flat = np.asarray(states, np.float64).reshape(len(states), -1)
    squares = squared_distances(flat)
    np.fill_diagonal(squares, np.inf)
    one, other = np.unravel_index(int(np.argmin(squares)), squares.shape)
    # The two are told by the expanded square; their distance is taken without its cancellation.
    return float(np.linalg.norm(flat[one] - flat[other]))


def squared_distances(flat: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n n"]:
    """Squared Euclidean distances between all rows, to order by: near 0 they are as good as rounding leaves them."""
    squares = (flat**2).sum(axis=1)
    return squares[:, None] + squares - 2 * flat @ flat.T
