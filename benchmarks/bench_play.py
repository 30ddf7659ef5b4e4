"""What the playground does in a second: `python -m benchmarks.bench_play`, or `make bench-play`.

The page in headless Chromium on one core. Rates of the whole machine are lower where other programs run beside it; the
load is printed above.
"""

import argparse
import os
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import jax.random as jr
import numpy as np

import attrax as ax
from attrax.maps import mlp
from attrax.play import play_page, write_play_page
from benchmarks.measure import machine

EPOCHS_BAR, STABLE_BAR, STORE_BAR, RECALL_BAR, STEPS_BAR, SIZE_BAR = 300.0, 30.0, 10.0, 19, 60.0, 300_000
SEEN = "attrax.plane().seen[0]"


def until(page: Any, expression: str, seconds: float = 600) -> float:
    """Seconds until the expression holds."""
    begun = time.perf_counter()
    while not page.evaluate(expression):
        if time.perf_counter() - begun > seconds:
            raise TimeoutError(f"{expression} did not hold in {seconds} s")
        page.wait_for_timeout(50)
    return time.perf_counter() - begun


def row(name: str, value: str, bar: str, good: bool) -> None:
    """One line of the table."""
    print(f"| {name} | {value} | {bar} | {'pass' if good else '**falls**'} |", flush=True)


def worker_seconds() -> float:
    """CPU seconds of the threads of all pages' workers so far; Linux only."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/task/[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue  # it has ended
        if name.startswith("DedicatedWorker"):
            ticks += sum(map(int, rest.split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def plane(page: Any) -> None:
    """Six points, 10 hidden layers of 100 units, as the page begins."""
    before = worker_seconds()
    page.click("#plane-train")
    stable = until(page, f"{SEEN}.epoch > 0 && {SEEN}.held.every(Boolean)")
    until(page, "!attrax.plane().running")
    rate, below = page.evaluate(f"[{SEEN}.rate, {SEEN}.held.filter(Boolean).length]")
    cpu = page.evaluate(f"{SEEN}.epoch") / (worker_seconds() - before)
    row("plane: epochs a second", f"{rate:.0f}", f"≥ {EPOCHS_BAR:.0f}", rate >= EPOCHS_BAR)
    row("plane: epochs a CPU second of the worker", f"{cpu:.0f}", f"≥ {EPOCHS_BAR:.0f}", cpu >= EPOCHS_BAR)
    row(
        "plane: 6 of 6 stored, first after",
        f"{stable:.1f} s",
        f"≤ {STABLE_BAR:.0f} s",
        stable <= STABLE_BAR,
    )
    row("plane: stored at the end", f"{below}", "6", below == 6)


def pictures(page: Any, folder: Path) -> None:
    """Twenty photographs of 32×32 in color, stored in the page."""
    from PIL import Image

    states = ax.sources.load("natural", n=20, size=(32, 32)).patterns.points
    paths = [folder / f"{number:02}.png" for number in range(len(states))]
    for path, state in zip(paths, states, strict=True):
        Image.fromarray(np.round(255 * np.asarray(state)).astype(np.uint8)).save(path)
    page.click("#tab-pictures")
    page.set_input_files("#pictures-files", [str(path) for path in paths])
    count = len(paths)
    seconds = until(page, f"attrax.pictures().memory?.points.length === {count}")
    until(page, f"attrax.pictures().radii.filter(Boolean).length === {count}")
    below = page.evaluate("attrax.pictures().radii.filter((one) => one.radius < 1).length")
    page.click("#pictures-lower")
    page.click("#pictures-test")
    until(page, "document.querySelector('#pictures-outcome p') !== null")
    said = page.text_content("#pictures-outcome p")
    back = int(said.split(": ")[1].split(" ")[0])
    row(f"pictures: {count} of 32×32×3 stored", f"{seconds:.1f} s", f"≤ {STORE_BAR:.0f} s", seconds <= STORE_BAR)
    row("pictures: with radius below 1", f"{below}", f"{count}", below == count)
    row(
        "pictures: back without their lower half",
        f"{back}",
        f"≥ {count * RECALL_BAR / 20:.0f}",
        back >= count * RECALL_BAR / 20,
    )


def recall(page: Any) -> None:
    """Steps of a network of 5 hidden layers of 512 units on 625 inputs, while the page draws."""
    page.click("#pictures-noise")
    page.click("#pictures-run")
    until(page, "!attrax.pictures().running")
    rate = page.evaluate("attrax.pictures().rate")
    row("recall of 5×512 on 625 inputs: steps a second", f"{rate:.0f}", f"≥ {STEPS_BAR:.0f}", rate >= STEPS_BAR)


def main(arguments: list[str] | None = None) -> None:
    """Prints one table, row by row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args(arguments)
    from playwright.sync_api import sync_playwright

    where = shutil.which("chromium")
    if where is None:
        raise SystemExit("no Chromium here: apt-get install chromium")
    print(f"{machine()}, load {os.getloadavg()[0]:.1f}\n\n| what | found | bar | |\n|---|---|---|---|")
    size = len(play_page().encode())
    row("page without memories", f"{size:,} bytes", f"≤ {SIZE_BAR:,}", size <= SIZE_BAR)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # the browser inherits it
        browser = playwright.chromium.launch(executable_path=where, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(write_play_page(folder / "empty.html").as_uri())
        until(page, "document.documentElement.dataset.ready && attrax.plane().seen[0].network !== null")
        plane(page)
        pictures(page, folder)
        page.close()
        points = np.random.default_rng(0).random((4, 25, 25))
        network = partial(mlp, width=512, depth=5, activation="tanh")((25, 25), key=jr.key(0))
        file = ax.save(folder / "wide.attrax", ax.Memory(network, ax.Patterns.from_examples(points)))
        page = browser.new_page()
        page.goto(write_play_page(folder / "wide.html", [file]).as_uri())
        until(page, "document.documentElement.dataset.ready && attrax.pictures().memory !== null")
        until(page, "attrax.pictures().radii.filter(Boolean).length === 4")
        recall(page)
        browser.close()


if __name__ == "__main__":
    main()
