"""attrax theory lambda, corollary1 and sequence: the formulas."""

from typing import Annotated, Any

import typer

from attrax.cli._options import Json, known_activation
from attrax.cli._output import print_json
from attrax.cli._progress import waiting

Activation = Annotated[
    str,
    typer.Option(metavar="NAME", callback=known_activation, help="sigmoid, tanh, z^0.5, …; a wrong name lists all."),
]
Width = Annotated[int, typer.Option("--k", help="Width: units in each hidden layer.")]
Norm = Annotated[float, typer.Option(help="‖x‖ of the example.")]


def lambda_(
    activation: Activation = "sigmoid",
    k: Width = 2,
    u0: Annotated[
        str, typer.Option(metavar="U,…", help="Initial scale of the last layer; k numbers for unequal units.")
    ] = "1",
    v0: Annotated[
        str, typer.Option(metavar="V,…", help="Initial scale of the first layer; k numbers for unequal units.")
    ] = "1",
    depth: Annotated[int, typer.Option(help="Hidden layers.")] = 1,
    w0: Annotated[
        str | None,
        typer.Option(
            metavar="W,…", help="Initial scales of the depth − 1 layers in between; one number applies to all."
        ),
    ] = None,
    norm: Norm = 1.0,
    target_norm: Annotated[float | None, typer.Option(help="‖y‖ if x is trained to map to y; by default ‖x‖.")] = None,
    as_json: Json = False,
) -> int:
    """The network that training on one example ends in, and the top eigenvalue of its Jacobian.

    Theorems 1 to 3, the deep theorem and Corollary 2. Exits with 0 if there is an answer, and with 1 if training does
    not reach zero error; `status` says why.

    Example: attrax theory lambda --activation sigmoid --k 2 --u0 1 --v0 1 --depth 1 --json
    """
    from attrax.theory import single_example

    w = [] if w0 is None else _numbers("--w0", w0)
    if w0 is None and depth > 1:
        raise ValueError(f"--w0 must be given when --depth is above 1: one number, or {depth - 1} parted by commas")
    if len(w) == 1:
        w = w * (depth - 1)
    with waiting("theory"):
        answer = single_example(
            activation, k, _one_or_more("--u0", u0), _one_or_more("--v0", v0), depth, w, norm, target_norm=target_norm
        )
    record = _record(answer)
    if as_json:
        print_json(record)
    else:
        for name in ("u", "w", "v", "h", "factors", "top_eigenvalue"):
            if name != "w" or answer.depth > 1:
                print(f"{name:<15} {_shown(getattr(answer, name))}")
        print(f"{'attractor':<15} {_verdict(answer.attractor)}")
        print(f"{'status':<15} {answer.status}: {answer.status.advice}")
    return 0 if answer.status.interpolates else 1


def corollary1(
    activation: Activation = "sigmoid",
    v: Annotated[
        float | None, typer.Option(help="Scale of the first layer; without it, only the intervals are printed.")
    ] = None,
    k: Width = 2,
    norm: Norm = 1.0,
    low: Annotated[float, typer.Option(help="Lower end of the search for intervals.")] = -10.0,
    high: Annotated[float, typer.Option(help="Upper end of the search.")] = 10.0,
    as_json: Json = False,
) -> int:
    """Networks that interpolate an example without making it an attractor, and the intervals where they exist.

    Exits with 1 if the network given by --v has an attractor or does not exist, and with 0 otherwise.

    Example: attrax theory corollary1 --activation sigmoid --k 2 --v -2 --json
    """
    from attrax.theory import admissible_intervals
    from attrax.theory import corollary1 as construct

    network = None if v is None else construct(activation, k, v, norm)
    with waiting("intervals"):
        answer = admissible_intervals(activation, low, high)
    record: dict[str, Any] = {
        "activation": activation,
        "low": low,
        "high": high,
        "intervals": answer.intervals,
        "undecided": answer.undecided,
        "intervals_status": str(answer.status),
    }
    if network is not None:
        record |= network.as_dict()
    status = 1 if network is not None and str(network.status) != "solved" else 0
    if as_json:
        print_json(record)
        return status
    spans = ", ".join(f"({a:.10g}, {b:.10g})" for a, b in answer.intervals)
    print(f"{'no attractor':<15} {spans or 'nowhere'} ({answer.status}, within [{low:g}, {high:g}])")
    if network is not None:
        for name in ("u", "v", "h", "top_eigenvalue"):
            print(f"{name:<15} {_shown(getattr(network, name))}")
        print(f"{'attractor':<15} {_verdict(network.attractor)}")
        print(f"{'status':<15} {network.status}: {network.status.advice}")
    return status


