"""The option --devices, for commands that compute with many rows."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated

import typer


def _count(text: str | None) -> int | str | None:
    """The number, or `all`. Whether there are as many is known only where JAX is."""
    if text is None or text == "all":
        return text
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise typer.BadParameter(f"{text!r} is neither a number from 1 nor all.")
    return int(text)


_Devices = Annotated[
    str | None,
    typer.Option(
        metavar="N|all",
        callback=_count,
        help="Divide examples and cues among N devices of JAX. [default: one]",
        show_default=False,
    ),
]


def on_devices(function: Callable[..., int]) -> Callable[..., int]:
    """The same command with the option --devices, within `attrax.devices` if it is given."""
    signature = inspect.signature(function, eval_str=True)
    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in signature.parameters.values()]
    option = inspect.Parameter("devices", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_Devices)

    @functools.wraps(function)
    def command(*, devices: int | str | None = None, **given: object) -> int:
        if devices is None:
            return function(**given)
        if given.get("dask") is not None:
            raise ValueError("give either --devices or --dask: on a cluster, each worker computes on one device")
        from attrax import devices as among

        with among(devices):
            return function(**given)

    command.__dict__["__signature__"] = signature.replace(parameters=[*parameters, option])
    return command
