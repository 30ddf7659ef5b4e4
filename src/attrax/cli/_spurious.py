"""attrax analyze spurious."""

from pathlib import Path
from typing import Annotated, Any

import typer

from attrax._base.arguments import printable
from attrax.cli._devices import on_devices
from attrax.cli._maps import MapName
from attrax.cli._memory_files import File, load_memory
from attrax.cli._options import (
    Checkpoint,
    Dask,
    Gray,
    Json,
    MemoryLimit,
    Number,
    PatternSource,
    Resume,
    Seed,
    Shuffle,
    Size,
    SkipUnreadable,
    check_checkpoint,
    check_output_folder,
    load_sources,
    parse_bytes,
)
from attrax.cli._output import number, print_json
from attrax.cli._progress import progress_bar


@on_devices
def spurious(
    file: File,
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="SOURCE...", help="Initial states that were not stored: any source."),
    ] = None,
    starts: Annotated[int, typer.Option(min=1, help="How many starts.")] = 1000,
    share: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND=WEIGHT",
            help="Only these kinds of starts, in this proportion; may be repeated: test (needs SOURCE), uniform, "
            "gaussian, blend, midpoint, crop, flip, derived (from SOURCE).",
        ),
    ] = None,
    confidence: Annotated[float, typer.Option(help="Confidence of the bound on ending elsewhere.")] = 0.95,
    certified: Annotated[int, typer.Option(min=0, help="How many spurious limits to refine and certify.")] = 100,
    max_steps: Annotated[int, typer.Option(min=1, help="Maximum number of applications of the network.")] = 10_000,
    memory_limit: MemoryLimit = None,
    dask: Dask = None,
    checkpoint: Checkpoint = None,
    resume: Resume = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Folder for the figure and the limits.")
    ] = None,
    patterns: PatternSource = None,
    map_name: MapName = None,
    n: Number = None,
    shuffle: Shuffle = False,
    size: Size = None,
    gray: Gray = False,
    skip_unreadable: SkipUnreadable = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> int:
    """Iterate a memory from very many initial states (starts) and count where they end: at stored examples or at
    spurious attractors.

    Starts are given states, uniform and Gaussian noise, and blends, midpoints, enlarged parts and mirror images of the
    stored examples. If SOURCE has fewer states than its share of the starts, enlarged parts, mirror images and blends
    of them are added and counted separately, as derived. upper_bound is the exact (Clopper-Pearson) bound on the
    probability that such a start does not end at a stored example. Spurious limits are merged, refined
    and certified. Exits with 0 whatever it finds.

    Example: attrax analyze spurious faces.attrax natural --size 25x25 --gray --starts 10000 -o census
    """
    import jax.random as jr

    from attrax.analysis import find_spurious, not_stored
    from attrax.report import census_figure, outcome_rates, write_figure

    shares = parse_shares(share)
    if output is not None:
        check_output_folder(output, "--output")
    check_checkpoint(checkpoint, resume)
    most = parse_bytes(memory_limit)
    memory = load_memory(file, patterns, map_name)
    options: dict[str, Any] = {"n": n, "shuffle": shuffle, "seed": seed, "size": size, "gray": gray}
    if not images and (n or shuffle or size or gray or skip_unreadable):
        raise ValueError("--n, --shuffle, --size, --gray and --skip-unreadable are for SOURCE, and none is given")
    loaded = (
        None if not images else load_sources(images, like=memory, skip_unreadable=skip_unreadable, **options).values
    )
    given: Any = None if loaded is None else not_stored(loaded, memory.originals)
    stored = 0 if loaded is None else len(loaded) - len(given)
    with progress_bar() as progress:
        census = find_spurious(
            memory,
            given,
            num_starts=starts,
            shares=shares,
            max_steps=max_steps,
            confidence=confidence,
            num_certified=certified,
            memory_limit=most,
            dask=dask,
            checkpoint=checkpoint,
            progress=progress,
            key=jr.key(seed),
        )
    sizes, every, foreign = census.discovery()
    record: dict[str, Any] = {
        "starts": census.starts,
        "recovered": census.recovered,
        "other": census.other,
        "diverged": census.diverged,
        "not_converged": census.not_converged,
        "upper_bound": census.upper_bound,
        "confidence": census.confidence,
        "attractors": census.as_rows(),
        "stored": census.num_stored,
        "spurious": sum(str(limit.kind) != "stored" for limit in census.limits),
        "chao1": census.richness(),
        "chao1_spurious": census.richness(stored=False),
        "kinds": {kind: row | {"ends": outcome_rates(census)[kind]} for kind, row in census.by_kind.items()},
        "discovery": {"starts": sizes, "limits": every, "spurious": foreign},
        "states_given": 0 if given is None else len(given),
        "states_left_out": stored,
        "file": str(file),
        "seed": seed,
    }
    files = []
    if output is not None:
        files = [str(path) for path in write_figure(census_figure(census), output, "spurious")]
        files += _write_limits(output, census, memory)
    record["files"] = files
    if as_json:
        print_json(record)
        return 0
    print(
        f"{census.recovered}/{census.starts} starts ended at one of the {census.num_stored} stored, {census.other} "
        f"elsewhere ({census.diverged} diverged, {census.not_converged} not converged)"
    )
    print(f"probability to end elsewhere: at most {number(census.upper_bound)} with {100 * confidence:g} % confidence")
    print(
        f"limits found: {len(census.limits)} (Chao1 {number(record['chao1'])}), spurious: {record['spurious']} "
        f"(Chao1 {number(record['chao1_spurious'])})"
    )
    if stored:
        print(f"{stored} of the states given are stored ones and were left out")
    if "derived" in census.by_kind and given is not None:
        print(f"derived: enlarged parts, mirror images and blends of the {len(given)} states given, for want of more")
    for kind, row in census.by_kind.items():
        print(f"{kind}: {row['recovered']}/{row['starts']}, elsewhere at most {number(row['upper_bound'])}")
    for limit in [limit for limit in census.limits if str(limit.kind) != "stored"][:20]:
        print(
            f"{limit.kind} of period {limit.period}: {limit.count} starts, radius {number(limit.spectral_radius)}, "
            f"{limit.verdict or 'not examined'}, {number(limit.distance)} from "
            f"{printable(memory.patterns.name(limit.nearest))}"
        )
    if files:
        print("written: " + ", ".join(files))
    return 0


def parse_shares(texts: list[str] | None) -> dict[str, float] | None:
    """Kinds of starts and their weights from `KIND=WEIGHT`. **Raises** `ValueError` for anything else."""
    if not texts:
        return None
    found: dict[str, float] = {}
    for text in texts:
        kind, equals, weight = text.partition("=")
        try:
            found[kind] = float(weight) if equals else 1.0
        except ValueError:
            raise ValueError(f"--share must be KIND=WEIGHT, such as uniform=1; got {text!r}") from None
    return found


def _write_limits(folder: Path, census: Any, memory: Any) -> list[str]:
    """The spurious limits, at most 100, as one array, and the first of them as pictures if they are."""
    import numpy as np

    from attrax.report import is_picture, limits_figure, write_figure
    from attrax.sources import save_array

    states = [limit.state for limit in census.limits if str(limit.kind) != "stored"][:100]
    if not states:
        return []
    files = [str(save_array(folder / "spurious-limits.npy", np.stack(states)))]
    if is_picture(states[0].shape):
        files += [
            str(path) for path in write_figure(limits_figure(census, memory.originals), folder, "spurious-limits")
        ]
    return files
