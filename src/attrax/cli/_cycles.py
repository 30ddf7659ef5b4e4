"""Cycles and open sequences of a certificate: rows for `--json`, lines for people."""

from __future__ import annotations

from typing import Any

from attrax._base.arguments import printable
from attrax.cli._output import number


def cycle_rows(found: Any, patterns: Any) -> list[dict[str, Any]]:
    """The rows of a certificate, each with the name of its first state and the number of its states."""
    return [
        {"name": name_of(patterns, cycle[0]), "length": len(cycle), **row}
        for cycle, row in zip(found.cycles, found.as_rows(), strict=True)
    ]


def print_reasons(found: Any) -> None:
    """Prints the evidence that attractors rest on, and for each reason against one how often it occurs and what to do."""
    shown = [
        evidence
        for evidence, verdict in zip(found.evidence, found.verdict, strict=True)
        if verdict in ("attractor", "displaced")
    ]
    for evidence in dict.fromkeys(shown):
        print(f"evidence {evidence} ({shown.count(evidence)}): {evidence.advice}")
    for reason in dict.fromkeys(found.reason):
        if reason != "contracts":
            print(f"{reason} ({found.reason.count(reason)}): {reason.advice}")
    if any(reason in ("displaced", "no_fixed_point_near") for reason in found.reason):
        print(f"recovery threshold: {number(found.recovery_atol)} (--recovery-atol)")


def name_of(patterns: Any, index: int) -> str | None:
    """The name of a stored state for a record, `None` where it has none or nothing was reached."""
    return None if patterns.names is None or index < 0 else patterns.names[index]


def open_sequence_rows(found: Any, patterns: Any) -> list[dict[str, Any]]:
    """One entry per open sequence: where it begins and ends, and whether it runs as it was given."""
    return [
        {
            "start": path[0],
            "start_name": name_of(patterns, path[0]),
            "end": path[-1],
            "end_name": name_of(patterns, path[-1]),
            "length": len(path),
            "error": error,
            "kept": bool(kept),
        }
        for path, error, kept in zip(
            patterns.open_sequences, found.open_sequence_error, found.open_sequences_kept, strict=True
        )
    ]


def print_cycles(record: dict[str, Any]) -> None:
    """The cycles and open sequences of a record, for people."""
    rows = [row for row in record["cycles"] if row["length"] > 1]
    for row in rows:
        print(
            f"cycle of {row['length']}{_from(row['name'])}: {row['verdict']} ({row['reason']}), log of the spectral "
            f"radius {number(row['log_spectral_radius'])}, period {row['period']}"
        )
    if len(record["cycles"]) > len(rows):
        print(f"fixed points: {len(record['cycles']) - len(rows)}")
    for row in record["open_sequences"]:
        outcome = "runs to its end" if row["kept"] else "is not kept"
        print(
            f"open sequence of {row['length']} states{_from(row['start_name'])}: {outcome}, "
            f"largest mean squared error {number(row['error'])}"
        )


def _from(name: str | None) -> str:
    return "" if name is None else f" from {printable(name)} on"
