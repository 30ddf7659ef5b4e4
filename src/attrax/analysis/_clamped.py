"""Recall that keeps the known pixels fixed."""

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, PRNGKeyArray

from attrax._base import checks
from attrax._base.states import state_batch
from attrax._base.status import RecallStatus
from attrax._base.types import HostIndices, HostStates, Map, Progress
from attrax.corruptions import Corruption, as_corruption, corrupt
from attrax.dynamics import Recall, iterate, recall, thresholds_of
from attrax.memory import Memory, check_memory

_PROBES = (7.25, -3.5)


class _Clamped(eqx.Module):
    """The clamped step on triples (state, cue, known); the last two pass through unchanged."""

    map: Map
    step: Any

    def __call__(self, triple: Float[Any, "3 *state"]) -> Float[Any, "3 *state"]:
        x, cue, known = triple[0], triple[1], triple[2]
        moved = x + self.step * (self.map(x) - x)
        return jnp.stack([jnp.where(known > 0.5, cue, moved), cue, known])


def recall_clamped(
    memory: Memory,
    cues: HostStates,
    known: Bool[np.ndarray, "n *state"],
    *,
    step: float = 1.0,
    expected: HostIndices | None = None,
    release: bool = True,
    max_steps: int = 10_000,
    progress: Progress | None = None,
) -> Recall:
    """Recall with the known entries of each cue restored after every step: x ← x + a(f(x) − x), then x_K ← cue_K.

    Guarantees: a fixed point x of f that agrees with the cue on K is a fixed point of this iteration, for every a; so
    the right example is one whenever the known entries are right. The converse holds only on the other entries U: a
    fixed point of the iteration has f(x)_U = x_U. Near it the iteration is linear with (1 − a)I + a·J_UU, where J_UU
    consists of the rows and columns U of the Jacobian. If ‖J‖₂ < 1, as at winner-take-all examples (J = 0), this is a
    contraction for 0 < a ≤ 1, so every example attracts the cues near it under any mask. ρ(J) < 1 alone does not
    guarantee this, because a principal submatrix can have a larger spectral radius than the whole matrix.

    With `release` the iteration then continues without clamping, so that only a limit of f itself counts as recovered.
    Otherwise the clamped limit is compared with the examples directly.

    **Arguments:**

    - `cues`: n×state shape.
    - `known`: same shape as `cues`, true where an entry of the cue is known to be right.
    - `step`: the damping a, above 0 and at most 1.
    - `expected`, `max_steps`, `progress`: as in `recall`.

    **Returns:** `Recall`, with the steps of both parts. **Raises** `ValueError` for wrong arguments, as `recall`.

        >>> from attrax import Patterns
        >>> memory = Memory(lambda x: jnp.where(x.sum() > 0.9, 1.0, 0.0) * jnp.ones(2),
        ...                 Patterns.from_examples(np.array([[0.0, 0.0], [1.0, 1.0]])))
        >>> recall_clamped(memory, np.array([[0.0, 1.0]]), np.array([[False, True]])).index.tolist()
        [1]
    """
    check_memory(memory)
    patterns = memory.examples()
    step = checks.real("step", step, above=0, most=1)
    max_steps = checks.integer("max_steps", max_steps, least=1)
    cues, known = state_batch("cues", cues, patterns.shape), np.asarray(known)
    if known.shape != cues.shape or known.dtype != bool:
        raise ValueError(
            f"known must be true or false for each entry of the cues, {cues.shape}; got {known.dtype}{known.shape}"
        )
    triples = np.stack([cues.astype(np.float64), cues.astype(np.float64), known.astype(np.float64)], axis=1)
    thresholds = thresholds_of(memory)
    ends = iterate(
        _Clamped(memory.map, jnp.asarray(step)),
        triples,
        max_steps=max_steps,
        atol=thresholds.convergence,
        progress=progress,
    )
    limits = ends.value[:, 0]
    if release:
        # A cue that reached a cycle or did not converge is continued too; f decides.
        answer = recall(memory, limits, expected=expected, max_steps=max_steps, progress=progress)
        steps, transient = answer.num_steps + ends.num_steps, answer.transient + ends.num_steps
        return replace(answer, num_steps=steps, transient=transient)
    # Compared directly: at most one application, and the state before it counts.
    still = recall(replace(memory, map=lambda x: x), limits, expected=expected, reading=thresholds.reading, max_steps=2)
    status = tuple(
        found if str(ended) == "converged" else RecallStatus(str(ended))
        for found, ended in zip(still.status, ends.status, strict=True)
    )
    lost = np.array([one is not RecallStatus.RECOVERED for one in status], bool)
    named = {name: np.where(lost, -1, getattr(still, name)) for name in ("index", "cycle", "entry", "phase")}
    return replace(
        still,
        status=status,
        num_steps=ends.num_steps,
        transient=ends.num_steps,
        residual=ends.residual,
        period=ends.period,
        **named,
    )


def known_entries(
    corruption: Corruption | str, states: HostStates, *, key: PRNGKeyArray
) -> Bool[np.ndarray, "n *state"] | None:
    """Which entries `corrupt` leaves unchanged with this key; `None` for corruptions that change every entry.

    The draws depend only on the key, so the same draw is applied to two constant states that no corruption of this kind
    produces: an entry is known if both come through unchanged. An entry that stays the same by chance, such as a black
    pixel that is set to black, is not known.

    **Raises** `ValueError` for a key or a corruption that is none.

        >>> import jax.random as jr
        >>> known_entries("occlude:0.5", np.ones((1, 2, 2)), key=jr.key(0))[0].tolist()
        [[True, True], [False, False]]
    """
    checks.random_key(key)
    corruption = as_corruption(corruption)
    if not corruption.masks:
        return None
    # In the precision of the states: in another precision the draws differ.
    states = np.asarray(states)
    dtype = states.dtype if states.dtype.kind == "f" else np.float32
    kept = [corrupt(corruption, np.full(states.shape, probe, dtype), key=key) == probe for probe in _PROBES]
    return kept[0] & kept[1]
