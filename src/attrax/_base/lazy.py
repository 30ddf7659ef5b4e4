"""What is made on first use: modules, so that tables of names can be read without importing JAX, and properties."""

import importlib
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


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


class once(Generic[T]):
    """A property that is computed on first use, by one thread while others that need it wait.

    `functools.cached_property` lets each of several threads compute it.

    >>> class Square:
    ...     @once
    ...     def area(self) -> float:
    ...         print("computing")
    ...         return 4.0
    >>> square = Square()
    >>> square.area, square.area
    computing
    (4.0, 4.0)
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make, self._name, self._lock = make, make.__name__, threading.RLock()
        self.__doc__ = make.__doc__

    def __get__(self, owner: Any, _: type) -> T:
        with self._lock:
            if self._name not in owner.__dict__:
                owner.__dict__[self._name] = self._make(owner)
            return owner.__dict__[self._name]
