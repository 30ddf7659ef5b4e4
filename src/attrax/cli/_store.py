"""attrax store."""

from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from attrax.activations import ACTIVATIONS
from attrax.activations import activation as activation_of
from attrax.cli._options import (
    As,
    Context,
    CycleLength,
    End,
    Fit,
    Fps,
    Gray,
    Hop,
    Indices,
    Json,
    Number,
    RecoveryAtol,
    Recursive,
    Seed,
    Shuffle,
    Single,
    Size,
    ValueRange,
    check_checkpoint,
    check_differ,
    check_output_file,
)
from attrax.cli._output import number, print_json, spread
from attrax.cli._panels import with_panels
from attrax.cli._progress import progress_bar, waiting
from attrax.cli._sequences import (
    cycle_rows,
    merged_names,
    near_record,
    open_sequence_rows,
    print_cycles,
    print_reasons,
    read_selected,
    tell,
    tell_merged,
    warn_of_near,
)
from attrax.cli._settings import Setting, read_settings, with_options
from attrax.cli._words import plain
from attrax.writing import WRITERS

_KAIMING = [name for name, record in ACTIVATIONS.items() if record.init == "kaiming_uniform"]


def _known(activation: str | None) -> str | None:
    """The name, if there is such an activation; refused with the other wrong usage."""
    if activation is not None:
        activation_of(activation)
    return activation


def _named_writer(name: str) -> str:
    """The name, if there is such a writer; refused with the other wrong usage."""
    if name not in WRITERS:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(map(repr, WRITERS))}.")
    return name


def _writers_help() -> str:
    """Writers with the same line stand together: there is little room."""
    lines: dict[str, list[str]] = {}
    for name, (_, line) in WRITERS.items():
        lines.setdefault(line, []).append(name)
    return " ".join(f"{', '.join(names)}: {line}." for line, names in lines.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Options that say what to store."""

    kind: As = None
    n: Number = None
    shuffle: Shuffle = False
    indices: Indices = None
    size: Size = None
    fit: Fit = "squash"
    gray: Gray = False
    value_range: ValueRange = None
    recursive: Recursive = True
    # Not in the help, which has room for 40 options: the refusal of an unreadable file names it.
    skip_unreadable: Annotated[bool, typer.Option("--skip-unreadable", hidden=True)] = False
    fps: Fps = None
    hop: Hop = None
    cycle_length: CycleLength = None
    end: End = "loop"
    context_frames: Context = "1"
    single: Single = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """Options that say how to store it."""

    writer: Annotated[
        str,
        typer.Option(
            metavar="NAME", callback=_named_writer, autocompletion=lambda: list(WRITERS), help=_writers_help()
        ),
    ] = "auto"
    noise: Annotated[
        float | None,
        typer.Option(metavar="SIGMA", help="Standard deviation of Gaussian noise on the inputs in training."),
    ] = None
    train_corruption: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND:LEVEL",
            help="Train on examples corrupted up to this level, such as occlude:0.7; repeatable. attrax "
            "recall --help lists the kinds.",
        ),
    ] = None
    seed: Seed = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Options of the network; what is not given is left to the writer, or to `_recipe`."""

    width: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Units of each hidden layer. [default: the writer's choice; 512 if it trains a given network]",
        ),
    ] = None
    depth: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Number of hidden layers. [default: the writer's choice; 5 if it trains a given network]",
        ),
    ] = None
    activation: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            callback=_known,
            help=f"{', '.join(ACTIVATIONS)}, or a power such as z^2. [default: relu]",
        ),
    ] = None
    init: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="pytorch, xavier_uniform, xavier_normal, kaiming_uniform, kaiming_normal or uniform:A. [default: "
            f"kaiming_uniform for {' and '.join(_KAIMING)}, else pytorch]",
        ),
    ] = None
    bias: Annotated[
        bool | None,
        typer.Option(
            "--bias/--no-bias",
            help="Use biases in every layer. Without them, ReLU and Leaky ReLU networks cannot store "
            "anything. [default: bias]",
            show_default=False,
        ),
    ] = None
    dtype: Annotated[
        Literal["float32", "float64"] | None,
        typer.Option(metavar="NAME", help="Precision of training: float32 or float64. [default: float32]"),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Options of training; what is not given is the writer's choice."""

    optimizer: Annotated[
        Literal["gd", "momentum", "momentum_decay", "rmsprop", "adam", "kfac"] | None,
        typer.Option(metavar="NAME", help="gd, momentum, momentum_decay, rmsprop, adam or kfac. [default: adam]"),
    ] = None
    lr: Annotated[float | None, typer.Option(metavar="RATE", help="Learning rate. [default: the optimizer's]")] = None
    epochs: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="N", help="Maximum number of passes through the data. [default: the writer's choice]"
        ),
    ] = None
    tol: Annotated[
        float | None, typer.Option(metavar="LOSS", help="Stop at this loss on the clean examples. [default: 1e-8]")
    ] = None
    batch: Annotated[int | None, typer.Option(min=1, metavar="N", help="Examples per step. [default: all]")] = None
    time_limit: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Stop training after this time. [default: no limit]"),
    ] = None
    checkpoint: Annotated[Path | None, typer.Option(metavar="FILE", help="Save training here every few seconds.")] = (
        None
    )
    resume: Annotated[bool, typer.Option("--resume", help="Continue from --checkpoint if it exists.")] = False
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any other setting, such as training.momentum=0.9, augmentation.copies=4 or "
            "source.start=2.5; repeatable. A wrong name lists all names.",
        ),
    ] = None
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A TOML file with settings in tables [training], [augmentation], [source]."),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Options of the file and of what is printed."""

    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The memory file to write.")]
    patterns: Annotated[bool, typer.Option("--patterns/--no-patterns", help="Keep the examples in the file.")] = True
    recovery_atol: RecoveryAtol = None
    as_json: Json = False


