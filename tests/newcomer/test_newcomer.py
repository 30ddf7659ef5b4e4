"""What a contributor adds takes one file and one line; all else then knows it by its name.

Beside this file is a script for each section of docs/extending.md: what is asked once the section's own code and
commands have run, and what the answers have to be.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from helpers.newcomer import use_all

NAMES = sorted(path.stem for path in Path(__file__).parent.glob("[!_]*.py") if not path.stem.startswith("test_"))
pytest.register_assert_rewrite(*(f"newcomer.{name}" for name in NAMES))
SCRIPTS = {name: import_module(f"newcomer.{name}") for name in NAMES}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any] | str]:
    """What came of each section. All run in one process, in which everything is imported once."""
    reports = {script.TITLE: script.REPORTS for script in SCRIPTS.values()}
    return use_all(reports, tmp_path_factory.mktemp("newcomer"))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_one_file_and_one_line(name: str, told: dict[str, dict[str, Any] | str]) -> None:
    found = told[SCRIPTS[name].TITLE]
    assert isinstance(found, dict), found
    SCRIPTS[name].check(found)
