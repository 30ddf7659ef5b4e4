"""What every public verb says of arguments that are nearly right: a seed for a key, a file's name for a memory."""

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax.random as jr
import numpy as np
import pytest
from jaxtyping import PRNGKeyArray

import attrax as ax

ROOT = Path(ax.__file__).parent
PACKAGES = sorted(path.parent.name for path in ROOT.glob("*/__init__.pyi") if path.parent.name != "cli")
MEMORY = ax.Memory(lambda x: x / 2, ax.Patterns.from_examples(np.eye(3)))


def verbs(parameter: str, annotation: Any) -> Iterator[Any]:
    """Every public function with this parameter."""
    for name in PACKAGES:
        package = importlib.import_module(f"attrax.{name}")
        for one in dir(package):
            function = getattr(package, one)
            if inspect.isfunction(function):
                found = inspect.signature(function).parameters.get(parameter)
                if found is not None and found.annotation is annotation:
                    yield pytest.param(function, id=f"{name}.{one}")


def required(function: Any) -> dict[str, Any]:
    """Something for each argument that has to be given."""
    parameters = inspect.signature(function).parameters.values()
    return {one.name: None for one in parameters if one.default is one.empty and one.kind is not one.VAR_KEYWORD}


def keyed() -> list[Any]:
    return [one for one in verbs("key", PRNGKeyArray) if one.id != "corruptions.gaussian"]


@pytest.mark.parametrize("function", keyed())
def test_a_key_is_a_key_of_jax(function: Any) -> None:
    given = required(function)
    for wrong in (0, np.zeros(2, np.uint32), jr.split(jr.key(0))):
        with pytest.raises(ValueError, match=r"key must be a JAX key, such as jax.random.key\(0\); got "):
            function(**{**given, "key": wrong})


@pytest.mark.parametrize("function", [one for one in verbs("memory", ax.Memory) if not one.id.startswith("report.")])
def test_a_memory_is_a_memory(function: Any) -> None:
    given = required(function)
    given |= {"key": jr.key(0)} if "key" in given else {}
    with pytest.raises(ValueError, match=r"the path 'x.attrax'. Load it first: attrax.load\('x.attrax'\)"):
        function(**{**given, "memory": "x.attrax"})
    with pytest.raises(ValueError, match=r"memory must be a Memory; got function. For a map of your own"):
        function(**{**given, "memory": MEMORY.map})


def test_the_checks_see_the_verbs() -> None:
    keys = {one.id for one in keyed()}
    assert {"writing.store", "writing.add", "certificates.spectrum", "analysis.compare", "maps.mlp"} <= keys
    assert {"certificates.certify", "dynamics.recall", "files.save"} <= {one.id for one in verbs("memory", ax.Memory)}


def test_what_holds_the_array_is_told_how_to_give_it() -> None:
    read = ax.sources.load("digits", n=2)
    with pytest.raises(ValueError, match=r"examples must be an array or Patterns; got Examples. Pass its .patterns"):
        ax.store(read, key=jr.key(0))
    with pytest.raises(ValueError, match=r"cues must be .*; got Examples. Pass its .values"):
        ax.recall(MEMORY, read)
    with pytest.raises(ValueError, match=r"starts must be .*; got Memory. Pass its .patterns.points"):
        ax.iterate(MEMORY.map, MEMORY)
    with pytest.raises(
        ValueError, match=r"got 'digits'. Load it first, such as attrax.sources.load\('digits'\).values"
    ):
        ax.store("digits", key=jr.key(0))


def test_every_package_is_a_name_of_attrax() -> None:
    assert [name for name in PACKAGES if getattr(ax, name, None) is not importlib.import_module(f"attrax.{name}")] == []
