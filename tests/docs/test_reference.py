"""The reference: every public name has its place there, and every public function says what its entry needs."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import attrax

ROOT = Path(attrax.__file__).parent
PAGES = sorted((Path(__file__).parents[2] / "docs" / "reference").glob("*.md"))


# All of this is found when it is asked for: parsing the source takes a second, and collecting tests needs none of it.


@cache
def entries(page: Path) -> tuple[str, ...]:
    return tuple(re.findall(r"^::: (\S+)", page.read_text(encoding="utf-8"), re.M))


@cache
def body(path: Path) -> list[ast.stmt]:
    return ast.parse(path.read_text(encoding="utf-8")).body


@cache
def public(package: str) -> tuple[tuple[str, str], ...]:
    """The names of a package and the modules they come from, as its table of contents or its module lists them."""
    return tuple(_listed(package))


def _listed(package: str) -> Iterator[tuple[str, str]]:
    folder = ROOT.joinpath(*package.split(".")[1:])
    stub = folder / "__init__.pyi" if folder.is_dir() else folder.with_suffix(".pyi")
    around = package if folder.is_dir() else package.rpartition(".")[0]
    for node in body(stub if stub.is_file() else folder.with_suffix(".py")):
        if isinstance(node, ast.ImportFrom):
            source = f"{around}.{node.module or ''}".rstrip(".") if node.level else f"{node.module}"
            for name in node.names:
                if name.asname == name.name:
                    yield name.name, source


def place(name: str) -> tuple[Path, str]:
    """The file and the name in it where a public name is defined, however many packages pass it on."""
    package, _, own = name.rpartition(".")
    folder = ROOT.joinpath(*package.split(".")[1:])
    if (folder / "__init__.pyi").is_file() or package == "attrax.extending":
        source = dict(public(package))[own]
        inside = ROOT.joinpath(*source.split(".")[1:], own)
        if inside.with_suffix(".py").is_file() or inside.is_dir():
            return inside.with_suffix(".py"), ""  # a module or a package
        return place(f"{source}.{own}")
    passed_on = dict(public(package))
    return place(f"{passed_on[own]}.{own}") if own in passed_on else (folder.with_suffix(".py"), own)


@cache
def names() -> dict[str, tuple[Path, str]]:
    """Where each public name is defined."""
    stubs = sorted(ROOT.rglob("__init__.pyi"))
    packages = [".".join(("attrax", *path.parent.relative_to(ROOT).parts)) for path in stubs] + ["attrax.extending"]
    return {name: place(name) for package in packages for name in (f"{package}.{own}" for own, _ in public(package))}


@cache
def places() -> dict[str, tuple[Path, str]]:
    """Where the name of each entry is defined."""
    return {entry: place(entry) for page in PAGES for entry in entries(page)}


def function_of(entry: str) -> ast.FunctionDef | None:
    path, name = places()[entry]
    return next((node for node in body(path) if isinstance(node, ast.FunctionDef) and node.name == name), None)


def test_every_public_name_has_one_entry() -> None:
    shown = set(places().values())
    packages = {".".join(("attrax", *path.parent.relative_to(ROOT).parts)) for path in ROOT.rglob("__init__.py")}
    missing = {name for name, where in names().items() if where not in shown and name not in packages}
    assert not missing - {"attrax.extending"}, "add these to a page in docs/reference"
    twice = [where for where, number in Counter(places().values()).items() if number > 1]
    assert not twice
    assert not set(places()) - set(names()), "these are not public"
    hidden = {entry for entry, (_, own) in places().items() if entry in packages and own}
    assert not hidden, "these are packages, too, which would be shown in place of the function; name it twice: a.b.b"
    assert sum(function_of(entry) is not None for entry in places()) > 200


def test_functions_have_examples() -> None:
    functions = {entry: node for entry in places() if (node := function_of(entry))}
    lacking = {entry for entry, node in functions.items() if ">>> " not in (ast.get_docstring(node) or "")}
    assert not lacking


CHECKS = re.compile(r"^(checks\.|checked_|state_batch$|check_)")
"""Functions that raise for a wrong argument."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_functions_tell_their_errors_and_shapes(page: Path) -> None:
    lacking = []
    for entry in entries(page):
        node = function_of(entry)
        if node is None:
            continue
        text = ast.get_docstring(node) or ""
        calls = (ast.unparse(part.func) for part in ast.walk(node) if isinstance(part, ast.Call))
        raises = any(isinstance(part, ast.Raise) and part.exc for part in ast.walk(node)) or any(
            map(CHECKS.match, calls)
        )
        if raises and not re.search(r"\braises?\b", text, re.IGNORECASE):
            lacking.append(f"{entry} does not say what it raises")
        arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        annotations = [ast.unparse(part) for part in (*(one.annotation for one in arguments), node.returns) if part]
        # An array whose annotation has no shape, neither in jaxtyping's way nor by the name of a type that has one.
        arrays = any(re.search(r"(?<!Float\[)(?<!Bool\[)(?<!Int\[)(np\.ndarray|\bArray)\b", one) for one in annotations)
        if arrays and not re.search(r"shape|×|one (\w+ )?(per|for each)|for each|entr(y|ies)|dimension", text):
            lacking.append(f"{entry} does not say which shape its arrays have")
    assert not lacking
