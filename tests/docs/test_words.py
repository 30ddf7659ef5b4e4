"""One meaning a word: no page, help text or public docstring uses a word that was retired."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = (
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "lessons").glob("*.*")),
    *sorted((ROOT / "docs" / "gallery").glob("*.*")),
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "benchmarks" / "README.md",
)
RETIRED = {
    r"neighbour\w*": "neighbor",
    r"labell\w+": "label, labeled",
    r"colour\w*": "color",
    r"per cent": "percent",
    r"for ever": "forever",
    r"contests?": "winner-take-all network",
    r"orbits?": "reduced map, or iteration",
    r"recall_sequence|SequenceRecall": "recall(path=True)",
    r"at home|leads? home": "at the example",
    r"ways? (?:of|are) (?:open|held)|open ways?": "open sequence",
    r"seen (?:in|by) training|training (?:has )?(?:never )?(?:saw|seen)": "used in training, training corruption",
    r"not arrived": "loss not reached",
    r"g[eo]ts? to (?:its|the|their) loss": "reaches the loss",
    r"put back at (?:every|each)": "clamped, restored",
    r"an? (?:row|number|step|cell|state|score|unit|entry|weight|epoch) an? \w+": "one row for each …, per …",
    r"bits a weight": "bits per weight",
    r"(?:states?|seconds?) a (?:state|second)": "per second, per state",
    r"thereof|whereof|wherein|therein|whilst|amongst|hence|lest": "plain words",
    r"anew": "again",
    r"save for|but for": "except for",
    r"every so often": "from time to time",
    r"settle[sd]?": "converge, or decide",
    r"(?<!there )is no (?:attractor|map|number|network|data|fixed point)": "is not an attractor",
    r"are no (?:pictures|certified attractors)": "are not pictures",
    r"(?:in|out)side of": "inside, outside",
}
"""Patterns of words that are gone, and what to write in their place."""


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Those of the module and of its public classes and functions, with their lines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, kinds) and not getattr(node, "name", "").startswith("_"):
            yield getattr(node, "lineno", 1), ast.get_docstring(node) or ""


def help_texts(path: Path) -> Iterator[tuple[int, str]]:
    """Every string of a module of the command line: options, panels and messages."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def texts() -> Iterator[tuple[str, str]]:
    """Where each text stands, and the text without its code."""
    for page in PAGES:
        prose = re.sub(r"```.*?```|`[^`\n]*`", " ", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        yield page.name, prose
    for path in sorted((ROOT / "src" / "attrax").rglob("*.py")):
        found = [*docstrings(path), *(help_texts(path) if path.parent.name == "cli" else ())]
        for line, text in found:
            yield f"{path.relative_to(ROOT)}:{line}", re.sub(r"`[^`\n]*`", " ", text)


@cache
def all_texts() -> tuple[tuple[str, str], ...]:
    return tuple((place, " ".join(text.split())) for place, text in texts())


@pytest.mark.parametrize("retired", RETIRED)
def test_no_text_uses_a_retired_word(retired: str) -> None:
    word = re.compile(rf"(?<![\w-])(?:{retired})(?![\w-])", re.IGNORECASE)
    used = [
        f"{place}: …{text[max(0, m.start() - 30) : m.end() + 30]}…"
        for place, text in all_texts()
        for m in word.finditer(text)
    ]
    assert not used, f"write {RETIRED[retired]}:\n" + "\n".join(used)


def test_the_texts_are_found() -> None:
    assert len([text for _, text in all_texts() if text]) > 1000
    places = " ".join(place for place, _ in all_texts())
    assert all(name in places for name in ("README.md", "writers.md", "cli/_store.py", "dynamics/_recall.py"))
