"""Initial weights and biases of linear layers, named as the paper names them."""

import math
from typing import Any

import jax.random as jr
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, PRNGKeyArray

from attrax._base import checks
from attrax._base.arguments import mention
from attrax._base.budget import refuse_beyond_memory
from attrax._base.numerics import device_array

INITIALIZERS = ("pytorch", "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "uniform:A")
"""Names of the initializations; `uniform:A` stands for U[−A, A] with a number for A, such as `uniform:0.05`."""


def check_initializer(name: str) -> str:
    """`name` if it names an initialization. **Raises** `ValueError` otherwise."""
    if isinstance(name, str) and name.startswith("uniform:"):
        try:
            half_width = float(name.removeprefix("uniform:"))
        except ValueError:
            half_width = math.nan
        checks.real(f"A in the initialization {name!r}", half_width, above=0)
        return name
    return checks.one_of("init", name, INITIALIZERS)


def init_linear(
    name: str, fan_in: int, fan_out: int, *, bias: bool, dtype: Any, key: PRNGKeyArray
) -> tuple[Float[Array, "out in"], Float[Array, " out"] | None]:
    """Weight (`fan_out`×`fan_in`) and bias (`fan_out`) of one linear layer. **Raises** `ValueError` for an unknown
    name and for what is no key.

    - `pytorch`: both U[−1/√fan_in, 1/√fan_in], the default of PyTorch's Linear.
    - `uniform:A`: both U[−A, A] (Fig. 16).
    - `xavier_uniform` ±√(6/(fan_in + fan_out)), `xavier_normal` with variance 2/(fan_in + fan_out),
      `kaiming_uniform` ±√(6/fan_in), `kaiming_normal` with variance 2/fan_in: biases start at zero.

    ```python
    >>> import jax.random as jr, numpy as np
    >>> from attrax.maps import init_linear
    >>> weight, bias = init_linear("pytorch", 3, 2, bias=True, dtype=np.float32, key=jr.key(0))
    >>> weight.shape, bias.shape
    ((2, 3), (2,))

    ```
    """
    checks.random_key(key)
    shape = (fan_out, fan_in)
    what = f"{mention('width')}: a layer with {fan_out * fan_in:,} weights"
    # The draw has up to twice as many numbers.
    refuse_beyond_memory(what, 3 * np.dtype(dtype).itemsize * fan_out * fan_in, "take a narrower one")
    weight_key, bias_key = jr.split(key)
    limits = {
        "pytorch": 1 / math.sqrt(fan_in),
        "xavier_uniform": math.sqrt(6 / (fan_in + fan_out)),
        "kaiming_uniform": math.sqrt(6 / fan_in),
    }
    deviations = {"xavier_normal": math.sqrt(2 / (fan_in + fan_out)), "kaiming_normal": math.sqrt(2 / fan_in)}
    check_initializer(name)
    limit = limits[name] if name in limits else float(name.removeprefix("uniform:") if ":" in name else 0)
    if name in deviations:
        weight = drawn(weight_key, shape, dtype, None) * np.asarray(deviations[name], dtype)
    else:
        weight = drawn(weight_key, shape, dtype, limit)
    if not bias:
        return placed(weight), None
    if name == "pytorch" or name.startswith("uniform:"):
        return placed(weight), placed(drawn(bias_key, (fan_out,), dtype, limit))
    return placed(weight), placed(np.zeros((fan_out,), dtype))


def placed(values: Any) -> Any:
    """On the device, unless they are traced."""
    return values if isinstance(values, Tracer) else device_array(values)


def drawn(key: PRNGKeyArray, shape: tuple[int, ...], dtype: Any, limit: float | None) -> Any:
    """U[−`limit`, `limit`], or N(0, 1) without a limit.

    Each entry is drawn by its index alone, so that the first entries of a longer draw are those of this one. Layers of
    many shapes then share the few programs that draw a power of two.
    """

    def draw(size: tuple[int, ...]) -> Any:
        return jr.normal(key, size, dtype) if limit is None else jr.uniform(key, size, dtype, -limit, limit)

    if isinstance(key, Tracer):
        return draw(shape)
    count = math.prod(shape)
    longer = draw((max(64, 1 << (count - 1).bit_length()),))
    # A copy, because a part would keep the whole draw in memory.
    return np.asarray(longer)[:count].reshape(shape).copy()
