"""Imports go one way: from higher layers to lower ones, and inside a package from later files to earlier ones."""

import ast
from pathlib import Path

import pytest

import attrax

ROOT = Path(attrax.__file__).parent

LAYERS: list[list[str]] = [
    [
        "_types",
        "_checks",
        "_status",
        "_activations",
        "_distortions",
        "_delays",
        "_numerics",
        "_files",
        "_checked_arrays",
    ],
    ["_patterns", "_corruptions", "_certificate", "maps", "theory"],
    ["_memory", "dynamics"],
    ["sources", "_recall", "_sequence_recall", "certificates"],
    ["training"],
    ["writing"],
    ["_io", "analysis"],
    ["report", "sweeps"],
    ["experiments"],
    ["cli"],
    ["__main__"],
]
"""Layers from the lowest. Within the lowest one, files import from files to their left; elsewhere not from siblings."""

FILES: dict[str, list[str]] = {
    "maps": ["_initializers", "_mlp", "_recurrent", "_conv"],
    "dynamics": ["_orbit", "_iterate", "_refine"],
    "theory": [
        "_status",
        "_scalar",
        "_arguments",
        "_formulas",
        "_flow",
        "_trap",
        "_intervals",
        "_admissible",
        "_corollary1",
        "_descent",
        "_single_example",
        "_sequences",
        "_orthonormal",
        "_initial",
    ],
    "sources": [
        "_records",
        "_pixels",
        "_pictures",
        "_arrays",
        "_points",
        "_clicked",
        "_published",
        "_shipped",
        "_specs",
        "_load",
        "_save",
        "_fidelity",
        "_clips",
        "_timing",
        "_video",
        "_audio",
        "_text",
        "_films",
        "_sequences",
    ],
    "certificates": [
        "_running_product",
        "_slopes",
        "_network_slopes",
        "_network_product",
        "_map_jacobian",
        "_bounds",
        "_ways",
        "_certify",
        "_norms",
        "_ball_growth",
        "_contraction",
        "_radius",
        "_spectrum",
    ],
    "training": [
        "_optimizers",
        "_kfac",
        "_checkpoint",
        "_coordinates",
        "_construct",
        "_contest",
        "_losses",
        "_objective",
        "_fit",
        "_fit_many",
        "_polish",
        "_recurrent",
    ],
    "writing": [
        "_start",
        "_settle",
        "_budget",
        "_constructed",
        "_gradient",
        "_contest",
        "_auto",
        "_store",
        "_words",
        "_change",
    ],
    "analysis": [
        "_neighbors",
        "_seen",
        "_intervals",
        "_recovery",
        "_clamped",
        "_curves",
        "_associators",
        "_rivals",
        "_starts",
        "_limits",
        "_homes",
        "_census_blocks",
        "_census_file",
        "_spurious",
        "_tolerance",
        "_agreement",
        "_capacity",
        "_plain_descent",
        "_theory_networks",
        "_theory_check",
        "_theory_settings",
        "_random_start",
        "_eigenvalue_map",
        "_spectra",
        "_plane",
        "_basin_grid",
        "_basins",
        "_period",
    ],
    "report": [
        "_text",
        "_film",
        "_plots",
        "_measure_plots",
        "_sequence_plots",
        "_sweep_plots",
        "_style",
        "_html",
        "_page_records",
        "_page_words",
        "_page_sheets",
        "_page_html",
        "_page_markdown",
        "_reproduction",
        "_theory_text",
        "_theory_plots",
        "_spectra_plots",
        "_period_plot",
        "_basin_plots",
    ],
    "sweeps": ["_cells", "_store", "_run"],
    "experiments": [
        "_demo",
        "_demo_film",
        "_theory",
        "_plane",
        "_common",
        "_paper_tables",
        "_tables",
        "_ranks",
        "_tables_report",
        "_efficiency",
        "_efficiency_report",
        "_experiment",
        "_numbers",
        "_material",
        "_figures",
        "_basin_cells",
        "_films",
        "_fig1",
        "_fig2_network",
        "_fig2a",
        "_fig2b",
        "_fig2c",
        "_fig14",
        "_spurious",
        "_fig3",
        "_fig4a",
        "_fig4b",
        "_fig4c",
        "_fig6",
        "_fig7",
        "_fig8",
        "_fig9",
        "_audio",
        "_rnn",
        "_unet",
        "_theory_checks",
        "_control",
        "_power",
        "_local",
        "_general",
        "_table_run",
        "_table_cells",
        "_fig15",
        "_fig16",
        "_efficiency_cells",
        "_fig5",
        "_fig12",
        "_fig13",
        "_registry",
        "_reproduce",
    ],
    "cli": [
        "_progress",
        "_output",
        "_options",
        "_media",
        "_sequences",
        "_recall_sequence",
        "_store",
        "_recall",
        "_certify",
        "_change",
        "_demo",
        "_demo_film",
        "_theory",
        "_theory_runs",
        "_analyze",
        "_spectra",
        "_spurious",
        "_curves",
        "_basins",
        "_period",
        "_reproduce",
        "_compare",
        "_tolerance",
        "_nearest",
        "_capacity",
        "_app",
    ],
}
"""The files of each package; each imports only from those before it."""

