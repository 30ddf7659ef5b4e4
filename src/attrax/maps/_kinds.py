"""The kinds of maps that files hold."""

from attrax.maps._contract import Storable
from attrax.maps.conv import ConvAutoencoder
from attrax.maps.mlp import MLP
from attrax.maps.recurrent import Recurrent

KINDS: dict[str, type[Storable]] = {
    "mlp": MLP,
    "conv": ConvAutoencoder,
    "recurrent": Recurrent,
}
"""The names under which files know them. A new kind with `to_arrays` and `from_arrays` is one more line."""


def kind_of(map: object) -> str | None:
    """The name of the kind of a map; `None` for a map that files don't hold, a subclass of a kind included."""
    return next((name for name, kind in KINDS.items() if type(map) is kind), None)
