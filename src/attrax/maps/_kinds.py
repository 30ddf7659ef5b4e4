"""The kinds of maps that files hold."""

from attrax._base.lazy import found
from attrax.maps._contract import Storable

_CLASSES = {
    "mlp": "attrax.maps.mlp:MLP",
    "conv": "attrax.maps.conv:ConvAutoencoder",
    "recurrent": "attrax.maps.recurrent:Recurrent",
}
"""The classes, by the name that files use for them. To add a kind that has `to_arrays`, add one line."""

FIRST_KIND = "mlp"
"""The kind of the map in files of format version 1, which do not say which it is."""

KINDS: dict[str, type[Storable]] = {name: found(place) for name, place in _CLASSES.items()}
"""The classes of maps that memory files hold, by the names they have there."""


def kind_of(map: object) -> str | None:
    """The name of the kind of a map; `None` for a map that files don't hold, which includes subclasses of a kind.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> network = ax.maps.mlp((2,), width=3, depth=1, key=jr.key(0))
    >>> ax.maps.kind_of(network), ax.maps.kind_of(np.tanh)
    ('mlp', None)

    ```
    """
    return next((name for name, kind in KINDS.items() if type(map) is kind), None)
