"""The tables on samples of 100 digits: written by default, trained on shifts too, and what training never saw."""

import jax.random as jr
import numpy as np

import attrax as ax
from attrax.analysis import RULES
from benchmarks.measure import Table, percent, title
from benchmarks.templates import template_rates
from benchmarks.write_runs import CUES, RECOVERY_SEED, STORE_SEED, Bench, Rates, Run, rates, saw

KINDS = {
    "gaussian:0.5": 0.99,
    "gaussian:1": 0.96,
    "occlude:0.5": 0.99,
    "drop:0.5": 0.99,
    "drop:0.9": 0.85,
    "blocknoise:0.25": None,
    "half:right,0.5": None,
    "shift:2": None,
}
"""Corruptions of the first table, each with the mean rate asked for; `None` where none was."""

UNSEEN = ("half:right,0.5", "block:0.25", "contrast:0.5", "blend:0.35", "elastic:1.5")
SHIFTED = (
    "gaussian:1.2",
    "occlude:0.7",
    "drop:0.97",
    "shift:4",
    "rotate:15",
    "shift:4+occlude:0.6",
    "shift:4+occlude:0.6",
)
SHIFT_KINDS = {"shift:2": 0.97, "shift:4": 0.97, "rotate:10": 0.97, "shift:2+occlude:0.5": 0.85}
WITHIN = 0.02
"""How far a rate may lie below the best rival's."""


def mnist(bench: Bench) -> None:
    """Five samples by the default writer."""
    _heading(bench, "samples of digits by the default writer")
    runs = _written(bench, bench.memories(), "MNIST", seconds=30)
    print()
    _seen(runs)
    table = _recovery_table("bar", "bar beside the best rule")
    for kind, wanted in KINDS.items():
        found = _rates(runs, kind)
        bar = "" if wanted is None else _at_least(bench, f"MNIST {kind}", found, wanted)
        near = ""
        if wanted is not None:
            near = bench.bars.check(f"MNIST {kind}", "≤ 2 points below", found.mean >= found.best_rival - WITHIN)
        table.row(kind, _mark(runs, kind), *_numbers(found), bar, near)


def unseen(bench: Bench) -> None:
    """The same memories and corruptions that training never saw."""
    _heading(bench, "corruptions that training never saw, the same memories")
    runs = bench.memories()
    _seen(runs)
    table = _recovery_table("at or above Euclidean")
    above = 0
    for kind in UNSEEN:
        found = _rates(runs, kind)
        reached = found.mean >= found.rival("euclidean")
        above += reached
        table.row(kind, _mark(runs, kind), *_numbers(found), "yes" if reached else "no")
    wanted = bench.bars.check("unseen", "at or above Euclidean for three of five", above >= 3)
    print(f"\n{above} of {len(UNSEEN)} kinds; {wanted}")


def shifts(bench: Bench) -> None:
    """Samples written with shifts and rotations among what training sees, and the rivals that know all of them."""
    _heading(bench, "trained on shifts and rotations as well")
    print(
        f"Training saw {', '.join(SHIFTED)}. Templates are all examples, turned by −15 … 15° in steps of 5° and "
        "moved by up to 4 pixels each way.\n"
    )
    runs = _written(bench, bench.memories(corruptions=SHIFTED), "shifts", seconds=180)
    print()
    rules = [f"{name} 1-NN" for name in RULES] + [f"{name} templates" for name in RULES]
    table = Table("cue", "mean", "worst", *rules, "bar")
    for kind, wanted in SHIFT_KINDS.items():
        found = _rates(runs, kind)
        rivals = [percent(found.rival(rule)) for rule in RULES]
        known = _templates(runs, kind)
        table.row(
            kind,
            percent(found.mean),
            percent(found.worst),
            *rivals,
            *(percent(known[rule]) for rule in RULES),
            _at_least(bench, f"shifts {kind}", found, wanted),
        )


def _templates(runs: list[Run], kind: str) -> dict[str, float]:
    """Mean rates of the transformed templates on the cues that the memories were asked with."""
    found = []
    for index, run in enumerate(runs):
        pictures = np.asarray(run.memory.originals)
        cues = ax.corrupt(kind, pictures, key=jr.key(RECOVERY_SEED + index))
        found.append(template_rates(cues, pictures, np.arange(len(pictures))))
    return {rule: float(np.mean([one[rule] for one in found])) for rule in RULES}


def _heading(bench: Bench, what: str) -> None:
    sizes = bench.sizes
    title(
        f"{sizes.mnist} MNIST, {what}",
        f"{sizes.samples} disjoint samples, the first digits of the file in order; sample s is written with seed "
        f"{STORE_SEED} + s, its cues are drawn with seeds {RECOVERY_SEED} + s + 100·(0 … {CUES - 1}), {CUES} a digit.",
    )


def _written(bench: Bench, runs: list[Run], name: str, *, seconds: float) -> list[Run]:
    """Prints how each memory came about."""
    table = Table(
        "sample",
        "network",
        "seconds",
        "certified",
        "peak memory, MB",
        "bar on certified",
        "bar on seconds",
        "bar on the network",
    )
    for index, run in enumerate(runs):
        widths = run.memory.map.widths
        table.row(
            index,
            network(run),
            f"{run.seconds:.1f}",
            run.certified,
            f"{run.peak:.0f}",
            bench.bars.check(f"{name} sample {index}", "all certified", run.complete),
            bench.bars.check(f"{name} sample {index}", f"≤ {seconds:g} s", run.seconds <= seconds),
            bench.bars.check(f"{name} sample {index}", "≤ 8×512", len(widths) <= 8 and max(widths) <= 512),
        )
    return runs


def network(run: Run) -> str:
    """Widths of the hidden layers, runs of equal ones as L×k."""
    widths = list(run.memory.map.widths)
    groups: list[tuple[int, int]] = []
    for width in widths:
        if groups and groups[-1][1] == width:
            groups[-1] = (groups[-1][0] + 1, width)
        else:
            groups.append((1, width))
    return " + ".join(f"{number}×{width}" for number, width in groups)


def _seen(runs: list[Run]) -> None:
    names = dict.fromkeys(str(name) for name in runs[0].memory.written.get("corruptions") or ())
    print(f"Training saw {', '.join(names) or 'no corruption'}; what is marked • is of a kind that it saw.\n")


def _recovery_table(*last: str) -> Table:
    return Table("cue", "seen", "mean", "worst", *(f"{name} 1-NN" for name in RULES), *last)


def _rates(runs: list[Run], kind: str) -> Rates:
    return rates([run.memory for run in runs], kind)


def _mark(runs: list[Run], kind: str) -> str:
    return "•" if saw(runs[0].memory, kind) else ""


def _numbers(found: Rates) -> list[str]:
    return [percent(found.mean), percent(found.worst), *(percent(found.rival(rule)) for rule in RULES)]


def _at_least(bench: Bench, name: str, found: Rates, wanted: float) -> str:
    # Rates are whole numbers of examples; their mean has a rounding error.
    return bench.bars.check(name, f"≥ {100 * wanted:g} %", found.mean >= wanted - 1e-9)
