"""attrax play."""

from pathlib import Path
from typing import Annotated

import typer

from attrax.cli._options import Json, check_differ, check_output_file
from attrax.cli._output import print_json
from attrax.cli._progress import waiting


def play(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE...", help="Memories written by attrax store, to have in the page."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="PAGE.html", help="Write the page here and do not open it."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Open the playground in the browser: train networks on points of the plane, damage pictures and watch them come back, play films and sounds.

    It is one HTML page that needs no server and makes no request. Without FILE it has no memories; .attrax files and
    pictures can be dropped on it.

    Example: attrax play faces.attrax film.attrax -o page.html
    """
    if output is not None:
        check_output_file(output, "--output")
        check_differ(output, "--output", files or [], "the memories to be read")
    page = _write(output, files or [])
    opened = output is None and _open(page)
    if as_json:
        print_json({"page": str(page), "memories": [str(file) for file in files or []], "opened": opened})
    else:
        print(f"page: {page}")
        if output is None and not opened:
            print("no browser could be started; open the page in one")
    return 0


@waiting("writing the page")
def _write(output: Path | None, files: list[Path]) -> Path:
    import tempfile

    from attrax.play import write_play_page

    if output is None:
        # The browser reads it after this command has ended, so it stays.
        output = Path(tempfile.mkdtemp(prefix="attrax-play-")) / "page.html"
    return write_play_page(output, files).resolve()


def _open(page: Path) -> bool:
    import webbrowser

    try:
        return webbrowser.open(page.as_uri())
    except webbrowser.Error:
        return False
