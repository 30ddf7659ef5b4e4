"""attrax beside the paper's recipe in PyTorch: the same digits, the same network, the same stopping loss."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import attrax as ax
from attrax.analysis import RULES
from attrax.writing import refine_and_certify
from benchmarks.measure import Table, percent, title
from benchmarks.reference import Job
from benchmarks.write_mnist import network
from benchmarks.write_runs import RECOVERY_SEED, STORE_SEED, Bench, Run, rates

TOL = 1e-8
KINDS = ("gaussian:1", "occlude:0.5", "drop:0.5", "drop:0.9", "blocknoise:0.25", "half:right,0.5", "shift:2")
NETWORKS = ("own", "relu", "cosid", "sinusoid")
"""The default writer's own network, and the activations of the networks that are given."""
STEPS = 2_000
"""Steps of recall: enough for a radius of 0.99, and an end for networks that do not contract."""
TIMES, SOONER = 20.0, 20.0
"""The reference gets at most `TIMES` attrax's time; the bar is to be `SOONER` times sooner."""


@dataclass(frozen=True)
class Architecture:
    """A network that both sides train: `name`, `widths`, `activation`, `bias`, and attrax's runs by writer.

    `own` says that it is the one that the default writer chose.
    """

    name: str
    widths: tuple[int, ...]
    activation: str
    bias: bool
    runs: dict[str, Run]
    own: bool = False


@dataclass(frozen=True)
class Arrival:
    """What the reference came to.

    **Fields:** `reached`, seconds to the loss, `None` if it did not arrive; `certified`, seconds until every example
    was certified, likewise; `memory`, its network when it first reached the loss, certified; `end`, the last thing that
    the training process said; `limit`, seconds it had.
    """

    reached: float | None
    certified: float | None
    memory: ax.Memory | None
    end: dict[str, Any]
    limit: float


def reference(bench: Bench) -> None:
    """Rows of attrax and of the reference, network by network."""
    sizes = bench.sizes
    full = bool(os.environ.get("BENCH_FULL"))
    allowed = (
        "as long as it takes (BENCH_FULL)"
        if full
        else f"{TIMES:g} times the time of attrax's quickest writer "
        f"that certified all, at most {sizes.reference:g} seconds"
    )
    title(
        f"The paper's recipe in PyTorch beside attrax, {sizes.mnist} MNIST",
        f"First sample; seeds {STORE_SEED} and {RECOVERY_SEED}. Reference: Adam at 1e-4, full batch, mean squared "
        "error, PyTorch's initialization and layers, eager; threads and implementation of Adam as is fastest here, "
        f"chosen before the clock starts. It trains to a loss of {TOL:g}; where not all is certified then it goes on, "
        "and is certified again, its clock stopped, each time the time has grown by half. "
        f"It gets {allowed}. attrax's seconds include compilation, PyTorch has none.",
        "Seconds to the loss: for attrax until certifying begins. Attractors and recovery are those of the network "
        "that first reached the loss; loss and epochs of the reference are those at its end. Memory is that of the "
        "whole process, Python and "
        f"libraries included. Recall takes at most {STEPS:,} steps.",
    )
    columns = (
        "network",
        "writer",
        f"s to loss {TOL:g}",
        "s to all certified",
        "times attrax's",
        "attractors",
        "loss",
        "epochs",
        "peak memory, MB",
        *KINDS,
        "bar",
    )
    examples = bench.mnist()[0]
    table = Table(*columns)
    _rivals(table, examples)
    for make in _architectures(bench, examples):
        architecture = make(table)
        for dtype in ("float32", "float64"):
            _reference_row(bench, table, architecture, examples, dtype, full)


def _rivals(table: Table, examples: np.ndarray) -> None:
    """The nearest-neighbor rules on the same cues, one row each."""
    memory = ax.Memory(lambda x: x, ax.Patterns.from_examples(examples))
    found = [rates([memory], kind, max_steps=1) for kind in KINDS]
    for rule in RULES:
        table.row("", f"{rule} 1-NN", *[""] * 7, *(percent(one.rival(rule)) for one in found))


def _architectures(bench: Bench, examples: np.ndarray) -> list[Callable[[Table], Architecture]]:
    """Each prints attrax's rows when it is called, and hands the network on to the reference."""
    sizes = bench.sizes

    def own(table: Table) -> Architecture:
        run = bench.memories()[0]
        _row(table, f"default's {network(run)}", "attrax, default", run)
        made = run.memory.map
        return Architecture(f"default's {network(run)}", made.widths, made.activation, True, {"default": run}, own=True)

    def given(table: Table, *, layers: int, units: int, activation: str, bias: bool) -> Architecture:
        name = f"{layers}×{units} {activation}{'' if bias else ', no biases'}"
        init = "kaiming_uniform" if activation == "relu" else "pytorch"
        recipe = partial(ax.maps.mlp, width=units, depth=layers, activation=activation, init=init, bias=bias)
        runs = {}
        for writer_name, writer in _writers(sizes.attempts, bias=bias).items():
            run = runs[writer_name] = bench.write("mnist", examples, writer, network=recipe)
            _row(table, name, f"attrax, {writer_name}", run)
        return Architecture(name, (units,) * layers, activation, bias, runs)

    relu = [partial(given, layers=layers, units=sizes.units, activation="relu", bias=True) for layers in sizes.layers]
    layers, units = sizes.small
    smooth = [
        partial(given, layers=layers, units=units, activation=name, bias=bias)
        for name in ("cosid", "sinusoid")
        for bias in (True, False)
    ]
    wanted = bench.networks or NETWORKS
    return [
        make
        for name, makes in zip(NETWORKS, ([own], relu, smooth[:2], smooth[2:]), strict=True)
        for make in makes
        if name in wanted
    ]


