"""Random networks of every kind, their certificates against arbitrary precision and against iteration."""

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from mpmath import mp

import attrax as ax
from attacks.drawn import ASKED, SHAPES, Drawn, Shape, draw
from attacks.exact import DIGITS, KINKED, Chain, Found, all_sides, comes_back, exact_cycle
from attacks.harness import Outcome
from attacks.joint import shrink_together
from attrax import Reason, Verdict

_EACH = 17
"""Networks of each shape at full scale."""
_SURE = 0.99
_MOST_KINKS = 6
"""Of more units on kinks not all choices of slopes are tried."""
DUE = ("bound", "dense", "probable", "of unusual size", "kinks, all slopes below .99")
"""Kinds of attractors with a radius below .99 that have to be certified."""


@dataclass(frozen=True, slots=True)
class Networks:
    """Every shape is one batch, so that it is compiled once."""

    shapes: tuple[Shape, ...] = SHAPES
    asked: tuple[str, ...] = ASKED
    name: str = "networks"
    limit_s: float = 90.0

    def batches(self, scale: float) -> list[list[int]]:
        """A small scale takes fewer shapes, not only fewer of each."""
        each = max(4, round(_EACH * scale**0.5)) if scale < 1 else round(_EACH * scale)
        count = min(len(self.shapes), max(1, round(_EACH * len(self.shapes) * scale / each)))
        chosen = sorted({int(place) for place in np.linspace(0, len(self.shapes) - 1, count)})
        return [[place * 1000 + number for number in range(each)] for place in chosen]

    def case(self, number: int, seed: int) -> Outcome:
        """One network."""
        place, turn = divmod(number, 1000)
        shape = self.shapes[place]
        rng = np.random.default_rng([seed, place, turn])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            drawn = draw(shape, self.asked[turn % len(self.asked)], rng)
        return judge(drawn, rng)


KINKS = Networks(tuple(one for one in SHAPES if one.kind == "mlp" and one.activation in KINKED), ("odd",), "kinks")
"""Units on a kink at the fixed point or beside it, or a fold there, in every network."""


def judge(drawn: Drawn, rng: np.random.Generator, certify: Any = ax.certify) -> Outcome:
    """The certificate of a network beside the truth."""
    map = drawn.design.map()
    patterns = ax.Patterns.from_cycles([drawn.cycle])
    certificate = certify(ax.Memory(map, patterns))
    verdict, reason, evidence = certificate.verdict[0], certificate.reason[0], str(certificate.evidence[0])
    given = np.asarray(patterns.points, float)
    refined = ax.refine(map, given, unit=patterns.unit).points.reshape(len(given), -1)
    with mp.workdps(DIGITS):
        chain = Chain(drawn.design.ops(), digits=True)
        found = exact_cycle(chain, list(refined), rng)
        told = _judged(chain, found, drawn.unit, certificate, rng)
    counts = {
        "networks": 1,
        f"of which {drawn.made}": 1,
        f"kind {drawn.design.kind}": 1,
        f"verdict {verdict}": 1,
    }
    note = None
    if drawn.unusual:
        counts["of unusual size"] = 1
    if verdict is Verdict.INCONCLUSIVE:
        counts[f"inconclusive, {reason}"] = 1
    certified = verdict in (Verdict.ATTRACTOR, Verdict.DISPLACED)
    # Is there something that should have been certified?
    told_apart = reason not in (Reason.NO_FIXED_POINT_NEAR, Reason.SHORTER_PERIOD)
    if found is not None and told_apart and found.radius < _SURE and found.distance < 1e-6 * drawn.unit:
        where = _kind_of_attractor(drawn, chain, found, evidence, rng)
        counts[f"attractors below .99, {where}"] = 1
        if certified:
            counts[f"certified below .99, {where}"] = 1
        elif where in DUE:
            note = f"{drawn.made}, {where}, {verdict}, {reason}: the radius is {mp.nstr(found.radius, 8)}"
    if certified and told is None:
        followed = _followed(map, given.shape[1:], refined, certificate, rng)
        counts[f"starts nearby {'came back' if followed else 'did not all come back'}"] = 1
        if not followed and found is not None:
            with mp.workdps(DIGITS):
                back = comes_back(chain, found, 1e-20, float(certificate.upper_bound[0]), rng)
            if back is False:
                told = "certified, but deviations of 1e-20 grow"
            elif back:
                counts["but nearer ones did"] = 1
    if told is not None:
        counts["false certificates"] = 1
        counts[f"false, evidence {evidence}"] = 1
        return Outcome(counts, told, network_files(drawn, patterns))
    return Outcome(counts, note=note)


def _kind_of_attractor(drawn: Drawn, chain: Chain, found: Found, evidence: str, rng: np.random.Generator) -> str:
    """What decides whether an attractor is due a certificate: see `DUE`.

    A unit whose kink floating point cannot tell from the fixed point may have the slopes of both its sides, and near
    the fixed point it has one after the other. So all products of such Jacobians have to shrink, faster than .99.
    """
    if drawn.design.kind == "foreign" and drawn.made == "kink":
        return "kinks of maps that attrax does not know"
    if found.tied:
        return "a tie"
    if len(found.near) > _MOST_KINKS:
        return f"more than {_MOST_KINKS} kinks"
    if found.near:
        with mp.workdps(DIGITS):
            every = [chain.around(found.cycle, sides) for sides in all_sides(found.near, len(found.cycle), rng)]
        below = shrink_together([one.astype(float) for one in every], _SURE)
        return "kinks, all slopes below .99" if below else "kinks, not all slopes below .99"
    return "of unusual size" if drawn.unusual else evidence


