"""Settings without an option of their own: `--set training.copies=4`, and the same in a TOML file for `--config`."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from attrax._base.files import check_regular, read_regular

_LONGEST_FILE = 2**20


@dataclass(frozen=True, slots=True)
class Setting:
    """A value, and how whoever runs the command wrote it."""

    value: Any
    said: str


def allowed_settings() -> dict[str, tuple[str, ...]]:
    """All settings of `attrax store` by the table they stand in."""
    from attrax import training
    from attrax.sources import MEDIA

    return {
        "training": tuple(field.name for field in fields(training.Training)),
        "augmentation": tuple(field.name for field in fields(training.Augmentation)),
        "source": MEDIA,
    }


def read_settings(
    assignments: Sequence[str], file: Path | None, allowed: Mapping[str, Sequence[str]]
) -> dict[str, Setting]:
    """Settings by `section.name`; what `--set` says goes before what the file says.

    **Raises** `ValueError` for a key that is not allowed, one that is set twice, and a file that is not TOML.
    """
    found = {} if file is None else _from_file(file, allowed)
    written: dict[str, Setting] = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        key = key.strip()
        if not equals:
            raise ValueError(f"--set takes KEY=VALUE, such as --set training.momentum=0.9; got {text!r}")
        _check("--set", key, allowed)
        if key in written:
            raise ValueError(f"--set {key} is given twice; leave one of them out")
        written[key] = Setting(_value(value), f"--set {key}")
    return found | written


def with_options(settings: Mapping[str, Setting], options: Mapping[str, Setting]) -> dict[str, Setting]:
    """Settings and what options say of the same keys, where an option goes before a file.

    **Raises** `ValueError` where an option and `--set` say the same thing.
    """
    for key, option in options.items():
        if key in settings and settings[key].said.startswith("--set"):
            raise ValueError(f"{option.said} and --set {key} are the same setting; give one of them")
    return {**settings, **options}


def _from_file(file: Path, allowed: Mapping[str, Sequence[str]]) -> dict[str, Setting]:
    if check_regular(file) > _LONGEST_FILE:
        raise ValueError(f"--config: {file} has more than {_LONGEST_FILE:,} bytes, which no settings need")
    try:
        tables = tomllib.loads(read_regular(file).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"--config: {file} is not TOML: {error}") from None
    found = {}
    for section, table in tables.items():
        if not isinstance(table, dict):
            raise ValueError(f"--config: in {file}, {section} must stand in one of the tables {_tables(allowed)}")
        for name, value in table.items():
            key = f"{section}.{name}"
            _check(f"--config: {file}", key, allowed)
            found[key] = Setting(value, f"{key} in {file}")
    return found


def _check(where: str, key: str, allowed: Mapping[str, Sequence[str]]) -> None:
    section, _, name = key.partition(".")
    if section not in allowed:
        raise ValueError(f"{where}: there is no setting {key!r}; the tables are {_tables(allowed)}")
    if name not in allowed[section]:
        names = ", ".join(f"{section}.{known}" for known in allowed[section])
        raise ValueError(f"{where}: there is no setting {key!r}; allowed are {names}")


def _tables(allowed: Mapping[str, Sequence[str]]) -> str:
    return ", ".join(f"[{section}]" for section in allowed)


def _value(text: str) -> Any:
    """A number, truth value or list as TOML writes it; anything else is the text itself."""
    try:
        read = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text.strip()
    return read["value"] if read.keys() == {"value"} else text.strip()
