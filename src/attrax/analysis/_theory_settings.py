"""The settings for comparing training with the theory: every theorem, every activation, several depths."""

from collections.abc import Iterable, Sequence
from typing import Any

import jax.random as jr
from jaxtyping import PRNGKeyArray

from attrax._base import checks
from attrax._base.types import Progress
from attrax.activations import ACTIVATIONS, ActivationLike
from attrax.analysis._theory_check import TheoryCheck, check_training
from attrax.theory import InterpolatingNetwork, SingleExample, corollary1, single_example

Records = SingleExample | InterpolatingNetwork | list[SingleExample]

# (activation, k, u0, v0, w0, norm): the paper's example first, then starts with roots on other branches and next to a
# zero of φ', other norms, and unequal units.
_SINGLE: tuple[tuple[ActivationLike, int, Any, Any, tuple[float, ...], float], ...] = (
    ("sigmoid", 2, 1.0, 1.0, (), 1.0),
    ("sigmoid", 5, 0.3, -0.5, (), 1.0),
    ("sigmoid", 10, 0.0, 0.0, (), 1.0),
    ("cosid", 4, -0.3, 1.5, (), 1.0),
    ("sinusoid", 3, 0.4, 0.1, (), 1.0),
    ("swish", 3, -0.4, -0.5, (), 1.0),
    ("selu", 2, -0.4, -0.6, (), 1.0),
    ("sigmoid", 2, 0.5, 0.3, (), 2.0),
    ("softplus", 3, 0.2, 0.1, (), 0.5),
    ("sigmoid", 2, (0.5, 0.2), (0.3, -0.4), (), 1.0),
    ("tanh", 3, (0.8, -0.2, 0.3), (0.5, 0.7, -0.1), (), 1.0),
    ("sigmoid", 3, 0.5, 0.8, (0.3, -0.2), 1.0),
    ("tanh", 3, 0.6, 0.9, (0.5,), 1.0),
    ("cosid", 2, 0.2, 0.1, (0.3,), 1.0),
    ("swish", 2, 0.8, 0.9, (0.6,), 1.0),
    ("sigmoid", 2, 1.0, 1.0, (1.0,) * 7, 1.0),
)

# The start shared by all activations, at each depth. For e^z and z^2, signals grow from layer to layer.
_DEPTHS = (1, 2, 3)
_COMMON = {"k": 3, "u0": 0.5, "v0": 0.6}
_WEIGHT = 0.4
_SMALLER = {"exp": 0.15}

_SEQUENCES: tuple[tuple[tuple[ActivationLike, int, float, float], ...], ...] = (
    (("sigmoid", 2, 1.0, 1.0), ("sigmoid", 2, 0.5, 0.2), ("sigmoid", 2, 0.8, -0.4)),
    (("swish", 3, 0.4, 0.5), ("swish", 3, -0.4, -0.5)),
    (("tanh", 2, 0.7, 0.5), ("sigmoid", 3, 0.6, 0.4), ("cosid", 3, 0.2, 0.1), ("softplus", 3, 0.2, 0.4)),
)

_COROLLARY_1: tuple[tuple[ActivationLike, int, float], ...] = (
    ("sigmoid", 2, -2.0),
    ("softplus", 3, -2.0),
    ("swish", 4, 1.5),
    ("cosid", 2, 1.0),
    ("sinusoid", 3, 0.6),
)


def theory_settings(activations: Sequence[str] | None = None) -> list[Records]:
    """The settings that `verify_theory` checks, as records of the theory; only for these activations, if given.

    **Raises** `ValueError` for an unknown name.

        >>> len(theory_settings(["erf"]))
        3
    """
    names = [*ACTIVATIONS, "z^0.5", "z^2"]
    if activations is not None:
        if not activations:
            raise ValueError("activations must hold at least one name; got none")
        for name in activations:
            checks.one_of("activations", name, names)
    chosen = set(names if activations is None else activations)

    def wanted(used: Iterable[ActivationLike]) -> bool:
        return set(used) <= chosen

    found: list[Records] = []
    for name, k, u0, v0, w0, norm in _SINGLE:
        if wanted([name]):
            found.append(single_example(name, k, u0, v0, len(w0) + 1, w0, norm))
    for name in names:
        if name in chosen:
            weight = _SMALLER.get(name, _WEIGHT)
            found += [single_example(name, depth=L, w0=[weight] * (L - 1), **_COMMON) for L in _DEPTHS]
    for nets in _SEQUENCES:
        if wanted(net[0] for net in nets):
            found.append([single_example(*net) for net in nets])
    return found + [corollary1(*net) for net in _COROLLARY_1 if wanted([net[0]])]


def verify_theory(
    activations: Sequence[str] | None = None, *, progress: Progress | None = None, key: PRNGKeyArray
) -> tuple[TheoryCheck, ...]:
    """Trains networks for every theorem, every named activation and several depths, and compares with the theory.

    About a minute on two cores.

    **Arguments:** `activations`, names, by default all; `progress`, called as `progress(task, done, total, numbers)`
    after each setting; `key`, random key for the directions of the examples.

    **Returns** one `TheoryCheck` per setting. **Raises** `ValueError` for an unknown name.

    ```python
    >>> import jax.random as jr
    >>> from attrax import analysis
    >>> [str(check.status) for check in analysis.verify_theory(["erf"], key=jr.key(0))]
    ['agrees', 'agrees', 'agrees']

    ```

    Reference: Radhakrishnan, Belkin, Uhler (2020), Theorems 1–4, Corollaries 1 and 2, the deep theorem.
    """
    checks.random_key(key)
    settings = theory_settings(activations)
    found = []
    for number, records in enumerate(settings):
        found.append(check_training(records, key=jr.fold_in(key, number)))
        if progress is not None:
            progress("training", number + 1, len(settings), {"top_eigenvalue": float(found[-1].theory[-1])})
    return tuple(found)
