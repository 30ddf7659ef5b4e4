"""attrax audit."""

import math
import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from attrax._base.arguments import printable
from attrax.cli._audit_text import print_audit
from attrax.cli._options import (
    Gray,
    Json,
    Seed,
    Size,
    SkipUnreadable,
    check_differ,
    check_output_file,
    load_sources,
)
from attrax.cli._output import print_json
from attrax.cli._progress import progress_bar, waiting


def audit(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="An ONNX file.")],
    kind: Annotated[
        Literal["image", "latent", "state"],
        typer.Option(
            "--map",
            metavar="image|latent|state",
            help="What is iterated: image, the whole network; latent, the code of an autoencoder (--split or --decoder); "
            "state, the state of a recurrent network (--state).",
        ),
    ] = "image",
    describe: Annotated[
        bool, typer.Option("--describe", help="Only list inputs, outputs and shapes, and propose commands.")
    ] = False,
    train: Annotated[
        list[str] | None,
        typer.Option("--train", "--data", metavar="SOURCE", help="Training data: any source; repeatable."),
    ] = None,
    held_out: Annotated[
        list[str] | None,
        typer.Option(metavar="SOURCE", help="Examples of the same kind that it was not trained on; repeatable."),
    ] = None,
    n: Annotated[int | None, typer.Option("--n", min=1, help="Take the first N training examples.")] = None,
    held_out_n: Annotated[int | None, typer.Option(min=1, help="Take the first N held-out examples.")] = None,
    split: Annotated[
        str | None, typer.Option(metavar="NODE", help="For latent: the node whose output is the code.")
    ] = None,
    decoder: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For latent: the decoder, if MODEL is only the encoder.")
    ] = None,
    state: Annotated[
        list[str] | None,
        typer.Option(metavar="IN=OUT", help="For state: an input, and the output that is its next value; repeatable."),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="NAME=VALUE",
            help="The value of a further input: zeros:1x576, a number, tone:200:1x576 (hertz), or a .npy file. For "
            "state, also values in turn: cycle:FILE.npy (steps first) or cycle:tone:200:1x576:STEPS. Repeatable.",
        ),
    ] = None,
    rate: Annotated[int, typer.Option(min=1, metavar="HERTZ", help="Samples per second of tones.")] = 16_000,
    step_seconds: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="How long one step lasts, to print times in seconds.")
    ] = None,
    from_input: Annotated[str | None, typer.Option("--from", metavar="NAME", help="For image: the input.")] = None,
    to_output: Annotated[str | None, typer.Option("--to", metavar="NAME", help="For image: the output.")] = None,
    shape: Annotated[
        str | None, typer.Option(metavar="1x28x28", help="The shape of a state, where the file leaves it open.")
    ] = None,
    starts: Annotated[int, typer.Option(min=1, help="How many starts from noise and blends.")] = 200,
    walks: Annotated[
        int,
        typer.Option(
            min=0,
            help="Further starts that noise and the network make in turn, without the data: they find attractors that "
            "plain noise misses. Take some for each attractor you expect.",
        ),
    ] = 0,
    corruption: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND:LEVEL", help="Corruptions of the examples; repeatable. [default: gaussian 0.1, 0.3]"
        ),
    ] = None,
    false_rate: Annotated[
        float, typer.Option(help="The rate of false accusations; 0.01 needs 99 held-out examples.")
    ] = 0.01,
    together: Annotated[
        bool,
        typer.Option(
            "--together",
            help="Hold that rate for all accused examples together (Benjamini and Hochberg). For K of N examples to be "
            "called memorized, it needs N/(K·rate) - 1 held-out ones.",
        ),
    ] = False,
    recovery_atol: Annotated[
        float | None, typer.Option(metavar="DISTANCE", help="How far an attractor may lie from its example.")
    ] = None,
    tolerance: Annotated[
        float, typer.Option(help="Change per step, in units, at which Newton's method takes over.")
    ] = 1e-5,
    max_steps: Annotated[int, typer.Option(min=1, help="Maximum number of applications of the network.")] = 10_000,
    confidence: Annotated[float, typer.Option(help="Confidence of the bounds.")] = 0.95,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE.html", help="Write a page with pictures and tables.")
    ] = None,
    size: Size = None,
    gray: Gray = False,
    skip_unreadable: SkipUnreadable = False,
    seed: Seed = 0,
    as_json: Json = False,
) -> int:
    """Ask a network that was made elsewhere what it remembers: where its states go, and which training examples it holds.

    Starts are iterated, their ends refined and certified. With --train, each example gets a verdict; with --held-out,
    a p-value and whether it is memorized. Exits with 0 whatever it finds.

    Example: attrax audit model.onnx --train digits --n 20
    """
    import jax.random as jr

    import attrax.audit as auditing
    from attrax import foreign

    _check_belongs(
        kind,
        {
            "--split": ("latent", split),
            "--decoder": ("latent", decoder),
            "--state": ("state", state),
            "--from": ("image", from_input),
            "--to": ("image", to_output),
        },
    )
    if kind == "state" and shape is not None:
        raise ValueError("--shape is not for --map state, whose shape is that of its inputs; leave it out")
    _check_needs("--train", train, {"--n": n, "--held-out": held_out, "--corruption": corruption})
    _check_needs("--train", train, {"--recovery-atol": recovery_atol, "--size": size, "--gray": gray})
    _check_needs("--held-out", held_out, {"--held-out-n": held_out_n, "--together": together})
    if step_seconds is not None and not (math.isfinite(step_seconds) and step_seconds > 0):
        raise ValueError(f"--step-seconds must be a finite number above 0; got {step_seconds}")
    if output is not None:
        check_output_file(output, "--output")
        check_differ(output, "--output", [model, *([] if decoder is None else [decoder])], "the networks to be read")
    with waiting(f"reading {model.name}"):
        program = foreign.load(model)
    if describe:
        return _describe(auditing.proposals(program), model, as_json)
    fixed, driven = _inputs(inputs, program, rate)
    if driven and kind != "state":
        raise ValueError(f"--input: a cycle is for --map state, not for --map {kind}; give one value")
    sides = _shape(shape)
    data = None if not train else _load(train, n, size, gray, skip_unreadable)
    others = None if not held_out else _load(held_out, held_out_n, size, gray, skip_unreadable)
    if together and data is not None and others is not None:
        _tell_together(len(data), len(others), false_rate)
    facts: dict[str, Any] = {"file": str(model), "kind": kind, "seed": seed}
    chosen: dict[str, Any] = {"corruptions": tuple(corruption)} if corruption else {}
    network: Any
    view: Any = None
    with waiting(f"translating {model.name}"):
        if kind == "image":
            for option, name, known in (("--from", from_input, program.inputs), ("--to", to_output, program.outputs)):
                if name is not None and name not in known:
                    listed = ", ".join(printable(one, 60) for one in known)
                    raise ValueError(f"{option} must be one of {listed}; got {printable(name, 60)!r}")
            free = [printable(name, 60) for name in program.inputs if name not in fixed]
            if from_input is None and len(free) > 1:
                raise ValueError(
                    f"the network has the inputs {', '.join(free)}: name one with --from and give the others a value "
                    "with --input, or iterate the state of a recurrent network with --map state; see --describe"
                )
            made = foreign.from_onnx(model, input=from_input, output=to_output, fixed=fixed, shape=sides)
            network, facts["difference"], facts["against"] = made.map, made.difference, made.against
        elif kind == "state":
            network = auditing.state_map(program, _pairs(state), fixed=fixed, driven=driven)
            if driven:
                facts["steps_per_round"] = network.steps
                step_seconds = None if step_seconds is None else step_seconds * network.steps
        else:
            network = _latent(program, split, decoder, fixed, sides)
            layout = auditing.layout_of(network.outer_shape, None if data is None else data.shape[1:])
            view = auditing.LatentView(network, layout)
    facts["map"] = _text(network)
    with progress_bar() as progress:
        found = auditing.audit(
            network,
            data,
            others,
            view=view,
            num_starts=starts,
            num_walks=walks,
            **chosen,
            false_rate=false_rate,
            together=together,
            recovery_atol=recovery_atol,
            tolerance=tolerance,
            max_steps=max_steps,
            confidence=confidence,
            progress=progress,
            key=jr.key(seed),
        )
    if output is not None:
        from attrax.report import write_audit

        title = f"What {model.name} remembers"
        settings = _settings(facts, step_seconds)
        facts["page"] = str(write_audit(output, found, title=title, step_seconds=step_seconds, settings=settings))
    if as_json:
        record: dict[str, Any] = found.as_dict() | facts | {"step_seconds": step_seconds}
        if step_seconds is not None:
            for row in record["ends"]:
                constant = row["time_constant"]
                row["time_constant_seconds"] = None if constant is None else constant * step_seconds
        print_json(record)
        return 0
    print_audit(found, facts, step_seconds)
    return 0


