"""The convolutional autoencoder of the supplement."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax.random as jr
import numpy as np
from jaxtyping import PRNGKeyArray

from attrax.certificates import spectrum
from attrax.dynamics import recall
from attrax.maps import conv_autoencoder
from attrax.memory import Memory
from attrax.paper._experiment import (
    Drawing,
    Experiment,
    Outcome,
    Records,
    Summary,
    extent,
    judged,
    labeled,
    of_one_network,
    repeated,
    told,
    trained,
)
from attrax.paper._figures import picture_rows
from attrax.paper._networks import fitted, iterated_states, network_settings, reached, stored_numbers
from attrax.paper._pictures import data_note, data_source, limited, pictures
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import Cell, CellFound, CellRecord, Work

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"n": 2, "side": 4, "channels": 16, "epochs": 1500, "rate": 2e-3, "edge": {"epochs": 500}},
    "quick": {"n": 4, "side": 8, "channels": 32, "epochs": 8000, "rate": 1e-3, "edge": {"epochs": 10_000}},
    "tables": {"n": 10, "side": 32, "channels": 64, "epochs": 50_000, "rate": 1e-4},
    "full": {"n": 10, "side": 64, "channels": 64, "epochs": 1_000_000, "rate": 1e-4},
}
_FIXED = 1e-9
"""Mean square of f(x) − x up to which a point counts as a fixed point."""


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains the network with Adam, then refines its fixed points and certifies them."""
    examples = pictures(settings)
    key = jr.key(settings["seed"])
    network = conv_autoencoder(
        examples.shape[1:],
        **{name: settings[name] for name in ("channels", "skips", "strided", "activation", "init", "bias", "dtype")},
        key=key,
    )
    memory = fitted(network, examples, settings, work, jr.fold_in(key, 1))
    assert memory.certificate is not None  # `fitted` sets it
    draw = np.random.default_rng(settings["seed"])
    cues = examples + settings["noise"] * draw.standard_normal(examples.shape)
    rows = np.arange(len(examples))
    numbers = stored_numbers(memory) | {
        "method": list(memory.certificate.method),
        "evidence": list(map(str, memory.certificate.evidence)),
        "radii": memory.certificate.spectral_radius,
        "errors": memory.certificate.error,
        "parameters": network.parameters,
        "recovered": int(recall(memory, cues, expected=rows, max_steps=300, progress=work.progress).recovered.sum()),
        "bound": _bound(memory, examples[0].size, key),
    }
    arrays = {
        "examples": examples.astype(np.float32),
        "cues": cues.astype(np.float32),
        "steps": iterated_states(memory, cues, (1, 30)).astype(np.float32),
    }
    return CellFound(numbers, arrays, trained=reached(memory))


def _bound(memory: Memory, size: int, key: PRNGKeyArray) -> float | None:
    """The largest bound on a whole spectrum (for large states, a probable one); `None` if a point is not fixed."""
    assert memory.certificate is not None  # `fitted` sets it
    if (memory.certificate.residual**2 / size > _FIXED).any():
        return None  # nothing is stored, and the bound would take an hour at the paper's size
    return float(spectrum(memory, top=1, key=key).upper_bound.max())


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One network per seed."""
    settings = limited(
        {
            **_SIZES[scale],
            "activation": "cosid",
            "bias": "last",
            "skips": False,
            "strided": True,
            "seconds": None,
            "source": data_source("imagenet64"),
            "noise": 0.05,
        }
    )
    return repeated("unet", run, network_settings(settings, mode), scale=scale, mode=mode, seed=seed)


def summarize(records: Records) -> Summary:
    """Judges whether all examples are certified attractors."""

    def share(record: CellRecord) -> float:
        return record.numbers["attractors"] / record.numbers["cycles"]

    found = "; ".join(
        f"{record.numbers['attractors']} of {record.numbers['cycles']} ({_evidence(record.numbers)})"
        for record in trained(records)
    )
    summary = judged(
        records,
        share,
        lambda record: share(record) == 1,
        lambda record: share(record) > 0,
        (f"Attractors network by network: {found}. " if found else "")
        + "Reproduced where every picture is one, partly where some are; inconclusive where none is and of some it "
        "can't be told. An attractor is certified by a bound on the whole spectrum: a certain one, or for states of "
        "more than 2,048 entries one that fails with a probability of 1e-10.",
    )
    open_ones = any(record.numbers["inconclusive"] for record in trained(records))
    return replace(summary, outcome=Outcome.INCONCLUSIVE) if summary.outcome is Outcome.NOT and open_ones else summary


def _evidence(numbers: Mapping[str, Any]) -> str:
    """What the verdicts on the pictures of a network rest on."""
    return ", ".join(dict.fromkeys(numbers["evidence"])) or "–"


@of_one_network
def draw(record: CellRecord) -> Sequence[Drawing]:
    """Examples, noisy cues and their limits, for one network."""
    arrays, settings = record.arrays, record.cell.settings
    rows = [
        ("stored", arrays["examples"]),
        ("cue", arrays["cues"]),
        ("after one step", arrays["steps"][0]),
        ("after 30", arrays["steps"][1]),
    ]
    caption = (
        f"{labeled(record)}: {settings['n']} pictures of {settings['side']}×{settings['side']}×3, "
        f"{record.numbers['parameters']:,} parameters. " + data_note("imagenet64", settings["source"])
    )
    return (Drawing(picture_rows(rows), caption),)


def tabulate(records: Records) -> Sequence[PageTable]:
    """The results for the pictures of every network."""
    rows = [
        (
            labeled(record),
            ", ".join(dict.fromkeys(numbers["method"])),
            *(str(numbers[name]) for name in ("cycles", "attractors")),
            _evidence(numbers),
            extent(numbers["radii"]),
            extent(numbers["errors"], ".0e"),
            told(numbers["bound"], ".3f"),
            f"{numbers['recovered']} of {numbers['cycles']}",
            told(numbers["loss"], ".1e"),
            told(numbers["epochs"], "g"),
        )
        for record in records
        if (numbers := record.numbers)
    ]
    head = (
        "network",
        "spectrum",
        "pictures",
        "certified attractors",
        "evidence",
        "spectral radii",
        "their errors",
        "bound on the spectrum",
        "recovered from noise",
        "loss",
        "epochs",
    )
    caption = (
        "Networks and their pictures. The bound holds for certain up to 2,048 entries, and with a probability of "
        "1 − 1e-10 beyond; a dash stands where a picture has no fixed point."
    )
    return (PageTable(caption, head, tuple(rows)),) if rows else ()


EXPERIMENT = Experiment(
    id="unet",
    title="Supplement: a convolutional autoencoder",
    statement="Pictures are attractors of a convolutional autoencoder, too.",
    paper=None,
    unit="attractors, fraction of the examples",
    cells=cells,
    summarize=summarize,
    draw=draw,
    tabulate=tabulate,
    modes=("paper", "edge"),
    notes="The architecture is the one released; how many pictures were stored is lost.",
)
