"""Imports go one way: between packages from higher layers to lower ones, inside a package without cycles."""

import ast
import graphlib
from functools import cache
from pathlib import Path

import pytest

import attrax

ROOT = Path(attrax.__file__).parent

LAYERS: tuple[tuple[str, ...], ...] = (
    ("_base",),
    ("activations", "extending", "linalg", "patterns"),
    ("corruptions", "maps", "theory"),
    ("foreign",),
    ("memory",),
    ("dynamics",),
    ("certificates", "sources"),
    ("training",),
    ("writing",),
    ("analysis", "files"),
    ("audit",),
    ("play", "report"),
    ("demos", "paper"),
    ("cli",),
    ("__main__",),
)
"""Packages from the lowest layer up. A package imports from lower layers only, never from one beside it."""

ON_TOP = ("paper", "demos")
"""Packages that stand on the library as a user's code does: they use its public names only."""

FORBIDDEN = {"pickle", "torch", "jax._src", "cloudpickle", "dill", "shelve"}
OUTER = {"matplotlib"}


@cache
def modules() -> tuple[Path, ...]:
    return tuple(sorted(ROOT.rglob("*.py")))


def dotted(path: Path) -> str:
    """The name by which a file is imported."""
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def files(package: str) -> tuple[Path, ...]:
    """The modules of a package, or the module of that name."""
    return tuple(path for path in modules() if path.relative_to(ROOT).with_suffix("").parts[0] == package)


PACKAGES = sorted({path.relative_to(ROOT).with_suffix("").parts[0] for path in modules()} - {"__init__"})

NAMES = {dotted(path) for path in modules()}


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(text_of(path))


@cache
def import_statements(path: Path) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """Those anywhere in a file. Expressions, which hold none, are most of it."""
    found: list[ast.Import | ast.ImportFrom] = []
    blocks: list[ast.AST] = [parsed(path)]
    while blocks:
        for child in ast.iter_child_nodes(blocks.pop()):
            if isinstance(child, ast.Import | ast.ImportFrom):
                found.append(child)
            elif isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
                blocks.append(child)
    return tuple(found)


@cache
def imported(path: Path) -> tuple[tuple[str, int], ...]:
    """Full names of everything that a file imports, anywhere in it, with the line."""
    names: list[tuple[str, int]] = []
    for node in import_statements(path):
        if isinstance(node, ast.Import):
            names += [(alias.name, node.lineno) for alias in node.names]
        else:
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute here"
            names += [(f"{node.module}.{alias.name}", node.lineno) for alias in node.names]
    return tuple(names)


def module_of(name: str) -> str | None:
    """The module of attrax that a full name belongs to; `None` for other projects."""
    while name:
        if name in NAMES:
            return name
        name = name.rpartition(".")[0]
    return None


def layer_of(package: str) -> int:
    for number, layer in enumerate(LAYERS):
        if package in layer:
            return number
    raise AssertionError(f"attrax.{package} has no layer: add it to LAYERS in {Path(__file__).name}")


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_only_from_lower_layers(package: str) -> None:
    layer = layer_of(package)
    for path in files(package):
        for name, line in imported(path):
            target = module_of(name)
            if target is None:
                continue
            where = f"{path.relative_to(ROOT)}:{line} imports {name}"
            if target == "attrax":
                # Names from the root itself are for users and for the outermost layers.
                assert layer >= layer_of("paper"), f"{where} from the package root"
                continue
            other = target.split(".")[1]
            if other != package:
                assert layer_of(other) < layer, f"{where}, which is not below it"
                private = other != "_base" and "._" in target.removeprefix(f"attrax.{other}")
                assert not private, f"{where}, which is private to attrax.{other}"


@cache
def public_names(package: str) -> frozenset[str]:
    """What the table of contents of a package, or a module without one, offers."""
    place = ROOT.joinpath(*package.split(".")[1:])
    path = next(
        path for path in (place / "__init__.pyi", place.with_suffix(".pyi"), place.with_suffix(".py")) if path.exists()
    )
    return frozenset(
        alias.asname or alias.name
        for node in parsed(path).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    )


@pytest.mark.parametrize("package", ON_TOP)
def test_what_stands_on_the_library_uses_its_public_names(package: str) -> None:
    for path in files(package):
        for node in import_statements(path):
            if isinstance(node, ast.Import):
                inner = [alias.name for alias in node.names if alias.name.startswith("attrax.")]
                assert not inner, f"{path.relative_to(ROOT)}:{node.lineno} imports {inner[0]}"
            if not isinstance(node, ast.ImportFrom) or (node.module or "").split(".")[0] != "attrax":
                continue
            module = node.module or ""
            if module.split(".")[1:2] == [package]:
                continue
            known = public_names(module) | ({"__version__"} if module == "attrax" else frozenset())
            for alias in node.names:
                where = f"{path.relative_to(ROOT)}:{node.lineno} imports {module}.{alias.name}"
                assert not any(part.startswith("_") for part in module.split(".")), where
                assert alias.name in known, f"{where}, which is not public"


