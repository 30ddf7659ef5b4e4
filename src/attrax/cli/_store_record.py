"""What attrax store prints."""

from pathlib import Path
from typing import Any

from attrax._base.arguments import printable
from attrax.cli._cycles import cycle_rows, open_sequence_rows, print_cycles, print_reasons
from attrax.cli._output import number, spread

_SHOWN = 12  # names of examples that are not certified


def store_record(memory: Any, file: Path, skipped: list[str]) -> dict[str, Any]:
    """What `attrax store --json` prints."""
    found = memory.certificate
    moved = memory.patterns.points - memory.originals
    return {
        "examples": len(memory.patterns),
        "dimension": int(memory.patterns.points[0].size),
        "loss": memory.written["loss"],
        "epochs": memory.written["epochs"],
        "seconds": memory.written["seconds"],
        "attractors": found.num_attractors,
        "displaced": found.num_displaced,
        "not_attractors": found.num_not_attractors,
        "inconclusive": found.num_inconclusive,
        "spectral_radius": spread(found.spectral_radius),
        "file": str(file),
        "cycles": cycle_rows(found, memory.patterns),
        "open_sequences": open_sequence_rows(found, memory.patterns),
        "context": memory.patterns.context,
        "ambiguities": memory.written.get("ambiguities", []),
        "status": str(memory.status),
        "moved": spread((moved.reshape(len(moved), -1) ** 2).sum(axis=1) ** 0.5),
        "merged": [list(pair) for pair in memory.patterns.merged],
        "skipped": skipped,
        **{
            name: memory.written[name]
            for name in ("writer", "corruptions", "attempts", "failed", "closest_pair", "edge")
            if name in memory.written
        },
    }


def print_store_record(record: dict[str, Any], memory: Any) -> None:
    """Prints the record for people."""
    radius, epochs = record["spectral_radius"], record["epochs"]
    print(
        f"{record['examples']} examples of {record['dimension']} values: loss {number(record['loss'])}, "
        f"{f'{epochs} epochs' if epochs else 'computed without training'}, {number(record['seconds'])} s"
    )
    if "edge" in record:
        _print_edge(record["edge"])
    print(f"spectral radius: median {number(radius['median'])}, largest {number(radius['max'])}")
    cycles = record["cycles"]
    sequences = len(cycles) != record["examples"]
    print(f"{record['attractors']}/{len(cycles)} {'cycles ' if sequences else ''}certified")
    if sequences:
        print_cycles(record)
    if not memory.certificate.all_attractors:
        print(
            f"displaced: {record['displaced']}, not attractors: {record['not_attractors']}, inconclusive: "
            f"{record['inconclusive']}. {memory.status.advice if memory.status else ''}"
        )
        print_reasons(memory.certificate)
    for attempt in record.get("attempts", []):
        print(
            f"attempt: {attempt['writer']}{_optimizer(attempt)}, {attempt['network']}, "
            f"{attempt['attractors']}/{attempt['cycles']} certified in {number(attempt['seconds'])} s"
        )
    left = [cycle for cycle, verdict in zip(cycles, memory.certificate.verdict, strict=True) if verdict != "attractor"]
    if left:
        names = [printable(memory.patterns.name(cycle["cycles"][0])) for cycle in left[:_SHOWN]]
        more = f" and {len(left) - _SHOWN} more (attrax certify lists all)" if len(left) > _SHOWN else ""
        print(f"not certified: {', '.join(names)}{more}")
    if record.get("closest_pair"):
        pair = record["closest_pair"]
        one, other = (printable(memory.patterns.name(index)) for index in pair["examples"])
        print(f"closest pair: {one} and {other}, {number(pair['distance'])} apart")
    print(f"written to {record['file']}")


def _print_edge(edge: dict[str, Any]) -> None:
    """The rates tried, and what was used one after another."""
    rates = ", ".join(f"{number(tried['rate'])}{'' if tried['stable'] else ' unstable'}" for tried in edge["tried"])
    print(f"learning rates tried in {number(edge['seconds_to_find'])} s: {rates}")
    parts = [f"{optimizer} at {number(rate)} for {epochs} epochs" for optimizer, rate, epochs in edge["schedule"]]
    print(f"schedule: {', then '.join(parts)}")


def _optimizer(attempt: dict[str, Any]) -> str:
    """The optimizer of an attempt, as text; empty if it did not train."""
    return f" with {attempt['optimizer']}" if attempt.get("optimizer") else ""
