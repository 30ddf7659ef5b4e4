"""attrax store."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

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
    load_sources,
)
from attrax.cli._output import number, print_json, spread
from attrax.cli._progress import progress_bar

_WRITERS = ("gradient", "kfac", "pseudoinverse", "margin")
_ALWAYS = {"sources", "output", "writer", "n", "shuffle", "size", "gray", "skip_unreadable", "seed", "patterns", "tol"}
"""Parameters that every writer takes."""


def _check_applies(context: typer.Context, writer: str) -> None:
    """**Raises** `ValueError` for an option that was given and that this writer would not heed."""
    if writer == "gradient":
        return
    for name in context.params:
        given = context.get_parameter_source(name)
        if given is None or given.name != "COMMANDLINE" or name in _ALWAYS or name == "as_json":
            continue
        if writer != "kfac" or name in ("optimizer", "lr", "momentum", "weight_decay"):
            raise ValueError(f"--{name.replace('_', '-')} does not apply to --writer {writer}; leave it out")


def store(
    context: typer.Context,
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...",
            help="Image files or folders, .npy, .npz, digits, faces, natural, mnist:DIR, cifar10:DIR, imagenet64:DIR.",
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The memory file to write.")],
    writer: Annotated[
        str,
        typer.Option(
            help="How to write: gradient (the paper), kfac (fewer, larger steps), pseudoinverse or margin (written down, not "
            "trained)."
        ),
    ] = "gradient",
    n: Number = None,
    shuffle: Shuffle = False,
    size: Size = None,
    gray: Gray = False,
    skip_unreadable: SkipUnreadable = False,
    width: Annotated[int, typer.Option(min=1, help="Units of each hidden layer.")] = 512,
    depth: Annotated[int, typer.Option(min=1, help="Number of hidden layers.")] = 5,
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
    optimizer: Annotated[str, typer.Option(help="gd, momentum, momentum_decay, rmsprop or adam.")] = "adam",
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
    tol: Annotated[float, typer.Option(help="Loss to stop at, on the clean examples.")] = 1e-8,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Passes through the data at most. [default: 1000000; 3000 with noise or the like, which runs them all]",
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

    Example: attrax store faces --n 20 --width 256 --depth 4 --noise 0.2 -o faces.attrax
    """  # fmt: skip
    import jax.random as jr

    from attrax import _checks, _io
    from attrax.maps import mlp
    from attrax.training import CONSTRUCTIONS
    from attrax.writing import Constructed, Gradient
    from attrax.writing import store as store_patterns

    _checks.one_of("--writer", writer, _WRITERS)
    _check_applies(context, writer)
    _checks.one_of("--dtype", dtype, ("float32", "float64"))
    settings = (
        Constructed(writer, tol=tol)
        if writer in CONSTRUCTIONS
        else Gradient(
            optimizer="kfac" if writer == "kfac" else optimizer,
            learning_rate=lr,
            momentum=momentum,
            weight_decay=weight_decay,
            batch=batch,
            copies=copies,
            noise=noise,
            coordinate_noise=coordinate_noise,
            corruptions=tuple(train_corruption or ()),
            deviation=deviation,
            penalty=penalty,
            coordinates=coordinates,
            polish=polish,
            tol=tol,
            epochs=epochs,
        )
    )
    check_output_file(output, "--output")
    check_differ(output, "--output", [Path(source) for source in sources], "the sources")
    check_checkpoint(checkpoint, resume, output)
    if init is None:
        init = "kaiming_uniform" if activation in ("relu", "leaky_relu") else "pytorch"
    if not bias and activation in ("relu", "leaky_relu", "identity"):
        typer.echo(
            f"attrax: {activation} without biases can store nothing: 1 is an eigenvalue at every fixed point", err=True
        )
    examples = load_sources(
        sources, n=n, shuffle=shuffle, seed=seed, size=size, gray=gray, skip_unreadable=skip_unreadable
    )
    for skipped in examples.skipped:
        typer.echo(f"attrax: left out {skipped}", err=True)
    network = partial(mlp, width=width, depth=depth, activation=activation, init=init, bias=bias, dtype=dtype)
    with progress_bar() as progress:
        memory = store_patterns(
            examples.values, network, writer=settings, checkpoint=checkpoint, resume=resume, progress=progress,
            key=jr.key(seed),
        )  # fmt: skip
    trained = {"width": width, "depth": depth, "init": init, "bias": bias, "dtype": dtype}
    network_record = {"seed": seed} | ({} if writer in CONSTRUCTIONS else trained)
    selection = {"n": n, "shuffle": shuffle, "seed": seed, "size": size, "gray": gray,
                 "skip_unreadable": skip_unreadable}  # fmt: skip
    memory.written.update(network_record, sources=list(sources), selection=selection)
    _io.save(output, memory, patterns=patterns)
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
        "status": str(memory.status),
        "moved": spread((moved.reshape(len(moved), -1) ** 2).sum(axis=1) ** 0.5),
        "merged": [list(pair) for pair in memory.patterns.merged],
        "skipped": skipped,
    }


def _print(record: dict[str, Any], memory: Any) -> None:
    radius = record["spectral_radius"]
    print(f"{record['examples']} examples of {record['dimension']} values, loss {number(record['loss'])} "
          f"after {record['epochs']} epochs, {number(record['seconds'])} s")  # fmt: skip
    print(f"spectral radius: median {number(radius['median'])}, largest {number(radius['max'])}")
    print(f"{record['attractors']}/{record['examples']} certified")
    if not memory.certificate.all_attractors:
        print(f"not attractors: {record['not_attractors']}, inconclusive: {record['inconclusive']}. "
              f"{memory.status.advice if memory.status else ''}")  # fmt: skip
    print(f"written to {record['file']}")
