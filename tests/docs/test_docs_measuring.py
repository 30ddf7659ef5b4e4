"""The page on measuring: its commands exist with the options it gives them, and its figures are there."""

import re
import shlex
from pathlib import Path

import pytest

from attrax.cli import main

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "measuring.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
    if line.startswith("attrax ")
]


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_has_its_options(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(line)[1:]
    names = words[:2] if words[0] == "analyze" else words[:1]
    with pytest.raises(SystemExit) as ended:
        main([*names, "--help"])
    assert not ended.value.code
    told = capsys.readouterr().out
    for word in words[len(names) :]:
        option = word.partition("=")[0]
        if option.startswith("-") and not option.lstrip("-")[:1].isdigit():
            assert option in told, f"{option} of {line}"


def test_every_measurement_has_its_command_and_figure() -> None:
    assert {line.split()[2] for line in COMMANDS if line.startswith("attrax analyze")} == {
        "basins",
        "spurious",
        "recovery",
        "nearest",
        "capacity",
        "tolerance",
    }
    figures = re.findall(r"!\[[^\]]+\]\((images/[^)]+)\)", PAGE)
    assert len(figures) >= 7
    for figure in figures:
        assert (DOCS / figure).stat().st_size < 200_000
