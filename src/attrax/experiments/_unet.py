"""The convolutional autoencoder of the supplement."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.random as jr
import numpy as np
import optax

from attrax._memory import Memory
from attrax._patterns import Patterns
from attrax._status import StoreStatus
from attrax.experiments._common import data_note, data_source
from attrax.experiments._experiment import Drawing, Experiment, Records, Summary, judged, repeated, trained
from attrax.experiments._figures import picture_rows
from attrax.experiments._material import limited, orbit_of, pictures, stored_numbers
from attrax.maps import conv_autoencoder
from attrax.sweeps import Cell, CellFound, Work
from attrax.training import fit
from attrax.writing import settle

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"n": 2, "side": 4, "channels": 16, "epochs": 1500, "rate": 2e-3},
    "quick": {"n": 4, "side": 16, "channels": 32, "epochs": 8000, "rate": 1e-4},
    "tables": {"n": 10, "side": 32, "channels": 64, "epochs": 50_000, "rate": 1e-4},
    "full": {"n": 10, "side": 64, "channels": 64, "epochs": 1_000_000, "rate": 1e-4},
}


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains the network by Adam, then looks for its exact fixed points and certifies them."""
    examples = pictures(settings)
    key = jr.key(settings["seed"])
    network = conv_autoencoder(
        examples.shape[1:], channels=settings["channels"], activation="cosid", dtype="float64", key=key
    )
    fitted = fit(
        network, examples, examples, optimizer=optax.adam(settings["rate"]), epochs=settings["epochs"], tol=1e-8,
        checkpoint=work.checkpoint, resume=work.checkpoint is not None, progress=work.progress, key=jr.fold_in(key, 1),
    )  # fmt: skip
    memory = settle(Memory(fitted.map, Patterns.from_examples(examples)), progress=work.progress)
    assert memory.certificate is not None  # `settle` sets it
    draw = np.random.default_rng(settings["seed"])
    cues = examples + settings["noise"] * draw.standard_normal(examples.shape)
    numbers = stored_numbers(memory) | {
        "loss": fitted.loss, "epochs": fitted.epochs, "status": str(fitted.status), "writer": "fit",
        "method": list(memory.certificate.method), "parameters": network.parameters,
    }  # fmt: skip
    arrays = {
        "examples": examples.astype(np.float32),
        "cues": cues.astype(np.float32),
        "steps": orbit_of(memory, cues, (1, 30)).astype(np.float32),
    }
    return CellFound(numbers, arrays, trained=fitted.status is StoreStatus.STORED)


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """One network a seed."""
    settings = limited({**_SIZES[scale], "source": data_source("imagenet64"), "noise": 0.05})
    return repeated("unet", run, settings, scale=scale, mode=mode, seed=seed)


def summarize(records: Records) -> Summary:
    """All examples are attractors: certified ones, or, where the state is too large for a bound, by the radius."""
    unbounded = any("matrix-free" in record.numbers["method"] for record in trained(records))
    return judged(
        records,
        lambda record: record.numbers["attractors"] / record.numbers["cycles"],
        lambda record: record.numbers["attractors"] == record.numbers["cycles"],
        lambda record: record.numbers["radius_below_one"] >= 1,
        "States of this size get no bound on the whole spectrum, so no certificate." if unbounded else "",
    )


def draw(records: Records) -> Sequence[Drawing]:
    """Examples, noisy cues and what they become, for the first network."""
    shown = next((record for record in records if record.arrays), None)
    if shown is None:
        return ()
    arrays, settings = shown.arrays, shown.cell.settings
    rows = [("stored", arrays["examples"]), ("cue", arrays["cues"]), ("after one step", arrays["steps"][0]),
            ("after 30", arrays["steps"][1])]  # fmt: skip
    caption = (
        f"{shown.cell.name}: {settings['n']} pictures of {settings['side']}×{settings['side']}×3, "
        f"{shown.numbers['parameters']:,} parameters. " + data_note("imagenet64", settings["source"])
    )
    return (Drawing(picture_rows(rows), caption),)


EXPERIMENT = Experiment(
    id="unet",
    title="Supplement: a convolutional autoencoder",
    statement="Pictures are attractors of a convolutional autoencoder, too.",
    paper=None,
    unit="attractors, fraction of the examples",
    cells=cells,
    summarize=summarize,
    draw=draw,
    modes=("paper",),
    notes="The architecture is the one released; how many pictures were stored is lost.",
)
