"""attrax recall."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from attrax._base.arguments import printable
from attrax.cli._cues import one_cue
from attrax.cli._cycles import name_of
from attrax.cli._devices import on_devices
from attrax.cli._frames import FILMS, check_film_output, check_frames_output, check_many_output, film_again, write_path
from attrax.cli._known import Known, held_record, print_held, read_known
from attrax.cli._maps import MapName
from attrax.cli._memory_files import File, load_memory
from attrax.cli._options import (
    Dask,
    Gray,
    Json,
    Number,
    PatternSource,
    Seed,
    Shuffle,
    Size,
    SkipUnreadable,
    parse_bytes,
)
from attrax.cli._output import number, percent, print_json
from attrax.cli._pairs import answers, write_words
from attrax.cli._progress import progress_bar
from attrax.cli._recall_record import Limit, Told, given_pieces
from attrax.cli._recalled_files import write_recalled
from attrax.corruptions import CORRUPTIONS


@on_devices
def recall(
    file: File,
    cues: Annotated[
        list[str] | None, typer.Argument(metavar="CUE...", help="Cues: any source, as in attrax store.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="Write the results here: a folder, or .gif or .mp4 for a film of the iterates of pictures. With --from "
            "also .wav, .txt, .npy or .npz.",
        ),
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="CUE",
            help="Recall a sequence from one cue: noise, frame:I (a stored state), or a source of one frame.",
            show_default=False,
        ),
    ] = None,
    cycles: Annotated[int, typer.Option(min=1, help="With --from: how many times to go around the cycle.")] = 1,
    corrupt: Annotated[
        str | None,
        typer.Option(
            metavar="KIND:LEVEL",
            help=f"Corrupt the stored examples instead: {', '.join(kind.usage for kind in CORRUPTIONS.values())}; "
            "several one after another with +, as in shift:2+occlude:0.5.",
        ),
    ] = None,
    known: Known = None,
    limit: Limit = None,
    reading: Annotated[
        str,
        typer.Option(metavar="NAME", help="How to read the paper's thresholds: literal, mean_square or auto."),
    ] = "auto",
    atol: Annotated[
        float | None,
        typer.Option(
            metavar="DISTANCE",
            help="Converged if the state changes by less than this. [default: the paper's, as --reading says]",
        ),
    ] = None,
    recovery_atol: Annotated[
        float | None,
        typer.Option(
            metavar="DISTANCE",
            help="Recovered if the distance to an example is below this. [default: the paper's, as --reading says]",
        ),
    ] = None,
    max_steps: Annotated[int, typer.Option(min=1, help="Maximum number of applications of the network.")] = 10_000,
    dask: Dask = None,
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
    """Iterate a memory from cues until it converges, and say which example came back.

    With --corrupt the example behind each cue is known. Reaching another one is other_attractor, and the output
    includes the rates of nearest-neighbor rules on the same cues. With cues from elsewhere these rates are null, and
    recovered only means that some stored example was reached.

    With --from the whole path from one cue is kept, until it has gone around the cycle that it falls into. The output
    says which stored cycle it is, at which phase and after how many steps it was reached, its period, and how close the
    frames are to the stored ones.

    With --known only a part of each cue is used. The rest begins at the mean of the examples, and the known part is
    restored at each step until it converges. Then it is released.

    Example: attrax recall faces.attrax --corrupt occlude:0.5 -o recalled

    A film of the iterates, all cues side by side: attrax recall faces.attrax --corrupt occlude:0.5 -o way.gif

    From a part: attrax recall faces.attrax photo.png --known upper:0.25 -o recalled

    Sequences: attrax recall walk.attrax --from noise --cycles 2 -o frames
    """
    from attrax.corruptions import parse_corruption

    selection = {
        "n": n,
        "shuffle": shuffle,
        "seed": seed,
        "size": size,
        "gray": gray,
        "skip_unreadable": skip_unreadable,
    }
    options: dict[str, Any] = {
        "reading": reading,
        "atol": atol,
        "recovery_atol": recovery_atol,
        "max_steps": max_steps,
        "dask": dask,
    }
    if corrupt is not None:
        parse_corruption(corrupt)
    most = parse_bytes(limit)
    if limit is not None and not cues:
        raise ValueError("--memory is for cues from a source; leave it out")
    if limit is not None and output is not None and output.suffix.lower() in FILMS:
        raise ValueError("--memory: a film shows all cues side by side; name a folder for --output")
    if begin is not None:
        if cues:
            raise ValueError("give either cues or --from, not both")
        memory = load_memory(file, patterns, map_name)
        options["known"] = read_known(known, memory.examples())
        record = _from_one(memory, begin, corrupt, output, selection, seed, {**options, "cycles": cycles})
    else:
        if cycles != 1:
            raise ValueError("--cycles is for --from; leave it out, or name a cue to begin from")
        if bool(cues) == (corrupt is not None):
            several = "either cues or --corrupt KIND:LEVEL, not both"
            raise ValueError(f"give {several if cues else 'cues, --corrupt KIND:LEVEL or --from CUE'}")
        if corrupt is not None and (n is not None or shuffle or size or gray or skip_unreadable):
            raise ValueError("--n, --shuffle, --size, --gray and --skip-unreadable are for cues, not for --corrupt")
        if output is not None:
            check_many_output(output, file, cues or [], known)
        memory = load_memory(file, patterns, map_name)
        if output is not None:
            check_film_output(output, memory.patterns.frame_shape)
        options["known"] = read_known(known, memory.examples(), corrupted=corrupt is not None)
        record = _from_many(memory, cues or [], corrupt, output, selection, seed, options, most)
    record |= {"known_part": known, "file": str(file)}
    if as_json:
        print_json(record)
    elif begin is not None:
        _print_one(record)
    else:
        _print_many(record, memory.patterns, output)
    return 0


def _from_one(
    memory: Any,
    begin: str,
    corrupt: str | None,
    output: Path | None,
    selection: dict[str, Any],
    seed: int,
    options: dict[str, Any],
) -> dict[str, Any]:
    """The path from one cue, written where it was asked for, as a record."""
    import jax.random as jr
    import numpy as np

    from attrax.corruptions import corrupt as corrupted
    from attrax.dynamics import recall as recall_cues

    patterns, facts = memory.examples(), memory.written.get("media")
    if output is not None:
        check_frames_output(output, facts, patterns.frame_shape)
    cue, expected = one_cue(memory, begin, selection, seed)
    if corrupt is not None:
        cue = corrupted(corrupt, cue, partners=np.asarray(memory.originals), key=jr.key(seed))
    with progress_bar() as progress:
        found = recall_cues(memory, cue, expected=expected, path=True, progress=progress, **options)
    assert found.path is not None  # it was asked for, as was the next
    assert found.psnr is not None
    frames, measured = found.path[0], len(found.psnr[0]) > 0
    if output is not None:
        for note in write_path(output, memory, found):
            typer.echo(f"attrax: {note}", err=True)
    cycle = int(found.cycle[0])
    return {
        "from": begin,
        "corruption": corrupt,
        "status": str(found.status[0]),
        "cycle": cycle,
        "length": len(patterns.cycles[cycle]) if cycle >= 0 else None,
        "known": expected is not None,
        "index": found.entry[0],
        "name": name_of(patterns, int(found.entry[0])),
        "phase": found.phase[0],
        "transient": found.transient[0],
        "period": found.period[0],
        "psnr": {
            "median": float(found.psnr_median[0]) if measured else None,
            "min": float(found.psnr_min[0]) if measured else None,
        },
        "reading": found.reading,
        "held": held_record([] if found.held is None else [found.held]),
        "frames": len(frames),
        "output": None if output is None else str(output),
    }


def _print_one(record: dict[str, Any]) -> None:
    from attrax._base.status import RecallStatus

    still = record["length"] == 1
    if still:
        name = f"example {record['index']}" if record["name"] is None else printable(record["name"])
        print(f"{_reached(record['status'], record['known'])}: {name}, after {record['transient']} steps")
    elif record["cycle"] >= 0:
        at = "" if record["name"] is None else f" {printable(record['name'])},"
        print(
            f"{_reached(record['status'], record['known'])}: cycle {record['cycle']} of {record['length']} states, entered at{at} phase "
            f"{record['phase']} after {record['transient']} steps"
        )
    else:
        advice = RecallStatus(record["status"]).advice
        print(f"{record['status']} after {record['transient']} steps: {advice}")
    if not still:
        print(
            f"period {record['period']}; PSNR: median {number(record['psnr']['median'])} dB, "
            f"least {number(record['psnr']['min'])} dB"
        )
    print_held(record)
    if record["output"] is not None:
        print(f"{record['frames']} frames written to {record['output']}")


def _reached(status: str, known: bool) -> str:
    """A status for people: where it is not known which example is the right one, that *one* was reached."""
    return "reached a stored example" if status == "recovered" and not known else status


def _from_many(
    memory: Any,
    cues: list[str],
    corrupt: str | None,
    output: Path | None,
    selection: dict[str, Any],
    seed: int,
    options: dict[str, Any],
    limit: int | None,
) -> dict[str, Any]:
    """What came back from many cues, written where it was asked for, as a record."""
    import jax.random as jr

    from attrax.analysis import recovery
    from attrax.dynamics import recall as recall_cues

    told = Told(memory)
    if corrupt is None:
        for given, folder in given_pieces(memory, cues, output, selection, limit):
            with progress_bar() as progress:
                answer = recall_cues(memory, given.values, progress=progress, **options)
            names = list(given.names)
            told.add(names, answer, *_written(memory, folder, answer, given.values, names, cues, options, made=False))
        return told.record(corrupt, None)
    with progress_bar() as progress:
        measured = recovery(memory, corrupt, progress=progress, key=jr.key(seed), **options)
    used = measured.cues if memory.patterns.parts is not None else memory.patterns.as_frames(measured.cues)
    given_names = memory.patterns.names
    names = [f"example-{index:04d}" for index in range(len(used))] if given_names is None else list(given_names)
    told.add(names, measured.recall, *_written(memory, output, measured.recall, used, names, cues, options, made=True))
    return told.record(corrupt, measured)


def _written(
    memory: Any,
    output: Path | None,
    answer: Any,
    used: Any,
    names: list[str],
    cues: list[str],
    options: dict[str, Any],
    *,
    made: bool,
) -> tuple[list[str] | None, list[Path]]:
    """The words that came back, if they are words, and the files that were written, one for each cue. `made`: the cues
    were made here."""
    values, words = answers(memory, answer.value)
    if output is None:
        return words, []
    if output.suffix.lower() in FILMS:
        for note in film_again(output, memory, used, answer.num_steps, answer.expected if made else None, options):
            typer.echo(f"attrax: {note}", err=True)
        return words, [output] * len(names)
    if words is not None:
        return words, write_words(output, words)
    stored = answers(memory, memory.originals)[0]
    return words, write_recalled(output, values, used, names, cues, made, stored)


def _print_many(record: dict[str, Any], patterns: Any, output: Path | None) -> None:
    from attrax.analysis import RULES

    share = f"{record['recovered']}/{record['cues']}"
    rate = percent(record["recovery_rate"])
    if record["corruption"] is None:
        print(f"{share} reached a stored example ({rate}); whether it is the right one is not known")
    else:
        told = "" if record["known_part"] is None else " in the known part"
        print(
            f"{share} recovered ({rate}); nearest neighbor{told} {percent(record['one_nn_rate'])}, best of "
            f"{len(RULES)} nearest-neighbor rules {percent(record['best_nn_rate'])}; used in training: {record['trained_on']}"
        )
    # Of cues from elsewhere, the line above has said how many reached a stored example.
    said = () if record["corruption"] is not None else ("recovered",)
    others = [f"{count} {status}" for status, count in record["status_counts"].items() if status not in said]
    print_held(record)
    print(
        f"{', '.join(others)}{'; ' if others else ''}steps: median {number(record['steps']['median'])}, most {number(record['steps']['max'])}; "
        f"{record['reading']} reading of the thresholds"
    )
    if record["corruption"] is None or "answer" in record["results"][0]:
        for result in record["results"]:
            stored = result["status"] == "recovered"
            end = f"stored {patterns.name(result['index'])}" if stored else result["status"]
            end = f"{result['answer']} ({end})" if "answer" in result else end
            print(printable(f"cue {result['name']} → {end}"))
    if output is not None:
        print(f"written to {output}")
