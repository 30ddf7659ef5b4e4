"""Corruptions of states: one registry for training, recall and analysis alike.

Each corruption is a pure function of a key, one state, a level and a partner (another stored state, which only blends
look at). Pictures are H×W or H×W×C; a pixel is all its channels, black is 0.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from attrax import _checks
from attrax._numerics import float64
from attrax._types import HostStates

Function = Callable[[PRNGKeyArray, Array, Any, Array], Array]


def _per_pixel(mask: Array, x: Array) -> Array:
    """A mask over pixels, with a trailing axis where `x` has channels."""
    return mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim))


def _pixels(x: Array) -> tuple[int, ...]:
    return x.shape[:2] if x.ndim >= 2 else x.shape


def gaussian(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """x + level·N(0, 1), not clipped."""
    return x + level * jr.normal(key, x.shape, x.dtype)


def occlude(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """The lower fraction `level` of the rows black (the number of rows rounded)."""
    height = x.shape[0]
    hidden = jnp.arange(height) >= height - jnp.round(level * height)
    return jnp.where(hidden.reshape((-1,) + (1,) * (x.ndim - 1)), 0.0, x)


def drop(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """Each pixel black with probability `level`."""
    return jnp.where(_per_pixel(jr.bernoulli(key, level, _pixels(x)), x), 0.0, x)


def uniform(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """Each pixel replaced by U[0, 1] with probability `level`."""
    mask_key, value_key = jr.split(key)
    replaced = _per_pixel(jr.bernoulli(mask_key, level, _pixels(x)), x)
    return jnp.where(replaced, jr.uniform(value_key, x.shape, x.dtype), x)


def saltpepper(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """Each pixel black or white, with even chances, with probability `level`."""
    mask_key, value_key = jr.split(key)
    replaced = _per_pixel(jr.bernoulli(mask_key, level, _pixels(x)), x)
    white = _per_pixel(jr.bernoulli(value_key, 0.5, _pixels(x)), x)
    return jnp.where(replaced, white.astype(x.dtype), x)


def _square(key: PRNGKeyArray, x: Array, level: Any) -> Array:
    """Mask of a square with the fraction `level` of the area at a random place that holds it (cut off if too large)."""
    height, width = x.shape[:2]
    side = jnp.round(jnp.sqrt(level * height * width))
    row, column = jr.uniform(key, (2,))
    top = jnp.floor(row * jnp.maximum(height - side + 1, 1.0))
    left = jnp.floor(column * jnp.maximum(width - side + 1, 1.0))
    rows, columns = jnp.arange(height), jnp.arange(width)
    inside = ((rows >= top) & (rows < top + side))[:, None] & ((columns >= left) & (columns < left + side))[None]
    return _per_pixel(inside, x)


def block(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """A square with the fraction `level` of the area, at a random place, black."""
    return jnp.where(_square(key, x, level), 0.0, x)


def blocknoise(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """The same square filled with U[0, 1]."""
    place_key, value_key = jr.split(key)
    return jnp.where(_square(place_key, x, level), jr.uniform(value_key, x.shape, x.dtype), x)


def _half(side: str) -> Function:
    def half(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
        axis = 0 if side in ("top", "bottom") else 1
        size = x.shape[axis]
        position = jnp.arange(size)
        hidden = position < size // 2 if side in ("top", "left") else position >= size - size // 2
        return jnp.where(hidden.reshape([-1 if a == axis else 1 for a in range(x.ndim)]), level, x)

    return half


def shift(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """Moved right and down by the whole number `level` of pixels (left and up if negative); vacated pixels black."""
    amount = jnp.round(level).astype(jnp.int32)
    for axis in (0, 1):
        position = jnp.arange(x.shape[axis]) - amount
        valid = (position >= 0) & (position < x.shape[axis])
        moved = jnp.take(x, jnp.clip(position, 0, x.shape[axis] - 1), axis=axis)
        x = jnp.where(valid.reshape([-1 if a == axis else 1 for a in range(x.ndim)]), moved, 0.0)
    return x


def rotate(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """Turned counter-clockwise about its centre by `level` degrees, bilinear; what comes from outside is black."""
    angle = jnp.deg2rad(level)
    height, width = x.shape[:2]
    rows, columns = jnp.meshgrid(
        jnp.arange(height) - (height - 1) / 2, jnp.arange(width) - (width - 1) / 2, indexing="ij"
    )
    from_rows = jnp.cos(angle) * rows + jnp.sin(angle) * columns + (height - 1) / 2
    from_columns = -jnp.sin(angle) * rows + jnp.cos(angle) * columns + (width - 1) / 2
    turned = jax.vmap(
        lambda plane: jax.scipy.ndimage.map_coordinates(plane, [from_rows, from_columns], order=1, cval=0.0),
        in_axes=-1,
        out_axes=-1,
    )(x.reshape(height, width, -1))
    return turned.reshape(x.shape).astype(x.dtype)


def contrast(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """mean + level·(x − mean), with the mean over all entries of the state."""
    mean = jnp.mean(x)
    return mean + level * (x - mean)


def blend(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """(1 − level)·x + level·partner."""
    return (1 - level) * x + level * partner


def none(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """x as it is."""
    return x


@dataclass(frozen=True, slots=True)
class _Kind:
    function: Function
    least: float
    most: float
    picture: bool
    meaning: str
    whole: bool = False


_FRACTION = (0.0, 1.0)
_KINDS = MappingProxyType(
    {
        "gaussian": _Kind(gaussian, 0.0, 1e6, False, "gaussian:SIGMA adds Gaussian noise"),
        "occlude": _Kind(occlude, *_FRACTION, True, "occlude:F blackens the lower fraction F of the rows"),
        "drop": _Kind(drop, *_FRACTION, False, "drop:F blackens each pixel with probability F"),
        "uniform": _Kind(uniform, *_FRACTION, False, "uniform:F replaces each pixel by U[0,1] with probability F"),
        "saltpepper": _Kind(saltpepper, *_FRACTION, False, "saltpepper:F makes pixels black or white"),
        "block": _Kind(block, *_FRACTION, True, "block:F blackens a random square of area F"),
        "blocknoise": _Kind(blocknoise, *_FRACTION, True, "blocknoise:F fills such a square with U[0,1]"),
        "shift": _Kind(shift, -1e6, 1e6, True, "shift:N moves right and down by N pixels", whole=True),
        "rotate": _Kind(rotate, -360.0, 360.0, True, "rotate:DEGREES turns counter-clockwise"),
        "contrast": _Kind(contrast, 0.0, 1e3, False, "contrast:C scales the deviation from the mean by C"),
        "blend": _Kind(blend, *_FRACTION, False, "blend:A mixes in the fraction A of another example"),
    }
)
_SIDES = ("left", "right", "top", "bottom")
CORRUPTIONS = (*_KINDS, "half", "none")
"""Names of the corruptions."""


@dataclass(frozen=True, slots=True)
class Corruption:
    """A corruption at a level.

    **Fields:** `name`, as it was written, such as `"gaussian:0.3"`; `kind`; `level`; `function` of
    (key, state, level, partner); `picture`, whether it needs states of at least two axes.
    """

    name: str
    kind: str
    level: float
    function: Function
    picture: bool

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """**Raises** `ValueError` where states of `shape` have no rows and columns but this corruption needs them."""
        if self.picture and len(shape) < 2:
            raise ValueError(
                f"the corruption {self.name!r} needs pictures (H×W or H×W×C); these states are vectors, of "
                f"shape {shape}. Use gaussian, drop, uniform, saltpepper, contrast or blend."
            )


def parse_corruption(text: str) -> Corruption:
    """The corruption written as KIND:LEVEL, such as `gaussian:0.3`, `half:right,0.5` or `none`.

    **Raises** `ValueError` for an unknown kind or a level out of range.

        >>> parse_corruption("occlude:0.5").level
        0.5
    """
    kind, colon, written = text.partition(":")
    if kind == "none" and not colon:
        return Corruption(text, kind, 0.0, none, False)
    if kind == "half":
        side, _, value = written.partition(",")
        if side not in _SIDES:
            raise ValueError(f"half must be written half:SIDE,VALUE with SIDE one of {', '.join(_SIDES)}; got {text!r}")
        return Corruption(text, kind, _number(text, value), _half(side), True)
    if kind not in _KINDS:
        raise ValueError(f"a corruption must be one of {', '.join(CORRUPTIONS)}, written KIND:LEVEL; got {text!r}")
    known = _KINDS[kind]
    level = _checks.real(f"the level in {text!r} ({known.meaning})", _number(text, written, known.meaning),
                         least=known.least, most=known.most)  # fmt: skip
    if known.whole and level != round(level):
        raise ValueError(f"the level in {text!r} must be a whole number: {known.meaning}")
    return Corruption(text, kind, level, known.function, known.picture)


def _number(text: str, written: str, meaning: str = "half:SIDE,VALUE sets half of the picture to VALUE") -> float:
    try:
        number = float(written)
    except ValueError:
        raise ValueError(f"{text!r} needs a number as its level: {meaning}") from None
    return _checks.real(f"the level in {text!r}", number)


def corrupt(
    corruption: Corruption | str,
    states: HostStates,
    *,
    partners: HostStates | None = None,
    key: PRNGKeyArray,
) -> Float[np.ndarray, "n *state"]:
    """Each state corrupted by its own draw; row i depends on the key, on i and on state i only.

    **Arguments:**

    - `corruption`: a `Corruption` or its text.
    - `states`: n×state shape.
    - `partners`: what blends mix in, drawn for each row from those that differ from it; by default `states`.
    - `key`: for the draws.

    **Returns:** an array of the shape and dtype of `states`. **Raises** `ValueError` where the corruption needs
    pictures and the states are vectors, or a blend has nobody to blend with.

        >>> import jax.random as jr
        >>> corrupt("occlude:0.5", np.ones((1, 2, 2), "float32"), key=jr.key(0))[0].tolist()
        [[1.0, 1.0], [0.0, 0.0]]
    """
    corruption = parse_corruption(corruption) if isinstance(corruption, str) else corruption
    states = np.asarray(states)
    corruption.check_shape(states.shape[1:])
    partners = states if partners is None else np.asarray(partners, states.dtype)
    mates = states
    if corruption.kind == "blend":
        mates = np.stack([_partner(index, state, partners, key) for index, state in enumerate(states)])
    if not len(states):
        return states.copy()
    with float64():
        level = jnp.asarray(corruption.level, states.dtype)
        return np.asarray(_corrupt_rows(corruption.function, key, states, level, mates))


def _partner(index: int, state: np.ndarray, partners: np.ndarray, key: PRNGKeyArray) -> np.ndarray:
    others = np.flatnonzero((partners != state).reshape(len(partners), -1).any(axis=1))
    if not len(others):
        raise ValueError("blend needs another example to mix in, and there is only this one")
    draw = jr.randint(jr.fold_in(jr.fold_in(key, 1), index), (), 0, len(others))
    return partners[others[int(draw)]]


@eqx.filter_jit
def _corrupt_rows(function: Function, key: PRNGKeyArray, states: Any, level: Any, mates: Any) -> Any:
    keys = jax.vmap(lambda index: jr.fold_in(jr.fold_in(key, 0), index))(jnp.arange(len(states)))
    return jax.vmap(function, in_axes=(0, 0, None, 0))(keys, states, level, mates)
