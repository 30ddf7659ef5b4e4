"""The page on the theory names functions, tests, commands and figures that there are."""

import ast
import re
from pathlib import Path

import pytest

from attrax import theory
from attrax.report import THEORY_FIGURES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
ROWS = [line.split(" | ") for line in PAGE.splitlines() if re.match(r"\| [^-| ]", line)]


def test_every_row_has_a_formula_a_function_and_a_test() -> None:
    assert len(ROWS) >= 14
    for row in ROWS:
        assert len(row) >= 4, row
        assert "$" in row[1], row
        functions = re.findall(r"`(\w+)[(\w=…).]*`", row[2])
        assert functions, row
        for name in functions:
            assert callable(getattr(theory, name)), name


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(test_\w+\.py::test_\w+)`", PAGE))))
def test_tests_exist(name) -> None:
    file, function = name.split("::")
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_figures_are_small_and_made_by_the_commands_on_the_page() -> None:
    named = set(re.findall(r"images/(theory-[\w-]+\.png)", PAGE))
    assert named == {f"theory-{kind}.png" for kind in THEORY_FIGURES}
    for kind in THEORY_FIGURES:
        assert f"attrax theory plot {kind} -o" in PAGE
        assert 10_000 < (ROOT / "docs" / "images" / f"theory-{kind}.png").stat().st_size < 200_000


def test_every_public_function_of_the_theory_is_on_the_page() -> None:
    functions = {name for name in dir(theory) if name.islower() and not name.startswith("_")}
    for name in functions:
        assert f"`{name}" in PAGE, name


def test_dollars_pair_up() -> None:
    text = re.sub(r"^    .*$|```.*?```", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    for paragraph in text.replace("$$", "").split("\n\n"):
        for line in paragraph.split("\n| "):
            assert line.count("$") % 2 == 0, line
