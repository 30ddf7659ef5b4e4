"""Modules that are imported on first use, so that tables of names can be read without importing JAX."""

import importlib
from typing import Any


class _Lazy:
    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)


def lazy(name: str) -> Any:
    """The module called `name`, imported when one of its attributes is first used.

    >>> lazy("math").sqrt(4.0)
    2.0
    """
    return _Lazy(name)


def found(place: str) -> Any:
    """The object at `package.module:name`. The module is imported.

    >>> found("math:tau") > 6
    True
    """
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
