"""Corruptions by name: one registry for training, recall and analysis alike."""

import functools
import re
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

from attrax._base import checks
from attrax._base.numerics import float64
from attrax._base.types import HostStates
from attrax.corruptions import _distortions
from attrax.corruptions._distortions import Distortion

Draw = Callable[[PRNGKeyArray, Any], Any]


def _up_to(key: PRNGKeyArray, level: Any) -> Any:
    return jr.uniform(key, (), jnp.result_type(level)) * level


def _both_ways(key: PRNGKeyArray, level: Any) -> Any:
    return jr.uniform(key, (), jnp.result_type(level), -1, 1) * level


def _from_one(key: PRNGKeyArray, level: Any) -> Any:
    return 1 + jr.uniform(key, (), jnp.result_type(level)) * (level - 1)


def _factor(key: PRNGKeyArray, level: Any) -> Any:
    return jnp.exp(_both_ways(key, jnp.log(level)))


def _as_is(key: PRNGKeyArray, level: Any) -> Any:
    return level


@dataclass(frozen=True, slots=True)
class _Kind:
    function: Distortion
    least: float
    most: float
    picture: bool
    meaning: str
    draw: Draw = _up_to
    whole: bool = False
    trained: Distortion | None = None


_FRACTION = (0.0, 1.0)
_KINDS = MappingProxyType(
    {
        "gaussian": _Kind(_distortions.gaussian, 0.0, 1e300, False, "gaussian:SIGMA adds Gaussian noise"),
        "occlude": _Kind(_distortions.occlude, *_FRACTION, True, "occlude:F blackens the lower fraction F of the rows"),
        "drop": _Kind(_distortions.drop, *_FRACTION, False, "drop:F blackens each pixel with probability F"),
        "uniform": _Kind(
            _distortions.uniform, *_FRACTION, False, "uniform:F replaces each pixel by U[0,1] with probability F"
        ),
        "saltpepper": _Kind(_distortions.saltpepper, *_FRACTION, False, "saltpepper:F makes pixels black or white"),
        "block": _Kind(_distortions.block, *_FRACTION, True, "block:F blackens a random square of area F"),
        "blocknoise": _Kind(_distortions.blocknoise, *_FRACTION, True, "blocknoise:F fills such a square with U[0,1]"),
        "shift": _Kind(
            _distortions.shift,
            -1e6,
            1e6,
            True,
            "shift:N moves right and down by N pixels",
            draw=_as_is,
            whole=True,
            trained=_distortions.shift_any_way,
        ),
        "rotate": _Kind(
            _distortions.rotate, -360.0, 360.0, True, "rotate:DEGREES turns counter-clockwise", draw=_both_ways
        ),
        "scale": _Kind(
            _distortions.scale, 0.01, 100.0, True, "scale:FACTOR enlarges about the center by FACTOR", draw=_factor
        ),
        "elastic": _Kind(
            _distortions.elastic, 0.0, 1e6, True, "elastic:PIXELS warps by a smooth field of this root mean square"
        ),
        "contrast": _Kind(
            _distortions.contrast, 0.0, 1e3, False, "contrast:C scales the deviation from the mean by C", draw=_from_one
        ),
        "blend": _Kind(_distortions.blend, *_FRACTION, False, "blend:A mixes in the fraction A of another example"),
    }
)
_HALVES = MappingProxyType({side: _distortions.half(side) for side in ("left", "right", "top", "bottom")})
CORRUPTIONS = (*_KINDS, "half", "none")
"""Names of the corruptions."""


