"""`python -m attacks`: all attacks, or some, at full scale or less. Exits with 1 if a promise was found broken."""

import argparse
import json
import os
import platform
import sys
from pathlib import Path

from attacks import activations, files, jumps, kills, networks, starts
from attacks.harness import Attack, Report, guarded, run

ATTACKS: dict[str, Attack] = {
    "activations": activations.Activations(),
    "networks": networks.Networks(),
    "kinks": networks.KINKS,
    "jumps": jumps.Jumps(),
    "starts": starts.Starts(),
    "files": files.Files(),
    "resigned": files.Files(resigned=True),
    "kills": kills.Kills(),
}


def main(arguments: list[str] | None = None) -> int:
    """The exit status."""
    asked = _parser().parse_args(arguments)
    chosen = asked.only or list(ATTACKS)
    if asked.case is not None:
        return _one(ATTACKS[chosen[0]], asked.case, asked.seed)
    reports = []
    for name in chosen:
        reports.append(
            run(ATTACKS[name], scale=asked.scale, seed=asked.seed, jobs=asked.jobs, folder=asked.output, told=_told)
        )
    if asked.json:
        print(json.dumps({"seed": asked.seed, "scale": asked.scale, "attacks": [one.record() for one in reports]}))
    elif asked.markdown:
        print("\n".join(_markdown(reports)))
    else:
        print(f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, seed {asked.seed}")
        for report in reports:
            _print(report)
    return 1 if any(report.failures for report in reports) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m attacks", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(ATTACKS), help="one attack; may be repeated")
    parser.add_argument("--scale", type=float, default=1.0, metavar="F", help="a part of all cases, such as 0.05")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="workers at once")
    parser.add_argument("--case", type=int, help="one case again, by its number; with --only")
    parser.add_argument("-o", "--output", type=Path, default=Path("attack-failures"), help="folder for failures")
    parser.add_argument("--markdown", action="store_true", help="print the counts as a table of docs/trust.md")
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")
    return parser


def _one(attack: Attack, number: int, seed: int) -> int:
    outcome = guarded(attack, number, seed)
    for name, count in outcome.counts.items():
        print(f"{name:<50} {count:>10,}")
    for name, content in outcome.files.items():
        if name.endswith(".txt"):
            print(content.decode())
    print(outcome.failure or "nothing is wrong")
    return 1 if outcome.failure else 0


def _print(report: Report) -> None:
    print(f"\n{report.name}: {report.cases:,} cases in {report.seconds:.0f} s, {report.memory / 2**30:.1f} GiB at most")
    for name, count in report.counts.items():
        print(f"  {name:<50} {count:>10,}")
    if report.name in ("networks", "kinks"):
        for name, value in networks.table(report.counts):
            print(f"  {name:<50} {value:>10}")
    print(f"  {'FAILURES' if report.failures else 'failures':<50} {len(report.failures):>10,}")
    for number, told in sorted(report.failures.items())[:20]:
        print(f"    case {number}: {told[:300]}")
    if report.notes:
        print(f"  {'attractors that were not certified':<50} {len(report.notes):>10,}")
    for number, told in sorted(report.notes.items())[:20]:
        print(f"    case {number}: {told}")


def _markdown(reports: list[Report]) -> list[str]:
    """The table of docs/trust.md."""
    found = ["| attack | what came of it | promises broken |", "|---|---|---|"]
    for report in reports:
        counts = {name: f"{count:,}" for name, count in report.counts.items() if name != "failures"}
        if report.name in ("networks", "kinks"):
            told = networks.sentences(report.counts)
        else:
            told = "; ".join(f"{name}: {count}" for name, count in counts.items())
        run_of = f"`{report.name}`, {report.cases:,} cases, {report.seconds:.0f} s"
        found.append(f"| {run_of} | {told} | {len(report.failures):,} |")
    return found


def _told(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
