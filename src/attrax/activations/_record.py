"""What attrax knows of an activation, in one record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from attrax._base.shown import Record
from attrax.activations._bounds import SlopeBounds

Elementwise: TypeAlias = Callable[[Any], Any]
"""A function of an array, entry by entry."""

Case: TypeAlias = tuple[float, float, bool | Callable[[Any], tuple[Any, Any]]]
"""A range (low, high) and what is known there of |zφ'(z)/φ(z)| > 1, see `ClosedForms`."""


@dataclass(frozen=True, slots=True)
class ClosedForms(Record):
    """What the theory can use of an activation in NumPy and in closed form. What is `None` is computed by JAX.

    **Fields:**

    - `value`, `slope`: φ and φ' of a NumPy array. SciPy's solvers ask for one number at a time, where JAX is slow.
    - `ratio_integral`: ∫ φ/φ' from a to b as a function of (a, b), written so that nearby ends do not cancel.
    - `factor`: zφ'(z)/φ(z).
    - `admissible`: cases that cover the line in order, from which `theory.admissible_intervals` proves where
      |zφ'/φ| > 1: each a range with True or False where this is known, or with a function of
      `activations.intervals.Boxes` that returns the two whose moduli decide it, |first| > |second|. A range without
      width keeps its neighbors apart: φ is 0 there.
    """

    value: Elementwise | None = None
    slope: Elementwise | None = None
    ratio_integral: Callable[[Any, Any], Any] | None = None
    factor: Elementwise | None = None
    admissible: tuple[Case, ...] | None = None


@dataclass(frozen=True, slots=True, weakref_slot=True)  # JAX keeps what it compiled beside weak references
class Activation(Record):
    """An activation φ: what it is called, how it is computed, and what proofs and theory may use.

    It is callable, and may be given wherever an activation is asked for; `register` makes its name known too.

    **Fields:**

    - `name`: for tables, files and the command line.
    - `function`: φ, elementwise, written with `jax.numpy`.
    - `formula`, `about`: for people: φ(z), and one line.
    - `also`: dotted names of functions that are the same, such as `"jax.nn.relu"`: given one of these, attrax finds
      this record.
    - `bounds`: of the slope, for certificates and proved radii; with `None` verdicts are *inconclusive*.
    - `theory`: closed forms; with `None` everything is computed by JAX, and nothing proved.
    - `rounding`: by how many units in the last place (2⁻⁵³) of 1 + |z| + |φ(z)| a φ that is not piecewise linear may
      be off as JAX computes it in 64 bits. It is believed; a test compares the named ones with arbitrary precision.
    - `init`: the initialization that networks of this activation begin with unless another is asked for.

    ```python
    >>> import jax.numpy as jnp
    >>> from attrax.activations import Smooth
    >>> sine = Activation("sine", jnp.sin, formula="sin z", bounds=Smooth(second=1.0, third=1.0, width=2.0))
    >>> float(sine(0.0)), sine.homogeneous
    (0.0, False)

    ```
    """

    name: str
    function: Elementwise
    formula: str = ""
    about: str = ""
    also: tuple[str, ...] = ()
    bounds: SlopeBounds | None = None
    theory: ClosedForms | None = None
    init: str = "pytorch"
    rounding: float = 8.0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"name must be a text such as 'relu'; got {self.name!r}")
        if not callable(self.function):
            raise ValueError(f"function must be a function written with jax.numpy; got {self.function!r}")

    def __call__(self, z: Any) -> Any:
        """φ(z)."""
        return self.function(z)

    def __str__(self) -> str:
        return self.name

    @property
    def piecewise_linear(self) -> bool:
        """Whether the Jacobian of a network is constant on each of its linear regions."""
        return self.bounds is not None and self.bounds.linear

    @property
    def homogeneous(self) -> bool:
        """Whether φ(cz) = c·φ(z) for c > 0: networks without biases then have the eigenvalue 1 at fixed points."""
        bounds = self.bounds
        return bounds is not None and bounds.linear and set(bounds.kinks) <= {0.0} and float(self.function(0.0)) == 0

    @property
    def gain(self) -> float:
        """He's gain of random weights: √2 for those that begin with Kaiming's initialization, else 1."""
        return 2.0**0.5 if self.init.startswith("kaiming") else 1.0


ActivationLike: TypeAlias = str | Activation | Elementwise
"""An activation: its name, a record, or a function written with `jax.numpy`."""
