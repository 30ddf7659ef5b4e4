"""attrax analyze capacity."""

from pathlib import Path
from typing import Annotated, Any

import typer

from attrax.cli._devices import on_devices
from attrax.cli._options import (
    Gray,
    Json,
    Seed,
    Shuffle,
    Size,
    SkipUnreadable,
    check_output_folder,
    known_activation,
    load_sources,
)
from attrax.cli._output import number, percent, print_json
from attrax.cli._progress import progress_bar


@on_devices
def capacity(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE...", help="Examples: any source, such as digits, faces or random:64.")
    ],
    numbers: Annotated[
        str | None,
        typer.Option(metavar="N,N,...", help="Numbers of examples. [default: 8, then doubling]", show_default=False),
    ] = None,
    width: Annotated[int, typer.Option(min=1, help="Units of each hidden layer.")] = 128,
    depth: Annotated[int, typer.Option(min=1, help="Hidden layers.")] = 3,
    activation: Annotated[
        str, typer.Option(metavar="NAME", callback=known_activation, help="Name of the activation.")
    ] = "relu",
    corrupt: Annotated[
        str,
        typer.Option(metavar="KIND:LEVEL", help="Corruption of the cues and in training; none for clean examples."),
    ] = "gaussian:0.1",
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of Adam for each network.")] = 2000,
    repeats: Annotated[int, typer.Option(min=1, help="Random draws for each example.")] = 1,
    max_steps: Annotated[int, typer.Option(min=1, help="Maximum number of applications of the network.")] = 1000,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="DIR", help="Folder for the figure.")] = None,
    shuffle: Shuffle = False,
    size: Size = None,
    gray: Gray = False,
    skip_unreadable: SkipUnreadable = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> int:
    """Train a network of one size on more and more examples, past its capacity, and measure what it holds.

    For each number of examples: the fraction of corrupted ones that come back, the certified attractors, and the bits
    per weight, counted in two ways: for whole compressed examples, and for entries. The source random:D gives random
    black and white vectors of D entries, where an entry is a bit. Exits with 0 whatever it finds.

    Example: attrax analyze capacity digits --numbers 10,30,100,300 --width 64 -o capacity
    """
    import jax.random as jr

    from attrax.analysis import capacity_sweep
    from attrax.report import capacity_figure, write_figure

    if output is not None:
        check_output_folder(output, "--output")
    wanted = parse_numbers(numbers)
    examples = _examples(
        sources, max(wanted or [4096]), seed, shuffle=shuffle, size=size, gray=gray, skip_unreadable=skip_unreadable
    )
    if wanted is None:
        wanted = [8 * 2**power for power in range(12) if 8 * 2**power <= len(examples)] or [len(examples)]
    with progress_bar() as progress:
        found = capacity_sweep(
            examples,
            wanted,
            width=width,
            depth=depth,
            activation=activation,
            corruption=corrupt,
            epochs=epochs,
            repeats=repeats,
            max_steps=max_steps,
            progress=progress,
            key=jr.key(seed),
        )
    files = [] if output is None else [str(path) for path in write_figure(capacity_figure(found), output, "capacity")]
    if as_json:
        print_json(
            {
                "points": [point.as_dict() for point in found.points],
                "corruption": found.corruption,
                "dimension": found.dimension,
                "width": found.width,
                "depth": found.depth,
                "activation": found.activation,
                "cliff": found.cliff,
                "best_bits_per_weight": found.best.bits_per_weight,
                "sources": sources,
                "seed": seed,
                "files": files,
            }
        )
        return 0
    print(
        f"{depth}×{width} {activation}, {found.points[0].num_weights:,} weights, {found.dimension} entries; cues: "
        f"{found.corruption}"
    )
    print(
        f"{'examples':>8}  {'recovered':>9}  {'certified':>9}  {'bits/weight':>11}  {'of entries':>10}  {'loss':>9}  {'s':>6}"
    )
    for point in found.points:
        print(
            f"{point.num_examples:>8}  {percent(point.rate):>9}  {point.attractors:>9}  {point.bits_per_weight:>11.4f}  "
            f"{point.graded_bits_per_weight:>10.4f}  {number(point.loss):>9}  {point.seconds:>6.1f}"
        )
    cliff = f"at {found.cliff} examples" if found.cliff is not None else "not within these numbers"
    print(
        f"most bits per weight: {found.best.bits_per_weight:.4f} at {found.best.num_examples} examples; less than half "
        f"recovered: {cliff}"
    )
    if files:
        print("written: " + ", ".join(files))
    return 0


def parse_numbers(text: str | None) -> list[int] | None:
    """Whole numbers with commas between. **Raises** `ValueError` for anything else."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) for part in parts):
        raise ValueError(
            f"--numbers must be whole numbers of at least 1 with commas between, such as 10,30,100; got {text!r}"
        )
    return [int(part) for part in parts]


def _examples(sources: list[str], most: int, seed: int, **options: Any) -> Any:
    """The first `most` examples of the sources; `random:D` is a source of its own here."""
    import numpy as np

    if not any(source.startswith("random:") for source in sources):
        return load_sources(sources, n=None, seed=seed, **options).values
    if len(sources) > 1:
        raise ValueError(f"random:D must be the only source; got {', '.join(sources)}")
    entries = sources[0].partition(":")[2]
    if not entries.isascii() or not entries.isdigit() or not int(entries):
        raise ValueError(f"random:D takes the number of entries, such as random:64; got {sources[0]!r}")
    if any(options.values()):
        raise ValueError("random vectors take no --shuffle, --size, --gray or --skip-unreadable; leave them out")
    drawn = np.random.default_rng(seed).integers(2, size=(most, int(entries)))
    return drawn.astype(np.float32)
