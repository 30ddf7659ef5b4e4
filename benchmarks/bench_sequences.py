"""Sequences as limit cycles: `python -m benchmarks.bench_sequences`, or `make bench-sequences`.

Each row of the Markdown table appears as soon as it is known. `--only NAME` picks groups of rows. `ATTRAX_DATA` names
the folder with MNIST, which some of them read; `reference` takes PyTorch.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import jax.random as jr
import numpy as np

import attrax as ax
from attrax.paper import four_circles, train_plane
from attrax.paper.experiments.fig4b import two_runs
from attrax.paper.experiments.rnn import SENTENCE
from attrax.sources import decode_text
from benchmarks import sequence_runs as runs
from benchmarks.measure import Bars, Table, machine, title
from benchmarks.reference import Job
from benchmarks.sequence_runs import Written, recall, write
from benchmarks.write_runs import require

COLUMNS = (
    "row",
    "data",
    "network",
    "writer",
    "s (of CPU)",
    "cycles certified",
    "largest log radius",
    "from σ = .1",
    "from noise",
    "least dB",
    "peak, MB",
    "bars",
)
MARGIN = ax.Constructed("margin")
ADAM = ax.Gradient()
"""The paper's recipe: Adam at 1e-4, full batch, to a loss of 1e-8."""
FINER = ax.Gradient(tol=1e-9)
"""The same to a loss of 1e-9: at 1e-8 the exact cycle may lie beyond the recovery threshold from what was stored."""
KFAC = ax.Gradient(optimizer="kfac", coordinates=0.5, polish=True)
PLANE_SEEDS = 3
KFAC_WHITE = ax.Gradient(optimizer="kfac", coordinates=1.0, polish=True)
TIMES, LEAST, LONGEST = 20.0, 120.0, 900.0
"""The reference gets `TIMES` attrax's time, but from `LEAST` to `LONGEST` seconds."""


class Bench:
    """The table, and the bars reached so far."""

    def __init__(self) -> None:
        self.bars = Bars()
        self.table = Table(*COLUMNS)

    def row(
        self,
        name: str,
        data: str,
        written: Written,
        writer: str,
        wanted: dict[str, Callable[[Written, Any, Any], bool]],
        *,
        near: Any = None,
        noise: Any = None,
        peak: bool = True,
    ) -> None:
        """One memory with what came back, and its bars."""
        worst = min((one.worst for one in (near, noise) if one is not None), default=np.inf)
        self.table.row(
            name,
            data,
            written.network,
            writer,
            f"{written.seconds:.1f} ({written.cpu:.1f})",
            written.certified,
            written.log_radius,
            "" if near is None else near,
            "" if noise is None else noise,
            f"{worst:.0f}" if np.isfinite(worst) else "",
            f"{written.peak:.0f}" if peak else "",
            "; ".join(self.bars.check(name, text, test(written, near, noise)) for text, test in wanted.items()),
        )


def _all(written: Written, near: Any, noise: Any) -> bool:
    return written.certificate.all_attractors


CERTIFIED: dict[str, Callable[[Written, Any, Any], bool]] = {"all certified": _all}


def hidden(width: int, depth: int = 1) -> Any:
    """A recipe for a ReLU network, with PyTorch's initialization as in the paper."""
    return partial(ax.maps.mlp, width=width, depth=depth, init="pytorch")


def film382(bench: Bench) -> None:
    """382 frames of 128×128 in one hidden layer."""
    bars = {
        **CERTIFIED,
        "one hidden layer ≤ 1,024": lambda written, near, noise: written.memory.map.widths[0] <= 1024,
        "≤ 60 s": lambda written, near, noise: written.seconds <= 60,
        "20/20 from σ = .1": lambda written, near, noise: near.recovered == 20,
        "≥ 95/100 from noise": lambda written, near, noise: noise.recovered >= 95,
        "≥ 60 dB": lambda written, near, noise: min(near.worst, noise.worst) >= 60,
    }
    for writer, given, network in (("margin", MARGIN, None), ("K-FAC, span p = ½", KFAC, hidden(1024))):
        written = write(runs.film, given, network)
        near = recall(written.memory, runs.near(written.memory))
        noise = recall(written.memory, runs.uniform(written.memory, 100 if writer == "margin" else 20))
        wanted = bars if writer == "margin" else CERTIFIED
        bench.row("film382", runs.film_name(), written, writer, wanted, near=near, noise=noise)


def color(bench: Bench) -> None:
    """500 and 1,000 frames of 64×64 in color."""
    films = ((runs.color_name(), runs.color_film), ("`pan:1000`", partial(runs.pan, 1_000, (64, 64))))
    for name, film in films:
        written = write(film, MARGIN)
        near = recall(written.memory, runs.near(written.memory))
        noise = recall(written.memory, runs.uniform(written.memory, 20))
        bench.row(
            "color",
            f"{len(written.memory.examples())} frames of {name}, 64×64×3",
            written,
            "margin",
            CERTIFIED,
            near=near,
            noise=noise,
        )


