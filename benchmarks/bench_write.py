"""All tables about writing memories: `python -m benchmarks.bench_write`, or `make bench-write`.

They need the published data sets: `ATTRAX_DATA` names the folder that holds `mnist`, `cifar-10-batches-bin` and
`imagenet64`. `BENCH_FULL=1` lets the PyTorch reference run as long as it takes.
"""

import argparse
import importlib
import os
import sys
import time
import traceback
from pathlib import Path

from benchmarks.write_common import Setting, machine

TABLES = {
    "mnist": "write_recovery",
    "shifts": "write_shifts",
    "imagenet": "write_recovery",
    "cifar": "write_recovery",
    "constructed": "write_recovery",
    "activations": "write_activations",
    "scaling": "write_scaling",
    "reference": "write_reference",
}
"""Each table and the module with the function of that name, the longest last."""


def main() -> int:
    """Prints the tables asked for; 0, or 1 where one failed, or 2 where data or PyTorch are missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_write", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", action="extend", metavar="NAME", choices=TABLES, help=f"some of {', '.join(TABLES)}"
    )
    parser.add_argument("--quick", action="store_true", help="small samples: shows that everything runs, no more")
    options = parser.parse_args()
    data = os.environ.get("ATTRAX_DATA", "")
    if not data or not Path(data).is_dir():
        print("the tables need real data: set ATTRAX_DATA to the folder that holds mnist, cifar-10-batches-bin and "
              "imagenet64", file=sys.stderr)  # fmt: skip
        return 2
    setting = Setting(quick=options.quick, full=os.environ.get("BENCH_FULL", "") not in ("", "0"))
    print(f"{machine()}{', quick run: the numbers mean nothing' if setting.quick else ''}\n", flush=True)
    failed = []
    for name in options.only or TABLES:
        table = getattr(importlib.import_module(f"benchmarks.{TABLES[name]}"), name)
        begun = time.perf_counter()
        try:
            table(setting)
        except Exception as error:  # hours of other tables shall not be lost
            failed.append(name)
            traceback.print_exc()
            message = str(error).splitlines() or [""]
            print(f"\nThe table {name} failed: {type(error).__name__}: {message[0]}\n", flush=True)
        else:
            print(f"({name}: {time.perf_counter() - begun:.0f} s)\n", flush=True)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
