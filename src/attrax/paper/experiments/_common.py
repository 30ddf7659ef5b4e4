"""What the experiments of the paper share: their data or a substitute, and spectral radii as the paper reads them."""

import os
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float
from threadpoolctl import threadpool_limits

from attrax._base import checks
from attrax._base.types import HostStates, Map
from attrax.linalg import leading_eigenvalue
from attrax.maps import linearizer
from attrax.sources import SourceError, load

_STAND_INS = {"cifar10": "natural", "mnist": "digits", "imagenet64": "natural"}
_NAMES = {
    "mnist": "MNIST",
    "cifar10": "CIFAR-10",
    "imagenet64": "ImageNet 64×64",
    "digits": "scikit-learn's digits (8×8)",
    "natural": "crops of scikit-image's photographs (32×32)",
}


@dataclass(frozen=True, slots=True, eq=False)
class StudyData:
    """The examples of an experiment.

    **Fields:** `values`, n×state shape; `source`, where they are from; `substitute`, what was wanted where this stands
    in for it, else `None`; `nearest`, the least Euclidean distance of two examples (near duplicates fail together).
    """

    values: HostStates
    source: str
    substitute: str | None
    nearest: float


def data_source(wanted: str) -> str:
    """The name of a published data set where it is there, else that of what a dependency ships in its place.

    **Raises** `ValueError` for an unknown name.
    """
    checks.one_of("wanted", wanted, _STAND_INS)
    return wanted if _is_there(wanted, os.environ.get("ATTRAX_DATA")) else _STAND_INS[wanted]


@cache
def _is_there(wanted: str, folder: str | None) -> bool:
    """Whether a published data set can be read from there; hundreds of cells ask."""
    try:
        load(wanted, n=1)
    except SourceError:
        return False
    return True


def data_note(wanted: str, used: str) -> str:
    """What a caption says of the data.

    >>> data_note("mnist", "mnist")
    'Data: MNIST.'
    """
    if used == wanted:
        return f"Data: {_NAMES[wanted]}."
    return f"Data: {_NAMES[used]} in place of {_NAMES[wanted]}, which is not there (set ATTRAX_DATA)."


def study_data(
    name: str, n: int, *, side: int | None = None, gray: bool = True, source: str | None = None
) -> StudyData:
    """The first `n` examples of a published data set, or of what a dependency ships where the published one is absent.

    In place of CIFAR-10 and ImageNet-64 stand `natural`, crops of photographs, in place of MNIST stand `digits`; the
    record says so. Published data lie under the folder named by `ATTRAX_DATA`, see `attrax.sources.load`.

    **Arguments:** `name`, `cifar10`, `mnist` or `imagenet64`; `n`, at least 2; `side`, pixels of a side instead of the
    pictures' own; `gray`, one channel; `source`, the one it has to be, as the settings of a cell name it. **Returns**
    `StudyData`. **Raises** `ValueError` for wrong arguments, where there are not as many examples, and for another
    source, for networks of one cell or study must not see different pictures.

        >>> data = study_data("mnist", 3, side=8)
        >>> data.values.shape
        (3, 8, 8)
    """
    checks.one_of("name", name, _STAND_INS)
    n = checks.integer("n", n, least=2)
    size = None if side is None else (side, side)
    used = data_source(name)
    if source is not None and used != source:
        raise ValueError(f"the pictures of this cell are {source}, but {used} was found; set ATTRAX_DATA again")
    found = load(used, n=n, size=size, gray=gray)
    nearest = least_distance(found.values)
    assert nearest is not None  # there are at least two
    return StudyData(found.values, used, None if used == name else name, nearest)


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


def radii_at(network: Map, points: HostStates) -> Float[np.ndarray, " n"]:
    """The spectral radius of the Jacobian at each point as it is, no fixed point sought: the paper's reading.

    **Arguments:** `network`; `points`, n×state shape. **Returns** n numbers; NaN where the Jacobian is not finite.

        >>> radii_at(lambda x: x / 2, np.zeros((1, 2))).tolist()
        [0.5]
    """
    linearize = linearizer(network)
    radii = np.full(len(points), np.nan)
    with threadpool_limits(1, user_api="blas"):  # small products; threads that share one would wait for each other
        for row, point in enumerate(np.asarray(points, np.float64)):
            product = linearize(point[None], 0.0).product
            if product is not None and np.isfinite(product.matrix).all():
                radii[row] = abs(leading_eigenvalue(product).value) * np.exp(product.log_scale)
    return radii