def points(bench: Bench) -> None:
    """Four cycles of five points in the plane (Fig. 4c)."""
    data = "4 cycles of 5 points"
    for seed in range(PLANE_SEEDS):
        begun, spent = time.perf_counter(), time.process_time()
        memory = train_plane(four_circles(), depth=15, seed=seed)[0]
        written = Written(memory, time.perf_counter() - begun, 0.0, time.process_time() - spent, 0.0)
        radii = ", ".join(f"{radius:.2g}" for radius in written.certificate.spectral_radius)
        bench.row("points", f"{data}; radii {radii}", written, f"Adam, cosid 15×128, seed {seed}", {}, peak=False)
    bench.row("points", data, write(four_circles), "default", CERTIFIED)


def digits(bench: Bench) -> None:
    """MNIST from 0 to 9 and from 9 to 0 (Fig. 4b; the paper's radii are .0034 and .0033)."""
    for writer, given, network in (
        ("Adam 1e-4", ADAM, hidden(512)),
        ("Adam 1e-4 to 1e-9", FINER, hidden(512)),
        ("default", None, None),
    ):
        written = write(partial(two_runs, "mnist", 28), given, network)
        radii = ", ".join(f"{radius:.2g}" for radius in written.certificate.spectral_radius)
        near = recall(written.memory, runs.near(written.memory))
        noise = recall(written.memory, runs.gaussian(written.memory))
        data = f"MNIST 0→9, 9→0; radii {radii} (paper: .0034, .0033); noise is Gaussian"
        bench.row("digits", data, written, writer, CERTIFIED, near=near, noise=noise)


def many(bench: Bench) -> None:
    """Many sequences of digits in one network (Fig. 5b–d)."""
    for data, lengths, singles in (
        ("MNIST, 10 cycles of 10", (10,) * 10, 0),
        ("MNIST, cycles of 3, 7, 20, 50 and 20 single", (3, 7, 20, 50), 20),
    ):
        for writer, given in (("default", None), ("margin", MARGIN)):
            written = write(partial(runs.digits, lengths, singles), given)
            near = recall(written.memory, runs.near(written.memory))
            noise = recall(written.memory, runs.uniform(written.memory, 20))
            bench.row("many", data, written, writer, CERTIFIED, near=near, noise=noise)


def chain(bench: Bench) -> None:
    """100 digits as one cycle in one hidden layer of 512 (Fig. 5e)."""
    seconds = {}
    for writer, given, network in (
        ("Adam 1e-4", ADAM, hidden(512)),
        ("Adam 1e-4 to 1e-9", FINER, hidden(512)),
        ("K-FAC, span p = 1", KFAC_WHITE, hidden(512)),
        ("margin", MARGIN, None),
    ):
        written = write(partial(runs.digits, (100,)), given, network)
        seconds[writer] = written.seconds
        near = recall(written.memory, runs.near(written.memory))
        noise = recall(written.memory, runs.uniform(written.memory, 20))
        ratio = f"; Adam takes {seconds['Adam 1e-4'] / written.seconds:.1f} times as long" if len(seconds) > 1 else ""
        data = f"100 MNIST; epochs: {written.memory.written['epochs']}{ratio}"
        bench.row("chain", data, written, writer, CERTIFIED, near=near, noise=noise)


def speech(bench: Bench) -> None:
    """Eight seconds of sound as eight states (Appendix G)."""
    bars = {
        **CERTIFIED,
        "all from noise": lambda written, near, noise: noise.recovered == noise.cues,
        "SNR ≥ 60 dB": lambda written, near, noise: noise.worst >= 60,
    }
    for writer, given in (("default", None), ("margin", MARGIN)):
        written = write(runs.speech, given)
        noise = recall(written.memory, runs.uniform(written.memory, 20), sound=True)
        bench.row("speech", f"8 s at 22,050 Hz, {runs.speech_name()}", written, writer, bars, noise=noise)


