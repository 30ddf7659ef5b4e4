"""The files of a folder and of the folders in it."""

import os
import re
from pathlib import Path
from typing import Any

from attrax._base.arguments import mention
from attrax.sources._records import SourceError, reason

_LEFT_BEHIND = {"thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "$recycle.bin", "@eadir"}
"""What systems leave in folders, beside names that begin with a dot."""


def files_in(folder: Path, *, recursive: bool) -> tuple[list[Path], tuple[str, ...]]:
    """The files below a folder, relative to it, in natural order of their paths; and notes on what was left out.

    Links to folders are not followed, as they may lead round in a circle.

    **Raises** `SourceError` for a folder that cannot be listed or holds no files.
    """
    found: list[Path] = []
    system: list[str] = []
    unseen: list[str] = []
    odd: list[str] = []
    waiting = [Path()]
    while waiting:
        place = waiting.pop()
        try:
            with os.scandir(folder / place) as entries:
                for entry in entries:
                    path = place / entry.name
                    if entry.name.startswith(".") or entry.name.casefold() in _LEFT_BEHIND:
                        system.append(str(path))
                    elif entry.is_file():
                        found.append(path)
                    elif recursive and entry.is_dir(follow_symlinks=False):
                        waiting.append(path)
                    elif entry.is_dir():
                        unseen.append(str(path))
                    else:
                        odd.append(str(path))
        except OSError as error:
            raise SourceError(f"{folder / place}: the folder cannot be listed ({reason(error)})") from error
    if not found:
        within = f"; {_listed(unseen)} in it {'was' if len(unseen) == 1 else 'were'} not looked at" if unseen else ""
        remedy = "" if recursive or not unseen else f" Leave {mention('recursive', 'False')} out, or name"
        raise SourceError(
            f"{folder}: the folder holds no files (hidden ones do not count){within}."
            f"{remedy or ' Name'} a folder that holds the images themselves"
        )
    notes = []
    if system:
        notes.append(f"{folder}: left out what systems leave in folders: {_listed(system)}")
    if odd:
        notes.append(f"{folder}: left out what is no regular file, such as pipes and broken links: {_listed(odd)}")
    if unseen:
        notes.append(
            f"{folder}: left out {'links to folders' if recursive else 'the folders in it'}: {_listed(unseen)}"
        )
    return sorted(found, key=_path_order), tuple(notes)


def natural_order(name: str) -> tuple[Any, ...]:
    """Sorting key: runs of digits compare as numbers, letters without regard to case."""
    parts = re.split(r"([0-9]+)", name.casefold())
    return ([_number(part) if index % 2 else part for index, part in enumerate(parts)], name)


def _number(digits: str) -> tuple[int, str]:
    """A run of digits by its size, however long it is."""
    plain = digits.lstrip("0")
    return len(plain), plain


def _path_order(path: Path) -> list[tuple[Any, ...]]:
    return [natural_order(part) for part in path.parts]


def _listed(names: list[str]) -> str:
    shown = ", ".join(sorted(names)[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
