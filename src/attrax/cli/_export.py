"""attrax export."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from attrax.cli._maps import MapName
from attrax.cli._memory_files import File, load_complete
from attrax.cli._options import Json, check_output_file
from attrax.cli._output import number, print_json
from attrax.cli._progress import waiting


def export(
    file: File,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="FILE", help="What to write: model.onnx, or model.pt2 for PyTorch."),
    ],
    dtype: Annotated[
        Literal["float32", "float64"],
        typer.Option("--dtype", metavar="float32|float64", help="The precision of weights, states and arithmetic."),
    ] = "float32",
    map_name: MapName = None,
    as_json: Json = False,
) -> int:
    """Write the network of a memory for other programs: as an ONNX file, or as a program of torch.export.

    It takes batches of states to the batches of next states. Its outputs are compared with those of the memory first.

    Example: attrax export faces.attrax -o faces.onnx
    """
    from attrax.foreign import export as export_map

    if output.suffix not in (".onnx", ".pt2"):
        raise ValueError(f"--output must end in .onnx or .pt2; got {str(output)!r}")
    check_output_file(output, "--output")
    with waiting("reading the memory"):
        memory = load_complete(file, map_name)
    with waiting(f"writing {output.name}"):
        made = export_map(memory, output, dtype=dtype)
    if as_json:
        print_json({"file": str(made.path), "difference": made.difference, "against": made.against})
    else:
        print(
            f"wrote {made.path}: outputs equal within {number(made.difference)} of the largest, as {made.against} computes them"
        )
    return 0