def _tell_together(examples: int, held_out: int, rate: float) -> None:
    """Says beforehand how many examples must be accused at once; numbers that are refused later are passed over."""
    from attrax.audit import fewest_held_out, fewest_together

    if not 0 < rate < 1 or held_out < fewest_held_out(rate):
        return
    if (fewest := fewest_together(examples, held_out, rate)) < 2:
        return
    typer.echo(
        f"attrax: with {held_out} held-out examples, --together calls none or at least {fewest} of {examples} examples "
        f"memorized; to call a single one so, it needs {fewest_held_out(rate / examples):,}",
        err=True,
    )


def _settings(facts: dict[str, Any], step_seconds: float | None) -> dict[str, str]:
    """The facts for people who read the page."""
    found = {"file": facts["file"], "network": facts["map"], "map": facts["kind"], "seed": str(facts["seed"])}
    if facts.get("difference") is not None:
        found["compared with"] = f"{facts['against']}, within {facts['difference']:.1e} of the largest output"
    if "steps_per_round" in facts:
        found["inputs in a round, which is one step"] = str(facts["steps_per_round"])
    if step_seconds is not None:
        found["a step lasts"] = f"{step_seconds:g} s"
    return found


def _check_belongs(kind: str, options: dict[str, tuple[str, Any]]) -> None:
    for option, (wanted, value) in options.items():
        if value is not None and kind != wanted:
            raise ValueError(f"{option} is for --map {wanted}, not for --map {kind}; leave one of the two out")


