"""What is known about each cycle, and the file in which an interrupted run keeps it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from attrax._base.arguments import ArgumentError, mention
from attrax._base.checked_arrays import CERTIFICATE_FORMAT, read_checked, write_checked
from attrax._base.status import Evidence, Reason, Verdict
from attrax._base.types import HostStates


@dataclass(frozen=True, slots=True)
class SpectralRadius:
    """The spectral radius with its error, the bound on all eigenvalues, and a lower bound on the radius."""

    method: str = "none"
    radius: float = float("nan")
    error: float = float("inf")
    upper: float = float("inf")
    log_radius: float = float("nan")
    log_lower: float = float("-inf")


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """What is known about one cycle: a row of the certificate.

    `points` is what it was refined to, p×state shape, or `None` if those are the stored points: of many cycles, all
    states would be in memory twice.
    """

    points: HostStates | None
    residual: float
    moved: float
    enclosure_radius: float
    evidence: Evidence
    verdict: Verdict
    reason: Reason
    spectral: SpectralRadius = SpectralRadius()
    singular: float = float("nan")
    distance: float = float("nan")
    period: int = 0


_NUMBERS = ("residual", "moved", "enclosure_radius", "singular", "distance")
_WORDS = ("evidence", "verdict", "reason")
_SPECTRAL = tuple(field.name for field in fields(SpectralRadius) if field.name != "method")


def write_rows(path: Path, rows: Sequence[Row], fingerprint: str) -> None:
    """Writes the rows of the first cycles, and the fingerprint of the memory and the settings."""
    arrays = {"period": np.array([row.period for row in rows])}
    for name in _NUMBERS:
        arrays[name] = np.array([getattr(row, name) for row in rows], float)
    for name in _SPECTRAL:
        arrays[name] = np.array([getattr(row.spectral, name) for row in rows], float)
    words: dict[str, list[str]] = {name: [str(getattr(row, name)) for row in rows] for name in _WORDS}
    words["method"] = [row.spectral.method for row in rows]
    header = {"fingerprint": fingerprint}
    for name, column in words.items():
        # Names and not only their numbers, which another version may give to others.
        names, codes = np.unique(column, return_inverse=True)
        arrays[name], header[name] = codes.astype(np.int64), json.dumps(names.tolist())
    moved = [number for number, row in enumerate(rows) if row.points is not None]
    arrays["moved cycles"] = np.array(moved, np.int64)
    for number in moved:
        arrays[f"points {number}"] = np.asarray(rows[number].points)
    write_checked(path, arrays, header, format=CERTIFICATE_FORMAT)


def read_rows(path: Path, fingerprint: str) -> list[Row]:
    """The rows that were written last. **Raises** `ValueError` if the file is not such a checkpoint, or belongs to
    another memory or other settings."""
    arrays, header = read_checked(path, format=CERTIFICATE_FORMAT, what="checkpoint of a certificate")
    if header.get("fingerprint") != fingerprint:
        raise ArgumentError(
            f"{path} belongs to the certificate of another memory, or with another {mention('recovery_atol')}; repeat "
            "its options to continue it, or delete the file to start from the beginning"
        )
    words: dict[str, list[str]] = {}
    for name in (*_WORDS, "method"):
        names = json.loads(header[name])
        words[name] = [names[code] for code in arrays[name]]
    moved = set(arrays["moved cycles"].tolist())
    return [
        Row(
            points=arrays[f"points {number}"] if number in moved else None,
            evidence=Evidence(words["evidence"][number]),
            verdict=Verdict(words["verdict"][number]),
            reason=Reason(words["reason"][number]),
            spectral=SpectralRadius(words["method"][number], *(float(arrays[name][number]) for name in _SPECTRAL)),
            period=int(arrays["period"][number]),
            **{name: float(arrays[name][number]) for name in _NUMBERS},
        )
        for number in range(len(arrays["period"]))
    ]
