"""Table: the paper's recipe in PyTorch beside attrax, on the same data, the same networks and the same start."""

import time
from dataclasses import dataclass

import jax.random as jr
import numpy as np

import attrax as ax
from attrax.writing import settle
from benchmarks.write_common import Setting, Stored, child, end, examples, head, heading, row, store, verdict

TOL = 1e-8
LONGEST, TIMES = 900.0, 20.0
"""The reference gets so many seconds a row, or so many times attrax's time, whichever is less."""
KFAC_SECONDS = 120.0
HEAD = (
    "network",
    "biases",
    "dtype",
    "K-FAC: seconds to 1e-8",
    "certified",
    "reference: threads",
    "seconds to 1e-8",
    "certified",
    "peak MB",
    "ratio to K-FAC",
    "ratio to the default writer",
)


@dataclass(frozen=True)
class Case:
    """A network of the reference."""

    widths: tuple[int, ...]
    activation: str = "relu"
    bias: bool = True

    @property
    def name(self) -> str:
        """As in `5×512 relu`; other widths one by one."""
        equal = len(set(self.widths)) == 1
        shape = f"{len(self.widths)}×{self.widths[0]}" if equal else "-".join(map(str, self.widths))
        return f"{shape} {self.activation}"


def cases(default: tuple[int, ...]) -> tuple[Case, ...]:
    """The default writer's own layers, and networks as in the paper."""
    ours, paper = (128,) * 10, ("cosid", "sinusoid")
    return (
        Case(default),
        Case((512,) * 5),
        Case((512,) * 11),
        *(Case(ours, activation, bias) for activation in paper for bias in (True, False)),
    )


def reference(setting: Setting) -> None:
    """Seconds to the paper's loss, and to certificates, with the reference beside."""
    num = setting.pick(100, 10)
    values = examples("mnist", num)
    default = store(values)
    alone = child("store", source="mnist", n=num)
    heading(
        f"The paper's recipe in PyTorch beside attrax: {num} MNIST digits",
        f"The default writer has {default.certified} certified after {default.seconds:.1f} s, with a loss of "
        f"{default.memory.written['loss']:.0e}; in a process of its own it takes {alone['peak_mb']:.0f} MB at most.",
        "Reference: PyTorch's default initialization, Adam at 1e-4, full batch, mean squared error to 1e-8, eager, one "
        "thread or all, whichever is faster; its clock starts after a warm-up. K-FAC starts from the very same "
        "weights, its time includes compilation. Ratios: the reference's seconds to 1e-8 to K-FAC's, and to the "
        "default writer's until everything is certified; with ≥ where the reference had not arrived.",
        "The reference runs until it arrives (BENCH_FULL)."
        if setting.full
        else f"A row of the reference ends after {TIMES:g} times attrax's time (K-FAC's or the default writer's, "
        f"whichever is longer; K-FAC's only if it arrives) or {setting.pick(LONGEST, 5.0):g} s, whichever is less.",
    )
    head(*HEAD)
    lowest = []
    for case in cases(default.memory.map.widths):
        for dtype in ("float32", "float64"):
            lowest.append(_row(setting, values, case, dtype, default))
    certified = default.attractors == default.count
    low = min(lowest)
    end(f"Bar: all certified at least 20 times sooner than the reference comes to its loss: lowest ratio {low:.1f}, "
        f"{verdict(certified and low >= 20)}.")  # fmt: skip


def _row(setting: Setting, values: np.ndarray, case: Case, dtype: str, default: Stored) -> float:
    """Prints a row; the reference's time over the default writer's."""
    from benchmarks.reference import Reference, best_threads

    options = {"activation": case.activation, "bias": case.bias, "dtype": dtype}
    peer = Reference(values, case.widths, **options)
    ours, certified = _kfac(setting, values, peer.network())
    slowest = max(default.seconds, ours.seconds if ours.loss <= TOL else 0.0)
    limit = min(TIMES * slowest, setting.pick(LONGEST, 5.0))
    threads = best_threads(Reference, values, case.widths, **options)
    run = peer.train(seconds=np.inf if setting.full else limit, threads=threads)
    memory = child("reference", source="mnist", n=len(values), widths=list(case.widths), threads=threads, **options)
    arrived = f"{run.seconds:.1f}" if run.arrived else f"not arrived in {run.seconds:.0f}, loss {run.loss:.1e}"
    kfac = f"{ours.seconds:.1f}" if ours.loss <= TOL else f"not arrived in {ours.seconds:.0f}, loss {ours.loss:.1e}"
    mark = "" if run.arrived else "≥ "
    beside = f"{mark}{run.seconds / ours.seconds:.1f}" if ours.loss <= TOL else "–"
    ratio = run.seconds / default.seconds
    row(case.name, "yes" if case.bias else "no", dtype, kfac, certified, threads, arrived,
        _certified(peer.network(), values), f"{memory['peak_mb']:.0f}", beside, f"{mark}{ratio:.1f}")  # fmt: skip
    return ratio


def _kfac(setting: Setting, values: np.ndarray, network: ax.maps.MLP) -> tuple[ax.writing.Written, str]:
    """K-FAC from the reference's start, and how many examples are certified."""
    writer = ax.Gradient(optimizer="kfac", time_limit=setting.pick(KFAC_SECONDS, 5.0))
    patterns = ax.Patterns.from_examples(values)
    written = writer(network, patterns, key=jr.key(0))
    if not np.isfinite(written.loss):
        return written, "–"
    begun = time.perf_counter()
    certificate = settle(ax.Memory(written.map, patterns)).certificate
    assert certificate is not None
    return written, f"{certificate.num_attractors}/{len(values)} (+{time.perf_counter() - begun:.1f} s)"


def _certified(network: ax.maps.MLP, values: np.ndarray) -> str:
    if not all(np.isfinite(weight).all() for weight in network.weights):
        return "–"
    found = ax.certify(ax.Memory(network, ax.Patterns.from_examples(values)))
    return f"{found.num_attractors}/{len(values)}"
