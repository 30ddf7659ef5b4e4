"""Recall from little, words from pictures, pictures added one by one, half faces.

`python -m benchmarks.bench_little`, or `make bench-little`.

Each table is Markdown and appears row by row; `--only NAME` picks tables, `--quick` shows all of them at sizes that
mean nothing. `ATTRAX_DATA` names the folder with the data sets.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax.random as jr
import numpy as np

import attrax as ax
from attrax.analysis import nearest_neighbor, neighbor_rates
from attrax.corruptions import known_mask
from attrax.sources import decode_words, encode_words
from benchmarks.measure import Bars, Table, machine, percent, title
from benchmarks.write_runs import require

PARTS = {"1/2": 0.5, "1/4": 0.25, "1/8": 0.125, "1/16": 0.0625}
COMPLETION_BARS = {50: (1.0, 1.0, 0.98, 0.90), 250: (1.0, 0.98, 0.90, 0.70)}
CORRECT = 1e-3
"""The mean squared error below which a picture counts as completed (Salvatori et al. 2021)."""
OTHER_PARTS = ("lower:0.0625", "left:0.0625", "right:0.0625", "scattered")
CUES = ("gaussian:0.3", "occlude:0.5", "drop:0.5")
PAIRS_BAR = 0.99
TOLD: dict[str, Any] = {
    "corruptions": ("gaussian:0.5", "occlude:0.7", "occlude:0.7", "drop:0.7"),
    "epochs": 600,
    "learning_rate": 1e-3,
}
"""Settings for somebody who knows what damage to expect. Occlusion is the hardest of the three and has two shares."""
TRAININGS: dict[str, dict[str, Any]] = {"default": {}, "told": TOLD}
VARIANCE, RETRIEVED, RETRIEVED_BAR = 0.2, 5e-3, 0.995
"""Of the noise, the mean squared error below which a picture counts as retrieved (Salvatori et al. 2021), and the rate
that was asked for."""
OLDEST, NOISE, RECALLED = 128, 0.2, 5e-3 / 4
"""How many of the oldest pictures are asked for again, σ of the noise on them, and the mean squared error below which
one counts as recalled: 0.005 for pixels in [−1, 1] (Yoo and Wood 2022), a quarter of that for pixels in [0, 1]."""
LOST_BAR, SECONDS_BAR, SECONDS_AT = 0.02, 2.0, 1024
"""The share of these that may be lost, and the seconds that an add may take up to so many pictures."""
UNSEEN, UNSEEN_BAR = "half:right,0.5", 0.8


@dataclass
class Bench:
    """Sizes, and the bars that were asked for."""

    numbers: tuple[int, ...] = (50, 250)
    noisy: tuple[int, ...] = (100, 250, 500, 1000, 1500)
    widths: tuple[int, ...] = (8, 12, 16, 24, 32, 48, 64)
    noise_epochs: int = 50
    pairs: int = 500
    at_once: int = OLDEST
    added: int = 1024
    rows: int = 128
    seeds: int = 5
    epochs: int | None = None
    trainings: tuple[str, ...] = tuple(TRAININGS)
    bars: Bars = field(default_factory=Bars)

    def pictures(self, number: int, seed: int) -> np.ndarray:
        """Color pictures of CIFAR-10, a part of the training file that no other seed has."""
        return ax.sources.load("cifar10", n=number * (seed + 1)).values[number * seed :]

    def stored(self, examples: np.ndarray | ax.Patterns, seed: int, **settings: Any) -> tuple[ax.Memory, float]:
        """A memory by the default writer, and how long that took, compilation and certificates included."""
        begun = time.perf_counter()
        if self.epochs is not None:
            settings["epochs"] = self.epochs
        memory = ax.store(examples, writer=ax.Auto(**settings), key=jr.key(seed))
        return memory, time.perf_counter() - begun


def completion(bench: Bench) -> None:
    """Pictures from a few of their rows."""
    title(
        "Completion from the upper rows",
        "Color pictures of CIFAR-10 (32×32×3), for each seed others, by the default writer. A picture counts if the "
        f"mean squared error is below {CORRECT:g}. *held*: recall is told which rows are known; *not held*: it is not, "
        "and the network is just iterated, the unknown part at the mean at first; *1-NN*: the Euclidean nearest "
        "neighbor in the known rows.",
    )
    table = Table("pictures", "seed", "seconds", "certified", "part", "held", "not held", "1-NN", "bar")
    for number in bench.numbers:
        for seed in range(bench.seeds):
            pictures = bench.pictures(number, seed)
            memory, seconds = bench.stored(pictures, seed)
            assert memory.certificate is not None  # `store` sets it
            first = (number, seed, f"{seconds:.1f}", f"{memory.certificate.num_attractors}/{number}")
            for (part, share), wanted in zip(PARTS.items(), COMPLETION_BARS.get(number, (0.0,) * 4), strict=True):
                held, free, nearest = completed(memory, pictures, known_mask(f"upper:{share}", pictures.shape[1:]))
                said = bench.bars.check(
                    f"N = {number}, {part}, seed {seed}", f"≥ {100 * wanted:g} %", held >= wanted - 1e-9
                )
                table.row(*first, part, percent(held), percent(free), percent(nearest), said)
                first = ("", "", "", "")
            for name in OTHER_PARTS:
                held, free, nearest = completed(memory, pictures, _mask(name, pictures.shape[1:]))
                table.row("", "", "", "", name, percent(held), percent(free), percent(nearest))


def _mask(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A named mask, or a sixteenth of the pixels at random."""
    if name != "scattered":
        return known_mask(name, shape)
    seen = np.random.default_rng(0).random(shape[:2]) < 1 / 16
    return np.broadcast_to(seen[..., None], shape)


