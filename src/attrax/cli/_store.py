"""attrax store."""

from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from attrax._base.files import certificate_file
from attrax.activations import activation as activation_of
from attrax.cli._devices import on_devices
from attrax.cli._examples import (
    merged_names,
    near_record,
    parse_context,
    parse_indices,
    read_selected,
    tell_merged,
    tell_notes,
    warn_of_near,
)
from attrax.cli._options import (
    check_checkpoint,
    check_differ,
    check_output_file,
    parse_range,
    parse_size,
)
from attrax.cli._output import print_json
from attrax.cli._pairs import paired
from attrax.cli._panels import with_panels
from attrax.cli._progress import progress_bar, waiting
from attrax.cli._settings import Setting, allowed_settings, read_settings, with_options
from attrax.cli._store_options import MethodOptions, NetworkOptions, OutputOptions, SourceOptions, TrainingOptions
from attrax.cli._store_record import print_store_record, store_record


@on_devices
@with_panels
def store(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Folders of images, image files, films, sound, texts, .npy, .npz or .csv. Built in: faces, digits, "
            "natural (photographs), pan:FRAMES (a camera over them). In a folder of yours: mnist:DIR, cifar10:DIR, "
            "imagenet64:DIR. Points: 'points:X,Y;X,Y', or points:click in a window.",
        ),
    ],
    source: Annotated[SourceOptions, "What to store"],
    method: Annotated[MethodOptions, "How to store it"],
    network: Annotated[
        NetworkOptions,
        "Network",
        "With auto, any of these options has a network of this kind trained by gradient (slower).",
    ],
    training: Annotated[TrainingOptions, "Training"],
    output: Annotated[OutputOptions, "Output"],
) -> int:
    """Store examples as attractors of a network, certify each one, and write one file.

    Depth is the number of hidden layers. Exits with 0 if every example is a certified attractor, and with 1 if not. The
    file is written in both cases and records the result.

    Sequences: attrax store clip.mp4 --size 64x64 --gray -o film.attrax stores a film as one cycle. --as sequence does
    the same with the images of a folder.

    Example: attrax store faces --n 20 -o faces.attrax

    Pairs: attrax store photos/ --with names.txt -o names.attrax stores the lines of a text with the pictures.
    """
    check_output_file(output.output, "--output")
    others = [source.targets] if source.targets else []
    read_from = [Path(name) for name in [*sources, *(source.single or []), *others]]
    check_differ(output.output, "--output", read_from, "the sources")
    check_checkpoint(training.checkpoint, training.resume, output.output)
    if training.checkpoint is not None:
        check_checkpoint(certificate_file(training.checkpoint), training.resume, output.output)
    # Before anything is imported that takes long, so that what can't be read is said at once.
    parse_size(source.size)
    parse_range(source.value_range)
    parse_indices(source.indices)
    parse_context(source.context_frames)
    settings = _settings(source, method, training)
    _check_sources(sources, source, settings)
    writer = _writer(method.writer, network, training, settings)
    recipe = _recipe(method.writer, network)
    if source.targets is not None and not output.patterns:
        raise ValueError("--with needs the examples in the file to answer with them; leave --no-patterns out")
    sources = [_clicked(name) for name in sources]
    selection = _selection(source, method.seed, sources, settings)
    examples = _read(sources, selection)
    letters = None
    if source.targets is None:
        patterns = examples.patterns
    else:
        patterns, letters = paired(examples, source.targets, selection)
    near = near_record(patterns)
    warn_of_near(near, patterns)
    memory = _write(patterns, writer, recipe, training, output.recovery_atol, method.seed)
    facts = ({"ambiguities": near} if near else {}) | ({"media": examples.facts} if examples.facts else {})
    facts |= {} if letters is None else {"letters": letters}
    drawn = {} if recipe is None else {name: value for name, value in recipe.keywords.items() if name != "activation"}
    memory.written.update(drawn, seed=method.seed, sources=list(sources), selection=selection, **facts)
    return _finish(memory, patterns, examples, output)


def _check_sources(names: list[str], source: SourceOptions, settings: dict[str, Setting]) -> None:
    """Tells what is missing, and what does not go together."""
    from attrax.sources import check_read, check_source

    single = source.single or []
    for name in [*names, *single, *([source.targets] if source.targets else [])]:
        check_source(name)
    check_read(
        *names,
        kind=source.kind,
        n=source.n,
        shuffle=source.shuffle,
        indices=parse_indices(source.indices),
        cycle_length=source.cycle_length,
        single=single,
        end=source.end,
        context=parse_context(source.context_frames),
        **{name: setting.value for name, setting in _of("source", settings).items()},
    )


