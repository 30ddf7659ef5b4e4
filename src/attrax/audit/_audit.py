"""The audit: where a network's states go, and what of its training data it holds."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import jax.random as jr
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._base import checks
from attrax._base.arguments import ArgumentError, mention
from attrax._base.numerics import float64
from attrax._base.shown import Record
from attrax._base.states import state_batch
from attrax._base.types import HostStates, Map, Progress
from attrax.analysis import upper_confidence_bound
from attrax.audit._ends import find_ends
from attrax.audit._examples import Examples, fewest_held_out, fewest_together, judged
from attrax.audit._kinds import DIVERGED, NOT_CONVERGED, Ends, Motion
from attrax.audit._layout import layout_of
from attrax.audit._maps import LatentMap
from attrax.audit._restore import restore
from attrax.audit._starts import HELD_OUT, NOISE, TRAIN, WALK, Starts, copies_of, starts_of
from attrax.corruptions import parse_corruption
from attrax.dynamics import trajectory
from attrax.maps import reduced_map, shapes_of
from attrax.memory import default_recovery_atol
from attrax.patterns import Patterns

_PATHS, _PATH_STEPS, _PATH_BYTES = 12, 64, 2**26
CORRUPTIONS = ("gaussian:0.1", "gaussian:0.3")


class View(Protocol):
    """How data become states, and states become data that can be looked at."""

    def states(self, values: HostStates, /) -> HostStates:
        """The states of data."""
        ...

    def pictures(self, states: HostStates, /) -> HostStates:
        """The data of states."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class LatentView(Record):
    """Data as codes of a latent map, and codes as data. **Fields:** the map; how data are laid out for its encoder."""

    map: LatentMap
    layout: View

    def states(self, values: HostStates) -> HostStates:
        """The codes of data."""
        return self.map.codes(self.layout.states(values))

    def pictures(self, states: HostStates) -> HostStates:
        """The reconstructions of codes."""
        return self.layout.pictures(self.map.pictures(states))


@dataclass(frozen=True, slots=True, eq=False)
class Audit(Record):
    """What a network remembers.

    **Fields:**

    - `ends`: an `Ends`; `starts`, with the kind of each.
    - `examples`: an `Examples`; `None` without training data.
    - `view`: how data become states, and back; `train`, the training data as they were given.
    - `paths`: some paths in the plane of their two main directions, each steps×2.
    - `notes`: what limits the answers, in sentences.
    - `seconds`: how long it took.
    """

    ends: Ends
    examples: Examples | None
    starts: Starts
    view: View
    train: HostStates | None
    paths: tuple[np.ndarray, ...]
    notes: tuple[str, ...]
    seconds: float

    @property
    def from_noise(self) -> np.ndarray:
        """For each end, the part of all starts from noise that came to it: the shares by which `ends` are ranked."""
        rows = np.flatnonzero(np.isin(self.starts.kind, NOISE))
        label = self.ends.label[rows]
        return np.array([float((label == number).mean()) for number in range(len(self.ends.ends))])

    def by_start(self) -> dict[str, dict[str, Any]]:
        """For each kind of start: how many there were, how many converged, how many of these at a certified attractor,
        how many diverged or did not converge, and Clopper and Pearson's bound on the probability that one more of this
        kind ends elsewhere than at a certified attractor."""
        attracts = np.array([end.attracts for end in self.ends.ends] + [False, False], bool)
        found: dict[str, dict[str, Any]] = {}
        for kind in dict.fromkeys(self.starts.kind.tolist()):
            label = self.ends.label[self.starts.rows(kind)]
            good = int(attracts[label].sum())  # the two negative labels index the last two entries
            found[kind] = {
                "starts": len(label),
                "converged": int((label >= 0).sum()),
                "attractors": good,
                "different_attractors": len(np.unique(label[(label >= 0) & attracts[label]])),
                "diverged": int((label == DIVERGED).sum()),
                "not_converged": int((label == NOT_CONVERGED).sum()),
                "elsewhere_bound": upper_confidence_bound(
                    len(label) - good, len(label), confidence=self.ends.confidence
                ),
            }
        return found

    def to_frame(self) -> Any:
        """The examples as a `pandas.DataFrame`, or the ends where there are no examples."""
        return (self.ends if self.examples is None else self.examples).to_frame()

    def as_dict(self) -> dict[str, Any]:
        """The audit as plain values that strict JSON can hold, without states."""
        shares = self.from_noise
        ends: list[dict[str, Any]] = []
        for end, share in zip(self.ends.ends, shares.tolist(), strict=True):
            row = end.as_dict()
            del row["states"]
            ends.append(row | {"radius": row["spectral_radius"], "estimated": end.estimated, "share_from_noise": share})
        found: dict[str, Any] = {
            "attractors": self.ends.num_attractors,
            "starts": len(self.ends.label),
            "ends": ends,
            "moving": [one.as_dict() for one in self.ends.moving],
            "by_start": self.by_start(),
            "unit": self.ends.unit,
            "confidence": self.ends.confidence,
            "examples": [],
            "notes": list(self.notes),
            "seconds": self.seconds,
        }
        if self.examples is not None:
            table = self.examples
            found["examples"] = [one.as_dict() for one in table.examples]
            found["recovery_atol"] = table.recovery_atol
            found["held_out"], found["rate"], found["procedure"] = table.held_out, table.rate, table.procedure
            found["memorized"], found["extracted"] = table.num_memorized, table.num_extracted
            names = dict.fromkeys(str(one.verdict) for one in table.examples)
            found["verdicts"] = {name: sum(str(one.verdict) == name for one in table.examples) for name in names}
        return found