def completed(memory: ax.Memory, pictures: np.ndarray, mask: np.ndarray) -> tuple[float, float, float]:
    """The rates of recall with the known part held, without holding it, and of the nearest neighbor in that part."""
    originals = np.asarray(memory.originals)
    middle = memory.examples().points.mean(axis=0)
    held = ax.recall(memory, pictures, known=mask).value
    free = ax.recall(memory, np.where(mask, pictures, middle)).value
    nearest = originals[nearest_neighbor(pictures, originals, known=np.broadcast_to(mask, pictures.shape))]
    return _right(held, pictures), _right(free, pictures), _right(nearest, pictures)


def _right(found: np.ndarray, pictures: np.ndarray, most: float = CORRECT) -> float:
    return float((((found - pictures).reshape(len(pictures), -1) ** 2).mean(axis=1) < most).mean())


def pairs(bench: Bench) -> None:
    """Pictures that answer with a word."""
    told = ", ".join(TOLD["corruptions"])
    title(
        f"{bench.pairs} pictures with a word each",
        "Color pictures of CIFAR-10 and made-up words of six letters, as pairs. The cue is the corrupted picture "
        "alone. It counts if the whole pair is recovered and the word read from the answer is the right one. "
        f"*default*: by the default writer. *told*: the same, trained on {told} only, in {TOLD['epochs']} epochs at a "
        f"rate of {TOLD['learning_rate']:g}. 1-NN: the nearest picture by Euclidean distance, and by the best of three "
        "rules.",
    )
    table = Table("training", "seed", "seconds", "certified", "cue", "word", "1-NN", "best 1-NN", "bar")
    for training in bench.trainings:
        for seed in range(bench.seeds):
            pictures, words = bench.pictures(bench.pairs, seed), made_up(bench.pairs, seed)
            letters = encode_words(words)
            patterns = ax.Patterns.from_pairs(pictures, letters.values, names=words)
            memory, seconds = bench.stored(patterns, seed, **TRAININGS[training])
            assert memory.certificate is not None  # `store` sets it
            first = (training, seed, f"{seconds:.1f}", f"{memory.certificate.num_attractors}/{bench.pairs}")
            for kind in CUES:
                cues = ax.corrupt(kind, pictures, key=jr.key(1_000 + seed))
                answer = ax.recall(memory, cues, expected=np.arange(len(pictures)))
                said = np.array(decode_words(patterns.split(answer.value)[1], letters.letters))
                rate = float((answer.recovered & (said == np.array(words))).mean())
                rules = neighbor_rates(cues, pictures, np.arange(len(pictures)))
                name, wanted = f"pairs, {training}, {kind}, seed {seed}", f"≥ {100 * PAIRS_BAR:g} %"
                bar = bench.bars.check(name, wanted, rate >= PAIRS_BAR - 1e-9)
                table.row(*first, kind, percent(rate), percent(rules["euclidean"]), percent(max(rules.values())), bar)
                first = ("", "", "", "")