def _settings(source: SourceOptions, method: MethodOptions, training: TrainingOptions) -> dict[str, Setting]:
    """All settings given for the writer and for reading sources, by `section.name`."""
    options = {
        "training.optimizer": (training.optimizer, "--optimizer"),
        "training.learning_rate": (training.lr, "--lr"),
        "training.epochs": (training.epochs, "--epochs"),
        "training.tol": (training.tol, "--tol"),
        "training.time_limit": (training.time_limit, "--time-limit"),
        "augmentation.noise": (method.noise, "--noise"),
        "augmentation.corruptions": (method.train_corruption, "--train-corruption"),
    }
    given = {key: Setting(value, said) for key, (value, said) in options.items() if value is not None}
    return with_options(read_settings(training.assignments or [], training.config, allowed_settings()), given)


def _of(section: str, settings: dict[str, Setting]) -> dict[str, Setting]:
    """The settings of one section, by their names without the section."""
    return {key.partition(".")[2]: setting for key, setting in settings.items() if key.startswith(f"{section}.")}


def _writer(writer_name: str, network: NetworkOptions, training: TrainingOptions, settings: dict[str, Setting]) -> Any:
    """The writer with this name. **Raises** `ValueError` for an option or setting that it does not take."""
    from attrax.writing import writer_kind

    kind, given, chosen = (
        writer_kind(writer_name),
        _of("training", settings) | _of("augmentation", settings),
        _chosen(network),
    )
    own = kind.network == "own"
    refused = [setting.said for key, setting in given.items() if key not in kind.settings]
    refused += [f"--{option}" for option in chosen if own and option not in kind.options]
    if refused:
        raise ValueError(f"{min(refused)} does not apply to --writer {writer_name}; leave it out")
    return kind.make(**(chosen if own else {}), **{key: setting.value for key, setting in given.items()})


def _chosen(network: NetworkOptions) -> dict[str, Any]:
    """The options of the network that were given."""
    values = {field.name: getattr(network, field.name) for field in fields(network)}
    return {name: value for name, value in values.items() if value is not None}


def _recipe(writer_name: str, network: NetworkOptions) -> "partial[Any] | None":
    """A recipe for the network to train; `None` if the writer makes its own."""
    from attrax.maps import mlp
    from attrax.writing import DEFAULT_NETWORK, writer_kind

    chosen, needed = _chosen(network), writer_kind(writer_name).network
    if needed == "own" or (needed == "chosen" and not chosen):
        return None
    activation = activation_of(chosen.get("activation", "relu"))
    if network.bias is False and activation.homogeneous:
        typer.echo(
            f"attrax: {activation} without biases can store nothing: 1 is an eigenvalue at every fixed point", err=True
        )
    defaults = {"activation": "relu", "bias": True, "dtype": "float32"}
    return partial(mlp, **(DEFAULT_NETWORK.keywords | defaults | {"init": activation.init} | chosen))


def _clicked(source: str) -> str:
    """For `points:click`, the clicked points as a source that needs no window, also shown to the user; other sources as
    given."""
    from attrax.sources import CLICKED, click_points

    if source != CLICKED:
        return source
    points = click_points()
    typer.echo(f"attrax: clicked {points}", err=True)
    return points


def _selection(source: SourceOptions, seed: int, sources: list[str], settings: dict[str, Setting]) -> dict[str, Any]:
    """Which examples are taken, and how. This is recorded in the file, so that they can be read again."""
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
    tell_notes(examples)
    return examples


def _write(
    patterns: Any, writer: Any, recipe: Any, training: TrainingOptions, recovery_atol: float | None, seed: int
) -> Any:
    import jax.random as jr

    from attrax.writing import store as store_patterns

    with progress_bar() as progress:
        return store_patterns(
            patterns,
            recipe,
            writer=writer,
            checkpoint=training.checkpoint,
            resume=training.resume,
            recovery_atol=recovery_atol,
            progress=progress,
            key=jr.key(seed),
        )


def _finish(memory: Any, patterns: Any, examples: Any, output: OutputOptions) -> int:
    """Saves the memory and prints the result."""
    from attrax import files

    files.save(output.output, memory, patterns=output.patterns)
    record = store_record(memory, output.output, [str(skipped) for skipped in examples.skipped])
    merged = merged_names(patterns, examples.names)
    tell_merged(merged)
    record |= {"merged_names": merged, "notes": list(examples.notes)}
    if output.as_json:
        print_json(record)
    else:
        print_store_record(record, memory)
    return 0 if memory.certificate.all_attractors else 1
