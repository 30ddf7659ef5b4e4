"""Recovery curves: the recovery rate of a memory against how strongly the cues are corrupted."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import jax.random as jr
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._base import checks
from attrax._base.shown import Record
from attrax._base.types import Progress
from attrax.analysis._intervals import wilson_interval
from attrax.analysis._recovery import recovery
from attrax.corruptions import CORRUPTIONS, known_entries, parse_corruption
from attrax.dynamics import recall
from attrax.memory import Memory, check_memory

_TOGETHER: dict[str, tuple[float, ...]] = {
    "shift:2+occlude": (0.25, 0.5),
    "occlude:0.5+gaussian": (0.1, 0.3, 0.5),
    "drop:0.5+gaussian": (0.1, 0.3, 0.5),
}
_NUM_LEVELS = 6


@dataclass(frozen=True, slots=True, eq=False)
class CurvePoint(Record):
    """A corruption at one level.

    **Fields:**

    - `corruption`: the corruption without the level that is varied, such as `gaussian` or `shift:2+occlude`.
    - `level`: the level that is varied.
    - `name`: the corruption with its level, as `corrupt` takes it.
    - `cues`: number of cues: every stored example, `repeats` times.
    - `recovered`: how many were recovered.
    - `neighbor_rates`: the rate of each nearest-neighbor rule on the same cues.
    - `clamped`: how many were recovered from the pixels that the corruption left unchanged, with these restored at each
      step (`recall` with `known`); `None` if it leaves none.
    - `trained`: whether such cues were used in training; see `used_in_training`.
    """

    corruption: str
    level: float
    name: str
    cues: int
    recovered: int
    neighbor_rates: dict[str, float]
    clamped: int | None
    trained: str

    derived: ClassVar = ("rate", "interval", "one_nn_rate", "best_nn_rate", "clamped_rate", "clamped_interval")

    @property
    def rate(self) -> float:
        """Fraction of the cues that were recovered."""
        return self.recovered / self.cues

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the rate."""
        return wilson_interval(self.recovered, self.cues)

    @property
    def clamped_rate(self) -> float | None:
        """The rate of recall from the known pixels."""
        return None if self.clamped is None else self.clamped / self.cues

    @property
    def clamped_interval(self) -> tuple[float, float] | None:
        """Wilson's 95 % interval of the clamped rate."""
        return None if self.clamped is None else wilson_interval(self.clamped, self.cues)

    @property
    def one_nn_rate(self) -> float:
        """Rate of the Euclidean nearest neighbor."""
        return self.neighbor_rates["euclidean"]

    @property
    def best_nn_rate(self) -> float:
        """Rate of the best of the nearest-neighbor rules."""
        return max(self.neighbor_rates.values())