@with_panels
def store(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Films, sound, texts, pan:FRAMES, image files or folders, .npy, .npz, .csv, 'points:X,Y;X,Y', "
            "points:click (in a window), digits, faces, natural, mnist:DIR, cifar10:DIR, imagenet64:DIR.",
        ),
    ],
    source: Annotated[Source, "What to store"],
    method: Annotated[Method, "How to store it"],
    network: Annotated[Network, "Network"],
    training: Annotated[Training, "Training"],
    output: Annotated[Output, "Output"],
) -> int:
    """Store examples as attractors of a network, certify each one, and write one file.

    Depth is the number of hidden layers. Exits with 0 if every example is a certified attractor, and with 1 if not. The
    file is written in both cases and records the result.

    Sequences: attrax store clip.mp4 --size 64x64 --gray -o film.attrax stores a film as one cycle. --as sequence does
    the same with the images of a folder.

    Example: attrax store faces --n 20 -o faces.attrax
    """
    check_output_file(output.output, "--output")
    read_from = [Path(name) for name in [*sources, *(source.single or [])]]
    check_differ(output.output, "--output", read_from, "the sources")
    check_checkpoint(training.checkpoint, training.resume, output.output)
    settings = _settings(source, method, training)
    writer = _writer(method.writer, network, training, settings)
    recipe = _recipe(method.writer, network)
    sources = [_clicked(name) for name in sources]
    selection = _selection(source, method.seed, sources, settings)
    examples = _read(sources, selection)
    near = near_record(examples.patterns)
    warn_of_near(near, examples.patterns)
    memory = _write(examples, writer, recipe, training, output.recovery_atol, method.seed)
    facts = ({"ambiguities": near} if near else {}) | ({"media": examples.facts} if examples.facts else {})
    drawn = {} if recipe is None else {name: value for name, value in recipe.keywords.items() if name != "activation"}
    memory.written.update(drawn, seed=method.seed, sources=list(sources), selection=selection, **facts)
    return _finish(memory, examples, output)


def _settings(source: Source, method: Method, training: Training) -> dict[str, Setting]:
    """Everything given that the writer and the readers of sources take, by `section.name`."""
    from attrax import training as records
    from attrax.sources import MEDIA

    allowed = {
        "training": tuple(field.name for field in fields(records.Training)),
        "augmentation": tuple(field.name for field in fields(records.Augmentation)),
        "source": MEDIA,
    }
    options = {
        "training.optimizer": (training.optimizer, "--optimizer"),
        "training.learning_rate": (training.lr, "--lr"),
        "training.epochs": (training.epochs, "--epochs"),
        "training.tol": (training.tol, "--tol"),
        "training.batch": (training.batch, "--batch"),
        "training.time_limit": (training.time_limit, "--time-limit"),
        "augmentation.noise": (method.noise, "--noise"),
        "augmentation.corruptions": (method.train_corruption, "--train-corruption"),
        **{f"source.{name}": (getattr(source, name), f"--{name}") for name in ("fps", "hop")},
    }
    given = {key: Setting(value, said) for key, (value, said) in options.items() if value is not None}
    return with_options(read_settings(training.assignments or [], training.config, allowed), given)


def _of(section: str, settings: dict[str, Setting]) -> dict[str, Setting]:
    """The settings of one section by their names in it."""
    return {key.partition(".")[2]: setting for key, setting in settings.items() if key.startswith(f"{section}.")}


def _writer(name: str, network: Network, training: Training, settings: dict[str, Setting]) -> Any:
    """The writer of this name. **Raises** `ValueError` for anything given that it would not heed."""
    from attrax.writing import writer_kind

    kind, given, chosen = writer_kind(name), _of("training", settings) | _of("augmentation", settings), _chosen(network)
    own = kind.network == "own"
    refused = [setting.said for key, setting in given.items() if key not in kind.settings]
    refused += [f"--{option}" for option in chosen if own and option not in kind.options]
    if training.checkpoint is not None and not kind.settings:
        refused.append("--checkpoint")
    if refused:
        raise ValueError(f"{min(refused)} does not apply to --writer {name}; leave it out")
    return kind.make(**(chosen if own else {}), **{key: setting.value for key, setting in given.items()})


