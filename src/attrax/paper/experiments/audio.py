"""Eight seconds of speech as a cycle of eight states."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from attrax.paper._cycles import sequence_cell, sequence_table, start_note, summarize_cycle
from attrax.paper._experiment import MODES, Drawing, Experiment, Records, Summary, labeled, of_one_network, repeated
from attrax.paper._figures import waveforms
from attrax.paper._networks import network_settings
from attrax.paper.sweeps import Cell, CellFound, CellRecord, Work
from attrax.patterns import Patterns

_SECONDS = 8

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {
        "rate_hz": 400,
        "width": 128,
        "depth": 2,
        "activation": "relu",
        "epochs": 4000,
        "rate": 1e-3,
        "auto_epochs": 150,
        "cues": 8,
        "edge": {"epochs": 1500},
    },
    "quick": {
        "rate_hz": 2205,
        "width": 256,
        "depth": 10,
        "activation": "cosid",
        "epochs": 5_000,
        "cues": 20,
        "edge": {"epochs": 1000},  # as for the sequences of digits
    },
    "tables": {"rate_hz": 11_025, "width": 512, "depth": 10, "activation": "cosid", "epochs": 50_000, "cues": 20},
    "full": {"rate_hz": 22_050, "width": 1024, "depth": 10, "activation": "cosid", "epochs": 1_000_000, "cues": 20},
}


def voice(rate: int, seconds: int = _SECONDS) -> np.ndarray:
    """A sound with the pitch, formants and syllables of a voice, seconds×rate, in [−1, 1]. It is deterministic."""
    time = np.arange(rate * seconds) / rate
    draw = np.random.default_rng(20200)
    pitch = 110 + 25 * np.sin(2 * np.pi * time / 2.3) + 10 * np.sin(2 * np.pi * time / 0.71)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    # Formants move from syllable to syllable, at about four syllables per second.
    knots = np.linspace(0, seconds, 4 * seconds + 1)
    sound = np.zeros_like(time)
    first, second = (np.interp(time, knots, draw.uniform(*ends, len(knots))) for ends in ((300, 800), (900, 2200)))
    for harmonic in range(1, 25):
        frequency = harmonic * pitch
        if float(frequency.min()) >= rate / 2:
            break
        loud = np.exp(-(((frequency - first) / 150) ** 2)) + 0.5 * np.exp(-(((frequency - second) / 250) ** 2))
        sound += np.where(frequency < rate / 2, loud, 0) * np.sin(harmonic * phase)
    sound *= np.interp(time, knots, draw.uniform(0.1, 1.0, len(knots)))
    return (0.9 * sound / np.abs(sound).max()).reshape(seconds, rate)


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Stores the seconds as one cycle and recalls it from noise."""
    return sequence_cell(Patterns.from_cycles([voice(settings["rate_hz"])]), settings, work)


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One network per seed."""
    settings = {**_SIZES[scale], "noise": "uniform", "max_steps": 2000, "shown": 12}
    return repeated("audio", run, network_settings(settings, mode), scale=scale, mode=mode, seed=seed)


def summarize(records: Records) -> Summary:
    """Judges whether all seconds form one stable cycle that noise ends in."""
    return summarize_cycle(records, "sound")


@of_one_network
def draw(record: CellRecord) -> Sequence[Drawing]:
    """The sound, and the sound recalled from noise, for one network."""
    rate = record.cell.settings["rate_hz"]
    signals = [("stored", record.arrays["points"]), ("from a second of noise on", record.arrays["way"])]
    return (
        Drawing(
            waveforms(signals, rate),
            f"{labeled(record)}: eight states of a second, {rate:,} values each. {start_note(record)} A synthetic "
            "voice in place of the paper's recording.",
        ),
    )


EXPERIMENT = Experiment(
    id="audio",
    title="Appendix G: eight seconds of speech",
    statement="Eight seconds of speech, a state per second, come back from noise.",
    paper=8,
    unit="seconds in a stable cycle",
    cells=cells,
    summarize=summarize,
    draw=draw,
    modes=MODES,
    tabulate=sequence_table,
    notes="The network is lost; the one of Fig. 2 is chosen, as wide as the scale allows.",
)
