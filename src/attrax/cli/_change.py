"""attrax add and attrax forget."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from attrax._base.arguments import printable
from attrax._base.files import alone
from attrax.cli._certify import totals
from attrax.cli._devices import on_devices
from attrax.cli._examples import tell_merged, tell_notes
from attrax.cli._memory_files import readable
from attrax.cli._options import Gray, Json, Number, Seed, Shuffle, Size, SkipUnreadable, check_output_file, load_sources
from attrax.cli._output import number, print_json
from attrax.cli._progress import progress_bar

File = Annotated[
    Path,
    typer.Argument(metavar="FILE", callback=readable, help="A memory written by attrax store; it is changed in place."),
]
TimeLimit = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="No further attempt starts after this time.", show_default=False)
]
Compare = Annotated[
    bool, typer.Option("--compare", help="Also write the same memory from scratch, to compare the times.")
]


@on_devices
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
    """Add examples to a memory: continue training from its weights until everything, old and new, is certified.

    If that fails, the file is left unchanged, and the exit status is 1.

    Example: attrax add faces.attrax more-faces/ --size 25x25 --gray
    """
    import jax.random as jr

    from attrax.writing import add as add_examples

    with _changing(file) as (memory, replace_file):
        given = load_sources(
            sources,
            n=n,
            shuffle=shuffle,
            seed=seed,
            size=size,
            gray=gray,
            skip_unreadable=skip_unreadable,
            like=memory,
        )
        if memory.examples().parts is not None:
            raise ValueError(
                f"{file} stores pairs, and add takes single examples; add pairs in Python, with attrax.add"
            )
        tell_notes(given)
        with progress_bar() as progress:
            change = add_examples(
                memory, given.values, names=given.names, time_limit=time_limit, progress=progress, key=jr.key(seed)
            )
        replace_file(change)
    tell_merged(change.merged)
    return _report(file, memory.patterns, change, compare, seed, as_json)


@on_devices
def forget(
    file: File,
    examples: Annotated[
        list[str], typer.Argument(metavar="EXAMPLE...", help="Which examples: their names, or indices counted from 0.")
    ],
    time_limit: TimeLimit = None,
    compare: Compare = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> int:
    """Remove examples from a memory: continue training from its weights until all others are certified.

    If that fails, the file is left unchanged, and the exit status is 1.

    Example: attrax forget photos.attrax camera.jpg 17
    """
    import jax.random as jr

    from attrax.writing import forget as forget_examples

    with _changing(file) as (memory, replace_file):
        with progress_bar() as progress:
            change = forget_examples(
                memory, _chosen(memory.patterns, examples), time_limit=time_limit, progress=progress, key=jr.key(seed)
            )
        replace_file(change)
    return _report(file, memory.patterns, change, compare, seed, as_json)


def _chosen(patterns: Any, examples: list[str]) -> list[int]:
    """Indices from names and indices. A name goes first where it looks like an index."""
    found = []
    for example in examples:
        index = example.isascii() and example.isdigit() and example not in (patterns.names or ())
        if index and (len(example) > 9 or int(example) >= len(patterns)):
            raise ValueError(f"EXAMPLE must be a name, or an index from 0 to {len(patterns) - 1}; got {example[:80]}")
        found.append(int(example) if index else patterns.find(example))
    return found


@contextmanager
def _changing(file: Path) -> Iterator[tuple[Any, Callable[[Any], None]]]:
    """The memory in a file, and what replaces it by an accepted change. Nobody else changes it meanwhile unnoticed."""
    from attrax import files

    check_output_file(file, "FILE")
    with alone(file) as check_unchanged:
        memory = files.load(file)
        if isinstance(memory.map, files.MissingMap):
            raise ValueError(
                f"{file} does not hold its map, {memory.map.text}, so it could not hold a changed one; change the memory "
                "in Python, with attrax.add or attrax.forget, and keep the map yourself"
            )
        if memory.patterns is None:
            raise ValueError(
                f"{file} was saved without its patterns, and a change has to certify all of them; write it again with "
                "attrax store and --patterns"
            )

        def replace_file(change: Any) -> None:
            if change.accepted:
                check_unchanged()
                files.save(file, change.memory)

        yield memory, replace_file


def _report(file: Path, before: Any, change: Any, compare: bool, seed: int, as_json: bool) -> int:
    """Prints how the change of the patterns `before` ended. Returns the exit status."""
    import jax.random as jr

    from attrax.writing import Auto, store

    scratch = change.scratch_seconds
    if change.accepted and compare:
        # Of the same examples and order, by the default writer.
        patterns = change.memory.patterns
        fresh = replace(patterns, points=change.memory.originals, merged=())
        with progress_bar() as progress:
            scratch = store(fresh, writer=Auto(), progress=progress, key=jr.key(seed)).written["seconds"]
    certificate = change.memory.certificate
    record: dict[str, Any] = {
        "file": str(file),
        "accepted": change.accepted,
        "examples_before": len(before),
        "examples": len(change.memory.patterns),
        **({} if certificate is None else totals(certificate)),
        "attempts": list(change.attempts),
        "failed": list(change.failed),
        "failed_names": list(change.failed_names),
        "added": _others(change.memory.patterns, before),
        "forgotten": _others(before, change.memory.patterns),
        "merged_names": [list(pair) for pair in change.merged],
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
        for done in ("added", "forgotten"):
            if record[done]:
                print(f"{done}: {', '.join(map(printable, record[done]))}")
        print(f"changed: {file}")
    else:
        print(f"not certified in the end: {', '.join(map(printable, change.failed_names))}; {file} is as it was")
    return 0 if change.accepted else 1


def _others(patterns: Any, known: Any) -> list[str]:
    """The names of the patterns that the `known` ones lack; where they have none there is nothing to tell."""
    if patterns.names is None or known.names is None:
        return []
    left = Counter(known.names)
    left.subtract(patterns.names)
    return [name for name in dict.fromkeys(patterns.names) for _ in range(-left[name])]