@dataclass(frozen=True, slots=True)
class Corruption:
    """A corruption at a level, or several one after another.

    **Fields:**

    - `name`: as it was written, such as `"gaussian:0.3"` or `"shift:2+occlude:0.5"`.
    - `kind`, `level`: of the corruption; of several, the kinds joined by `+`, and the tuple of the levels.
    - `function`: of (key, state, level, partner).
    - `trained`: the same with a level drawn up to the given one, uniformly and in both directions where there are two:
      factors from 1/level to level, contrast from 1 to level, shifts by any numbers of pixels up to it. For training.
    - `picture`: whether it needs states of at least two axes.
    """

    name: str
    kind: str
    level: float | tuple[float, ...]
    function: Distortion
    trained: Distortion
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

    Several are joined by `+` and happen from left to right: `shift:2+occlude:0.5`.

    **Raises** `ValueError` for an unknown kind or a level out of range.

        >>> parse_corruption("occlude:0.5").level
        0.5
    """
    if not isinstance(text, str):
        raise ValueError(f"a corruption must be a text such as 'gaussian:0.3', or a function; got {text!r}")
    # A plus sign may also stand in the exponent of a level, as in gaussian:5e+05.
    parts = [_parse_one(part) for part in re.split(r"\+(?!\d)", text)]
    if len(parts) == 1:
        return parts[0]
    return Corruption(
        text,
        "+".join(part.kind for part in parts),
        tuple(float(np.asarray(part.level)) for part in parts),
        _chain(tuple(part.function for part in parts)),
        _chain(tuple(part.trained for part in parts)),
        any(part.picture for part in parts),
    )


def as_corruption(given: Corruption | str | Callable[..., Any]) -> Corruption:
    """A corruption from its text, or from a function of a key and a state that returns a corrupted state."""
    if isinstance(given, Corruption):
        return given
    if not callable(given):
        return parse_corruption(given)
    name = getattr(given, "__name__", type(given).__name__)
    function = _called(given)
    return Corruption(name, "function", 1.0, function, function, False)


# Kept, so that equal texts give the same functions and compiled programs are found again.
@functools.cache
def _chain(functions: tuple[Distortion, ...]) -> Distortion:
    def chained(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
        for number, function in enumerate(functions):
            x = function(jr.fold_in(key, number), x, level[number], partner)
        return x

    return chained


@functools.cache
def _called(function: Callable[..., Any]) -> Distortion:
    def call(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
        found = jnp.asarray(function(key, x))
        if found.shape != x.shape:
            raise ValueError(f"a corruption must keep the shape of a state, {x.shape}; {function} gives {found.shape}")
        return found.astype(x.dtype)

    return call


@functools.cache
def _drawn(function: Distortion, draw: Draw) -> Distortion:
    def drawn(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
        level_key, key = jr.split(key)
        return function(key, x, draw(level_key, level), partner)

    return drawn


def _parse_one(text: str) -> Corruption:
    kind, colon, written = text.partition(":")
    if kind == "none" and not colon:
        return Corruption(text, kind, 0.0, _distortions.none, _distortions.none, False)
    if kind == "half":
        side, _, value = written.partition(",")
        if side not in _HALVES:
            raise ValueError(
                f"half must be written half:SIDE,VALUE with SIDE one of {', '.join(_HALVES)}; got {text!r}"
            )
        function = _HALVES[side]
        return Corruption(text, kind, _number(text, value), function, _drawn(function, _up_to), True)
    if kind not in _KINDS:
        raise ValueError(f"a corruption must be one of {', '.join(CORRUPTIONS)}, written KIND:LEVEL; got {text!r}")
    known = _KINDS[kind]
    level = checks.real(
        f"the level in {text!r} ({known.meaning})",
        _number(text, written, known.meaning),
        least=known.least,
        most=known.most,
    )
    if known.whole and level != round(level):
        raise ValueError(f"the level in {text!r} must be a whole number: {known.meaning}")
    trained = _drawn(known.trained or known.function, known.draw)
    return Corruption(text, kind, level, known.function, trained, known.picture)


def _number(text: str, written: str, meaning: str = "half:SIDE,VALUE sets half of the picture to VALUE") -> float:
    try:
        number = float(written)
    except ValueError:
        raise ValueError(f"{text!r} needs a number as its level: {meaning}") from None
    return checks.real(f"the level in {text!r}", number)


def corrupt(
    corruption: Corruption | str | Callable[..., Any],
    states: HostStates,
    *,
    partners: HostStates | None = None,
    key: PRNGKeyArray,
) -> Float[np.ndarray, "n *state"]:
    """Each state corrupted by its own draw; row i depends on the key, on i and on state i only.

    **Arguments:**

    - `corruption`: a `Corruption`, its text, or a function of a key and a state that returns a state.
    - `states`: n×state shape.
    - `partners`: what blends mix in, drawn for each row from those that differ from it; by default `states`.
    - `key`: for the draws.

    **Returns:** an array of the shape and dtype of `states`. **Raises** `ValueError` where the corruption needs
    pictures and the states are vectors, or a blend has nobody to blend with.

        >>> import jax.random as jr
        >>> corrupt("occlude:0.5", np.ones((1, 2, 2), "float32"), key=jr.key(0))[0].tolist()
        [[1.0, 1.0], [0.0, 0.0]]
    """
    corruption = as_corruption(corruption)
    states = np.asarray(states)
    if states.dtype.kind in "iub":
        states = states.astype(np.float32)  # levels are fractions
    corruption.check_shape(states.shape[1:])
    if not len(states):
        return states.copy()
    partners = states if partners is None else np.asarray(partners, states.dtype)
    if partners.shape[1:] != states.shape[1:] or partners.ndim != states.ndim:
        raise ValueError(f"partners must be states of shape {states.shape[1:]}, one a row; got {partners.shape}")
    mates = states
    if "blend" in corruption.kind:
        mates = np.stack([_partner(index, state, partners, key) for index, state in enumerate(states)])
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
def _corrupt_rows(function: Distortion, key: PRNGKeyArray, states: Any, level: Any, mates: Any) -> Any:
    keys = jax.vmap(lambda index: jr.fold_in(jr.fold_in(key, 0), index))(jnp.arange(len(states)))
    return jax.vmap(function, in_axes=(0, 0, None, 0))(keys, states, level, mates)
