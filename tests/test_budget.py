"""What would not fit into memory is refused before it is allocated, by the name of the argument that asks for it."""

import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.random as jr
import numpy as np
import pytest

import attrax as ax
from attrax._base import budget  # how memory is counted, whoever asks for it
from attrax.maps.mlp import _network  # its draws are left out
from attrax.sources import load, load_sequence, read
from tests.helpers.commands import run

KEY = jr.key(0)


@pytest.fixture(scope="module")
def memory() -> ax.Memory:
    film = np.eye(3)
    return ax.Memory(ax.training.pseudoinverse(film, np.roll(film, -1, axis=0)), ax.Patterns.from_cycles([film]))


def train(**options: Any) -> None:
    network, rows = ax.maps.mlp((2,), width=2, depth=1, key=KEY), np.zeros((1, 2), np.float32)
    ax.training.fit(network, rows, rows, optimizer=ax.training.optimizer("gd"), epochs=1, key=KEY, **options)


HUGE = 10**15
ARGUMENTS: dict[str, Callable[[ax.Memory], Any]] = {
    "width": lambda _: ax.maps.mlp((2,), width=HUGE, depth=1, key=KEY),
    "width in a list": lambda _: ax.maps.mlp((2,), width=[3, HUGE], key=KEY),
    "depth": lambda _: ax.maps.mlp((2,), width=1, depth=HUGE, key=KEY),
    "copies": lambda _: train(copies=HUGE),
    "spare": lambda _: ax.training.constructed_start("margin", np.eye(2), spare=HUGE, key=KEY),
    "num_starts": lambda memory: ax.analysis.find_spurious(memory, num_starts=HUGE, key=KEY),
    "cycles": lambda memory: ax.recall(memory, np.eye(3)[:1], path=True, cycles=HUGE),
    "copies of noise": lambda memory: ax.analysis.noise_tolerance(memory, copies=HUGE, key=KEY),
    "num_directions": lambda memory: ax.basin_radius(memory, num_directions=HUGE, key=KEY),
    "context": lambda _: ax.Patterns.from_sequences([np.eye(3)], context=HUGE),
    "steps": lambda memory: ax.analysis.iterated(memory, np.eye(3)[:1], HUGE),
    "width of an encoder": lambda _: ax.store(np.eye(3), writer=ax.WinnerTakeAll(width=HUGE), key=KEY),
    "pan:": lambda _: load_sequence("pan:999999999"),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_that_ask_for_too_much_are_refused_by_name(name: str, memory: ax.Memory) -> None:
    with pytest.raises(ValueError, match=rf"{name.split()[0]}.* would take about [0-9.e+,]+ GB of memory, but only "):
        ARGUMENTS[name](memory)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("depth", lambda: ax.maps.mlp((2,), width=1, depth=1001, key=KEY)),
        ("width", lambda: ax.maps.mlp((2,), width=[1] * 1001, key=KEY)),
        ("width", lambda: ax.WinnerTakeAll(width=[1] * 1001)),
        ("levels", lambda: ax.maps.conv_autoencoder((4, 4), channels=1, levels=10**9, strided=False, key=KEY)),
    ],
)
def test_layers_that_take_too_long_to_compile_are_refused_by_number(name: str, make: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=f"^{name} would be [0-9,]+ layers; at most 1,000 are allowed"):
        make()


def test_as_many_layers_as_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    # To draw a thousand layers takes seconds.
    monkeypatch.setattr(_network, "init_linear", lambda _, into, out, **__: (np.zeros((out, into)), None))
    assert ax.maps.mlp((2,), width=1, depth=1000, bias=False, key=KEY).depth == 1000


def test_rounds_and_halvings_have_an_end() -> None:
    with pytest.raises(ValueError, match="rounds must be an integer of at least 0 and at most 500"):
        ax.WinnerTakeAll(rounds=10**9)
    with pytest.raises(ValueError, match="to be halved 400 times"):
        ax.maps.conv_autoencoder((4, 4), levels=400, key=KEY)


def test_files_are_refused_by_their_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: ax.Memory) -> None:
    archive = zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED)
    with archive, archive.open("x.npy", "w") as stream:
        np.lib.format.write_array(stream, np.zeros((100, 1000)))
    np.save(tmp_path / "a.npy", np.zeros((100, 1000)))
    (tmp_path / "a.csv").write_text("1,2,3\n" * 1000)
    (tmp_path / "a.txt").write_text("to be or not to be " * 1000)
    file = ax.save(tmp_path / "a.attrax", memory)
    with (tmp_path / "sparse.txt").open("wb") as stream:
        stream.truncate(2**40)
    with pytest.raises(ValueError, match=r"sparse\.txt would take"):
        load_sequence(tmp_path / "sparse.txt")
    monkeypatch.setattr(budget, "available_memory", lambda: 3000)
    for name in ("a.npz", "a.npy", "a.csv", "a.txt"):
        with pytest.raises(ValueError, match=r"would take about .* of memory, but only 3 kB are free; "):
            read(tmp_path / name)
    with pytest.raises(ax.MemoryFileError, match=r"a\.attrax would take about .* kB"):
        ax.load(file)
    with pytest.raises(ValueError, match=r"digits?.*|examples of 64 numbers would take"):
        load("digits")


def test_the_command_line_names_its_options(
    tmp_path: Path, memory: ax.Memory, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "a.npy", np.eye(2))
    file, points = ax.save(tmp_path / "a.attrax", memory), tmp_path / "a.npy"
    store = ("store", points, "-o", tmp_path / "b.attrax", "--writer", "gradient")
    for option, command in {
        "--width": (*store, "--width", HUGE),
        "--depth": (*store, "--depth", HUGE, "--width", 1),
        "--set augmentation.copies": (*store, "--set", f"augmentation.copies={HUGE}", "--noise", 0.1),
        "--starts": ("analyze", "spurious", file, "--starts", HUGE),
        "--cycles": ("recall", file, "--from", "frame:0", "--cycles", HUGE),
        "--directions": ("analyze", "radius", file, "--directions", HUGE),
    }.items():
        status, _, err = run(capsys, *command)
        assert status == 2
        assert option in err
        assert "of memory, but only" in err
        assert err.count("\n") == 1


def test_the_command_line_refuses_layers_without_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "a.npy", np.eye(2))
    store = ("store", tmp_path / "a.npy", "-o", tmp_path / "b.attrax", "--writer", "gradient", "--width", 2)
    status, _, err = run(capsys, *store, "--depth", 100_000 if (budget.available_memory() or 0) > 3e11 else 2000)
    assert status == 2
    assert "--depth would be" in err
    assert "at most 1,000 are allowed" in err


def test_limits_of_containers_and_processes_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = budget.available_memory()
    assert there is not None
    assert 0 < there < 2**60
    (own := tmp_path / "a" / "b").mkdir(parents=True)
    for folder, limit in ((own, "max"), (tmp_path / "a", "5000")):
        (folder / "memory.max").write_text(limit)
        (folder / "memory.current").write_text("3000")
        (folder / "memory.stat").write_text("anon 2000\ninactive_file 1000\n")
    monkeypatch.setattr(budget, "_CGROUPS", tmp_path)
    assert budget._left_in(own, "memory.max", "memory.current", "inactive_file") is None
    assert budget._left_in(tmp_path / "a", "memory.max", "memory.current", "inactive_file") == 3000
    used = resource.getrlimit(resource.RLIMIT_AS)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (2**40, used[1]))
        assert 0 < (budget._of_process() or 0) < 2**40
    finally:
        resource.setrlimit(resource.RLIMIT_AS, used)