def sequence(
    networks: Annotated[
        list[str],
        typer.Argument(
            metavar="NETWORK…", help="ACTIVATION:k=K:u0=U:v0=V, and depth, w0=W,…, norm, target_norm if needed."
        ),
    ],
    as_json: Json = False,
) -> int:
    """The top eigenvalue of a cycle through several networks, the i-th trained to map x_i to x_{i+1} (Theorem 4).

    Exits with 0 if there is an answer, and with 1 if one of the networks has none.

    Example: attrax theory sequence swish:k=3:u0=0.4:v0=0.5 swish:k=3:u0=-0.4:v0=-0.5 --json
    """
    from attrax.theory import sequence as through

    with waiting("theory"):
        nets = [_network(text) for text in networks]
    cycle = through(nets)
    record = {
        **cycle.as_dict(),
        "networks": [_record(net) for net in nets],
    }
    if as_json:
        print_json(record)
    else:
        for text, factor in zip(networks, cycle.factors, strict=True):
            print(f"{text:<40} {_shown(factor)}")
        print(f"{'top_eigenvalue':<40} {_shown(cycle.top_eigenvalue)}")
        print(f"{'attractor':<40} {_verdict(cycle.attractor)}")
        print(f"{'status':<40} {cycle.status}: {cycle.status.advice}")
    return 0 if cycle.status.interpolates else 1


def _numbers(option: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(
            f"{option} must be a number, or numbers parted by commas such as 0.5,0.2; got {text!r}"
        ) from None


def _one_or_more(option: str, text: str) -> float | list[float]:
    found = _numbers(option, text)
    return found[0] if len(found) == 1 else found


_NUMBERS = {"u0", "v0", "w0"}
_REALS = {"norm", "target_norm"}
_INTEGERS = {"k", "depth"}


def _network(text: str) -> Any:
    """The theory's record of a network written as `sigmoid:k=2:u0=1:v0=1`."""
    from attrax.theory import single_example

    activation, *parts = text.split(":")
    options: dict[str, Any] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if not equals or name not in _NUMBERS | _REALS | _INTEGERS or name in options:
            raise ValueError(
                f"a network must be ACTIVATION:k=K:u0=U:v0=V with depth, w0, norm, target_norm where wanted, each once; "
                f"got {part!r} in {text!r}"
            )
        if name in _INTEGERS:
            if not value.isascii() or not value.isdigit():
                raise ValueError(f"{name} must be an integer; got {value!r} in {text!r}")
            options[name] = int(value)
        else:
            found = _numbers(f"{name} in {text!r}", value)
            if name in _REALS and len(found) > 1:
                raise ValueError(f"{name} must be one number; got {value!r} in {text!r}")
            options[name] = found if name == "w0" or len(found) > 1 else found[0]
    missing = [name for name in ("k", "u0", "v0") if name not in options]
    if missing:
        raise ValueError(f"a network needs k, u0 and v0; {', '.join(missing)} missing in {text!r}")
    w0 = options.get("w0", [])
    depth = options.setdefault("depth", len(w0) + 1)
    options["w0"] = w0 * (depth - 1) if len(w0) == 1 else w0
    return single_example(activation, **options)


def _record(answer: Any) -> dict[str, Any]:
    return {**answer.as_dict(), "advice": answer.status.advice}


def _shown(value: Any) -> str:
    if hasattr(value, "__len__"):
        return ", ".join(f"{x:.10g}" for x in value)
    return f"{value:.10g}"


def _verdict(attractor: bool | None) -> str:
    return {True: "yes", False: "no", None: "–"}[attractor]
