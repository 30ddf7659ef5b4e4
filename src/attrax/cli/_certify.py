"""attrax certify and attrax info."""

import math
from typing import Any

from attrax._base.arguments import printable
from attrax.cli._cycles import cycle_rows, open_sequence_rows, print_cycles, print_reasons
from attrax.cli._devices import on_devices
from attrax.cli._maps import MapName, named_map
from attrax.cli._memory_files import File, load_memory
from attrax.cli._options import (
    Checkpoint,
    Json,
    MemoryLimit,
    PatternSource,
    Resume,
    StoredRecoveryAtol,
    check_checkpoint,
    parse_bytes,
)
from attrax.cli._output import number, print_json, radius, spread
from attrax.cli._progress import progress_bar

_SHOWN = 6  # names of examples
_WRITTEN = ("writer", "status", "loss", "epochs", "seconds", "sources", "corruptions")
"""What is told of how a memory was written; `--json` has the rest of the record."""


@on_devices
def certify(
    file: File,
    patterns: PatternSource = None,
    map_name: MapName = None,
    recovery_atol: StoredRecoveryAtol = None,
    memory_limit: MemoryLimit = None,
    checkpoint: Checkpoint = None,
    resume: Resume = False,
    as_json: Json = False,
) -> int:
    """Certify every stored example again: is it an attractor, and how do we know?

    Exits with 0 if all are certified attractors, and with 1 if not.

    Example: attrax certify faces.attrax --json

    Many examples: attrax certify digits.attrax --memory 2GB --checkpoint digits.certified
    """
    from attrax.certificates import certify as certify_memory

    check_checkpoint(checkpoint, resume)
    most = parse_bytes(memory_limit)
    memory = load_memory(file, patterns, map_name)
    with progress_bar() as progress:
        found = certify_memory(
            memory, recovery_atol=recovery_atol, memory_limit=most, checkpoint=checkpoint, progress=progress
        )
    stored = memory.examples()
    record = {
        **totals(found),
        "cycles": cycle_rows(found, stored),
        "open_sequences": open_sequence_rows(found, stored),
        "file": str(file),
    }
    if as_json:
        print_json(record)
        return 0 if found.all_attractors else 1
    called = [stored.name(cycle[0]) for cycle in found.cycles]
    width = max(len(name) for name in ("example", *called))
    print(
        f"{'example':<{width}} {'radius':>10} {'error':>9} {'bound':>10} {'sigma_1':>9} {'residual':>9} "
        f"{'distance':>9}  {'verdict':<13} reason"
    )
    for row, name in enumerate(called):
        print(
            f"{printable(name):<{width}} {radius(found.spectral_radius[row]):>10} {found.error[row]:>9.1e} "
            f"{radius(found.upper_bound[row]):>10} {found.largest_singular_value[row]:>9.4f} {found.residual[row]:>9.1e} "
            f"{found.distance[row]:>9.1e}  {found.verdict[row]:<13} {found.reason[row]}"
        )
    print(
        f"{record['attractors']}/{len(called)} certified; displaced: {record['displaced']}, not attractors: "
        f"{record['not_attractors']}, inconclusive: {record['inconclusive']}"
    )
    print_reasons(found)
    if len(found.cycles) != len(stored):
        print_cycles(record)
    return 0 if found.all_attractors else 1


def totals(found: Any) -> dict[str, Any]:
    """Counts of verdicts, and the spread of the spectral radii."""
    return {
        "attractors": found.num_attractors,
        "displaced": found.num_displaced,
        "not_attractors": found.num_not_attractors,
        "inconclusive": found.num_inconclusive,
        "spectral_radius": spread(found.spectral_radius),
        "recovery_atol": found.recovery_atol,
    }


def info(file: File, map_name: MapName = None, as_json: Json = False) -> int:
    """Show what is in a memory file, without computing anything. --json has the whole record of how it was written.

    The certificate is the one on record, which nobody checks here: attrax certify does.

    Example: attrax info faces.attrax
    """
    from attrax import files, maps

    memory = files.load(file, map=named_map(map_name))
    network = maps.describe(memory.map)
    shape = next(iter(maps.shapes_of(memory.map)), ()) if memory.patterns is None else memory.patterns.shape
    record: dict[str, Any] = {
        "file": str(file),
        "bytes": file.stat().st_size,
        "map": network.text,
        "shape": list(shape),
        "dimension": math.prod(shape),
        "depth": network.depth,
        **network.facts,
        "parameters": network.parameters,
        "examples": None if memory.patterns is None else len(memory.patterns),
        "names": None if memory.patterns is None else memory.patterns.names,
        "patterns": memory.patterns is not None,
        "written": memory.written,
        "certificate": None if memory.certificate is None else {**totals(memory.certificate), "checked": False},
    }
    if as_json:
        print_json(record)
        return 0
    size = record["bytes"]
    print(f"{file}: {size / 1e3:.1f} kB" if size < 1e6 else f"{file}: {size / 1e6:.2f} MB")
    print(f"map: {printable(network.text)}, {network.parameters:,} parameters, {'×'.join(map(str, shape))} states")
    print(_examples(record))
    if memory.certificate is not None:
        found = record["certificate"]
        print(
            f"certificate on record, not checked here: {found['attractors']} attractors, {found['displaced']} displaced, "
            f"{found['not_attractors']} not attractors, {found['inconclusive']} inconclusive"
        )
        print(f"largest spectral radius: {number(found['spectral_radius']['max'])}")
        print(f"recovery threshold: {number(memory.certificate.recovery_atol)}")
    for name in _WRITTEN:
        value = memory.written.get(name)
        if value not in (None, [], ()):
            print(f"{name}: {printable(_told(value))}")
    return 0


def _told(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return number(value) if isinstance(value, float) else str(value)


def _examples(record: dict[str, Any]) -> str:
    if not record["patterns"]:
        return "examples: not in the file (--no-patterns)"
    names = record["names"] or ()
    shown = ", ".join(printable(name) for name in names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    return f"examples: {record['examples']}" + (f" ({shown})" if names else "")
