"""What is packaged: the wheel and the source distribution, and files that repeat what pyproject.toml says."""

import json
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import attrax

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# Made from what a clean clone holds: a folder with other things in it would give another archive.
CLONED = ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "THIRD_PARTY_NOTICES.md", "src")
SOURCE = "https://example.org/them/attrax"
BUILD = "import sys, hatchling.build as b; print(b.build_sdist(sys.argv[1])); print(b.build_wheel(sys.argv[1]))"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    clone, out = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("dist")
    for name in CLONED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, clone / name)
    project = (clone / "pyproject.toml").read_text(encoding="utf-8")
    assert project.count("[project.urls]\n") == 1
    project = project.replace("[project.urls]\n", f'[project.urls]\nSource = "{SOURCE}"\n')
    (clone / "pyproject.toml").write_text(project, encoding="utf-8")
    subprocess.run([sys.executable, "-c", BUILD, str(out)], cwd=clone, check=True, capture_output=True)
    return {path.suffix: path for path in out.iterdir()}


def test_the_wheel_holds_the_package_and_nothing_else(built: dict[str, Path]) -> None:
    names = zipfile.ZipFile(built[".whl"]).namelist()
    source = {path.relative_to(ROOT / "src").as_posix() for path in (ROOT / "src").rglob("*.py*")}
    source = {name for name in source if "__pycache__" not in name} | {"attrax/py.typed"}
    held = {name for name in names if not name.split("/")[0].endswith(".dist-info")}
    assert source <= held
    assert all(name.startswith("attrax/") for name in held)
    assert any(name.endswith("licenses/THIRD_PARTY_NOTICES.md") for name in names)
    with tarfile.open(built[".gz"]) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert set(CLONED) - {"src"} <= inside
    assert {f"src/{name}" for name in source} <= inside


def test_an_index_page_shows_the_pictures_of_the_readme(built: dict[str, Path]) -> None:
    with zipfile.ZipFile(built[".whl"]) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        text = wheel.read(name).decode()
    told = re.findall(r"(!?)\[[^\]]*\]\(([^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    shown = re.findall(r"(!?)\[[^\]]*\]\(([^)]+)\)", text)
    here = {"!": f"{SOURCE}/raw/v{attrax.__version__}/", "": f"{SOURCE}/blob/v{attrax.__version__}/"}
    paths = [path for _, path in told if not path.startswith("https:")]
    assert len(paths) > 20
    assert all((ROOT / path.partition("#")[0]).exists() for path in paths)
    assert shown == [(kind, to if to.startswith("https:") else here[kind] + to) for kind, to in told]
    assert f"Project-URL: Source, {SOURCE}" in text


def test_the_wheel_works_where_it_is_installed(built: dict[str, Path], tmp_path: Path) -> None:
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-compile",
        "--target",
        str(tmp_path / "there"),
    ]
    subprocess.run([*install, str(built[".whl"])], check=True, capture_output=True)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'there')!r})\n"
        "import attrax, json\n"
        "from importlib.metadata import version\n"
        "print(json.dumps([attrax.__file__, version('attrax'), len(attrax.theory.names()) > 5]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)
    place, version, works = json.loads(done.stdout)
    assert Path(place).is_relative_to(tmp_path)
    assert (version, works) == (attrax.__version__, True)


def test_the_version_is_one() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    recipe = yaml.safe_load((ROOT / "conda" / "recipe.yaml").read_text(encoding="utf-8"))
    page = re.search(r"version = \{(.+)\}", (ROOT / "docs" / "cite.md").read_text(encoding="utf-8"))
    assert page is not None
    assert {citation["version"], recipe["context"]["version"], page[1]} == {attrax.__version__}
    assert citation.get("repository-code") == recipe["about"].get("repository") == PROJECT["urls"].get("Source")
    assert citation["license"] == recipe["about"]["license"] == PROJECT["license"]


def test_the_recipe_asks_for_what_the_project_asks_for() -> None:
    recipe = yaml.safe_load((ROOT / "conda" / "recipe.yaml").read_text(encoding="utf-8"))
    renamed = {"lazy_loader": "lazy-loader", "matplotlib": "matplotlib-base"}
    wanted = {f"python {PROJECT['requires-python']}"}
    for requirement in PROJECT["dependencies"]:
        name, bound = re.findall(r"^([\w-]+)(>=.+)$", requirement)[0]
        wanted.add(f"{renamed.get(name, name)} {bound}")
    assert set(recipe["requirements"]["run"]) == wanted


def test_every_extra_is_imported_somewhere() -> None:
    """An extra that nothing imports would only make an environment larger."""
    imported = {"torch": "torch", "onnx": "onnx", "dask": "distributed", "docs": "latex2mathml", "tests": "hypothesis"}
    assert set(PROJECT["optional-dependencies"]) == {*imported, "dev"}
    sources = [path for folder in ("src", "tests", "benchmarks", "docs") for path in (ROOT / folder).rglob("*.py")]
    texts = [path.read_text(encoding="utf-8") for path in sources]
    for extra, module in imported.items():
        assert any(re.search(rf"(import|from) {module}\b", text) for text in texts), extra
