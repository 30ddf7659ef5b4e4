"""What attrax knows of a kind of corruption, in one record, and a corruption at a level."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from attrax._base import checks
from attrax._base.lazy import lazy
from attrax._base.shown import Record

if TYPE_CHECKING:
    import jax.numpy as jnp
    import jax.random as jr
else:
    jnp, jr = lazy("jax.numpy"), lazy("jax.random")

Distortion: TypeAlias = Callable[[Any, Any, Any, Any], Any]
"""Called as `distortion(key, state, level, partner)`; it returns a state. The partner is another stored state, or the
mean of all."""


@dataclass(frozen=True, slots=True)
class Drawn(Record):
    """The levels that training draws where a level is asked for.

    **Fields:** `draw`, of a key and the level asked for, the level of one example; `covers`, of the level asked for
    and another one, whether this may be drawn.
    """

    draw: Callable[[Any, Any], Any]
    covers: Callable[[float, float], bool]


def _no_larger(asked: float, level: float) -> bool:
    return abs(level) <= abs(asked) * (1 + 1e-9)


def _no_larger_factor(asked: float, level: float) -> bool:
    return abs(math.log(level)) <= abs(math.log(asked)) * (1 + 1e-9)


def _fraction(key: Any, level: Any, low: float = 0.0) -> Any:
    return jr.uniform(key, (), jnp.result_type(level), low, 1.0)


UP_TO = Drawn(lambda key, level: _fraction(key, level) * level, _no_larger)
"""From 0 to the level."""
BOTH_WAYS = Drawn(lambda key, level: _fraction(key, level, -1.0) * level, _no_larger)
"""From minus the level to the level."""
FROM_ONE = Drawn(
    lambda key, level: 1 + _fraction(key, level) * (level - 1),
    lambda asked, level: min(1.0, asked) <= level <= max(1.0, asked),
)
"""From 1 to the level."""
FACTOR = Drawn(lambda key, level: jnp.exp(_fraction(key, level, -1.0) * jnp.log(level)), _no_larger_factor)
"""From 1/level to the level, on a logarithmic scale."""
AS_IS = Drawn(lambda key, level: level, _no_larger)
"""The level itself: the function for training draws on its own."""


class Motion(StrEnum):
    """How a corruption moves pixels."""

    TRANSLATION = "translation"
    """By up to `level` pixels along each axis, in training either way."""
    ROTATION = "rotation"
    """About the center, by up to `level` degrees."""
    OTHER = "other"
    """In any other way."""


@dataclass(frozen=True, slots=True)
class CorruptionKind(Record):
    """A kind of corruption: what it is called, what it does, and what is to be known of it.

    `register` makes its name known, in Python and on the command line; `at` gives the corruption at a level, which
    needs no registration.

    **Fields:**

    - `name`: as it stands before the level, in `name:level`.
    - `function`: a `Distortion`, written with JAX. Of a kind with `choices` it is called with one of them first, and
      returns a distortion.
    - `about`: what it does to a state, beginning with a verb, with `unit` for the level: "blackens the lower fraction
      F of the rows".
    - `words`: the same of one level for a heading. `{level}`, `{percent}` and `{choice}` are filled in.
    - `unit`: the letter or word that stands for the level; empty for a kind that has none.
    - `least`, `most`: the levels that are allowed.
    - `whole`: whether levels are whole numbers.
    - `levels`: the usual ones, for recovery curves; empty where the kind is not among those drawn by default.
    - `choices`: words of which one stands before the level, as in `half:left,0.5`.
    - `masks`: whether it replaces some pixels and leaves all others as they are. Recall can then be told which.
    - `scattered`: whether it decides on every pixel by itself, so that hardly any neighborhood is left whole.
    - `isotropic`: whether it adds `level`·N(0, 1) to every entry, which is the same noise in any orthonormal basis.
    - `motion`: how it moves pixels, which no linear score survives; `None` where it leaves them in place.
    - `identity`: whether it does nothing.
    - `partner`: whether it needs another example; `mean`: whether its partner is the mean of all examples instead.
    - `picture`: whether it needs states of at least two axes.
    - `drawn`: the levels that training draws; `trained`: what is done to examples in training, `None` for the same.
    - `any_key`: whether training may call it with a key of its own generator, which compiles faster but lacks some
      draws, such as `jax.random.poisson`.

    ```python
    >>> kind = CorruptionKind("fade", lambda key, x, level, partner: (1 - level) * x, about="darkens by F")
    >>> kind.usage, kind.at(0.25).name
    ('fade:F', 'fade:0.25')

    ```
    """

    name: str
    function: Callable[..., Any]
    about: str = ""
    words: str = ""
    unit: str = "F"
    least: float = 0.0
    most: float = 1.0
    whole: bool = False
    levels: tuple[float, ...] = ()
    choices: tuple[str, ...] = ()
    masks: bool = False
    scattered: bool = False
    isotropic: bool = False
    motion: Motion | None = None
    identity: bool = False
    partner: bool = False
    mean: bool = False
    picture: bool = False
    drawn: Drawn = UP_TO
    trained: Callable[..., Any] | None = None
    any_key: bool = False

    @property
    def usage(self) -> str:
        """How it is written, such as `gaussian:SIGMA`."""
        return f"{self.name}:{self.unit}" if self.unit else self.name

    @property
    def meaning(self) -> str:
        """How it is written, and what that does."""
        return f"{self.usage} {self.about}"

    def at(self, level: float = 0.0, choice: str = "") -> Corruption:
        """The corruption at a level. **Raises** `ValueError` for a level out of range and an unknown choice."""
        written = f"{level:.12g}" if isinstance(level, int | float) else repr(level)
        name = f"{self.name}:{choice},{written}" if choice else f"{self.name}:{written}" if self.unit else self.name
        return self.named(name, level, choice)

    def named(self, name: str, level: float, choice: str) -> Corruption:
        """The same, called as it was written."""
        if self.choices and choice not in self.choices:
            raise ValueError(
                f"{self.name} must be written {self.usage} with {self.unit.partition(',')[0]} one of "
                f"{', '.join(self.choices)}; got {name!r}"
            )
        what = f"the level in {name!r} ({self.meaning})"
        level = checks.real(what, level, least=self.least, most=self.most)
        if self.whole and level != round(level):
            raise ValueError(f"the level in {name!r} must be a whole number: {self.meaning}")
        function, trained = (
            _chosen(given, choice) if self.choices else given
            for given in (self.function, self.trained or self.function)
        )
        if not self.any_key:
            trained = with_usual_key(trained)
        return Corruption(name, level, function, _at_drawn_levels(trained, self.drawn), (self,), (choice,))

    def describe(self, level: float, choice: str = "") -> str:
        """What it does at a level, in words for a heading.

        ```python
        >>> from attrax.corruptions import CORRUPTIONS
        >>> CORRUPTIONS["occlude"].describe(0.5)
        'lower 50 % of the rows black'

        ```
        """
        words = self.words or (f"{self.name} {{level:g}}" if self.unit else self.name)
        return words.format(level=level, percent=f"{100 * level:.3g} %", choice=choice)


@dataclass(frozen=True, slots=True)
class Corruption(Record):
    """A corruption at a level, or several one after another.

    **Fields:**

    - `name`: as it was written, such as `"gaussian:0.3"` or `"shift:2+occlude:0.5"`.
    - `level`: of the corruption; of several, the tuple of the levels.
    - `function`: of (key, state, level, partner).
    - `trained`: the same with a level drawn up to the given one, as the kind's `drawn` says. For training.
    - `kinds`: the record of each part.
    - `choices`: the word before each level, empty where there is none.
    """

    name: str
    level: float | tuple[float, ...]
    function: Distortion
    trained: Distortion
    kinds: tuple[CorruptionKind, ...]
    choices: tuple[str, ...]

    @property
    def kind(self) -> str:
        """Name of the kind; of several, joined by `+`."""
        return "+".join(kind.name for kind in self.kinds)

    @property
    def levels(self) -> tuple[float, ...]:
        """The level of each part."""
        return self.level if isinstance(self.level, tuple) else (self.level,)

    @property
    def picture(self) -> bool:
        """Whether it needs states of at least two axes."""
        return any(kind.picture for kind in self.kinds)

    @property
    def partner(self) -> bool:
        """Whether it needs another example."""
        return any(kind.partner for kind in self.kinds)

    @property
    def mean(self) -> bool:
        """Whether its partner is the mean of all examples."""
        return any(kind.mean for kind in self.kinds)

    @property
    def masks(self) -> bool:
        """Whether it leaves all pixels as they are that it does not replace."""
        return all(kind.masks for kind in self.kinds)

    @property
    def scattered(self) -> bool:
        """Whether a part of it decides on every pixel by itself."""
        return any(kind.scattered for kind in self.kinds)

    @property
    def isotropic(self) -> bool:
        """Whether it is isotropic Gaussian noise and nothing else."""
        return len(self.kinds) == 1 and self.kinds[0].isotropic

    @property
    def moves(self) -> bool:
        """Whether it moves pixels."""
        return any(kind.motion is not None for kind in self.kinds)

    @property
    def identity(self) -> bool:
        """Whether it does nothing."""
        return all(kind.identity for kind in self.kinds)

    def largest(self, motion: Motion) -> float:
        """The largest level, in modulus, among the parts that move pixels so; 0 where there are none."""
        levels = zip(self.kinds, self.levels, strict=True)
        return max((abs(level) for kind, level in levels if kind.motion is motion), default=0.0)

    def describe(self) -> str:
        """What it does, in words for a heading.

        ```python
        >>> from attrax.corruptions import parse_corruption
        >>> parse_corruption("shift:2+drop:0.5").describe()
        'shifted by 2 pixels right and down, then 50 % of the pixels black'

        ```
        """
        parts = zip(self.kinds, self.levels, self.choices, strict=True)
        return ", then ".join(kind.describe(level, choice) for kind, level, choice in parts)

    def covers(self, other: Corruption) -> bool:
        """Whether training on this corruption sees all of `other`, of the same kinds."""
        parts = zip(self.kinds, self.levels, other.levels, strict=True)
        return self.kind == other.kind and all(kind.drawn.covers(mine, level) for kind, mine, level in parts)

    def fits(self, shape: tuple[int, ...], num_examples: int) -> bool:
        """Whether so many examples of this shape can be corrupted so."""
        return not (self.picture and len(shape) < 2) and not (self.partner and num_examples < 2)

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """**Raises** `ValueError` where states of `shape` have no rows and columns but this corruption needs them."""
        if self.picture and len(shape) < 2:
            raise ValueError(
                f"the corruption {self.name!r} needs pictures (H×W or H×W×C); these states are vectors, of "
                f"shape {shape}. Use a kind for states of any shape, such as gaussian, drop or uniform."
            )


# Kept, so that equal texts give the same functions and compiled programs are found again.
@functools.cache
def _chosen(function: Callable[..., Any], choice: str) -> Distortion:
    return function(choice)


@functools.cache
def with_usual_key(function: Distortion) -> Distortion:
    """The same with a key of JAX's usual generator, whatever that of training is."""

    def call(key: Any, x: Any, level: Any, partner: Any) -> Any:
        return function(jr.wrap_key_data(jr.key_data(key), impl="threefry2x32"), x, level, partner)

    return call


@functools.cache
def _at_drawn_levels(function: Distortion, drawn: Drawn) -> Distortion:
    if drawn is AS_IS:
        return function

    def at_drawn_level(key: Any, x: Any, level: Any, partner: Any) -> Any:
        level_key, key = jr.split(key)
        return function(key, x, drawn.draw(level_key, level), partner)

    return at_drawn_level
