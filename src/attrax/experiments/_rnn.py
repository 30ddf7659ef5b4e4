"""Appendix F: a sentence in a recurrent network."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.random as jr

from attrax.experiments._experiment import Drawing, Experiment, Records, Summary, judged, repeated, trained
from attrax.experiments._figures import BLUE, plain_axes
from attrax.sweeps import Cell, CellFound, Work
from attrax.writing import store_words

SENTENCE = "Hopfield networks are able to store binary training patterns as attractive fixed points."

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"width": 32, "epochs": 2000},
    "quick": {"width": 64, "epochs": 5000},
    "tables": {"width": 64, "epochs": 20_000},
    "full": {"width": 64, "epochs": 100_000},
}


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains the network and lets it speak from the zero input."""
    words = SENTENCE.split()
    memory = store_words(
        words, feedback=settings["feedback"], width=settings["width"], epochs=settings["epochs"],
        progress=work.progress, key=jr.key(settings["seed"]),
    )  # fmt: skip
    certificate, written = memory.certificate, memory.written
    assert certificate is not None  # `store_words` certifies
    spoken = memory.map.speak(3 * len(words))  # pyright: ignore - what `store_words` writes can speak
    numbers = {
        "words": len(words),
        "repeats": written["repeats"],
        "spoken": [written["vocabulary"][word] for word in spoken],
        "stable": certificate.all_attractors,
        "period": int(certificate.period[0]),
        "log_radius": float(certificate.log_spectral_radius[0]),
        "score_lead": written["score_lead"],
        "loss": written["loss"],
        "epochs": written["epochs"],
        "status": written["status"],
    }
    return CellFound(numbers, trained=bool(written["repeats"]))


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One network a seed."""
    return repeated("rnn", run, {**_SIZES[scale], "feedback": "argmax"}, scale=scale, mode=mode, seed=seed)


def summarize(records: Records) -> Summary:
    """The sentence is repeated for ever."""
    said = next((" ".join(record.numbers["spoken"][:26]) for record in trained(records)), "")
    return judged(
        records,
        lambda record: record.numbers["period"] if record.numbers["repeats"] else 0,
        lambda record: record.numbers["repeats"] and record.numbers["stable"],
        lambda record: record.numbers["repeats"],
        f"It says: {said} …" if said else "",
    )


def draw(records: Records) -> Sequence[Drawing]:
    """Which word is said at which step, for the first network."""
    shown = next((record for record in records if record.numbers), None)
    if shown is None:
        return ()
    words, spoken = list(dict.fromkeys(SENTENCE.split())), shown.numbers["spoken"]
    figure, grid = plain_axes(6.4, 3.0)
    grid[0, 0].step(range(1, len(spoken) + 1), [words.index(word) for word in spoken], where="mid", color=BLUE)
    grid[0, 0].set_yticks(range(len(words)), words)
    grid[0, 0].set_xlabel("step")
    return (Drawing(figure, f"{shown.cell.name}: the words said from the zero input on."),)


EXPERIMENT = Experiment(
    id="rnn",
    title="Appendix F: a sentence",
    statement="A recurrent network repeats a sentence of 13 words for ever.",
    paper=13,
    unit="words in a stable cycle",
    cells=cells,
    summarize=summarize,
    draw=draw,
    modes=("paper",),
    notes="Number of units and optimizer are lost; chosen: as many as in the settings, Adam at 1e-2, and the largest "
    "score as the next input.",
)
