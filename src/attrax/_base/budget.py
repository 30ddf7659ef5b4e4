"""What an argument may ask for, checked before anything is allocated: memory as there is, and layers to compile."""

import os
from pathlib import Path

from attrax._base.arguments import ArgumentError

try:
    import resource
except ImportError:  # not every system has it
    resource = None

_CGROUPS = Path("/sys/fs/cgroup")
_LARGEST = 10**30
MOST_LAYERS = 1000
"""The most layers of a network. Each is compiled by itself, in every program that the network is part of."""


def available_memory() -> int | None:
    """Bytes that this process may still allocate; `None` if the system does not say.

    That is what the machine has, within the limits of the container and of the process.
    """
    found = [bytes for bytes in (_of_machine(), _of_container(), _of_process()) if bytes is not None]
    return max(min(found), 0) if found else None


def refuse_beyond_memory(
    what: str,
    needed: float,
    remedy: str,
    *,
    available: int | None = None,
    error: type[ArgumentError] = ArgumentError,
) -> None:
    """**Raises** `error` if more memory is needed than there is.

    **Arguments:**

    - `what`: the argument that asks for it, with `mention`, or the file.
    - `needed`: bytes at the peak, temporary copies included.
    - `remedy`: what to do, an imperative sentence.
    - `available`: what there was before a longer computation began to allocate; by default what there is now.
    """
    available = available_memory() if available is None else available
    if available is not None and needed > available:
        size, free = _size(needed), _size(available)
        raise error(f"{what} would take about {size} of memory, but only {free} are free; {remedy}")


def refuse_beyond_layers(what: str, layers: int) -> None:
    """**Raises** `ArgumentError` for more than `MOST_LAYERS` layers; `what` is the argument that asks for them, with
    `mention`."""
    if layers > MOST_LAYERS:
        raise ArgumentError(
            f"{what} would be {layers:,} layers; at most {MOST_LAYERS:,} are allowed, as each is compiled by itself, "
            "which takes minutes beyond that"
        )


def _size(count: float) -> str:
    count = min(count, _LARGEST)
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:,.0f} {unit}" if count >= 1000 * scale else f"{count / scale:.3g} {unit}"
    return f"{count} bytes"


def _of_machine() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def _of_container() -> int | None:
    """The least that a control group or one above it leaves; version 2 first, then version 1."""
    try:
        groups = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return None
    found = []
    for _, kind, path in (group for group in groups if len(group) == 3):
        if kind == "":
            root, names = _CGROUPS, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in kind.split(","):
            root = _CGROUPS / "memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        place = root / path.lstrip("/")
        # Within a container the path may be that of the host, and its own group is the root.
        for folder in {place, *(parent for parent in place.parents if parent.is_relative_to(root)), root}:
            left = _left_in(folder, *names)
            found += [] if left is None else [left]
    return min(found, default=None)


def _left_in(folder: Path, most: str, used: str, reclaimable: str) -> int | None:
    try:
        limit, usage = int((folder / most).read_text()), int((folder / used).read_text())
        counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return limit - usage + int(counts.get(reclaimable, 0))
    except (OSError, ValueError):  # no such group, or no limit, which is the text `max`
        return None


def _of_process() -> int | None:
    if resource is None:
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return None
    try:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        used = 0
    return limit - used
