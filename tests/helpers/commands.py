"""Running commands through the real entry point."""

import json
from typing import Any

import pytest

from attrax.cli import main


def run(capsys: pytest.CaptureFixture[str], *arguments: Any) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of one command, run in this process."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def strict(text: str) -> dict[str, Any]:
    """Exactly one JSON object, without NaN or infinities."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} in JSON")

    return json.loads(text, parse_constant=refuse)


def record(capsys: pytest.CaptureFixture[str], *arguments: Any, status: int = 0) -> dict[str, Any]:
    """What a command prints with `--json`; it has to end with `status`."""
    found, out, err = run(capsys, *arguments, "--json")
    assert found == status, err
    return strict(out)
