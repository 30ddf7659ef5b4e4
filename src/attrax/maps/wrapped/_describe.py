"""The description of any callable: its name and its parameters."""

from functools import partial

from attrax._base.types import Map
from attrax.maps._description import Description, count_parameters


def general_description(map: Map) -> Description:
    """The name of a function, or that of the class of an object.

    ```python
    >>> import math
    >>> general_description(math.tan).text
    'math.tan'

    ```
    """
    named = map
    while isinstance(named, partial):
        named = named.func
    named = named if hasattr(named, "__qualname__") else type(named)
    return Description(f"{named.__module__}.{named.__qualname__}", count_parameters(map))