def _chosen(network: Network) -> dict[str, Any]:
    """What was asked of the network."""
    values = {field.name: getattr(network, field.name) for field in fields(network)}
    return {name: value for name, value in values.items() if value is not None}


def _recipe(writer: str, network: Network) -> "partial[Any] | None":
    """How to make the network that is trained; `None` where the writer makes its own."""
    from attrax.maps import mlp
    from attrax.writing import writer_kind

    chosen, needed = _chosen(network), writer_kind(writer).network
    if needed == "own" or (needed == "chosen" and not chosen):
        return None
    activation = activation_of(chosen.get("activation", "relu"))
    if network.bias is False and activation.homogeneous:
        typer.echo(
            f"attrax: {activation} without biases can store nothing: 1 is an eigenvalue at every fixed point", err=True
        )
    defaults = {
        "width": 512,
        "depth": 5,
        "activation": "relu",
        "init": activation.init,
        "bias": True,
        "dtype": "float32",
    }
    return partial(mlp, **(defaults | chosen))


def _clicked(source: str) -> str:
    """What was clicked in a window, as a source that needs none, for the record and whoever clicked; others as given."""
    from attrax.sources import CLICKED, click_points

    if source != CLICKED:
        return source
    points = click_points()
    typer.echo(f"attrax: clicked {points}", err=True)
    return points


def _selection(source: Source, seed: int, sources: list[str], settings: dict[str, Setting]) -> dict[str, Any]:
    """Which examples are taken, and how: what stands on record, so that they can be read again."""
    from attrax.sources import is_sequence

    return {
        "n": source.n,
        "shuffle": source.shuffle,
        "seed": seed,
        "size": source.size,
        "fit": source.fit,
        "gray": source.gray,
        "range": source.value_range,
        "recursive": source.recursive,
        "skip_unreadable": source.skip_unreadable,
        "kind": source.kind or ("sequence" if any(map(is_sequence, sources)) else "images"),
        "cycle_length": source.cycle_length,
        "indices": source.indices,
        "single": source.single and [_clicked(name) for name in source.single],
        "end": source.end,
        "context": source.context_frames,
        "media": {name: setting.value for name, setting in _of("source", settings).items()},
    }


def _read(sources: list[str], selection: dict[str, Any]) -> Any:
    with waiting("reading " + " ".join(sources[:3])):
        examples = read_selected(sources, selection)
    tell(examples)
    return examples


def _write(examples: Any, writer: Any, recipe: Any, training: Training, recovery_atol: float | None, seed: int) -> Any:
    import jax.random as jr

    from attrax.writing import store as store_patterns

    with progress_bar() as progress:
        return store_patterns(
            examples.patterns,
            recipe,
            writer=writer,
            checkpoint=training.checkpoint,
            resume=training.resume,
            recovery_atol=recovery_atol,
            progress=progress,
            key=jr.key(seed),
        )


def _finish(memory: Any, examples: Any, output: Output) -> int:
    """Writes the file, and says what came out."""
    from attrax import files

    files.save(output.output, memory, patterns=output.patterns)
    record = store_record(memory, output.output, [str(skipped) for skipped in examples.skipped])
    merged = merged_names(examples)
    tell_merged(merged)
    record |= {"merged_names": merged, "notes": list(examples.notes)}
    if output.as_json:
        print_json(record)
    else:
        _print(record, memory)
    return 0 if memory.certificate.all_attractors else 1


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
        "displaced": found.num_displaced,
        "not_attractors": found.num_not_attractors,
        "inconclusive": found.num_inconclusive,
        "spectral_radius": spread(found.spectral_radius),
        "file": str(file),
        "cycles": cycle_rows(found, memory.patterns),
        "open_sequences": open_sequence_rows(found, memory.patterns),
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
            f"displaced: {record['displaced']}, not attractors: {record['not_attractors']}, inconclusive: "
            f"{record['inconclusive']}. {memory.status.advice if memory.status else ''}"
        )
        print_reasons(memory.certificate)
    for attempt in record.get("attempts", []):
        print(
            f"attempt: {attempt['writer']}, {attempt['network']}, "
            f"{attempt['attractors']}/{attempt['cycles']} certified in {number(attempt['seconds'])} s"
        )
    if record.get("failed"):
        print(f"not certified: {', '.join(plain(memory.patterns.name(index)) for index in record['failed'])}")
    if record.get("closest_pair"):
        pair = record["closest_pair"]
        one, other = (plain(memory.patterns.name(index)) for index in pair["examples"])
        print(f"closest pair: {one} and {other}, {number(pair['distance'])} apart")
    print(f"written to {record['file']}")
