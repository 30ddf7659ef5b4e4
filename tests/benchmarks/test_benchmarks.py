"""The parts of the benchmarks that can be wrong without anyone noticing."""

import os
import subprocess
import sys
from pathlib import Path

import jax.random as jr
import numpy as np
import pytest
from helpers import PATIENCE

import attrax as ax
from attrax.analysis import RULES, nearest_neighbor

sys.path.insert(0, str(Path(__file__).parents[2]))  # `pytest` alone does not look for packages in the root

from benchmarks.bench_little import OLDEST, Bench, adding
from benchmarks.bench_scale import recalled
from benchmarks.bench_sequences import main as sequences
from benchmarks.bench_write import main
from benchmarks.measure import Bars, Table, exponent
from benchmarks.sequence_runs import recall, synthetic_voice
from benchmarks.templates import template_rates, transformed
from benchmarks.write_autoencoder import STEPS, _walk
from benchmarks.write_compare import _fitting, _parameters


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(0).random((5, 9, 9), np.float32)


@pytest.mark.parametrize("kind", ["shift:2", "rotate:10", "rotate:-15+shift:1"])
def test_templates_find_every_shifted_and_turned_picture(pictures: np.ndarray, kind: str) -> None:
    cues = ax.corrupt(kind, pictures, key=jr.key(0))
    assert template_rates(cues, pictures, np.arange(5)) == dict.fromkeys(RULES, 1.0)


@pytest.mark.parametrize("rule", RULES)
def test_untransformed_templates_are_the_nearest_neighbor_rules(pictures: np.ndarray, rule: str) -> None:
    cues = ax.corrupt("gaussian:0.8", pictures, key=jr.key(1))
    expected = (nearest_neighbor(cues, pictures, rule=rule) == np.arange(5)).mean()
    assert template_rates(cues, pictures, np.arange(5), shifts=(0,), angles=(0,))[rule] == expected


def test_templates_without_direction_are_nobodys_neighbor(pictures: np.ndarray) -> None:
    black = np.zeros_like(pictures[:1])
    found = template_rates(black, pictures, np.array([0]), shifts=(-9, 0, 9), angles=(0,))
    assert found["cosine"] == found["correlation"] == 0


def test_transformed_shifts_as_the_corruption_does(pictures: np.ndarray) -> None:
    moved = list(transformed(pictures, shifts=(-2, 3), angles=(0,)))
    assert len(moved) == 4
    np.testing.assert_array_equal(moved[0], ax.corrupt("shift:-2", pictures, key=jr.key(0)))
    np.testing.assert_array_equal(moved[3], ax.corrupt("shift:3", pictures, key=jr.key(0)))


def test_cues_without_noise_are_recalled_and_found(pictures: np.ndarray) -> None:
    scores = ax.training.encoder(pictures, widths=(16,), key=jr.key(0))
    network = ax.training.winner_take_all_network(scores, pictures)
    memory = ax.Memory(network, ax.Patterns.from_examples(pictures))
    assert recalled(memory, "gaussian:1e-9", 3, seed=0) == (1.0, 1.0)
    own, best = recalled(memory, "gaussian:100", 5, seed=0)
    assert own < 1
    assert best < 1


def test_one_map_goes_evenly_from_picture_to_picture_and_another_jumps(pictures: np.ndarray) -> None:
    patterns = ax.Patterns.from_examples(pictures)
    largest, between = _walk(ax.Memory(lambda x: x, patterns))
    np.testing.assert_allclose(largest, 1 / STEPS, rtol=1e-4)
    assert 0.7 < between < 0.9
    scores = ax.training.encoder(pictures, widths=(16,), key=jr.key(0))
    picking = ax.training.winner_take_all_network(scores, pictures)
    largest, between = _walk(ax.Memory(picking, patterns))
    assert largest.min() > 0.9
    assert between < 0.1


def test_exponent_of_a_power_law() -> None:
    sizes = np.array([25, 100, 2000])
    assert exponent(sizes, 0.3 * sizes**1.7) == pytest.approx((1.7, 0.3))


def test_bars_tell_what_was_not_reached(capsys: pytest.CaptureFixture[str]) -> None:
    bars, table = Bars(), Table("what", "bar")
    table.row("speed", bars.check("speed", "≤ 1 s", True))
    table.row("rate", bars.check("rate", "≥ 99 %", False))
    assert capsys.readouterr().out.splitlines()[-1] == "| rate | ≥ 99 %: **falls** |"
    assert bars.summary() == "Bars: 1 of 2 reached. Not reached: rate ≥ 99 %."


