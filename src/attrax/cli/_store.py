"""attrax store."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from attrax.cli._media import MEDIA, By, Duration, Fps, Hop, Mono, Rate, Start
from attrax.cli._options import (
    Gray,
    Json,
    Number,
    Seed,
    Shuffle,
    Size,
    SkipUnreadable,
    check_checkpoint,
    check_differ,
    check_output_file,
)
from attrax.cli._output import number, print_json, spread
from attrax.cli._progress import progress_bar
from attrax.cli._sequences import (
    As,
    Context,
    CycleLength,
    End,
    Indices,
    Single,
    cycle_rows,
    kind_of,
    near_record,
    print_cycles,
    read_sequences,
    warn_of_near,
    way_rows,
)

_WRITERS = ("auto", "contest", "gradient", "kfac", "margin", "pseudoinverse")
_NETWORK = {"width", "depth", "activation", "init", "bias", "dtype"}
_TRAINING = {
    "optimizer": "optimizer",
    "lr": "learning_rate",
    "momentum": "momentum",
    "weight_decay": "weight_decay",
    "batch": "batch",
    "copies": "copies",
    "noise": "noise",
    "train_corruption": "corruptions",
    "deviation": "deviation",
    "penalty": "penalty",
    "coordinate_noise": "coordinate_noise",
    "coordinates": "coordinates",
    "polish": "polish",
    "construction": "start",
    "spare": "spare",
    "tol": "tol",
    "epochs": "epochs",
    "time_limit": "time_limit",
}
"""Options of training by their names in the library."""
_REFUSED = {
    "auto": set(),
    "gradient": set(),
    "contest": _NETWORK - {"width"} | {"deviation", "penalty", "polish", "construction", "spare"},
    "kfac": {"optimizer", "lr", "momentum", "weight_decay"},
    "margin": _NETWORK | set(_TRAINING) - {"tol"} | {"checkpoint", "resume"},
    "pseudoinverse": _NETWORK | set(_TRAINING) - {"tol"} | {"checkpoint", "resume"},
}
"""Options that a writer would not heed."""


def _given(context: typer.Context) -> set[str]:
    """Names of the parameters that stand on the command line."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}


def _check_applies(given: set[str], writer: str) -> None:
    """**Raises** `ValueError` for an option that was given and that this writer would not heed."""
    refused = sorted(given & _REFUSED[writer])
    if refused:
        raise ValueError(f"--{refused[0].replace('_', '-')} does not apply to --writer {writer}; leave it out")
    decided = sorted(given & _NETWORK)
    if "construction" in given and decided:
        raise ValueError(
            f"--{decided[0].replace('_', '-')} does not apply with --construction, which makes the network; "
            "leave one of them out"
        )


def _writer(name: str, options: dict[str, Any], given: set[str]) -> Any:
    """The writer of this name with the options that were given."""
    from attrax.writing import Auto, Constructed, Contest, Gradient

    values: dict[str, Any] = {_TRAINING[option]: options[option] for option in sorted(given & set(_TRAINING))}
    if "corruptions" in values:
        values["corruptions"] = tuple(values["corruptions"])
    if name in ("margin", "pseudoinverse"):
        return Constructed(name, **values)
    if name == "contest":
        return Contest(width=options["width"] if "width" in given else None, **values)
    if name == "auto":
        return Auto(**values)
    if name == "kfac":
        values["optimizer"] = "kfac"
    return Gradient(**values)


def _clicked(source: str) -> str:
    """What was clicked in a window, as a source that needs none, for the record and whoever clicked; others as given."""
    from attrax.sources import CLICKED, click_points

    if source != CLICKED:
        return source
    points = click_points()
    typer.echo(f"attrax: clicked {points}", err=True)
    return points