FORBIDDEN = {"pickle", "torch", "jax._src", "cloudpickle", "dill", "shelve"}
OUTER = {"matplotlib"}


def modules() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*.py"))


def imported(path: Path) -> list[tuple[str, int]]:
    """Full names of everything that a file imports, anywhere in it, with the line."""
    names: list[tuple[str, int]] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute here"
            module = node.module or ""
            names += [(f"{module}.{alias.name}", node.lineno) for alias in node.names]
    return names


def place(parts: list[str]) -> tuple[int, str]:
    """Layer and top-level name of a module, given by its parts below `attrax`."""
    top = parts[0]
    for number, layer in enumerate(LAYERS):
        if top in layer:
            return number, top
    raise AssertionError(f"attrax.{top} has no layer: add it to LAYERS in {Path(__file__).name}")


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_only_what_lies_below(path: Path) -> None:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts == ["__init__"]:
        return
    layer, top = place(parts)
    for name, line in imported(path):
        where = f"{path.relative_to(ROOT)}:{line} imports {name}"
        target = name.split(".")
        if target[0] != "attrax":
            continue
        below = target[1:]
        if below[0] not in {entry for entries in LAYERS for entry in entries}:
            # Names from the root itself are for users and for the outermost layers.
            assert layer >= place(["experiments"])[0], f"{where} from the package root"
            continue
        other_layer, other = place(below)
        if other != top:
            assert other_layer < layer or (other_layer == layer == 0), f"{where}, which is not below it"
            if layer == 0:
                assert LAYERS[0].index(other) < LAYERS[0].index(top), f"{where}, which stands to its right"
        elif len(parts) > 1 and parts[1] != "__init__":
            order = FILES[top]
            assert parts[1] in order, f"add {parts[1]} to FILES[{top!r}] in {Path(__file__).name}"
            assert len(below) > 1, f"{where}, its own package; name the file"
            assert below[1] in order, where
            assert order.index(below[1]) < order.index(parts[1]), f"{where}, which does not stand before it"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_uses_nothing_forbidden(path: Path) -> None:
    for name, line in imported(path):
        found = [bad for bad in FORBIDDEN if name == bad or name.startswith(bad + ".")]
        assert not found, f"{path.relative_to(ROOT)}:{line} imports {name}"
    text = path.read_text()
    assert "config.update" not in text, f"{path} changes JAX's configuration"
    tree = ast.parse(text)
    for node in tree.body:  # at the top of a module, plotting libraries are not imported
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.names[0].name if isinstance(node, ast.Import) else node.module or ""
            assert module.split(".")[0] not in OUTER, f"{path}:{node.lineno} imports {module} at the top"


@pytest.mark.parametrize(
    "path", [path for path in modules() if path.name == "__init__.py"], ids=lambda path: str(path.relative_to(ROOT))
)
def test_package_roots_are_tables_of_contents(path: Path) -> None:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.ImportFrom) and all(alias.asname == alias.name for alias in node.names):
            continue
        version = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__"
        assert version, f"{path.relative_to(ROOT)}:{node.lineno} is more than a re-export"


def test_every_public_name_has_a_docstring() -> None:
    for name in dir(attrax):
        if not name.startswith("_") and callable(value := getattr(attrax, name)):
            assert (value.__doc__ or "").strip(), f"attrax.{name} has no docstring"
