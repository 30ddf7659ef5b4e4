"""Modules that are imported when something of them is used: tables of names can then be read without JAX."""

import importlib
from typing import Any


class _Lazy:
    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)


def lazy(name: str) -> Any:
    """The module called `name`, imported when one of its attributes is first asked for.

    >>> lazy("math").sqrt(4.0)
    2.0
    """
    return _Lazy(name)


def found(place: str) -> Any:
    """What stands at `package.module:name`. The module is imported.

    >>> found("math:tau") > 6
    True
    """
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
