"""The paper's Figures 15 and 16 at a smaller size: `python -m benchmarks.paper_tables quick fig15 -o DIR`.

Prints a line a cell as soon as it is known and, at the end, the table, the agreement with the paper's order and where
the figure is. `ATTRAX_DATA` names the folder with CIFAR-10; without it, crops of photographs stand in.
"""

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path

from attrax.cli._output import strict
from attrax.paper.experiments import (
    COUNTS,
    TABLE_SCALES,
    CellResult,
    rank_agreement,
    rank_text,
    storage_figure,
    storage_table,
    storage_text,
)
from attrax.report import write_figure
from benchmarks.measure import machine


def main() -> None:
    """Runs one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scale", choices=TABLE_SCALES)
    parser.add_argument("figure", choices=("fig15", "fig16"))
    parser.add_argument("-o", "--output", type=Path, default=Path("paper-tables"))
    parser.add_argument("--seconds", type=float, help="of training a cell, instead of the scale's own limit")
    parser.add_argument("--row", action="append", help="of the table; may be repeated. By default all of them")
    parser.add_argument("--column", action="append", help="an activation; may be repeated. By default all of them")
    parser.add_argument("--seeds", type=int, help="how many networks a cell, instead of the scale's own number")
    options = parser.parse_args()
    scale = TABLE_SCALES[options.scale]
    if options.seconds is not None:
        scale = replace(scale, cell=replace(scale.cell, seconds=options.seconds))
    if options.row:
        scale = replace(scale, **{options.figure: tuple(options.row)})
    if options.column:
        scale = replace(scale, activations=tuple(options.column))
    if options.seeds is not None:
        scale = replace(scale, cell=replace(scale.cell, seeds=tuple(range(options.seeds))))
    print(f"{options.figure}, {options.scale}: {scale.cell}\n{machine()}\n", flush=True)

    def each(row: str, result: CellResult) -> None:
        stored, below, low = map(result.stored, COUNTS)
        losses = ", ".join(f"{trial.loss:.1e} after {trial.epochs:,} epochs" for trial in result.trials)
        print(
            f"{row:>16} {result.cell.activation:>10}: trained {result.trained} of {len(result.trials)}, certified "
            f"{stored[0]}/{stored[1]}, radius < 1 {below[0]}/{below[1]}, with any low loss {low[0]}/{low[1]}, losses "
            f"{losses}; {result.seconds:.0f} s",
            flush=True,
        )

    table = storage_table(options.figure, scale, each=each)
    data = table.data
    print(f"\n{data.source}, least distance of two examples {data.nearest:.3g}, {table.seconds:.0f} s\n")
    print(storage_text(table))
    for count in COUNTS:
        for reading in (0, 1):
            found = rank_agreement(table, count=count, reading=reading)
            print(f"\n{count}, reading {reading + 1}: {rank_text(found)}")
    parts = [*(options.row or ()), *(options.column or ())]
    name = "-".join([options.figure, options.scale, *(part.replace(":", "") for part in parts)])
    files = write_figure(storage_figure(table), options.output, name)
    record = strict([asdict(result) for result in table.cells.values()])
    (options.output / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
    print(f"\nwritten: {files[0]}")


if __name__ == "__main__":
    main()
