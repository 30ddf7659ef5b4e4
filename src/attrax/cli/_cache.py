"""What JAX compiled for one command is there for the next: its compilation cache, in the user's cache folder."""

import os
import sys
from collections.abc import MutableMapping
from pathlib import Path

_MOST = 2**30
"""Bytes that the folder may hold; beyond, the oldest half goes."""


def keep_compiled(environment: MutableMapping[str, str] = os.environ) -> None:
    """Has JAX keep what it compiles in `ATTRAX_CACHE`, by default the folder `attrax` in the user's cache folder.

    Whoever sets `ATTRAX_CACHE=off` or JAX's own variables decides alone. Where the folder can't be written to, or JAX
    is there already, nothing is kept.
    """
    wanted = environment.get("ATTRAX_CACHE", "")
    if wanted.lower() == "off" or "JAX_COMPILATION_CACHE_DIR" in environment or "jax" in sys.modules:
        return
    try:
        folder = Path(wanted).expanduser().absolute() if wanted else _default()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            return
        _make_room(folder)
    except (OSError, RuntimeError):  # no such folder, no home
        return
    environment["JAX_COMPILATION_CACHE_DIR"] = str(folder)
    # Small networks compile to many small functions, each of which takes less than JAX's threshold of a second.
    environment.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    environment.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")


def _default() -> Path:
    import platformdirs

    return platformdirs.user_cache_path("attrax", appauthor=False) / "compiled"


def _make_room(folder: Path) -> None:
    with os.scandir(folder) as entries:
        files = [(entry.stat(), entry.path) for entry in entries if entry.is_file(follow_symlinks=False)]
    size = sum(about.st_size for about, _ in files)
    if size <= _MOST:
        return
    for about, path in sorted(files, key=lambda file: file[0].st_mtime):
        Path(path).unlink(missing_ok=True)
        size -= about.st_size
        if size <= _MOST / 2:
            return
