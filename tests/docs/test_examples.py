"""Every example in a docstring runs as it stands and prints what it says."""

import doctest
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.named import forgetting

import attrax

ROOT = Path(attrax.__file__).parent
MODULES = [
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts)
    for path in sorted(ROOT.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    with forgetting():
        yield


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # some write files
    found = doctest.testmod(importlib.import_module(module))
    assert found.attempted
    assert not found.failed
