"""All quick benchmarks, one after another: `python -m benchmarks`, or `make bench`."""

import platform
import sys

from benchmarks import bench_certify, bench_training

try:
    import torch  # noqa: F401 - the comparison below needs it
except ImportError:
    sys.exit("the benchmarks compare with PyTorch, which is not installed: run `make torch` first")

print(f"{platform.processor() or platform.machine()}, {platform.system()}, Python {platform.python_version()}\n")
bench_training.main()
bench_certify.main()
