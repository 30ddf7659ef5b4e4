"""What training can do only with maps of fully connected layers."""

from dataclasses import Field
from typing import Any, ClassVar, Protocol, runtime_checkable

from jaxtyping import Array, Float


@runtime_checkable
class Layered(Protocol):
    """A map of fully connected layers with one activation between them, such as `attrax.maps.MLP`.

    Its first weight acts on the state as one vector, its last one gives the output so. Therefore the last layer can be
    solved by least squares (`polish`), a linear change of variables folds into the first and the last layer
    (`Coordinates`), and each layer has Kronecker factors (`kfac`). It is a frozen dataclass, as every Equinox module
    is. A map without these attributes is trained by gradients only.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    weights: tuple[Any, ...]
    biases: tuple[Any, ...]
    shape: tuple[int, ...]
    activation: Any

    def features(self, x: Float[Array, " d"]) -> Float[Array, " k"]:
        """Activations of the last hidden layer at a state, given as one vector."""
        ...

    def readout(self, features: Float[Array, " k"]) -> Float[Array, " d"]:
        """The output, as one vector, for given activations of the last hidden layer."""
        ...


def takes_coordinates(map: Any) -> bool:
    """Whether `map` can be trained in centered `Coordinates`: its first and its last layer have biases.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> import attrax as ax
    >>> network = ax.maps.mlp((2,), width=3, depth=1, key=jr.key(0))
    >>> without = ax.maps.mlp((2,), width=3, depth=1, bias=False, key=jr.key(0))
    >>> ax.training.takes_coordinates(network), ax.training.takes_coordinates(without)
    (True, False)

    ```
    """
    return isinstance(map, Layered) and map.biases[0] is not None and map.biases[-1] is not None