def test_peak_memory_holds_what_was_touched() -> None:
    # In a process of its own, as this one may have touched gigabytes before.
    program = """
import numpy as np
from benchmarks.measure import peak_memory
before = peak_memory()
kept = np.ones(int(before + 50) * 2**17)  # of 8 bytes each: more than all memory so far
assert peak_memory() >= kept.nbytes / 2**20 > before
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])


def test_the_smaller_network_has_no_more_parameters_and_could_not_be_wider() -> None:
    pictures, budget = np.random.default_rng(0).random((3, 3, 3), np.float32), 800
    found = _fitting(pictures, budget, None)
    assert found.width is not None
    assert _parameters(pictures, found.width, found.rounds) <= budget
    assert _parameters(pictures, found.width + 1, found.rounds) > budget


def test_a_voice_that_is_made_is_sound_and_the_same_each_time() -> None:
    voice = synthetic_voice(22_050)
    assert np.abs(voice).max() == pytest.approx(0.9)
    np.testing.assert_array_equal(voice, synthetic_voice(22_050))
    power = np.abs(np.fft.rfft(voice)) ** 2
    assert power[:4000].sum() > 0.9 * power.sum()  # below 4 kHz, as speech is


def test_recall_of_a_benchmark_counts_what_came_back() -> None:
    film = np.random.default_rng(0).uniform(size=(5, 3, 4))
    memory = ax.store(ax.Patterns.from_cycles([film]), writer=ax.Constructed(), key=jr.key(0))
    found = recall(memory, np.concatenate([film, film + 1e3 * film]))
    assert (found.cues, 5 <= found.recovered <= 10, found.worst > 200) == (10, True, True)
    assert recall(memory, film[:1], sound=True).worst > 200


def test_adding_counts_what_is_stored_and_asks_for_the_oldest(capsys: pytest.CaptureFixture[str]) -> None:
    class Drawn(Bench):
        def pictures(self, number: int, seed: int) -> np.ndarray:
            return np.random.default_rng(seed).random((number, 8, 8, 4))

    bench = Drawn(added=3, rows=2, seeds=1)
    adding(bench)
    lines = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    stored = [line[1:5] for line in lines[1:-1]]
    assert [row[0] for row in stored] == [str(OLDEST + more) for more in (0, 2, 3)]
    assert all(row[1:] == [f"{row[0]}/{row[0]}", "0", "100.0"] for row in stored)
    assert [name.split()[1] for name, _ in bench.bars.results] == ["oldest,", "slowest,"]
    assert bench.bars.results[0][1]


def test_missing_data_ends_with_status_2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("ATTRAX_DATA", raising=False)
    with pytest.raises(SystemExit) as ended:
        main(["--only", "mnist", "--quick"])
    assert ended.value.code == 2
    assert "ATTRAX_DATA" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        sequences(["--only", "chain"])
    assert ended.value.code == 2
    assert "ATTRAX_DATA" in capsys.readouterr().err


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "selu", "swish", "cosid", "sinusoid"])
@pytest.mark.parametrize("bias", [True, False])
def test_the_reference_is_the_network_that_attrax_certifies(activation: str, bias: bool) -> None:
    pytest.importorskip("torch", reason="PyTorch, the peer, is not installed")
    from attrax.training import mean_squared_error
    from benchmarks.reference import Job, Training

    points = np.random.default_rng(1).random((3, 2, 2))
    training = Training(Job((6, 5), activation, bias, "float64"), points)
    for _ in range(5):
        training.step()
    arrays = training.arrays()
    weights = tuple(arrays[f"weight{layer}"] for layer in range(3))
    biases = tuple(arrays[f"bias{layer}"] if bias else None for layer in range(3))
    made = ax.maps.MLP(weights, biases, (2, 2), activation)
    assert mean_squared_error(made, points, points) == pytest.approx(training.loss().item(), rel=1e-10)


def test_the_reference_of_a_cycle_is_trained_on_successors() -> None:
    pytest.importorskip("torch", reason="PyTorch, the peer, is not installed")
    from attrax.training import mean_squared_error
    from benchmarks.reference import Job, Training

    points = np.random.default_rng(1).random((3, 2, 2))
    training = Training(Job((6,), dtype="float64"), points, np.roll(points, -1, axis=0))
    arrays = training.arrays()
    made = ax.maps.MLP((arrays["weight0"], arrays["weight1"]), (arrays["bias0"], arrays["bias1"]), (2, 2), "relu")
    expected = mean_squared_error(made, points, np.roll(points, -1, axis=0))
    assert training.loss().item() == pytest.approx(expected, rel=1e-10)
    assert training.loss().item() != pytest.approx(mean_squared_error(made, points, points), rel=1e-3)


_PARENT = """
import multiprocessing, os, time
from concurrent.futures import ProcessPoolExecutor
from benchmarks.measure import end_with_parent

if __name__ == "__main__":
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), end_with_parent) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        pool.submit(time.sleep, 600).result()
"""


def test_a_worker_ends_with_its_parent(tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(_PARENT)
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    }
    parent = subprocess.Popen([sys.executable, "parent.py"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert int(parent.stdout.readline()) != parent.pid
    parent.kill()
    # Its output ends when the worker, too, has let go of it; with what it was asked for that would take ten minutes.
    parent.communicate(timeout=PATIENCE)
