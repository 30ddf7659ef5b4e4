"""The cache of compiled functions that the command line keeps."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from attrax.cli import _cache  # the cache without a command
from attrax.cli._cache import keep_compiled  # the cache without a command


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process in which JAX is not loaded."""
    monkeypatch.delitem(sys.modules, "jax")


@pytest.mark.usefixtures("fresh")
def test_the_folder(tmp_path: Path) -> None:
    environment = {"ATTRAX_CACHE": str(tmp_path / "mine"), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "3"}
    keep_compiled(environment)
    assert environment["JAX_COMPILATION_CACHE_DIR"] == str(tmp_path / "mine")
    assert environment["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] == "3"  # whoever sets it has it
    assert (tmp_path / "mine").is_dir()


@pytest.mark.usefixtures("fresh")
def test_the_default_is_the_users_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    environment: dict[str, str] = {}
    keep_compiled(environment)
    assert Path(environment["JAX_COMPILATION_CACHE_DIR"]).is_relative_to(tmp_path)


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize(
    "environment", [{"ATTRAX_CACHE": "off"}, {"ATTRAX_CACHE": "{file}/under"}, {"JAX_COMPILATION_CACHE_DIR": "{file}"}]
)
def test_nothing_is_kept_where_it_is_not_wanted_or_not_possible(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    given = {name: value.replace("{file}", str(tmp_path / "file")) for name, value in environment.items()}
    before = dict(given)
    keep_compiled(given)
    assert given == before


def test_jax_that_is_there_already_is_left_alone(tmp_path: Path) -> None:
    environment = {"ATTRAX_CACHE": str(tmp_path / "mine")}
    keep_compiled(environment)
    assert environment == {"ATTRAX_CACHE": str(tmp_path / "mine")}
    assert not (tmp_path / "mine").exists()


@pytest.mark.usefixtures("fresh")
def test_the_oldest_go_where_there_is_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cache, "_MOST", 100)
    for number in range(12):
        (tmp_path / f"{number}").write_bytes(bytes(10))
        os.utime(tmp_path / f"{number}", (number, number))
    keep_compiled({"ATTRAX_CACHE": str(tmp_path)})
    assert {path.name for path in tmp_path.iterdir()} == {"7", "8", "9", "10", "11"}


def test_what_one_command_compiled_the_next_one_finds(tmp_path: Path) -> None:
    def run(cache: str, *arguments: str) -> str:
        own = {name: value for name, value in os.environ.items() if "CACHE" not in name}
        command = [sys.executable, "-m", "attrax", *arguments]
        done = subprocess.run(command, env=own | {"ATTRAX_CACHE": cache}, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    folder = tmp_path / "cache"
    run(str(folder), "--help")
    assert not folder.exists()
    store = ["store", "points:0.1,0.2;0.7,0.5", "--writer", "margin", "-o", str(tmp_path / "m")]
    said = [run(str(folder), *store)]
    compiled = {path.name for path in folder.iterdir()}
    assert any(name.endswith("-cache") for name in compiled)
    said.append(run(str(folder), *store))
    assert {path.name for path in folder.iterdir()} == compiled
    assert len({re.sub(r", [\d.e-]+ s\n", "\n", text) for text in said}) == 1
