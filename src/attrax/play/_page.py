"""The page: its parts from the package, the memories from their files."""

import base64
import hashlib
import os
from collections.abc import Sequence
from html import escape
from importlib.resources import files as resources
from pathlib import Path

from attrax._base.files import read_regular, write_atomically
from attrax.files import load
from attrax.play._bundle import bundle


def _part(name: str) -> str:
    return (resources("attrax.play") / "static" / name).read_text("utf-8")


def _script(entry: str) -> str:
    text = bundle(entry, lambda name: _part(f"{name}.js"))
    if "</script" in text.lower() or "<!--" in text:
        raise ValueError(f"{entry}.js would end its element in the page early")
    return text


def play_page(memories: Sequence[str | os.PathLike[str]] = ()) -> str:
    """The playground as one HTML page that needs no other file and makes no request.

    **Arguments:** `memories`: files that `attrax.save` wrote. Each is checked as `attrax.load` does and then stands in
    the page byte by byte; its name is that of the file.

    **Returns:** the page. **Raises** `attrax.files.MemoryFileError` for a file that is no memory, and `ValueError` for
    one without its patterns. Memories of other maps than fully connected networks are taken, but the page only says
    that it can't run them.

        >>> page = play_page()
        >>> page.startswith("<!doctype html>"), "http://" in page or "https://" in page
        (True, False)
    """
    held: list[str] = []
    for path in memories:
        # The page reads it by itself, but what is wrong is better said here.
        if load(path).patterns is None:
            raise ValueError(
                f"{Path(path)} was saved without its patterns, and only they tell what came back; save it with them"
            )
        content = base64.b64encode(read_regular(path)).decode("ascii")
        name = escape(Path(path).name, quote=True)
        held.append(f'<script type="text/plain" class="memory" data-name="{name}">{content}</script>\n')
    script, worker = _script("app"), _script("worker")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    policy = (
        f"default-src 'none'; script-src 'sha256-{digest}' blob:; worker-src blob:; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    page = _part("page.html")
    for mark, text in {
        "@POLICY@": policy,
        "@STYLE@": _part("page.css"),
        "@MEMORIES@": "".join(held),
        "@WORKER@": worker,
        "@SCRIPT@": script,
    }.items():
        before, found, after = page.partition(mark)
        assert found, f"page.html has no {mark}"
        page = before + text + after
    return page


def write_play_page(path: str | os.PathLike[str], memories: Sequence[str | os.PathLike[str]] = ()) -> Path:
    """Writes `play_page(memories)` to a file, which is replaced atomically.

    **Returns:** the path. **Raises** `attrax.files.MemoryFileError` as `play_page` does, and `ValueError` if the file
    can't be written.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_play_page(f"{folder}/play.html").name
        'play.html'
    """
    return write_atomically(Path(path), play_page(memories).encode())
