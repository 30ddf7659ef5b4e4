"""attrax recall."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from attrax.cli._maps import MapName
from attrax.cli._options import (
    Gray,
    Json,
    Number,
    PatternSource,
    Seed,
    Shuffle,
    Size,
    SkipUnreadable,
    check_output_folder,
    load_sources,
)
from attrax.cli._output import number, percent, print_json, spread
from attrax.cli._progress import progress_bar
from attrax.cli._recall_sequence import recall_from
from attrax.cli._sequences import load_memory, name_of, tell
from attrax.cli._words import plain
from attrax.corruptions import CORRUPTIONS

if TYPE_CHECKING:  # help and wrong usage don't wait for NumPy
    import numpy as np


def recall(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A memory written by attrax store.")],
    cues: Annotated[
        list[str] | None, typer.Argument(metavar="CUE...", help="Cues: any source, as in attrax store.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            help="Write what came back here: a folder; with --from a clip too (.mp4, .gif, .wav, .txt), or .npy or .npz.",
        ),
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="CUE",
            help="Recall a sequence, from one cue: noise, frame:I (a stored state), or a source of one frame.",
            show_default=False,
        ),
    ] = None,
    cycles: Annotated[int, typer.Option(min=1, help="With --from: how often to go round the cycle.")] = 1,
    corrupt: Annotated[
        str | None,
        typer.Option(
            metavar="KIND:LEVEL",
            help=f"Corrupt the stored examples instead: {', '.join(kind.usage for kind in CORRUPTIONS.values())}; "
            "several one after another with +, as in shift:2+occlude:0.5.",
        ),
    ] = None,
    reading: Annotated[str, typer.Option(help="The paper's thresholds: literal, mean_square or auto.")] = "auto",
    atol: Annotated[float | None, typer.Option(help="Converged below this change of the state.")] = None,
    recovery_atol: Annotated[float | None, typer.Option(help="Recovered below this distance to an example.")] = None,
    max_steps: Annotated[int, typer.Option(min=1, help="Applications of the network at most.")] = 10_000,
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
    """Iterate a memory from cues until it settles, and say which example came back.

    With --corrupt the example behind each cue is known, so reaching another one is other_attractor, and the rates of
    the nearest-neighbour rules on the same cues are given; with cues from elsewhere they are null.

    With --from the whole way from one cue is kept, until it has gone round the cycle that it falls into: which cycle of
    those stored, at which phase, after how many steps, with which period, and how near to what was stored.

    Example: attrax recall faces.attrax --corrupt occlude:0.5 -o recalled

    Sequences: attrax recall walk.attrax --from noise --cycles 2 -o frames
    """
    import jax.random as jr

    from attrax.analysis import recovery
    from attrax.corruptions import parse_corruption
    from attrax.dynamics import recall as recall_cues

    if begin is not None:
        if cues:
            raise ValueError("give either cues or --from, not both")
        if reading != "auto":
            raise ValueError("--reading is for examples; sequences are compared by mean squares. Leave it out")
        selection = {
            "n": n,
            "shuffle": shuffle,
            "seed": seed,
            "size": size,
            "gray": gray,
            "skip_unreadable": skip_unreadable,
        }
        if corrupt is not None:
            parse_corruption(corrupt)
        return recall_from(
            load_memory(file, patterns, map_name),
            begin,
            file=file,
            corrupt=corrupt,
            cycles=cycles,
            output=output,
            selection=selection,
            atol=atol,
            recovery_atol=recovery_atol,
            max_steps=max_steps,
            seed=seed,
            as_json=as_json,
        )
    if cycles != 1:
        raise ValueError("--cycles is for --from; leave it out, or name a cue to begin from")
    if bool(cues) == (corrupt is not None):
        raise ValueError("give either cues or --corrupt KIND:LEVEL" + (", not both" if cues else ""))
    if output is not None:
        check_output_folder(output, "--output")
        _check_apart(output, cues or [])
    corruption = None if corrupt is None else parse_corruption(corrupt)
    options: dict[str, Any] = {"n": n, "shuffle": shuffle, "seed": seed, "size": size, "gray": gray}
    memory = load_memory(file, patterns, map_name)
    if corruption is not None and (n is not None or shuffle or size or gray or skip_unreadable):
        raise ValueError("--n, --shuffle, --size, --gray and --skip-unreadable are for cues, not for --corrupt")
    with progress_bar() as progress:
        if corruption is not None:
            measured = recovery(
                memory,
                corruption,
                max_steps=max_steps,
                progress=progress,
                key=jr.key(seed),
                reading=reading,
                atol=atol,
                recovery_atol=recovery_atol,
            )
            answer, used = measured.recall, memory.patterns.as_frames(measured.cues)
            known = memory.patterns.names
            names = [f"example-{index:04d}" for index in range(len(used))] if known is None else list(known)
            one_nn, best_nn, trained = measured.one_nn_rate, measured.best_nn_rate, measured.trained
        else:
            given = load_sources(cues or [], like=memory, skip_unreadable=skip_unreadable, **options)
            tell(given)
            if given.values.shape[1:] not in (memory.patterns.shape, memory.patterns.frame_shape):
                pictures = len(memory.patterns.shape) > 1 and given.values.ndim > 2
                raise ValueError(
                    f"the cues have the shape {_shape(given.values.shape[1:])} and the memory stores "
                    f"{_shape(memory.patterns.frame_shape)}; "
                    + ("bring them to it with --size and --gray" if pictures else "give cues of that shape")
                )
            answer = recall_cues(
                memory,
                given.values,
                reading=reading,
                atol=atol,
                recovery_atol=recovery_atol,
                max_steps=max_steps,
                progress=progress,
            )
            used, names = given.values, list(given.names)
            one_nn = best_nn = trained = None
    written = (
        []
        if output is None
        else _write(output, answer.value, used, names, cues or [], corruption is not None, memory.originals)
    )
    results = []
    for row, name in enumerate(names):
        result = {
            "name": name,
            "status": str(answer.status[row]),
            "index": answer.index[row],
            "example": name_of(memory.patterns, int(answer.index[row])),
            "nearest": answer.nearest[row],
            "nearest_name": name_of(memory.patterns, int(answer.nearest[row])),
            "distance": answer.distance[row],
            "steps": answer.num_steps[row],
            "residual": answer.residual[row],
            "period": answer.period[row],
        }
        results.append(result | ({"file": str(written[row])} if written else {}))
    record = {
        "cues": len(names),
        "recovered": int(answer.recovered.sum()),
        "recovery_rate": answer.recovery_rate,
        "one_nn_rate": one_nn,
        "best_nn_rate": best_nn,
        "status_counts": dict(Counter(str(status) for status in answer.status)),
        "steps": spread(answer.num_steps),
        "reading": answer.reading,
        "corruption": corrupt,
        "trained_on": trained,
        "file": str(file),
        "results": results,
    }
    if as_json:
        print_json(record)
        return 0
    print(
        f"{record['recovered']}/{record['cues']} recovered ({percent(record['recovery_rate'])}); nearest neighbour "
        f"{percent(one_nn)}, best rule {percent(best_nn)}"
        + ("" if trained is None else f"; seen in training: {trained}")
    )
    print(
        ", ".join(f"{count} {status}" for status, count in record["status_counts"].items())
        + f"; steps: median {number(record['steps']['median'])}, most {number(record['steps']['max'])}; "
        f"{answer.reading} reading of the thresholds"
    )
    if corruption is None:
        for result in results:
            reached = f" {memory.patterns.name(result['index'])}" if result["status"] == "recovered" else ""
            print(plain(f"{result['name']}: {result['status']}{reached}"))
    if written:
        print(f"written to {output}")
    return 0


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) + (" (color)" if len(shape) == 3 else "")


def _write(
    folder: Path,
    values: np.ndarray,
    cues: np.ndarray,
    names: list[str],
    given: list[str],
    corrupted: bool,
    stored: np.ndarray,
) -> list[Path]:
    """What came back, in the format of the cues; the cues as well, where they were made here."""
    from attrax.sources import IMAGE_SUFFIXES, picture_range, save_array, save_images, to_unit

    pictures = values.ndim in (3, 4) and (values.ndim == 3 or values.shape[-1] == 3)
    arrays = [source for source in given if source.lower().endswith((".npy", ".npz")) or ".npz:" in source.lower()]
    if not pictures or (arrays and len(arrays) == len(given)):
        folder.mkdir(parents=True, exist_ok=True)
        if corrupted:
            save_array(folder / "cues.npy", cues)
        archives = [source for source in arrays if ".npz" in source.lower()]
        suffix = ".npz" if archives and len(archives) == len(given) else ".npy"
        return [save_array(folder / f"recalled{suffix}", values)] * len(values)
    black_white = picture_range(stored)
    clipped, notes = to_unit(values, black_white)
    for note in notes:
        typer.echo(f"attrax: {note}", err=True)
    if corrupted:
        # Corruptions go beyond black and white on purpose, so nothing is said of that.
        save_images(folder, to_unit(cues, black_white)[0], [f"{_stem(name)}-cue" for name in names])
        return save_images(folder, clipped, [f"{_stem(name)}-recalled" for name in names])
    kinds = [Path(name).suffix.lower() for name in names]
    kinds = [kind if kind in IMAGE_SUFFIXES else ".png" for kind in kinds]
    written: dict[int, Path] = {}
    for kind in sorted(set(kinds)):  # one call a format, which keeps the names in it apart
        rows = [row for row, other in enumerate(kinds) if other == kind]
        stems = [_stem(names[row]) for row in rows]
        written |= dict(zip(rows, save_images(folder, clipped[rows], stems, suffix=kind), strict=True))
    return [written[row] for row in range(len(names))]


def _stem(name: str) -> str:
    """The name of an example without the suffix of an image file."""
    from attrax.sources import IMAGE_SUFFIXES

    path = Path(name)
    return str(path.with_suffix("")) if path.suffix.lower() in IMAGE_SUFFIXES else name


def _check_apart(folder: Path, cues: list[str]) -> None:
    """**Raises** `ValueError` where what comes back would be written among the cues, over them if names agree."""
    for cue in map(Path, cues):
        home = cue if cue.is_dir() else cue.parent
        if cue.exists() and folder.exists() and folder.samefile(home):
            raise ValueError(f"--output must be another folder than that of the cues, {home}; name a new one")
