"""MNIST, CIFAR-10 and ImageNet 64×64 in the formats in which they are published."""

import gzip
import math
import os
import struct
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from attrax.sources._arrays import DEFLATE_RATIO, open_npz
from attrax.sources._pictures import natural_order
from attrax.sources._records import Source, SourceError, numbered, reason

Part = tuple[int, Callable[[], np.ndarray[Any, Any]]]
"""The number of examples in one file, and how to read them."""

_RECORD = 1 + 3 * 32 * 32  # CIFAR-10: a label, then the channels one after another


def mnist(folder: Path, name: str, test: bool) -> Source:
    """MNIST's images, 28×28, from its IDX files, gzipped or not."""
    stem = "t10k" if test else "train"
    candidates = [f"{stem}-images{dot}idx3-ubyte{packed}" for packed in ("", ".gz") for dot in "-."]
    for candidate in candidates:
        if (folder / candidate).is_file():
            return _joined(name, [_idx(folder / candidate)])
    raise SourceError(f"{folder}: MNIST's images must lie there as {candidates[0]} or {candidates[2]}; neither does")


def cifar10(folder: Path, name: str, test: bool) -> Source:
    """CIFAR-10's images, 32×32×3, from the files of its binary version that are there."""
    return _joined(name, [_cifar_batch(p) for p in _matching(folder, "test_batch.bin" if test else "data_batch_*.bin")])


def imagenet64(folder: Path, name: str, test: bool) -> Source:
    """The images of downsampled ImageNet, 64×64×3, from the npz files that are there."""
    pattern = "val_data.npz" if test else "train_data_batch_*.npz"
    return _joined(name, [_imagenet_batch(p) for p in _matching(folder, pattern)])


def _matching(folder: Path, pattern: str) -> list[Path]:
    found = sorted(folder.glob(pattern), key=lambda path: natural_order(path.name))
    if not found:
        raise SourceError(f"{folder}: the data set must lie there as {pattern}; there is no such file")
    return found


def _joined(name: str, parts: list[Part]) -> Source:
    """Several files as one source. One is held in memory at a time, for they may be large."""
    ends = list(accumulate(count for count, _ in parts))
    read = lru_cache(maxsize=1)(lambda part: parts[part][1]())

    def item(index: int) -> np.ndarray[Any, Any]:
        part = bisect_right(ends, index)
        return read(part)[index - ends[part]]  # from the end, as a negative index

    return Source("images", numbered(name, ends[-1]), "", item)


def _idx(path: Path) -> Part:
    """An IDX file of n images. Read whole: it is small, and a gzipped one cannot be read otherwise."""
    packed = path.suffix == ".gz"
    try:
        size = path.stat().st_size
        with gzip.open(path) if packed else path.open("rb") as stream:
            header = stream.read(16)
            if len(header) < 16 or header[:4] != b"\x00\x00\x08\x03":
                raise SourceError(f"{path}: not an IDX file of 8-bit images; its first bytes are {header[:4].hex(' ')}")
            shape = struct.unpack(">3I", header[4:])
            claimed = math.prod(shape)
            possible = size * DEFLATE_RATIO if packed else size - 16
            # One byte beyond the claim tells whether the file goes on, and no more is ever unpacked.
            content = stream.read(claimed + 1) if 0 < claimed <= possible else b""
    except SourceError:
        raise
    except Exception as error:  # gzip and zlib raise several types of error on damaged files.
        raise SourceError(f"{path}: the file cannot be read ({reason(error)}); it may be damaged") from error
    if len(content) != claimed or claimed == 0:
        found = f"more than {claimed:,}" if len(content) > claimed else "fewer"
        raise SourceError(
            f"{path}: the header claims {shape[0]:,} images of {shape[1]}×{shape[2]}, {claimed:,} bytes, but the file "
            f"holds {found if claimed else 'none'}; it is truncated or damaged"
        )
    values = np.frombuffer(content, np.uint8).reshape(shape)
    return shape[0], lambda: values


def _cifar_batch(path: Path) -> Part:
    try:
        count, rest = divmod(os.path.getsize(path), _RECORD)
        if rest or not count:
            raise SourceError(
                f"{path}: a batch of CIFAR-10 consists of records of {_RECORD} bytes; this file has "
                f"{count * _RECORD + rest:,} bytes. It is truncated or not in the binary format"
            )
        records = np.memmap(path, np.uint8, "r", shape=(count, _RECORD))
    except OSError as error:
        raise SourceError(f"{path}: the file cannot be read ({reason(error)})") from error
    return count, lambda: records[:, 1:].reshape(count, 3, 32, 32).transpose(0, 2, 3, 1)


def _imagenet_batch(path: Path) -> Part:
    batch = open_npz(path, "data")
    if batch.dtype != np.uint8 or len(batch.shape) != 2 or batch.shape[1] != 3 * 64 * 64 or not batch.shape[0]:
        raise SourceError(
            f"{path}: the array data of ImageNet 64×64 must be uint8 of shape n×12288; it is {batch.dtype} of shape "
            f"{batch.shape}"
        )
    return batch.shape[0], lambda: batch.read().reshape(-1, 3, 64, 64).transpose(0, 2, 3, 1)
