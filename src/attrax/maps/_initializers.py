"""Initial weights and biases of linear layers, named as the paper names them."""

import math
from typing import Any

import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from attrax._base import checks
from attrax._base.arguments import mention
from attrax._base.budget import refuse_beyond_memory

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
    name.

    - `pytorch`: both U[−1/√fan_in, 1/√fan_in], the default of PyTorch's Linear.
    - `uniform:A`: both U[−A, A] (Fig. 16).
    - `xavier_uniform` ±√(6/(fan_in + fan_out)), `xavier_normal` with variance 2/(fan_in + fan_out),
      `kaiming_uniform` ±√(6/fan_in), `kaiming_normal` with variance 2/fan_in: biases start at zero.
    """
    shape = (fan_out, fan_in)
    what = f"{mention('width')}: a layer with {fan_out * fan_in:,} weights"
    refuse_beyond_memory(what, 2 * np.dtype(dtype).itemsize * fan_out * fan_in, "take a narrower one")
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
        weight = deviations[name] * jr.normal(weight_key, shape, dtype)
    else:
        weight = jr.uniform(weight_key, shape, dtype, -limit, limit)
    if not bias:
        return weight, None
    if name == "pytorch" or name.startswith("uniform:"):
        return weight, jr.uniform(bias_key, (fan_out,), dtype, -limit, limit)
    return weight, jnp.zeros((fan_out,), dtype)
