"""From the name or path of a source to the source."""

import difflib
import os
import re
from collections.abc import Callable
from pathlib import Path

from attrax.sources._arrays import array
from attrax.sources._clicked import CLICKED, click_points
from attrax.sources._pictures import folder, picture
from attrax.sources._points import points, table
from attrax.sources._published import cifar10, imagenet64, mnist
from attrax.sources._records import Source, SourceError
from attrax.sources._shipped import digits, faces, natural

SHIPPED: dict[str, Callable[[], Source]] = {"digits": digits, "faces": faces, "natural": natural}
_PUBLISHED: dict[str, tuple[Callable[[Path, str, bool], Source], str]] = {
    "mnist": (mnist, "mnist"),
    "cifar10": (cifar10, "cifar-10-batches-bin"),
    "imagenet64": (imagenet64, "imagenet64"),
}
_VARIABLE = "ATTRAX_DATA"
_ALLOWED = (
    "a folder of images, an image file, a .npy or .npz file (FILE.npz:NAME for one of several arrays), a .csv file, "
    "points:X,Y;X,Y;… (points:click opens a window to click them in), "
    f"{', '.join(SHIPPED)}, or {', '.join(_PUBLISHED)}, each with an optional folder and part, as in mnist:DIR@test"
)


def open_source(spec: str | os.PathLike[str], *, recursive: bool = True) -> Source:
    """The source that a spec names. A `Path` is always a path; a text may also be a name, and a name goes first.

    `recursive`: of a folder, whether the folders in it count.

    **Raises** `SourceError` for anything that is neither.
    """
    if isinstance(spec, str):
        # Before all else, as it may be too long to be looked at as a name or a path.
        if spec.startswith("points:") and spec != CLICKED:
            return points(spec)
        named = re.fullmatch(r"([A-Za-z0-9]+)(?::(.+?))?(?:@([A-Za-z]+))?", spec)
        if named and named[1] in SHIPPED:
            if named[2] or named[3]:
                raise SourceError(f"{spec!r}: {named[1]} has neither a folder nor parts; write {named[1]}")
            return SHIPPED[named[1]]()
        if spec == CLICKED:
            return points(click_points())
        if named and named[1] in _PUBLISHED:
            return _published(spec, named[1], named[2], named[3])
    elif not isinstance(spec, os.PathLike):
        raise SourceError(f"a source must be a text or a path: {_ALLOWED}; got {spec!r}")
    return _on_disk(os.fspath(spec), recursive)


def _published(spec: str, name: str, place: str | None, part: str | None) -> Source:
    reader, subfolder = _PUBLISHED[name]
    if part not in (None, "test"):
        raise SourceError(f"{spec!r}: the part must be @test, or left out for the training part; got @{part}")
    if place is None:
        root = os.environ.get(_VARIABLE)
        if not root:
            raise SourceError(
                f"{spec!r}: where {name} lies is not known. Set the environment variable {_VARIABLE} to a folder that "
                f"holds it as {subfolder}/ (export {_VARIABLE}=/path/to/data), or write {name}:DIR"
            )
        place = os.path.join(root, subfolder)
    if not os.path.isdir(place):
        raise SourceError(f"{spec!r}: the folder {place} does not exist; {name} must lie there{_close(place)}")
    return reader(Path(place), name if part is None else f"{name}@{part}", part == "test")


def _on_disk(path: str, recursive: bool) -> Source:
    if os.path.isdir(path):
        return folder(Path(path), recursive=recursive)
    member = re.fullmatch(r"(.+\.npz):(.+)", path, re.IGNORECASE | re.DOTALL)
    if member and not os.path.exists(path):
        path = member[1]
    if not os.path.exists(path):
        raise SourceError(
            f"{path!r}: no such file or folder, and no name of a data set{_close(path)}. A source is {_ALLOWED}"
        )
    if not os.path.isfile(path):
        raise SourceError(f"{path!r}: neither a regular file nor a folder. A source is {_ALLOWED}")
    if path.lower().endswith((".npy", ".npz")):
        return array(Path(path), member[2] if member and path == member[1] else None)
    if path.lower().endswith(".csv"):
        return table(Path(path))
    return picture(Path(path))


def _close(path: str) -> str:
    """What may have been meant: names of data sets, and what lies beside the missing path."""
    parent, name = os.path.split(path.rstrip(os.sep))
    try:
        beside = {entry: os.path.join(parent, entry) for entry in sorted(os.listdir(parent or os.curdir))}
    except (OSError, ValueError):
        beside = {}
    known = {} if parent else {entry: entry for entry in (*SHIPPED, *_PUBLISHED)}
    candidates = {entry.casefold(): shown for entry, shown in (beside | known).items()}
    stem = re.split("[:@]", name)[0]
    close = difflib.get_close_matches(name.casefold(), candidates, 3)
    close = close or difflib.get_close_matches(stem.casefold(), candidates, 3)
    return f" (did you mean {' or '.join(candidates[entry] for entry in close)}?)" if close else ""
