"""The certificate in a file: it has to agree with the rest and with itself. Only `certify` tells whether it is true."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from attrax._base.status import Evidence, Reason, Verdict
from attrax.files._plain import is_list, is_number, real_array
from attrax.memory import Certificate
from attrax.patterns import Patterns

_PREFIX = "certificate."
_OPEN_SEQUENCES = "way_error"
"""The name of this tensor in files of version 1, which is older than that of the field."""
_NUMBERS = (
    "spectral_radius",
    "error",
    "upper_bound",
    "log_spectral_radius",
    "largest_singular_value",
    "residual",
    "moved",
)
_LATER_NUMBERS = ("distance", "distance_error")
"""Numbers that files of older versions lack, as they lack reasons."""
_METHODS = ("dense", "arnoldi", "matrix-free", "none")
_WHY: Mapping[Verdict, tuple[Reason, ...]] = {
    Verdict.ATTRACTOR: (Reason.CONTRACTS,),
    Verdict.DISPLACED: (Reason.DISPLACED,),
    Verdict.NOT_ATTRACTOR: (
        Reason.EXPANDS,
        Reason.NO_FIXED_POINT_NEAR,
        Reason.SHARED,
        Reason.SHORTER_PERIOD,
        Reason.NOT_FINITE,
    ),
    Verdict.INCONCLUSIVE: (
        Reason.EXISTENCE_NOT_SHOWN,
        Reason.BOUND_STRADDLES_ONE,
        Reason.PARTIAL_SPECTRUM,
        Reason.DISTANCE_STRADDLES_THRESHOLD,
        Reason.KINK,
        Reason.NOT_FINITE,
    ),
}
_SLACK = 1e-6
"""Relative difference of numbers that are the same but for rounding."""


def certificate_parts(certificate: Certificate) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """What a file keeps of a certificate: arrays, and text."""
    arrays: dict[str, np.ndarray] = {name: np.asarray(getattr(certificate, name), np.float64) for name in _NUMBERS}
    text: dict[str, Any] = {
        "verdicts": [str(verdict) for verdict in certificate.verdict],
        "methods": list(certificate.method),
    }
    if certificate.reason:
        text["reasons"] = [str(reason) for reason in certificate.reason]
        text["evidence"] = [str(evidence) for evidence in certificate.evidence]
        text["recovery_atol"] = certificate.recovery_atol
        arrays |= {name: np.asarray(getattr(certificate, name), np.float64) for name in _LATER_NUMBERS}
    arrays["period"] = np.asarray(certificate.period, np.int64)
    if len(certificate.open_sequence_error):
        arrays[_OPEN_SEQUENCES] = np.asarray(certificate.open_sequence_error, np.float64)
    return {_PREFIX + name: array for name, array in arrays.items()}, text


def read_certificate(
    text: Mapping[str, Any], arrays: Mapping[str, np.ndarray], successor: np.ndarray
) -> Certificate | None:
    """The certificate in a file, `None` where there is none.

    **Raises** `ValueError` for one that does not fit the patterns, or that no `certify` can have found.
    """
    own = {name.removeprefix(_PREFIX): array for name, array in arrays.items() if name.startswith(_PREFIX)}
    if "verdicts" not in text:
        if own or "reasons" in text:
            raise ValueError("there are numbers of a certificate, but no verdicts")
        return None
    order = Patterns(np.zeros((len(successor), 1)), successor)
    cycles, count = order.cycles, len(order.cycles)
    verdicts = [Verdict(one) for one in _texts(text, "verdicts", count)]
    methods = _texts(text, "methods", count)
    unknown = next((method for method in methods if method not in _METHODS), None)
    if unknown is not None:
        raise ValueError(f"methods must be of {', '.join(_METHODS)}; one is {unknown[:80]!r}")
    names = _NUMBERS + (_LATER_NUMBERS if "reasons" in text else ())
    foreign = set(own) - {*names, "period", _OPEN_SEQUENCES}
    if foreign:
        raise ValueError(f"the certificate has numbers called {min(foreign)[:80]!r}, which mean nothing")
    numbers: dict[str, Any] = {name: real_array(own, name, (count,), finite=False) for name in names}
    for name in set(names) - {"log_spectral_radius"}:
        if (numbers[name] < 0).any():
            raise ValueError(f"certificate.{name} is negative")
    lengths = np.array([len(cycle) for cycle in cycles])
    # Files from before the period was measured: a certified cycle has that of its length.
    certified = np.array([verdict is Verdict.ATTRACTOR for verdict in verdicts])
    period = own.get("period", np.where(certified, lengths, 0))
    if period.shape != (count,) or period.dtype.kind != "i":
        raise ValueError("certificate.period is not one integer a cycle")
    if (period < 0).any() or ((period > 0) & (lengths % np.maximum(period, 1) != 0)).any():
        raise ValueError("certificate.period does not divide the length of its cycle")
    sequences = len(order.open_sequences)
    open_sequence_error = np.zeros(0)
    if _OPEN_SEQUENCES in own:
        open_sequence_error = real_array(own, _OPEN_SEQUENCES, (sequences,), finite=False)
        if (open_sequence_error < 0).any():
            raise ValueError("an error of an open sequence is negative")
    found = Certificate(
        cycles=cycles,
        verdict=tuple(verdicts),
        method=tuple(methods),
        period=period,
        open_sequence_error=open_sequence_error,
        **_reasons(text, count),
        **numbers,
    )
    for number, verdict in enumerate(verdicts):
        _refuse_contradiction(found, number, verdict, int(lengths[number]))
    return found


def _texts(text: Mapping[str, Any], name: str, count: int) -> list[str]:
    found = text[name]
    if not is_list(found, str) or len(found) != count:
        raise ValueError(f"{name} must be a text for each of the {count} cycles")
    return found


def _reasons(text: Mapping[str, Any], count: int) -> dict[str, Any]:
    if "reasons" not in text:
        return {}
    if not is_number(text["recovery_atol"], 0):
        raise ValueError(f"recovery_atol must be a number of at least 0; it is {str(text['recovery_atol'])[:80]}")
    return {
        "reason": tuple(Reason(one) for one in _texts(text, "reasons", count)),
        "evidence": tuple(Evidence(one) for one in _texts(text, "evidence", count)),
        "recovery_atol": float(text["recovery_atol"]),
    }


def _refuse_contradiction(found: Certificate, number: int, verdict: Verdict, length: int) -> None:
    """**Raises** `ValueError` where a verdict is not what its own numbers say."""
    radius, log_radius = float(found.spectral_radius[number]), float(found.log_spectral_radius[number])
    said = f"cycle {number} is on record as {verdict}"
    with np.errstate(over="ignore", under="ignore"):
        same = np.isclose(np.exp(log_radius), radius, rtol=_SLACK, atol=1e-300, equal_nan=True)
    if not same:
        raise ValueError(f"{said} with a spectral radius of {radius:g} and its logarithm {log_radius:g}")
    if verdict in (Verdict.ATTRACTOR, Verdict.DISPLACED):
        if not found.upper_bound[number] < 1:
            raise ValueError(f"{said} with a bound of {found.upper_bound[number]:g}, which is not below 1")
        if radius - found.error[number] > 1 + _SLACK:
            raise ValueError(f"{said} with a spectral radius of {radius:g} ± {found.error[number]:g}")
        if not np.isfinite(found.residual[number]):
            raise ValueError(f"{said} with a residual of {found.residual[number]:g}")
        if found.period[number] != length:
            raise ValueError(f"{said} with a period of {found.period[number]} and a length of {length}")
    if not found.reason:
        return
    if found.reason[number] not in _WHY[verdict]:
        raise ValueError(f"{said} for the reason {found.reason[number]}")
    distance, error, threshold = found.distance[number], found.distance_error[number], found.recovery_atol
    inside, outside = distance + error <= (1 + _SLACK) * threshold, distance - error > (1 - _SLACK) * threshold
    if (verdict is Verdict.ATTRACTOR and not inside) or (verdict is Verdict.DISPLACED and not outside):
        raise ValueError(f"{said} at a distance of {distance:g} ± {error:g}, with a threshold of {threshold:g}")
    if found.reason[number] is Reason.EXPANDS and not radius > 1 - _SLACK:
        raise ValueError(f"{said}, as it expands, with a spectral radius of {radius:g}")
