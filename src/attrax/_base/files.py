"""Files that are read, written and locked so that nothing hangs, nothing is half written, and nothing is lost."""

import contextlib
import hashlib
import os
import platform
import re
import secrets
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # not every system has it
    fcntl = None

_LEFT_OVER = re.compile(r"\.attrax-([0-9a-f]{8})-([0-9]{1,9})-[0-9a-f]{16}\.tmp")
_OLD = 24 * 3600
"""Seconds after which a temporary file belongs to nobody, whatever machine wrote it."""
_swept: set[Path] = set()
_sweeping = threading.Lock()


def check_regular(path: str | os.PathLike[str]) -> int:
    """The size of a regular file. Nothing is opened, so that a pipe does not wait for a writer.

    **Raises** `OSError` for a file that is not there, a folder, a pipe, a device or the like.
    """
    about = os.stat(path)
    if stat.S_ISDIR(about.st_mode):
        raise IsADirectoryError(0, "it is a folder, not a file", os.fspath(path))
    if not stat.S_ISREG(about.st_mode):
        raise OSError(0, f"it is {_kind(about.st_mode)}, not a regular file", os.fspath(path))
    return about.st_size


def read_regular(path: str | os.PathLike[str]) -> bytes:
    """The content of a regular file, and never more than its size. **Raises** `OSError` as `check_regular` does."""
    size = check_regular(path)
    with open(path, "rb") as file:
        return file.read(size)


def check_writable(path: str | os.PathLike[str]) -> Path:
    """The file that writing to `path` replaces: that which a link leads to.

    **Raises** `ValueError` where a folder, a pipe, a device or the like stands in its place.
    """
    path = Path(path)
    try:
        path = path.resolve() if path.is_symlink() else path
        mode = path.stat().st_mode
    except FileNotFoundError:
        return path
    except (OSError, RuntimeError) as error:  # a circle of links
        raise ValueError(f"{path} can't be written: {getattr(error, 'strerror', None) or error}") from None
    if not stat.S_ISREG(mode):
        raise ValueError(f"{path} can't be written: it is {_kind(mode)}, not a regular file. Choose another place")
    return path


def write_atomically(
    path: str | os.PathLike[str], content: bytes | Callable[[IO[bytes]], object], *, sync: bool = True
) -> Path:
    """Writes a file beside `path`, then renames it into place: a kill at any moment leaves the old file or the new.

    **Arguments:** `content`: bytes, or a function that writes them to a binary file. `sync`: wait until they are on the
    disk, so that a power cut leaves one of the two as well; for many small files that takes long.

    **Returns:** the path of the file, which is that of its target where `path` is a link. **Raises** `ValueError` where
    it can't be written.

    ```python
    >>> from attrax.extending import write_atomically
    >>> write_atomically("notes.txt", b"three faces").read_bytes()
    b'three faces'

    ```
    """
    path = check_writable(path)
    _remove_left_overs(path.parent)
    beside = path.with_name(f".attrax-{_machine()}-{os.getpid()}-{secrets.token_hex(8)}.tmp")
    try:
        with beside.open("xb") as file:
            if isinstance(content, bytes):
                file.write(content)
            else:
                content(file)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        if path.exists():
            beside.chmod(path.stat().st_mode & 0o7777)
        beside.replace(path)
    except (OSError, ValueError) as error:  # the latter of what does not fit the format of the file
        raise ValueError(f"{path} can't be written: {getattr(error, 'strerror', None) or error}") from None
    finally:
        with contextlib.suppress(OSError):  # a left-over, which a later run removes
            beside.unlink(missing_ok=True)
    return path


def certificate_file(checkpoint: str | os.PathLike[str]) -> Path:
    """Where `store` keeps finished certificates, beside the checkpoint of training.

    >>> certificate_file("faces.run").name
    'faces.run.certificate'
    """
    path = Path(checkpoint)
    return path.with_name(f"{path.name}.certificate")


@contextlib.contextmanager
def alone(path: str | os.PathLike[str]) -> Iterator[Callable[[], None]]:
    """Within it, nobody else who asks for the same may change the file, in this process or another.

    The lock is a file beside it, which the system frees when the process ends, however it ends. Where the system or the
    drive has no locks, there is none.

    **Yields** a function that raises `ValueError` where somebody who did not ask has changed the file since.

    **Raises** `ValueError` where another run holds the lock, or none can be made.

    ```python
    >>> from attrax.extending import alone, write_atomically
    >>> with alone("notes.txt") as check:
    ...     check()  # nobody has changed it
    ...     path = write_atomically("notes.txt", b"three faces")
    >>> path.name
    'notes.txt'

    ```
    """
    path = Path(path)
    path = path.resolve() if path.is_symlink() else path
    begun = _identity(path)

    def check() -> None:
        if _identity(path) != begun:
            raise ValueError(f"{path} was changed by another program meanwhile; start again from what it holds now")

    if fcntl is None:
        yield check
        return
    lock = path.with_name(f".{path.name[:200]}.lock")
    file = _locked(lock, path)
    try:
        yield check
    finally:
        with contextlib.suppress(OSError):  # a file that nobody locks is in nobody's way
            lock.unlink()
        os.close(file)


def _locked(lock: Path, path: Path) -> int:
    assert fcntl is not None  # `alone` makes no lock without it
    while True:
        try:
            file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        except OSError as error:
            raise ValueError(f"{path} can't be written: {error.strerror or error}") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise ValueError(f"another run is writing to {path}; wait until it ends, or name another file") from None
        except OSError:
            return file  # some network drives have no locks
        # Whoever held it before may have removed it between our opening and locking it.
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(file), os.stat(lock)):
                return file
        os.close(file)


def _identity(path: Path) -> tuple[int, ...] | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _machine() -> str:
    """What tells process numbers of this machine, or container, from those of another."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return hashlib.sha256(f"{platform.node()} {namespace}".encode()).hexdigest()[:8]


def _remove_left_overs(folder: Path) -> None:
    """Removes temporary files of processes that were killed; once a process and folder."""
    folder = folder.absolute()
    with _sweeping:
        if folder in _swept:
            return
        _swept.add(folder)
    # Tidying up must not keep anybody from writing: what can't be listed or removed stays.
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _LEFT_OVER.fullmatch(entry.name)
            if found is None or not entry.is_file(follow_symlinks=False):
                continue
            with contextlib.suppress(OSError):
                gone = found[1] == _machine() and not _lives(int(found[2]))
                if gone or time.time() - entry.stat(follow_symlinks=False).st_mtime > _OLD:
                    os.unlink(entry.path)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's, or the system has no such thing
        return True
    return True