def _check_needs(needed: str, given: Any, options: dict[str, Any]) -> None:
    for option, value in options.items():
        if value and not given:
            raise ValueError(f"{option} needs {needed} SOURCE; give it as well, or leave {option} out")


def _describe(found: Any, model: Path, as_json: bool) -> int:
    commands = [f"attrax audit {shlex.quote(str(model))} {one.options}" for one in found.proposals]
    if as_json:
        print_json(found.as_dict() | {"commands": commands})
        return 0
    for title, values in (("input", found.inputs), ("output", found.outputs)):
        for name, text in values.items():
            print(f"{title:<6}  {printable(name, 60)}  {text}")
    print(f"{found.nodes:,} nodes, {found.parameters:,} parameters")
    for one, command in zip(found.proposals, commands, strict=True):
        print(f"\n{one.kind}: {printable(one.reason)}\n  {printable(command)}")
    if not found.proposals:
        print(
            "no output has the shape of an input; name a state with --map state --state IN=OUT, or a code with --split"
        )
    return 0


def _inputs(texts: list[str] | None, program: Any, rate: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Constant values by the name of the input, and cycles of values."""
    from attrax.audit import input_cycle, input_value

    found: dict[str, Any] = {}
    driven: dict[str, Any] = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--input must be NAME=VALUE, such as rate=16000; got {text!r}")
        if name not in program.inputs:
            listed = ", ".join(printable(one, 60) for one in program.inputs)
            raise ValueError(f"--input: the network has no input {printable(name, 60)!r}; it has {listed}")
        if name in found or name in driven:
            raise ValueError(f"--input gives {printable(name, 60)!r} twice; leave one out")
        kind, _, rest = value.partition(":")
        if kind == "cycle":
            driven[name] = input_cycle(name, rest, program.inputs[name], rate=rate)
        else:
            found[name] = input_value(name, value, program.inputs[name], rate=rate)
    return found, driven


def _pairs(texts: list[str] | None) -> dict[str, str]:
    if not texts:
        raise ValueError("--map state needs --state IN=OUT; see --describe")
    parts = [text.partition("=") for text in texts]
    pairs = {name: output for name, _, output in parts}
    if len(pairs) < len(parts):
        raise ValueError(f"--state names an input twice; got {' '.join(texts)!r}")
    if len(set(pairs.values())) < len(pairs):
        raise ValueError(f"--state names an output twice; got {' '.join(texts)!r}")
    if not all(pairs.values()):
        raise ValueError(f"--state must be IN=OUT, such as state=stateN; got {' '.join(texts)!r}")
    return pairs


def _latent(program: Any, split: str | None, decoder: Path | None, fixed: Any, sides: Any) -> Any:
    from attrax import foreign
    from attrax.audit import latent_map, latent_map_of

    if (split is None) == (decoder is None):
        raise ValueError("--map latent needs either --split NODE or --decoder FILE; see --describe")
    if split is not None:
        return latent_map(program, split, fixed=fixed, shape=sides)
    assert decoder is not None  # one of the two is there
    return latent_map_of(program.fixed(fixed), foreign.load(decoder), shape=sides)


def _shape(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    parts = text.lower().split("x")
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise ValueError(f"--shape must be written as 1x28x28; got {text!r}")
    return tuple(int(part) for part in parts)


def _load(sources: list[str], n: int | None, size: str | None, gray: bool, skip_unreadable: bool) -> Any:
    return load_sources(sources, n=n, size=size, gray=gray, skip_unreadable=skip_unreadable).values


def _text(network: Any) -> str:
    from attrax.maps import describe

    found = describe(network)
    return f"{found.text}, {found.parameters:,} parameters"