def sizes(bench: Bench) -> None:
    """The smallest network that denoises."""
    title(
        "The smallest network that denoises",
        f"Color pictures of CIFAR-10, for each seed others, with noise of variance {VARIANCE:g} on every pixel, not "
        f"cut. A picture counts if the mean squared error is below {RETRIEVED:g}. Winner-take-all networks whose "
        f"encoder has one hidden layer of so many units, trained on noise for {bench.noise_epochs} epochs. Widths are "
        "tried until no seed falls below the bar. Large numbers have fewer seeds: no picture is in two samples. "
        "*last layer*: the weights that hold the pictures.",
    )
    table = Table("pictures", "units", "parameters", "last layer", "certified", "worst seed", "mean", "bar")
    for number in bench.noisy:
        samples = max(1, min(bench.seeds, ax.sources.count("cifar10") // number))
        for width in bench.widths:
            rates, certified = list[float](), 0
            for seed in range(samples):
                pictures = bench.pictures(number, seed)
                writer = ax.WinnerTakeAll(width=width, corruptions=("gaussian:0.5",), epochs=bench.noise_epochs)
                memory = ax.store(pictures, writer=writer, key=jr.key(seed))
                assert memory.certificate is not None  # `store` sets it
                certified += memory.certificate.num_attractors
                cues = pictures + VARIANCE**0.5 * np.random.default_rng(seed).standard_normal(pictures.shape)
                rates.append(_right(ax.recall(memory, cues).value, pictures, RETRIEVED))
            reached = min(rates) >= RETRIEVED_BAR and certified == number * samples
            last = number * pictures[0].size
            row = (number, width, ax.maps.describe(memory.map).parameters, last, f"{certified}/{number * samples}")
            table.row(*row, percent(min(rates)), percent(np.mean(rates)), "pass" if reached else "falls")
            if reached:
                break
        bench.bars.check(f"N = {number}", f"≥ {100 * RETRIEVED_BAR:g} %", reached)


def adding(bench: Bench) -> None:
    """Pictures added one at a time, and what becomes of the oldest."""
    title(
        "Pictures added one at a time",
        f"Color pictures of CIFAR-10: {bench.at_once:,} are stored at once in a margin network, {bench.added:,} are "
        f"added by `add`, each in one call, which certifies all of them. *oldest*: of the first {OLDEST}, how many are "
        f"recalled from noise of σ = {NOISE:g}, always the same cues, below a mean squared error of {RECALLED:g}. "
        "*CPU*, *wall*: seconds of the adds since the row before, median and slowest.",
    )
    table = Table("seed", "stored", "certified", "refused", "oldest", "CPU", "slowest", "wall", "slowest", "bar")
    for seed in range(bench.seeds):
        pictures = bench.pictures(bench.at_once + bench.added, seed)
        memory = ax.store(pictures[: bench.at_once], writer=ax.Constructed("margin"), key=jr.key(seed))
        oldest = pictures[: min(OLDEST, bench.at_once)]
        cues = oldest + NOISE * np.random.default_rng(seed).standard_normal(oldest.shape)
        first = _right(ax.recall(memory, cues).value, oldest, RECALLED)
        table.row(seed, bench.at_once, _certified(memory), 0, percent(first))
        refused, times, slowest = 0, list[tuple[float, float]](), 0.0
        for number, picture in enumerate(pictures[bench.at_once :], start=1):
            begun = time.process_time(), time.perf_counter()
            change = ax.add(memory, picture[None], key=jr.fold_in(jr.key(seed), number))
            times.append((time.process_time() - begun[0], time.perf_counter() - begun[1]))
            memory, refused = change.memory, refused + (not change.accepted)
            if 1 < number <= SECONDS_AT - bench.at_once:  # the first one compiles
                slowest = max(slowest, times[-1][1])
            if number % bench.rows and number < bench.added:
                continue
            rate = _right(ax.recall(memory, cues).value, oldest, RECALLED)
            shown = (f"{one(part):.2f}" for part in zip(*times, strict=True) for one in (np.median, max))
            said = ""
            if number == bench.added:
                said = bench.bars.check(
                    f"adding, oldest, seed {seed}", f"≥ {100 * (first - LOST_BAR):g} %", rate >= first - LOST_BAR
                )
            table.row("", len(memory.examples()), _certified(memory), refused, percent(rate), *shown, said)
            times.clear()
        wanted = f"≤ {SECONDS_BAR:g} s up to {SECONDS_AT:,} pictures"
        said = bench.bars.check(f"adding, slowest, seed {seed}", wanted, slowest <= SECONDS_BAR)
        table.row(seed, "", "", "", "", "", "", "", f"{slowest:.2f}", said)


def _certified(memory: ax.Memory) -> str:
    assert memory.certificate is not None  # `store` and `add` set it
    return f"{memory.certificate.num_attractors}/{len(memory.examples())}"


def faces(bench: Bench) -> None:
    """The corruption that the demonstration's training does not see, with and without a word about where it is."""
    title(
        "Faces with a gray right half",
        "A hundred faces of 25×25, stored by the default writer, and trained as in `attrax demo`. Neither saw this "
        "corruption in training. *told*: `known=` says which half is right. 1-NN: by the best of three rules, and the "
        "same told.",
    )
    table = Table("seed", "network", "seconds", "certified", "not told", "1-NN", "told", "1-NN told", "bar")
    for seed in range(bench.seeds):
        pictures = ax.sources.load("faces", n=None if bench.epochs is None else bench.pairs).values
        made = {"default": bench.stored(pictures, seed)}
        if bench.epochs is None:
            with tempfile.TemporaryDirectory() as folder:
                shown = ax.demos.demo(folder, seed=seed)
            made["demo"] = shown.memory, shown.seconds
        for name, (memory, seconds) in made.items():
            assert memory.certificate is not None  # `store` sets it
            free, told = (ax.recovery(memory, UNSEEN, known=known, key=jr.key(seed)) for known in (None, "auto"))
            said = bench.bars.check(
                f"faces, {name}, seed {seed}", f"≥ {100 * UNSEEN_BAR:g} %", free.recovery_rate >= UNSEEN_BAR - 1e-9
            )
            rates = (free.recovery_rate, free.best_nn_rate, told.recovery_rate, told.best_nn_rate)
            certified = f"{memory.certificate.num_attractors}/{len(pictures)}"
            table.row(seed, name, f"{seconds:.1f}", certified, *map(percent, rates), said)


def made_up(number: int, seed: int) -> tuple[str, ...]:
    """So many different words of three syllables."""
    syllables = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
    found: dict[str, None] = {}
    draw = np.random.default_rng(seed)
    while len(found) < number:
        found["".join(syllables[place] for place in draw.integers(len(syllables), size=3))] = None
    return tuple(found)


TABLES: dict[str, Callable[[Bench], None]] = {
    "completion": completion,
    "pairs": pairs,
    "sizes": sizes,
    "adding": adding,
    "faces": faces,
}


def main(arguments: list[str] | None = None) -> None:
    """Prints the tables that were asked for, and which bars were reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=list(TABLES), metavar="NAME", help=", ".join(TABLES))
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see whether everything runs")
    parser.add_argument(
        "--number", action="append", type=int, metavar="N", help="pictures to complete or to denoise, instead of all"
    )
    parser.add_argument(
        "--at-once", type=int, default=OLDEST, metavar="N", help="pictures stored before others are added"
    )
    parser.add_argument("--added", type=int, default=1024, metavar="N", help="pictures that are added")
    parser.add_argument("--width", action="append", type=int, metavar="N", help="units to try when denoising")
    parser.add_argument(
        "--training", action="append", choices=list(TRAININGS), metavar="NAME", help="of the pairs; default and told"
    )
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="samples of pictures; 5 by default")
    options = parser.parse_args(arguments)
    names = [name for name in TABLES if options.only is None or name in options.only]
    if names != ["faces"]:
        require({"cifar10": names[0]})
    quick = Bench((8,), (8,), (8,), 5, 8, OLDEST, 4, 2, 1, 20)
    bench = quick if options.quick else Bench(at_once=options.at_once, added=options.added, seeds=options.seeds)
    if options.number:
        bench.numbers = bench.noisy = tuple(options.number)
    bench.widths = tuple(options.width) if options.width else bench.widths
    bench.trainings = tuple(options.training) if options.training else bench.trainings
    print(machine(), flush=True)
    if options.quick:
        print("\nA smoke run at tiny sizes: no number and no bar below means anything.")
    for name in names:
        TABLES[name](bench)
    print(f"\n{bench.bars.summary()}")


if __name__ == "__main__":
    main()
