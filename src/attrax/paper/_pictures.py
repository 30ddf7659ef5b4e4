"""The pictures of experiments: published data sets or their substitutes, limited to the available number, and
distances."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from attrax.extending import HostStates, checks, squared_distances
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
    """The name of a published data set if it is available, else that of a substitute that comes with a dependency.

    **Raises** `ValueError` for an unknown name.
    """
    checks.one_of("wanted", wanted, _STAND_INS)
    return wanted if _count(wanted) else _STAND_INS[wanted]


def data_note(wanted: str, used: str) -> str:
    """The part of a caption about the data.

    >>> data_note("mnist", "mnist")
    'Data: MNIST.'
    """
    if used == wanted:
        return f"Data: {_NAMES[wanted]}."
    return f"Data: {_NAMES[used]} in place of {_NAMES[wanted]}, which is not there (set ATTRAX_DATA)."


def pictures(settings: Mapping[str, Any]) -> HostStates:
    """The first `n` pictures of `source`, with `side` pixels, in gray if `gray` is set."""
    return _loaded(settings["source"], settings["n"], settings)


def unseen_pictures(settings: Mapping[str, Any]) -> HostStates:
    """`unseen` pictures that are not stored: those of the test part of `source`, then those after the first `n`, as far
    as there are so many (`limited` saw to it, unless `n` was set afterwards).
    """
    source, n, wanted = settings["source"], settings["n"], settings["unseen"]
    test = min(_count(f"{source}@test"), wanted)
    parts = [_loaded(f"{source}@test", test, settings)] if test else []
    if wanted > test:
        parts.append(_loaded(source, min(n + wanted - test, _count(source)), settings)[n:])
    return np.concatenate(parts)


def _loaded(source: str, n: int, settings: Mapping[str, Any]) -> HostStates:
    side = settings.get("side")
    size = None if side is None else (side, side)
    return load(source, n=n, size=size, gray=settings.get("gray", False)).values


def limited(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, limited to the number of pictures in their source, including those that are not stored (`unseen`).

    If fewer are stored than requested, `asked` holds the requested number. Unseen pictures come from the test part of
    the source; if it has none, up to a third of the pictures are reserved for them.
    """
    most, test = _count(settings["source"]), _count(f"{settings['source']}@test")
    if not most:
        return dict(settings)  # loading reports what is missing
    wanted = settings.get("unseen", 0)
    n = min(settings["n"], most if test else most - min(wanted, most // 3))
    found = {**settings, "n": n}
    if n < settings["n"]:
        found["asked"] = settings["n"]
    return found | ({"unseen": min(wanted, test + most - n)} if "unseen" in settings else {})


def available(source: str) -> int:
    """The number of pictures in a source; 0 if it is not there."""
    return _count(source)


def cut_note(settings: Mapping[str, Any]) -> str:
    """The part of a caption if `limited` found fewer pictures than requested; otherwise empty."""
    if "asked" not in settings:
        return ""
    return f" Asked for were {settings['asked']} pictures; there are no more than {settings['n']} here."


def _count(source: str) -> int:
    return _counted(source, os.environ.get("ATTRAX_DATA"))


@cache
def _counted(source: str, root: str | None) -> int:
    """The number of pictures in a source under this root of published data; 0 if it is not available."""
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
    vectors = np.asarray(states, np.float64).reshape(len(states), -1)
    squares = squared_distances(vectors, vectors)
    np.fill_diagonal(squares, np.inf)
    one, other = np.unravel_index(int(np.argmin(squares)), squares.shape)
    # The pair is found by the expanded square; its distance is computed without cancellation.
    return float(np.linalg.norm(vectors[one] - vectors[other]))