def test_modules_do_not_import_each_other() -> None:
    graph = {
        dotted(path): {target for name, _ in imported(path) if (target := module_of(name)) not in (None, "attrax")}
        for path in modules()
        if path.parent != ROOT
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail("these modules import each other: " + " → ".join(error.args[1]))


@pytest.mark.parametrize("package", [*PACKAGES, "__init__"])
def test_uses_nothing_forbidden(package: str) -> None:
    for path in files(package):
        for name, line in imported(path):
            found = [bad for bad in FORBIDDEN if name == bad or name.startswith(bad + ".")]
            assert not found, f"{path.relative_to(ROOT)}:{line} imports {name}"
        assert "config.update" not in text_of(path), f"{path} changes JAX's configuration"
        for node in parsed(path).body:  # at the top of a module, plotting libraries are not imported
            if isinstance(node, ast.Import | ast.ImportFrom):
                module = node.names[0].name if isinstance(node, ast.Import) else node.module or ""
                assert module.split(".")[0] not in OUTER, f"{path}:{node.lineno} imports {module} at the top"


def test_package_roots_are_lazy_tables_of_contents() -> None:
    """The names stand in the stub beside it, which type checkers read too; they are imported when they are used."""
    roots = [path for path in modules() if path.name == "__init__.py" and path.with_suffix(".pyi").exists()]
    assert len(roots) >= len(PACKAGES) // 2
    for path in roots:
        code = [ast.unparse(node) for node in parsed(path).body[1:]]
        assert code[0] == "import lazy_loader", path
        assert code[1].replace("(", "").startswith("__getattr__, __dir__, __all__"), path
        assert all(line.startswith("__version__") for line in code[2:]), f"{path} is more than a table of contents"
        for node in parsed(path.with_suffix(".pyi")).body[1:]:
            if isinstance(node, ast.ImportFrom):
                assert all(alias.asname == alias.name for alias in node.names), f"{path}i:{node.lineno} renames"
                continue
            assert ast.unparse(node) == "__version__: str", f"{path}i:{node.lineno} is more than a re-export"


KINDS = {"MLP", "ConvAutoencoder", "Recurrent"}
"""Kinds of maps, for which nobody asks outside of `attrax.maps`: what a map can do is a capability of it."""


@pytest.mark.parametrize("package", [name for name in PACKAGES if name != "maps"])
def test_nobody_asks_for_the_kind_of_a_map(package: str) -> None:
    for path in files(package):
        if not any(kind in text_of(path) for kind in KINDS):
            continue
        for node in ast.walk(parsed(path)):
            asked: list[ast.AST] = []
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("isinstance", "issubclass")
            ):
                asked = [*node.args[1:]]
            elif isinstance(node, ast.Compare):
                asked = [node.left, *node.comparators]  # type(x) is MLP
            elif isinstance(node, ast.MatchClass):
                asked = [node.cls]
            names = {
                part.id if isinstance(part, ast.Name) else part.attr
                for one in asked
                for part in ast.walk(one)
                if isinstance(part, ast.Name | ast.Attribute)
            }
            where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            assert not names & KINDS, f"{where} asks for a kind of map; use or add a capability of attrax.maps"


def test_every_public_name_has_a_docstring() -> None:
    for name in dir(attrax):
        if not name.startswith("_") and callable(value := getattr(attrax, name)):
            assert (value.__doc__ or "").strip(), f"attrax.{name} has no docstring"


def test_modules_stay_small_enough_to_own_one_thing() -> None:
    long = {dotted(path): lines for path in modules() if (lines := len(text_of(path).splitlines())) > 400}
    assert not long, f"split these modules by what they own: {long}"


def test_private_names_are_tested_for_a_reason() -> None:
    """A comment beside the import says why no public name will do. Experiments have no other names."""
    tests = Path(__file__).parent
    for path in sorted(tests.rglob("*.py")):
        lines = text_of(path).splitlines()
        for node in import_statements(path):
            if not isinstance(node, ast.ImportFrom) or (node.module or "").split(".")[0] != "attrax":
                continue
            own = node.module or ""
            private = [f"{own}.{alias.name}" for alias in node.names if "._" in f"{own}.{alias.name}"]
            if private and not (own.startswith("attrax.paper") and path.parent.name == "paper"):
                shown = "".join(lines[node.lineno - 1 : node.end_lineno])
                assert "  # " in shown, f"{path.relative_to(tests)}:{node.lineno} imports {private[0]} without a reason"