def store(
    context: typer.Context,
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Films, sound, texts, pan:FRAMES, image files or folders, .npy, .npz, .csv, 'points:X,Y;X,Y', "
            "points:click (in a window), digits, faces, natural, mnist:DIR, cifar10:DIR, imagenet64:DIR.",
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The memory file to write.")],
    writer: Annotated[
        str,
        typer.Option(
            help="How to write: auto (chooses, and goes on until all is certified; options that are given bind it), contest "
            "(trained scores, the largest wins), gradient (the paper), kfac (fewer, larger steps), pseudoinverse or margin "
            "(written down, not trained)."
        ),
    ] = "auto",
    time_limit: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="Time that training may take. [default: as long as it needs]", show_default=False
        ),
    ] = None,
    kind: As = None,
    cycle_length: CycleLength = None,
    indices: Indices = None,
    single: Single = None,
    end: End = "loop",
    context_frames: Context = "1",
    fps: Fps = None,
    start: Start = None,
    duration: Duration = None,
    hop: Hop = None,
    rate: Rate = None,
    mono: Mono = False,
    by: By = None,
    n: Number = None,
    shuffle: Shuffle = False,
    size: Size = None,
    gray: Gray = False,
    skip_unreadable: SkipUnreadable = False,
    width: Annotated[
        int,
        typer.Option(
            min=1,
            help="Units of each hidden layer. [default: the writer's choice; 512 where it trains a given network]",
            show_default=False,
        ),
    ] = 512,
    depth: Annotated[
        int,
        typer.Option(
            min=1,
            help="Number of hidden layers. [default: the writer's choice; 5 where it trains a given network]",
            show_default=False,
        ),
    ] = 5,
    activation: Annotated[
        str,
        typer.Option(help="relu, leaky_relu, selu, swish, cosid, sinusoid, tanh, sigmoid, softplus, gelu or identity."),
    ] = "relu",
    init: Annotated[
        str | None,
        typer.Option(
            help="pytorch, xavier_uniform, xavier_normal, kaiming_uniform, "
            "kaiming_normal or uniform:A. [default: kaiming_uniform for relu and leaky_relu, else pytorch]",
            show_default=False,
        ),
    ] = None,
    bias: Annotated[
        bool,
        typer.Option(
            "--bias/--no-bias",
            help="Biases in every layer. ReLU and Leaky ReLU without "
            "them can store nothing: f(cx) = c f(x) makes 1 an eigenvalue at every fixed point.",
        ),
    ] = True,
    optimizer: Annotated[str, typer.Option(help="gd, momentum, momentum_decay, rmsprop, adam or kfac.")] = "adam",
    lr: Annotated[float | None, typer.Option(help="Learning rate. [default: the optimizer's]")] = None,
    momentum: Annotated[float | None, typer.Option(help="Momentum. [default: the optimizer's]")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Weight decay. [default: the optimizer's]")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Examples a step. [default: all]")] = None,
    copies: Annotated[
        int, typer.Option(min=1, help="How often each example stands in a step, each time disturbed anew.")
    ] = 1,
    noise: Annotated[float, typer.Option(help="Standard deviation of Gaussian noise on the inputs in training.")] = 0.0,
    train_corruption: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND:LEVEL",
            help="Train on examples corrupted up to this level, such as occlude:0.7; repeatable. "
            "See attrax recall --help for the kinds.",
        ),
    ] = None,
    deviation: Annotated[
        float,
        typer.Option(help="Root mean square of deviations that training makes for itself, along its worst directions."),
    ] = 0.0,
    penalty: Annotated[float, typer.Option(help="Coefficient of a penalty on the Jacobian's squared norm.")] = 0.0,
    coordinate_noise: Annotated[float, typer.Option(help="Standard deviation of noise on the --coordinates.")] = 0.0,
    coordinates: Annotated[
        float | None,
        typer.Option(
            metavar="P",
            help="Train in the span of the data, whitened with exponent P from 0 to 1. [default: on pixels]",
            show_default=False,
        ),
    ] = None,
    polish: Annotated[
        bool | None,
        typer.Option(
            "--polish/--no-polish",
            help="Solve the last layer by least squares at the end. [default: only where training sees noise or the like]",
            show_default=False,
        ),
    ] = None,
    construction: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Train a constructed network further, margin or pseudoinverse, instead of a fresh one. A learning rate "
            "much above 3e-4 destroys it.",
        ),
    ] = None,
    spare: Annotated[
        int, typer.Option(min=0, help="Hidden units beside those of --construction, which has two an example.")
    ] = 0,
    tol: Annotated[
        float, typer.Option(help="Loss to stop at, on the clean examples; a contest runs all of its epochs.")
    ] = 1e-8,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Passes through the data at most. [default: the writer's choice; of gradient 1000000, and 3000 with noise "
            "or the like, which runs them all]",
            show_default=False,
        ),
    ] = None,
    seed: Seed = 0,
    dtype: Annotated[str, typer.Option(help="Arithmetic of training: float32 or float64.")] = "float32",
    checkpoint: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save training here every few seconds.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from --checkpoint where it exists.")] = False,
    patterns: Annotated[bool, typer.Option("--patterns/--no-patterns", help="Keep the examples in the file.")] = True,
    as_json: Json = False,
) -> int:
    """Store examples as attractors of a network, certify each, and write one file.

    Depth is the number of hidden layers. Exits with 0 when every example is a certified attractor and with 1 when not;
    the file is written in both cases, marked accordingly.

    Sequences: attrax store clip.mp4 --size 64x64 --gray -o film.attrax makes a film one cycle; so does --as sequence of
    the images of a folder.

    Example: attrax store faces --n 20 -o faces.attrax
    """
    import jax.random as jr

    from attrax import files
    from attrax._base import checks
    from attrax.maps import mlp
    from attrax.writing import store as store_patterns

    checks.one_of("--writer", writer, _WRITERS)
    given = _given(context)
    _check_applies(given, writer)
    checks.one_of("--dtype", dtype, ("float32", "float64"))
    settings = _writer(writer, context.params, given)
    check_output_file(output, "--output")
    check_differ(output, "--output", [Path(source) for source in [*sources, *(single or [])]], "the sources")
    check_checkpoint(checkpoint, resume, output)
    if init is None:
        init = "kaiming_uniform" if activation in ("relu", "leaky_relu") else "pytorch"
    if not bias and activation in ("relu", "leaky_relu", "identity"):
        typer.echo(
            f"attrax: {activation} without biases can store nothing: 1 is an eigenvalue at every fixed point", err=True
        )
    sources = [_clicked(source) for source in sources]
    single = single and [_clicked(source) for source in single]
    selection = {
        "n": n,
        "shuffle": shuffle,
        "seed": seed,
        "size": size,
        "gray": gray,
        "skip_unreadable": skip_unreadable,
        "kind": kind_of(kind, sources),
        "cycle_length": cycle_length,
        "indices": indices,
        "single": single,
        "end": end,
        "context": context_frames,
        "media": {name: context.params[name] for name in MEDIA if name in given},
    }
    examples = read_sequences(sources, selection)
    for skipped in examples.skipped:
        typer.echo(f"attrax: left out {skipped}", err=True)
    near = near_record(examples.patterns)
    warn_of_near(near, examples)
    makes_its_own = writer in ("contest", "margin", "pseudoinverse") or (writer == "auto" and not given & _NETWORK)
    makes_its_own = makes_its_own or construction is not None
    recipe = partial(mlp, width=width, depth=depth, activation=activation, init=init, bias=bias, dtype=dtype)
    network = None if makes_its_own else recipe
    with progress_bar() as progress:
        memory = store_patterns(
            examples.patterns,
            network,
            writer=settings,
            checkpoint=checkpoint,
            resume=resume,
            progress=progress,
            key=jr.key(seed),
        )
    trained = {"width": width, "depth": depth, "init": init, "bias": bias, "dtype": dtype}
    network_record = {"seed": seed} | ({} if makes_its_own else trained)
    facts = ({"ambiguities": near} if near else {}) | ({"media": examples.facts} if examples.facts else {})
    memory.written.update(network_record, sources=list(sources), selection=selection, **facts)
    files.save(output, memory, patterns=patterns)
    found = memory.certificate
    assert found is not None  # a stored memory has one
    record = store_record(memory, output, [str(skipped) for skipped in examples.skipped])
    if record["merged"]:
        typer.echo(f"attrax: {len(record['merged'])} duplicates were merged", err=True)
    if as_json:
        print_json(record)
    else:
        _print(record, memory)
    return 0 if found.all_attractors else 1


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
        "not_attractors": found.num_not_attractors,
        "inconclusive": found.num_inconclusive,
        "spectral_radius": spread(found.spectral_radius),
        "file": str(file),
        "cycles": cycle_rows(found),
        "ways": way_rows(found, memory.patterns),
        "context": memory.patterns.context,
        "ambiguities": memory.written.get("ambiguities", []),
        "status": str(memory.status),
        "moved": spread((moved.reshape(len(moved), -1) ** 2).sum(axis=1) ** 0.5),
        "merged": [list(pair) for pair in memory.patterns.merged],
        "skipped": skipped,
        **{
            name: memory.written[name]
            for name in ("writer", "corruptions", "attempts", "failed", "closest_pair")
            if name in memory.written
        },
    }