def audit(
    map: Map,
    train: HostStates | None = None,
    held_out: HostStates | None = None,
    *,
    view: View | None = None,
    num_starts: int = 200,
    num_walks: int = 0,
    corruptions: Sequence[str] = CORRUPTIONS,
    false_rate: float = 0.01,
    together: bool = False,
    recovery_atol: float | None = None,
    tolerance: float = 1e-5,
    max_steps: int = 10_000,
    confidence: float = 0.95,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> Audit:
    """Asks a network what it remembers.

    Starts from noise, and from data where they are given, are followed to their ends (`find_ends`). Each training
    example gets a certificate, and a score: how near paths from it and from corrupted copies come back to it. With
    held-out examples of the same kind the score becomes a p-value, so that the rate of false accusations is what was
    asked for.

    **Arguments:**

    - `map`: any callable from a state to a state of the same shape, written with JAX; see `attrax.foreign` for networks
      from elsewhere.
    - `train`: training data, one example per row: states, or pictures H×W×C where the network takes C×H×W or vectors.
    - `held_out`: examples of the same kind that the network was not trained on.
    - `view`: how data become states, if not by their shape; a `LatentView` for a latent map.
    - `num_starts`: starts from noise and, with data, blends of two examples.
    - `num_walks`: starts made by noise and the network in turn, x ← f(x) + noise, with less and less noise. They find
      attractors that plain noise misses, without the data: what can be extracted from the network alone. They do not
      count for the shares by which ends are ranked.
    - `corruptions`: of the examples, one copy of each. Where they mask a part, `restore` is tried as well, which is not
      told which part (not for a latent map).
    - `false_rate`: of false accusations: the probability that an example that was not trained on, of the kind of the
      held-out ones, is called memorized. With `together`, the expected part of such among those that are called so
      (Benjamini and Hochberg).
    - `recovery_atol`: how far an attractor may lie from its example, a Euclidean distance; by default a mean
      squared distance of 1e-7, in units of the training data.
    - `tolerance`, `max_steps`, `confidence`: as in `find_ends`.
    - `progress`: called as `progress(task, done, total, numbers)`.
    - `key`: random key for the starts and the corruptions.

    **Returns:** `Audit`. **Raises** `ValueError` for a wrong argument, and for fewer held-out examples than a p-value
    of `false_rate` needs.

        >>> import jax.numpy as jnp, jax.random as jr
        >>> found = audit(lambda x: jnp.tanh(2 * x), np.array([[0.9575], [0.5]]), key=jr.key(0))
        >>> found.ends.num_attractors, [str(one.verdict) for one in found.examples.examples]
        (2, ['attractor', 'not_attractor'])
    """
    began = time.monotonic()
    checks.random_key(key)
    checks.integer("num_starts", num_starts, least=1)
    checks.integer("num_walks", num_walks, least=0)
    rate = checks.real("false_rate", false_rate, above=0, most=0.5)
    if recovery_atol is not None:
        recovery_atol = checks.real("recovery_atol", recovery_atol, above=0)
    for corruption in corruptions:
        parse_corruption(corruption)
    data = None if train is None else state_batch("train", train)
    others = None if held_out is None else state_batch("held_out", held_out)
    _check_held_out(data, others, rate)
    view = _view(map, data, view)
    keys = jr.split(key, 3)
    own = {} if data is None else copies_of(data, tuple(corruptions), keys[0])
    theirs = {} if others is None else copies_of(others, tuple(corruptions), keys[1])
    states = None if data is None else view.states(data)
    held = None if others is None else view.states(others)
    own = {name: view.states(copy) for name, copy in own.items()}
    theirs = {name: view.states(copy) for name, copy in theirs.items()}
    shape = _shape(map, states)
    patterns = None if states is None else Patterns.from_examples(states)
    unit = 4.0 if patterns is None else patterns.unit
    starts = starts_of(shape, num_starts, num_walks, unit / 4, map, keys[2], states, held, own, theirs)
    ends = find_ends(
        map,
        starts.states,
        unit=unit,
        tolerance=tolerance,
        max_steps=max_steps,
        confidence=confidence,
        progress=progress,
    )
    ends = _ranked(ends, np.isin(starts.kind, NOISE))
    examples = None
    if states is not None and patterns is not None:
        # What diverged is as far from its example as can be.
        last = np.where((ends.label == DIVERGED).reshape(-1, *(1,) * len(shape)), np.inf, ends.last)

        def ended(name: str) -> HostStates:
            rows = [starts.rows(name), *(starts.rows(f"{name}, {corruption}") for corruption in own)]
            return np.stack([last[one] for one in rows])

        without = np.unique(ends.label[np.isin(starts.kind, (*NOISE, WALK))])
        atol = default_recovery_atol(patterns) if recovery_atol is None else recovery_atol
        examples = judged(
            map,
            states,
            held,
            own,
            ended(TRAIN),
            None if held is None else ended(HELD_OUT),
            ends,
            without[without >= 0].tolist(),
            {} if isinstance(view, LatentView) else _restored(map, states, own, max_steps),
            atol,
            rate,
            together,
            progress,
        )
    notes = _notes(ends, examples, 0 if data is None or others is None else _shared(data, others))
    # Those that diverge would leave the others a single point.
    paths = _paths(map, starts.states[ends.label != DIVERGED])
    return Audit(ends, examples, starts, view, data, paths, notes, time.monotonic() - began)


def _restored(map: Map, states: HostStates, copies: dict[str, HostStates], max_steps: int) -> dict[str, HostStates]:
    """What the masked copies are restored to."""
    found: dict[str, HostStates] = {}
    for name, copy in copies.items():
        if parse_corruption(name).masks:
            lost = np.unique(copy[copy != states])
            # Black, where it masks with black; what masks with something else may have damaged any entry.
            fill = float(lost[0]) if len(lost) == 1 else None
            found[name] = restore(map, copy, fill=fill, max_steps=max_steps).value
    return found


def _paths(map: Map, starts: HostStates) -> tuple[np.ndarray, ...]:
    """Paths from a few starts, in the plane of their two main directions."""
    if not len(starts):
        return ()
    chosen = starts[np.unique(np.linspace(0, len(starts) - 1, _PATHS).astype(int))]
    with float64():
        reduced = reduced_map(map, starts.shape[1:])
    steps = max(2, min(_PATH_STEPS, _PATH_BYTES // (8 * len(chosen) * starts[0].size)))
    paths = [
        np.concatenate([start[None], path]).reshape(len(path) + 1, -1)
        for start, path in zip(chosen, trajectory(reduced, chosen, steps), strict=True)
    ]
    together = np.concatenate(paths)
    far = np.abs(together).max(initial=0.0)
    if not np.isfinite(far) or far > 1e6 * max(float(np.abs(starts).max()), 1.0):
        return ()
    middle = together.mean(axis=0)
    directions = np.linalg.svd(together - middle, full_matrices=False)[2][:2]
    directions = np.pad(directions, ((0, 2 - len(directions)), (0, 0)))
    return tuple((path - middle) @ directions.T for path in paths)


def _check_held_out(train: HostStates | None, held_out: HostStates | None, rate: float) -> None:
    if held_out is None:
        return
    if train is None:
        raise ArgumentError(f"{mention('held_out')} are compared with {mention('train')}; give these as well")
    if held_out.shape[1:] != train.shape[1:]:
        raise ArgumentError(
            f"{mention('held_out')} must have the shape of {mention('train')}, {train.shape[1:]}; got "
            f"{held_out.shape[1:]}"
        )
    fewest = fewest_held_out(rate)
    if len(held_out) < fewest:
        raise ArgumentError(
            f"{mention('held_out')} must hold at least {fewest} examples for "
            f"{mention('false_rate', f'{rate:g}', f'{rate:g}')}, as a p-value is at least 1/(their number + 1); got "
            f"{len(held_out)}. Give more, or raise the rate"
        )


def _view(map: Map, data: HostStates | None, view: View | None) -> View:
    if view is not None:
        return view
    known = shapes_of(map)
    if known:
        return layout_of(known[0], None if data is None else data.shape[1:])
    if data is None:
        raise ArgumentError(
            f"{mention('map')} does not say the shape of its states (an attribute shape), so pass {mention('train')}"
        )
    return layout_of(data.shape[1:], data.shape[1:])


def _shape(map: Map, states: HostStates | None) -> tuple[int, ...]:
    known = shapes_of(map)
    if known:
        return known[0]
    assert states is not None  # `_view` has seen to it
    return states.shape[1:]


def _ranked(ends: Ends, noise: np.ndarray) -> Ends:
    """Certified attractors first, by how often starts from noise came to them."""
    label = ends.label[noise]
    often = [int((label == number).sum()) for number in range(len(ends.ends))]
    order = sorted(
        range(len(ends.ends)), key=lambda one: (not ends.ends[one].attracts, -often[one], -ends.ends[one].count)
    )
    place = np.concatenate([np.argsort(order), [NOT_CONVERGED, DIVERGED]]).astype(np.int64)
    return replace(ends, ends=tuple(ends.ends[one] for one in order), label=place[ends.label])


def _shared(data: HostStates, others: HostStates) -> int:
    """How many held-out examples are training examples as well."""
    known = {one.tobytes() for one in data.astype(np.float64)}
    return sum(one.tobytes() in known for one in others.astype(np.float64))


def _notes(ends: Ends, examples: Examples | None, shared: int) -> tuple[str, ...]:
    notes = [
        "That a start comes to its end is computed, not proved, even where the end is certified. Shares and bounds are "
        "about starts drawn like these."
    ]
    drifts = [one.time_constant for one in ends.moving if one.motion is Motion.DRIFT]
    if drifts:
        long = "without end" if np.isinf(max(drifts)) else f"for about {max(drifts):,.0f} steps"
        notes.append(
            f"A state that drifts adds up its past, here {long}. Reset that of a recurrent network between recordings."
        )
    if shared:
        notes.append(
            f"{shared} of the held-out examples are training examples as well. That makes p-values larger, so fewer "
            "examples are called memorized. Hold out others."
        )
    evidence = sorted({str(end.evidence) for end in ends.ends if end.attracts})
    if evidence:
        notes.append(f"Evidence of the certified attractors: {', '.join(evidence)} (see docs/verdicts.md).")
    estimated = [str(number) for number, end in enumerate(ends.ends) if end.estimated]
    if estimated:
        notes.append(
            f"By estimate, not certified: end {', '.join(estimated)}. The largest eigenvalue is below 1 by more than "
            "its error, but the bound on all eigenvalues is too coarse to show it."
        )
    if examples is not None and not examples.held_out:
        notes.append(
            "Without held-out examples there are no p-values: an example that is no attractor may still be one that "
            "the network was trained on, and nothing is called memorized."
        )
    if examples is not None and examples.held_out and examples.procedure == "benjamini_hochberg":
        total = len(examples.examples)
        fewest = fewest_together(total, examples.held_out, examples.rate)
        notes.append(
            f"With {examples.held_out} held-out examples, Benjamini and Hochberg's procedure calls either none or at "
            f"least {fewest} of {total} examples memorized."
        )
    return tuple(notes)
