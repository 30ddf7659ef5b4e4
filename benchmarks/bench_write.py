"""Writing memories: `python -m benchmarks.bench_write`, or `make bench-write`.

Each table is Markdown and appears row by row. `--only NAME` picks tables, `--quick` shows all of them at sizes that
mean nothing, to see whether they run. `ATTRAX_DATA` names the folder with the data sets. A whole run takes hours.
"""

import argparse
import sys
from collections.abc import Callable
from importlib import util

from benchmarks.measure import machine
from benchmarks.write_autoencoder import autoencoder, walks
from benchmarks.write_compare import activations, constructed
from benchmarks.write_large import cifar, imagenet
from benchmarks.write_mnist import mnist, shifts, unseen
from benchmarks.write_reference import NETWORKS, reference
from benchmarks.write_runs import QUICK, Bench, Sizes, require
from benchmarks.write_scaling import scaling

TABLES: dict[str, tuple[Callable[[Bench], None], tuple[str, ...]]] = {
    "mnist": (mnist, ("mnist",)),
    "unseen": (unseen, ("mnist",)),
    "reference": (reference, ("mnist",)),
    "shifts": (shifts, ("mnist",)),
    "imagenet": (imagenet, ("imagenet64",)),
    "cifar": (cifar, ("cifar10",)),
    "constructed": (constructed, ("mnist",)),
    "autoencoder": (autoencoder, ("mnist",)),
    "walks": (walks, ("mnist",)),
    "activations": (activations, ("mnist",)),
    "scaling": (scaling, ("cifar10", "imagenet64")),
}
"""Each table with the data sets it reads, in the order they are printed."""


def main(arguments: list[str] | None = None) -> None:
    """Prints the tables that were asked for, and at the end which bars were reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only",
        action="append",
        choices=list(TABLES),
        metavar="NAME",
        help=f"a table to print, repeatable: {', '.join(TABLES)}",
    )
    parser.add_argument(
        "--network",
        action="append",
        choices=NETWORKS,
        metavar="NAME",
        help=f"for the table reference, a network, repeatable: {', '.join(NETWORKS)}",
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see whether everything runs")
    parser.add_argument(
        "--samples", type=int, default=Sizes.samples, metavar="N", help="samples of digits; 5 by default"
    )
    options = parser.parse_args(arguments)
    names = [name for name in TABLES if options.only is None or name in options.only]
    require({source: name for name in reversed(names) for source in TABLES[name][1]})
    if "reference" in names and util.find_spec("torch") is None:
        print(
            "the table reference compares with PyTorch, which is not installed: run `make torch` first, or leave it "
            "out with --only",
            file=sys.stderr,
        )
        raise SystemExit(2)
    sizes = QUICK if options.quick else Sizes(samples=options.samples)
    bench = Bench(sizes, tuple(options.network or ()))
    print(machine(), flush=True)
    if options.quick:
        print("\nA smoke run at tiny sizes: no number and no bar below means anything.")
    for name in names:
        TABLES[name][0](bench)
    print(f"\n{bench.bars.summary()}")


if __name__ == "__main__":
    main()