def _print(record: dict[str, Any], memory: Any) -> None:
    radius = record["spectral_radius"]
    print(
        f"{record['examples']} examples of {record['dimension']} values, loss {number(record['loss'])} "
        f"after {record['epochs']} epochs, {number(record['seconds'])} s"
    )
    print(f"spectral radius: median {number(radius['median'])}, largest {number(radius['max'])}")
    cycles = record["cycles"]
    sequences = len(cycles) != record["examples"]
    print(f"{record['attractors']}/{len(cycles)} {'cycles ' if sequences else ''}certified")
    if sequences:
        print_cycles(record)
    if not memory.certificate.all_attractors:
        print(
            f"not attractors: {record['not_attractors']}, inconclusive: {record['inconclusive']}. "
            f"{memory.status.advice if memory.status else ''}"
        )
    for attempt in record.get("attempts", []):
        print(
            f"attempt: {attempt['writer']}, {attempt['depth']} hidden layers of at most {attempt['widest']} units, "
            f"{attempt['attractors']}/{attempt['cycles']} certified in {number(attempt['seconds'])} s"
        )
    if record.get("failed"):
        print(f"not certified: {', '.join(map(str, record['failed']))}")
    if record.get("closest_pair"):
        pair = record["closest_pair"]
        print(f"closest pair: {pair['examples'][0]} and {pair['examples'][1]}, {number(pair['distance'])} apart")
    print(f"written to {record['file']}")
