"""attrax add and attrax forget."""

from pathlib import Path
from typing import Annotated, Any

import typer

from attrax.cli._certify import totals
from attrax.cli._options import Gray, Json, Number, Seed, Shuffle, Size, SkipUnreadable, check_output_file, load_sources
from attrax.cli._output import number, print_json
from attrax.cli._progress import progress_bar

File = Annotated[Path, typer.Argument(metavar="FILE", help="A memory written by attrax store; it is changed in place.")]
TimeLimit = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="No further attempt starts after this time.", show_default=False)
]
Compare = Annotated[bool, typer.Option("--compare", help="Write the same from scratch too, to compare the times.")]


def add(
    file: File,
    sources: Annotated[list[str], typer.Argument(metavar="SOURCE...", help="What to add: any source, as in store.")],
    n: Number = None,
    shuffle: Shuffle = False,
    size: Size = None,
    gray: Gray = False,
    skip_unreadable: SkipUnreadable = False,
    time_limit: TimeLimit = None,
    compare: Compare = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> int:
    """Add examples to a memory: train on from its weights until everything old and new is certified again.

    Where that is not reached the file is left as it was, and the exit status is 1.

    Example: attrax add faces.attrax more-faces/ --size 25x25 --gray
    """
    import jax.random as jr

    from attrax.writing import add as add_examples

    memory = _changeable(file)
    given = load_sources(
        sources, n=n, shuffle=shuffle, seed=seed, size=size, gray=gray, skip_unreadable=skip_unreadable
    )
    for skipped in given.skipped:
        typer.echo(f"attrax: left out {skipped}", err=True)
    with progress_bar() as progress:
        change = add_examples(memory, given.values, time_limit=time_limit, progress=progress, key=jr.key(seed))
        return _finish(file, change, len(memory.patterns), compare, seed, progress, as_json)


def forget(
    file: File,
    indices: Annotated[list[int], typer.Argument(metavar="INDEX...", help="Which examples, counted from 0.")],
    time_limit: TimeLimit = None,
    compare: Compare = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> int:
    """Remove examples from a memory: train on from its weights until all others are certified again.

    Where that is not reached the file is left as it was, and the exit status is 1.

    Example: attrax forget faces.attrax 3 17
    """
    import jax.random as jr

    from attrax.writing import forget as forget_examples

    memory = _changeable(file)
    with progress_bar() as progress:
        change = forget_examples(memory, indices, time_limit=time_limit, progress=progress, key=jr.key(seed))
        return _finish(file, change, len(memory.patterns), compare, seed, progress, as_json)


def _changeable(file: Path) -> Any:
    from attrax import files

    check_output_file(file, "FILE")
    memory = files.load(file)
    if memory.patterns is None:
        raise ValueError(
            f"{file} was saved without its patterns, and a change has to certify all of them; write it again with "
            "attrax store and --patterns"
        )
    return memory


def _finish(file: Path, change: Any, before: int, compare: bool, seed: int, progress: Any, as_json: bool) -> int:
    import jax.random as jr

    from attrax import files
    from attrax.writing import Auto, store

    scratch = change.scratch_seconds
    if change.accepted:
        files.save(file, change.memory)
        if compare:
            # Of the same examples and order, by the default writer.
            patterns = change.memory.patterns
            fresh = type(patterns)(change.memory.originals, patterns.successor, (), patterns.frame)
            scratch = store(fresh, writer=Auto(), progress=progress, key=jr.key(seed)).written["seconds"]
    certificate = change.memory.certificate
    record: dict[str, Any] = {
        "file": str(file),
        "accepted": change.accepted,
        "examples_before": before,
        "examples": len(change.memory.patterns),
        **({} if certificate is None else totals(certificate)),
        "attempts": list(change.attempts),
        "failed": list(change.failed),
        "seconds": change.seconds,
        "scratch_seconds": scratch,
        "scratch_measured": bool(compare and change.accepted),
    }
    if as_json:
        print_json(record)
        return 0 if change.accepted else 1
    if change.accepted:
        print(
            f"{record['examples']}/{record['examples']} certified in {number(change.seconds)} s "
            f"(writing from scratch: {number(scratch)} s{'' if compare else ', as on record'})"
        )
        print(f"changed: {file}")
    else:
        print(f"not certified in the end: {', '.join(map(str, change.failed))}; {file} is as it was")
    return 0 if change.accepted else 1
