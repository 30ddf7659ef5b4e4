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

from attrax._base.budget import refuse_beyond_memory
from attrax.sources._arrays import DEFLATE_RATIO, open_npz
from attrax.sources._folders import natural_order
from attrax.sources._records import Source, SourceError, numbered, reason

Part = tuple[int, Callable[[], np.ndarray[Any, Any]], Callable[[], np.ndarray[Any, Any]] | None]
"""The number of examples in one file, how to read them, and how to read their labels, as numbers."""

_CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_RECORD = 1 + 3 * 32 * 32  # CIFAR-10: a label, then the channels one after another


def mnist(folder: Path, name: str, test: bool) -> Source:
    """MNIST's images, 28×28, from its IDX files, gzipped or not."""
    stem = "t10k" if test else "train"
    candidates = [f"{stem}-images{dot}idx3-ubyte{packed}" for packed in ("", ".gz") for dot in "-."]
    for candidate in candidates:
        if (folder / candidate).is_file():
            return _joined(name, [_idx(folder / candidate, _idx_labels(folder, stem))])
    raise SourceError(f"{folder}: MNIST's images must lie there as {candidates[0]} or {candidates[2]}; neither does")


def cifar10(folder: Path, name: str, test: bool) -> Source:
    """CIFAR-10's images, 32×32×3, from the files of its binary version that are there."""
    batches = _matching(folder, "test_batch.bin" if test else "data_batch_*.bin")
    return _joined(name, [_cifar_batch(path) for path in batches], _CIFAR10)


def imagenet64(folder: Path, name: str, test: bool) -> Source:
    """The images of downsampled ImageNet, 64×64×3, from the npz files that are there."""
    pattern = "val_data.npz" if test else "train_data_batch_*.npz"
    return _joined(name, [_imagenet_batch(p) for p in _matching(folder, pattern)])


def _matching(folder: Path, pattern: str) -> list[Path]:
    found = sorted((path for path in folder.glob(pattern) if path.is_file()), key=lambda path: natural_order(path.name))
    if not found:
        raise SourceError(f"{folder}: the data set must lie there as {pattern}; there is no such file")
    return found


def _joined(name: str, parts: list[Part], classes: tuple[str, ...] | None = None) -> Source:
    """Several files as one source. One is held in memory at a time, for they may be large."""
    ends = list(accumulate(count for count, *_ in parts))
    read = lru_cache(maxsize=1)(lambda part: parts[part][1]())

    def item(index: int) -> np.ndarray[Any, Any]:
        part = bisect_right(ends, index)
        return read(part)[index - ends[part]]  # from the end, as a negative index

    known = lru_cache(maxsize=len(parts))(lambda part: parts[part][2]())

    def label(index: int) -> str:
        part = bisect_right(ends, index)
        number = int(known(part)[index - ends[part]])
        return classes[number] if classes is not None and number < len(classes) else str(number)

    labeled = all(labels is not None for *_, labels in parts)
    return Source("images", numbered(name, ends[-1]), "", item, labels=label if labeled else ())


def _idx(path: Path, labels: Path | None) -> Part:
    """An IDX file of n images, and that of their labels where it is there."""
    values = _idx_array(path, 3)
    if labels is None:
        return len(values), lambda: values, None
    numbers = _idx_array(labels, 1)
    if len(numbers) != len(values):
        raise SourceError(
            f"{labels}: there must be a label for each of the {len(values):,} images; got {len(numbers):,}"
        )
    return len(values), lambda: values, lambda: numbers


def _idx_labels(folder: Path, stem: str) -> Path | None:
    candidates = [folder / f"{stem}-labels{dot}idx1-ubyte{packed}" for packed in ("", ".gz") for dot in "-."]
    return next((path for path in candidates if path.is_file()), None)


def _idx_array(path: Path, axes: int) -> np.ndarray[Any, Any]:
    """The bytes of an IDX file. Read whole: it is small, and a gzipped one cannot be read otherwise."""
    packed = path.suffix == ".gz"
    try:
        size = path.stat().st_size
        with gzip.open(path) if packed else path.open("rb") as stream:
            length = 4 + 4 * axes
            header = stream.read(length)
            if len(header) < length or header[:4] != bytes((0, 0, 8, axes)):
                what = "images" if axes == 3 else "labels"
                raise SourceError(f"{path}: not an IDX file of 8-bit {what}; its first bytes are {header[:4].hex(' ')}")
            shape = struct.unpack(f">{axes}I", header[4:])
            claimed = math.prod(shape)
            possible = size * DEFLATE_RATIO if packed else size - length
            if claimed <= possible:
                refuse_beyond_memory(str(path), claimed, "unpack it and take a part", error=SourceError)
            # One byte beyond the claim tells whether the file goes on, and no more is ever unpacked.
            content = stream.read(claimed + 1) if 0 < claimed <= possible else b""
    except SourceError:
        raise
    except Exception as error:  # gzip and zlib raise several types of error on damaged files.
        raise SourceError(f"{path}: the file cannot be read ({reason(error)}); it may be damaged") from error
    if len(content) != claimed or claimed == 0:
        found = f"more than {claimed:,}" if len(content) > claimed else "fewer"
        what = f"images of {shape[1]}×{shape[2]}" if axes == 3 else "labels"
        raise SourceError(
            f"{path}: the header claims {shape[0]:,} {what}, {claimed:,} bytes, but the file "
            f"holds {found if claimed else 'none'}; it is truncated or damaged"
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


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
    return count, lambda: records[:, 1:].reshape(count, 3, 32, 32).transpose(0, 2, 3, 1), lambda: records[:, 0]


def _imagenet_batch(path: Path) -> Part:
    batch = open_npz(path, "data")
    if batch.dtype != np.uint8 or len(batch.shape) != 2 or batch.shape[1] != 3 * 64 * 64 or not batch.shape[0]:
        raise SourceError(
            f"{path}: the array data of ImageNet 64×64 must be uint8 of shape n×12288; it is {batch.dtype} of shape "
            f"{batch.shape}"
        )
    return batch.shape[0], lambda: batch.read().reshape(-1, 3, 64, 64).transpose(0, 2, 3, 1), None