def _writers(seconds: float, *, bias: bool) -> dict[str, Any]:
    """attrax's writers of a network that is given."""
    options: dict[str, Any] = {"time_limit": seconds} | ({"coordinates": 0.0} if bias else {})
    return {
        "denoising": ax.Gradient(noise=0.3, **options),
        "K-FAC": ax.Gradient(optimizer="kfac", **options),
        "K-FAC, noise": ax.Gradient(optimizer="kfac", noise=0.3, **options),
        "default": ax.Auto(time_limit=seconds),
    }


def _row(table: Table, name: str, writer: str, run: Run) -> None:
    arrived = run.loss <= TOL
    table.row(
        name,
        writer,
        f"{run.training:.1f}" if arrived else "–",
        f"{run.seconds:.1f}" if run.complete else "–",
        "",
        run.certified,
        f"{run.loss:.0e}",
        run.memory.written["epochs"],
        f"{run.peak:.0f}",
        *(_recovered(run.memory) if arrived else ["–"] * len(KINDS)),
    )


def _recovered(memory: ax.Memory) -> list[str]:
    return [percent(rates([memory], kind, max_steps=STEPS).mean) for kind in KINDS]


def _reference_row(
    bench: Bench, table: Table, architecture: Architecture, examples: np.ndarray, dtype: str, full: bool
) -> None:
    runs = architecture.runs.values()
    complete = [run.seconds for run in runs if run.complete]
    ours = min(complete or [run.seconds for run in runs])
    limit = float("inf") if full else min(TIMES * ours, bench.sizes.reference)
    job = Job(architecture.widths, architecture.activation, architecture.bias, dtype, TOL, limit, STORE_SEED)
    found = train(job, examples)
    bar = _bar(bench, architecture.name, dtype, found, ours) if complete and architecture.own else ""
    certificate = None if found.memory is None else found.memory.certificate
    end = found.end
    table.row(
        architecture.name,
        f"PyTorch, {dtype}, threads: {end['threads']}",
        _seconds(found.reached, found),
        _seconds(found.certified, found),
        _times(found, ours) if complete else "",
        "–" if certificate is None else f"{certificate.num_attractors}/{len(examples)}",
        f"{end['loss']:.0e}",
        end["epochs"],
        f"{end['peak']:.0f}",
        *(["–"] * len(KINDS) if found.memory is None else _recovered(found.memory)),
        bar,
    )


def _bar(bench: Bench, name: str, dtype: str, found: Arrival, ours: float) -> str:
    """Whether attrax is so much sooner; a reference that was stopped early and had not arrived does not tell."""
    least = (found.end["seconds"] if found.certified is None else found.certified) / ours
    wanted = f"attrax ≥ {SOONER:g} times sooner"
    if found.certified is None and least < SOONER:
        return f"{wanted}: undecided, > {least:.1f}"
    return bench.bars.check(f"reference {name}, {dtype}", wanted, least >= SOONER)


def _seconds(arrived: float | None, found: Arrival) -> str:
    return f"loss not reached in {found.end['seconds']:.0f}" if arrived is None else f"{arrived:.1f}"


def _times(found: Arrival, ours: float) -> str:
    if found.certified is None:
        return f"> {found.end['seconds'] / ours:.1f}"
    return f"{found.certified / ours:.1f}"


def train(job: Job, examples: np.ndarray | ax.Patterns) -> Arrival:
    """Trains the reference on examples or on patterns in a process of its own, and certifies what it comes to.

    At the stopping loss, and again later if not all is certified then, the process waits while its network is
    certified. The memory is that of the stopping loss, which is where the recipe ends.
    """
    first: tuple[float, ax.Memory] | None = None
    patterns = examples if isinstance(examples, ax.Patterns) else ax.Patterns.from_examples(examples)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job.save(folder)
        np.save(folder / "points.npy", patterns.points)
        if (patterns.successor != np.arange(len(patterns))).any():
            np.save(folder / "targets.npy", patterns.targets)
        command = [sys.executable, "-m", "benchmarks.reference", name]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None  # both are pipes
            assert process.stdout is not None
            while True:
                line = process.stdout.readline()
                if not line:
                    raise RuntimeError(f"the reference ended early, with exit status {process.wait()}")
                said = json.loads(line)
                if said["event"] == "end":
                    return Arrival(first and first[0], None, first and first[1], said, job.limit)
                memory = _certified(said["file"], job, patterns)
                first = first or (said["seconds"], memory)
                assert memory.certificate is not None  # `refine_and_certify` sets it
                complete = memory.certificate.all_attractors
                print("stop" if complete else "go", file=process.stdin, flush=True)
                if complete:
                    return Arrival(first[0], said["seconds"], first[1], said, job.limit)


def _certified(path: str, job: Job, patterns: ax.Patterns) -> ax.Memory:
    """The reference's network as a memory of attrax, its fixed points refined and certified as attrax's own are."""
    with np.load(path) as arrays:
        layers = range(len(job.widths) + 1)
        weights = tuple(arrays[f"weight{layer}"].astype(np.float64) for layer in layers)
        biases = tuple(arrays[f"bias{layer}"].astype(np.float64) if job.bias else None for layer in layers)
    made = ax.maps.MLP(weights, biases, patterns.shape, job.activation)
    return refine_and_certify(ax.Memory(made, patterns))