def _judged(
    chain: Chain, found: Found | None, unit: float, certificate: ax.Certificate, rng: np.random.Generator
) -> str | None:
    """What is false about a certificate."""
    verdict, reason = certificate.verdict[0], certificate.reason[0]
    bound, within = float(certificate.upper_bound[0]), float(certificate.distance_error[0])
    if verdict in (Verdict.ATTRACTOR, Verdict.DISPLACED):
        if found is None or found.distance > 1e-2 * unit:
            return f"{verdict} of bound {bound!r}, but Newton's method finds no cycle within {within:.3g}"
        radius = mp.nstr(found.radius, 25)
        if not found.distance <= within:
            return f"{verdict}: the exact cycle is {mp.nstr(found.distance, 5)} away, claimed within {within:.3g}"
        if not found.radius < 1:
            return f"{verdict} of bound {bound!r}, but the radius is {radius} ({found.kinks} kinks)"
        if not found.radius <= bound * (1 + 1e-15):
            return f"{verdict}: the radius {radius} exceeds the bound {bound!r} ({found.kinks} kinks)"
        if found.kinks and comes_back(chain, found, 1e-20, bound, rng) is False:
            return f"{verdict} of bound {bound!r}, but deviations of 1e-20 from a kink grow"
    if reason is Reason.EXPANDS and found is not None and found.distance < 1e-9 * unit and found.radius < 1:
        estimated = float(certificate.spectral_radius[0])
        return f"{verdict}, {reason}: but the radius is {mp.nstr(found.radius, 25)}, estimated {estimated!r}"
    return None


def _followed(
    map: Any, shape: tuple[int, ...], refined: np.ndarray, certificate: ax.Certificate, rng: np.random.Generator
) -> bool:
    """Whether starts at several distances from the first state come nearer, as the bound says they do."""
    rate = min(float(certificate.upper_bound[0]), 0.9999)
    laps = int(min(np.ceil(np.log(1e-6) / np.log(max(rate, 1e-6))) + 10, 40_000))
    unit = float(np.sqrt(np.mean(refined**2))) or 1.0
    sizes = np.repeat([1e-5, 1e-7, 1e-9], 8)
    steps = rng.standard_normal((len(sizes), refined.shape[1]))
    steps *= (sizes * unit * np.sqrt(refined.shape[1]) / np.linalg.norm(steps, axis=1))[:, None]
    with jax.enable_x64(True):
        ends = np.asarray(_run(as_arrays(map), shape, refined[0] + steps, np.asarray(laps * len(refined))))
    away = np.linalg.norm(ends - refined[0], axis=1)
    reached = (away < 0.5 * np.linalg.norm(steps, axis=1)) | (rate > 0.9998)
    return bool(reached.all())


def as_arrays(map: Any) -> Any:
    """The same map with arrays of JAX, which compiled functions take."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf, map)


@eqx.filter_jit
def _run(map: Any, shape: tuple[int, ...], starts: Any, count: Any) -> Any:
    step = partial(jax.vmap(lambda flat: jnp.ravel(map(flat.reshape(shape)))))
    return jax.lax.fori_loop(0, count, lambda _, states: step(states), jnp.asarray(starts))


def network_files(drawn: Drawn, patterns: ax.Patterns, **more: np.ndarray) -> dict[str, bytes]:
    """The numbers of a network that shows a fault."""
    buffer = io.BytesIO()
    arrays = {f"weight{number}": weight for number, weight in enumerate(drawn.design.weights)}
    arrays |= {f"bias{number}": bias for number, bias in enumerate(drawn.design.biases) if bias is not None}
    np.savez(buffer, points=np.asarray(patterns.points), **arrays, **more)
    told = f"{drawn.made}; {drawn.design.kind} {drawn.design.activation} {drawn.design.settings}\n"
    return {"network.npz": buffer.getvalue(), "network.txt": told.encode()}


def share(counts: dict[str, int], evidence: str) -> float:
    """The share of attractors with a radius below .99 that were certified, of one kind of evidence."""
    all_of_them = counts.get(f"attractors below .99, {evidence}", 0)
    return counts.get(f"certified below .99, {evidence}", 0) / all_of_them if all_of_them else float("nan")


def table(counts: dict[str, int]) -> Sequence[tuple[str, str]]:
    """Lines beside the counts."""
    found = []
    for where in DUE:
        if f"attractors below .99, {where}" in counts:
            found.append((f"share certified, {where}", f"{share(counts, where):.4f}"))
    certified, due = (
        sum(counts.get(f"{word} below .99, {one}", 0) for one in DUE) for word in ("certified", "attractors")
    )
    if due:
        found.append(("share certified of all that are due", f"{certified / due:.4f} ({certified} of {due})"))
    return found


def sentences(counts: dict[str, int]) -> str:
    """The counts as the page on trust tells them."""
    of = {name: counts.get(name, 0) for name in ("networks", "of unusual size", "false certificates")}
    made = ", ".join(f"{counts[name]:,} {name[9:]}" for name in sorted(counts) if name.startswith("of which "))
    verdicts = ", ".join(f"{counts[name]:,} {name[8:]}" for name in sorted(counts) if name.startswith("verdict "))
    shares = [
        f"{counts.get(f'certified below .99, {where}', 0):,} of {counts[name]:,} {where}"
        for name, where in sorted((name, name.split(", ", 1)[1]) for name in counts if name.startswith("attractors"))
    ]
    due = [(name, value) for name, value in table(counts) if name.endswith("due")]
    return (
        f"{of['networks']:,} networks ({made}; {of['of unusual size']:,} of unusual size): {verdicts}. False "
        f"certificates: {of['false certificates'] or 'none'}. Certified of attractors with a radius below .99: "
        f"{'; '.join(shares)}; of all that are due {due[0][1] if due else 'none'}"
    )
