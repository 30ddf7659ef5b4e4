"""Appendix F: a sentence in a recurrent network."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.random as jr

from attrax.paper._experiment import (
    Drawing,
    Experiment,
    Records,
    Summary,
    judged,
    labeled,
    of_one_network,
    repeated,
    seeds_at_edge,
    told,
    trained,
)
from attrax.paper._figures import BLUE, plain_axes
from attrax.paper._networks import edge_numbers
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import Cell, CellFound, CellRecord, Work
from attrax.writing import store_words

SENTENCE = "Hopfield networks are able to store binary training patterns as attractive fixed points."

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"width": 32, "epochs": 2000},
    "quick": {"width": 64, "epochs": 5000},
    "tables": {"width": 64, "epochs": 20_000},
    "full": {"width": 64, "epochs": 100_000},
}

_FIXED = {"feedback": "argmax", "tol": 1e-3, "optimizer": "adam", "rate": 1e-2, "rounds": 3, "dtype": "float32"}
"""The last entry is the dtype that `recurrent` uses, given here for the table of settings."""
_AT_EDGE = {"optimizer": "rmsprop", "rate": "edge", "rounds": 8}
"""Taught three rounds only, such a network often leaves the sentence in one of the rounds after them."""


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains the network and runs it from the zero input."""
    words = SENTENCE.split()
    memory = store_words(
        words,
        feedback=settings["feedback"],
        width=settings["width"],
        epochs=settings["epochs"],
        tol=settings["tol"],
        optimizer=settings["optimizer"],
        learning_rate=settings["rate"],
        rounds=settings["rounds"],
        progress=work.progress,
        key=jr.key(settings["seed"]),
    )
    certificate, written = memory.certificate, memory.written
    assert certificate is not None  # `store_words` certifies
    network: Any = memory.map  # a recurrent one, which can speak
    spoken = network.speak(3 * len(words))
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
        **edge_numbers(memory),
    }
    return CellFound(numbers, trained=bool(written["loss"] <= settings["tol"]))


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One network per seed; at the edge at least five, as each takes less than a minute."""
    settings = {**_SIZES[scale], **_FIXED, **(_AT_EDGE if mode == "edge" else {})}
    return repeated("rnn", run, settings, scale=scale, mode=mode, seed=seed, seeds=seeds_at_edge(scale, mode))


def summarize(records: Records) -> Summary:
    """Judges whether the sentence repeats forever."""
    sentence = SENTENCE.split()
    said = next((" ".join(record.numbers["spoken"][:26]) for record in trained(records)), "")

    def repeats(record: CellRecord) -> bool:
        return record.numbers["repeats"] and record.numbers["stable"]

    return judged(
        records,
        lambda record: record.numbers["words"] if repeats(record) else 0,
        repeats,
        lambda record: record.numbers["repeats"] or record.numbers["spoken"][: len(sentence)] == sentence,
        (f"The first network trained says: {said} … " if said else "")
        + "Reproduced where the words come back in order 51 times from the zero input on, and the states of the last "
        "times are a certified stable cycle; partly where the words are right at least once.",
    )


@of_one_network
def draw(record: CellRecord) -> Sequence[Drawing]:
    """The word at each step, for one network."""
    words, spoken = list(dict.fromkeys(SENTENCE.split())), record.numbers["spoken"]
    figure, grid = plain_axes(6.4, 3.0)
    grid[0, 0].step(range(1, len(spoken) + 1), [words.index(word) for word in spoken], where="mid", color=BLUE)
    grid[0, 0].set_yticks(range(len(words)), words)
    grid[0, 0].set_xlabel("step")
    return (Drawing(figure, f"{labeled(record)}: the words said from the zero input on."),)


def tabulate(records: Records) -> Sequence[PageTable]:
    """Training and the closed loop of every network."""
    rows = [
        (
            labeled(record),
            str(record.cell.settings["width"]),
            told(numbers["loss"], ".1e"),
            told(numbers["epochs"], "g"),
            "yes" if numbers["repeats"] else "no",
            str(numbers["period"]),
            "yes" if numbers["stable"] else "no",
            told(numbers["log_radius"], ".1f"),
            told(numbers["score_lead"], ".1f"),
        )
        for record in records
        if (numbers := record.numbers)
    ]
    head = (
        "network",
        "units",
        "loss",
        "epochs",
        "repeats the sentence",
        "period",
        "certified attractor",
        "log of the spectral radius",
        "least lead of a word's score",
    )
    caption = "The loss is the mean cross-entropy of the next word."
    return (PageTable(caption, head, tuple(rows)),) if rows else ()


EXPERIMENT = Experiment(
    id="rnn",
    title="Appendix F: a sentence",
    statement="A recurrent network repeats a sentence of 13 words forever.",
    paper=13,
    unit="words in a stable cycle",
    cells=cells,
    summarize=summarize,
    draw=draw,
    tabulate=tabulate,
    modes=("paper", "edge"),
    notes="Number of units and optimizer are lost; chosen: as many as in the settings, Adam at 1e-2, and the largest "
    "score as the next input. In training, the sentence is said as often as the settings have rounds. "
    "The hidden state may return only after several rounds of the sentence; the period is that of the whole state.",
)