def words(bench: Bench) -> None:
    """The paper's sentence in a recurrent network (Appendix F), and a page of characters."""
    sentence = SENTENCE.split()
    for feedback in ("argmax", "softmax"):
        memory = ax.store_words(sentence, feedback=feedback, key=jr.key(runs.SEED))
        said = [memory.written["vocabulary"][word] for word in memory.map.speak(1_000)]
        right = said == (sentence * (1_000 // len(sentence) + 1))[:1_000]
        certificate = memory.certificate
        assert certificate is not None  # `store_words` certifies
        bench.table.row(
            "words",
            f"13 words, {feedback}; 1,000 words said in order: {'yes' if right else 'no'}",
            f"recurrent, {memory.map.width}",
            "Adam, cross-entropy",
            f"{memory.written['seconds']:.1f}",
            f"{certificate.num_attractors}/1",
            f"{float(certificate.log_spectral_radius[0]):.3g}",
            "",
            "",
            "",
            "",
            bench.bars.check("words", "certified, and 1,000 words in order", right and certificate.all_attractors),
        )
    count = 1_800
    written = write(partial(runs.page, count), MARGIN)
    patterns = written.memory.examples()
    noise = recall(written.memory, runs.uniform(written.memory, 5))
    found = ax.recall(written.memory, np.asarray(written.memory.originals)[:1], path=True)
    bench.row(
        "words",
        f"{count:,} characters, context {patterns.context}; read back exactly: {_reads(found, count)}",
        written,
        "margin",
        CERTIFIED,
        noise=noise,
    )


def _reads(found: Any, count: int) -> str:
    from pathlib import Path

    text = " ".join((Path(__file__).parents[1] / "LICENSE").read_text(encoding="utf-8").split())[:count]
    vocabulary = tuple(dict.fromkeys(text))
    return "yes" if decode_text(found.frames[0][:count], vocabulary, by="character") == text else "no"


def reference(bench: Bench) -> None:
    """Adam at 1e-4 in PyTorch to the same loss: beside K-FAC on the same network, and beside margin on its own."""
    from benchmarks.write_reference import train

    for name, patterns, width, trained in (
        ("film382", runs.film, 1024, KFAC),
        ("chain", partial(runs.digits, (100,)), 512, KFAC_WHITE),
    ):
        quick = write(patterns, MARGIN)
        bench.row("reference", f"{name}, attrax", quick, "margin", CERTIFIED)
        same = write(patterns, trained, hidden(width))
        bench.row("reference", f"{name}, attrax", same, "K-FAC", CERTIFIED)
        limit = min(max(TIMES * quick.seconds, LEAST), LONGEST)
        found = train(Job((width,), "relu", True, "float32", ADAM.tol, limit, runs.SEED), patterns())
        certificate = None if found.memory is None else found.memory.certificate
        seconds = found.end["seconds"] if found.reached is None else found.reached
        ratio = seconds / quick.training
        bench.table.row(
            "reference",
            f"{name}, {found.end['epochs']} epochs, loss {found.end['loss']:.0e}",
            f"1×{width}",
            f"PyTorch, Adam 1e-4, threads: {found.end['threads']}",
            f"loss not reached in {seconds:.0f}" if found.reached is None else f"{found.reached:.1f}",
            "–" if certificate is None else f"{certificate.num_attractors}/1",
            "–" if certificate is None else f"{float(certificate.log_spectral_radius[0]):.3g}",
            "",
            "",
            "",
            f"{found.end['peak']:.0f}",
            f"{'> ' if found.reached is None else ''}{ratio:.0f} times margin's "
            f"{quick.training:.1f} s to its network, {seconds / same.training:.1f} times K-FAC's "
            f"{same.training:.1f} s to this one; "
            f"{bench.bars.check('reference', 'margin ≥ 20 times sooner', ratio >= 20)}",
        )


ROWS: dict[str, tuple[Callable[[Bench], None], tuple[str, ...]]] = {
    "film382": (film382, ()),
    "color": (color, ()),
    "points": (points, ()),
    "digits": (digits, ("mnist",)),
    "many": (many, ("mnist",)),
    "chain": (chain, ("mnist",)),
    "speech": (speech, ()),
    "words": (words, ()),
    "reference": (reference, ("mnist",)),
}
"""Each group of rows with the data sets it reads, in the order they are printed."""


def main(arguments: list[str] | None = None) -> None:
    """Prints the rows that were asked for, and at the end which bars were reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only",
        action="append",
        choices=list(ROWS),
        metavar="NAME",
        help=f"a group of rows to print, repeatable: {', '.join(ROWS)}",
    )
    options = parser.parse_args(arguments)
    names = [name for name in ROWS if options.only is None or name in options.only]
    needed = {source: name for name in reversed(names) for source in ROWS[name][1]}
    if needed:
        require(needed)
    if "reference" in names and find_spec("torch") is None:
        print(
            "the row reference compares with PyTorch, which is not installed: run `make torch` first, or leave it "
            "out with --only",
            file=sys.stderr,
        )
        raise SystemExit(2)
    print(machine(), flush=True)
    title(
        "Sequences",
        f"Written with seed {runs.SEED}, recalled from cues drawn with seed {runs.CUE_SEED}. Seconds go from the file "
        "to the certified memory, in a process of its own, after the import of JAX; reading, compilation and "
        "certificates are included; seconds of CPU are those of all its threads. Noise is uniform over the range of "
        "the stored values where nothing else is said. dB: the worst frame of any recall, "
        "PSNR (SNR of sound). A log radius of -inf is a product of exactly zero.",
    )
    bench = Bench()
    for name in names:
        ROWS[name][0](bench)
    print(f"\n{bench.bars.summary()}")


if __name__ == "__main__":
    main()