def recovery_curves(
    memory: Memory,
    corruptions: Sequence[str] | None = None,
    *,
    repeats: int = 1,
    clamp: bool = True,
    max_steps: int = 1000,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> tuple[CurvePoint, ...]:
    """Corrupts the stored examples at several levels of several corruptions, recalls them, and counts how many are
    recovered.

    **Arguments:**

    - `corruptions`: each as KIND:LO..HI, which becomes six levels (whole numbers where the kind needs them), or with a
      single level; parts joined by `+` are applied from left to right, such as `shift:1..4+occlude:0.5`, and ranges in
      one text vary together. By default, those of `default_curves`.
    - `repeats`: draws for each example and level.
    - `clamp`: also recall from the known pixels, restored at each step, if the corruption leaves some unchanged.
    - `max_steps`: maximum number of applications of the map.
    - `progress`: called with the number of finished levels.
    - `key`: random key for the draws.

    **Returns:** one `CurvePoint` per level, grouped by corruption. **Raises** `ValueError` for wrong arguments.

        >>> from attrax import Patterns
        >>> memory = Memory(lambda x: x / 2, Patterns.from_examples(np.zeros((1, 3))))
        >>> [point.rate for point in recovery_curves(memory, ["gaussian:0.1..0.6"], key=jr.key(0))]
        [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    checks.random_key(key)
    check_memory(memory)
    patterns = memory.examples()
    repeats = checks.integer("repeats", repeats, least=1)
    max_steps = checks.integer("max_steps", max_steps, least=1)
    wanted = curve_levels(corruptions, patterns.cue_shape, len(patterns))
    shown = patterns.cues_of(np.asarray(memory.originals))
    points = []
    for number, (corruption, level, name) in enumerate(wanted):
        recovered, clamped, trained = 0, 0, "unknown"
        rates: dict[str, float] = {}
        maskable = False
        for repeat in range(repeats):
            draw = jr.fold_in(jr.fold_in(key, number), repeat)
            found = recovery(memory, name, max_steps=max_steps, key=draw)
            recovered += int(found.recall.recovered.sum())
            trained = found.trained
            rates = {rule: rates.get(rule, 0.0) + rate / repeats for rule, rate in found.neighbor_rates.items()}
            known = known_entries(name, shown, key=draw) if clamp else None
            if known is not None:
                maskable = True
                answer = recall(memory, found.cues, known=known, expected=found.expected, max_steps=max_steps)
                clamped += int(answer.recovered.sum())
        cues = repeats * len(patterns)
        points.append(
            CurvePoint(corruption, level, name, cues, recovered, rates, clamped if maskable else None, trained)
        )
        if progress is not None:
            progress("curves", number + 1, len(wanted), {"rate": points[-1].rate})
    return tuple(points)


def curve_levels(
    corruptions: Sequence[str] | None, shape: tuple[int, ...], num_examples: int
) -> list[tuple[str, float, str]]:
    """The corruption, the level and the full name for every point of the requested curves.

    **Raises** `ValueError` for a corruption that is unknown, out of range, or impossible on states of this shape.

        >>> curve_levels(["shift:1..3+occlude:0.5"], (8, 8), 2)[0]
        ('shift+occlude:0.5', 1.0, 'shift:1+occlude:0.5')
    """
    found: list[tuple[str, float, str]] = []
    if corruptions is None:
        for corruption, levels in default_curves().items():
            joint = "," if ":" in corruption.rpartition("+")[2] else ":"
            for level in levels:
                name = f"{corruption}{joint}{level:g}"
                if parse_corruption(name).fits(shape, num_examples):
                    found.append((corruption, float(level), name))
        return found
    if isinstance(corruptions, str) or not corruptions:
        raise ValueError(f"corruptions must hold at least one text such as 'gaussian:0.1..1'; got {corruptions!r}")
    for text in corruptions:
        found += _expanded(text)
    for _, _, name in found:
        asked = parse_corruption(name)
        asked.check_shape(shape)
        if asked.partner and num_examples < 2:
            raise ValueError(f"{name!r} needs another example to mix in, and there is only this one")
    return found


def default_curves() -> dict[str, tuple[float, ...]]:
    """The corruptions of the curves that are drawn by default, and their levels.

    These are the usual levels of every kind, and some combinations. The level is appended to each name, after a comma
    if the kind has choices. States that are not pictures get only the kinds that need no pictures.

        >>> default_curves()["half:left"]
        (0.0, 0.5)
    """
    single = {
        f"{kind.name}:{choice}" if choice else kind.name: kind.levels
        for kind in CORRUPTIONS.values()
        if kind.levels
        for choice in kind.choices or ("",)
    }
    return single | _TOGETHER


def _whole(kind: str) -> bool:
    return kind in CORRUPTIONS and CORRUPTIONS[kind].whole


def _expanded(text: str) -> list[tuple[str, float, str]]:
    parts = [re.fullmatch(r"(.*?)([:,])([^:,]*?)\.\.([^:,]*)", part) for part in text.split("+")]
    plain = text.split("+")
    if not any(parts):
        asked = parse_corruption(text)
        leveled = re.fullmatch(r"(.*?)[:,]([^:,]*)", text)
        if asked.kind == "none" or leveled is None:
            return [(text, 0.0, text)]
        head, level = leveled.groups()
        return [(head, float(level), text)]
    ends = []
    for part in parts:
        if part is None:
            continue
        try:
            ends.append((float(part[3]), float(part[4])))
        except ValueError:
            raise ValueError(
                f"a range of levels must be written LO..HI with numbers, as in gaussian:0.1..1; got {text!r}"
            ) from None
    whole = any(part is not None and _whole(part[1]) for part in parts)
    count = _NUM_LEVELS
    if whole:
        count = min(count, int(abs(ends[0][1] - ends[0][0])) + 1)
    found = []
    for place in np.linspace(0, 1, max(count, 2) if ends[0][0] != ends[0][1] else 1):
        named, varied, level, taken = [], [], 0.0, 0
        for part, given in zip(parts, plain, strict=True):
            if part is None:
                named.append(given)
                varied.append(given)
                continue
            low, high = ends[taken]
            value = low + place * (high - low)
            value = float(round(value)) if _whole(part[1]) else float(f"{value:.6g}")
            level = value if taken == 0 else level
            taken += 1
            named.append(f"{part[1]}{part[2]}{value:g}")
            varied.append(part[1])
        name = "+".join(named)
        parse_corruption(name)
        found.append(("+".join(varied), level, name))
    return found
