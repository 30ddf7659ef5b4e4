"""All experiments, in the order of the page. A new one is a file in `experiments/` with an `EXPERIMENT`, and a line."""

from collections import ChainMap
from collections.abc import Mapping
from importlib import import_module

from attrax.paper._experiment import Experiment

_FILES = (
    "fig1",
    "fig2a",
    "fig2b",
    "fig2c",
    "spurious",
    "fig3",
    "fig4a",
    "fig4b",
    "fig4c",
    "fig5",
    "fig6",
    "fig7",
    "fig8",
    "fig9",
    "fig12",
    "fig13",
    "fig14",
    "fig15",
    "fig16",
    "rnn",
    "audio",
    "unet",
    "recipe",
    "theory",
    "control",
    "power",
    "local",
    "general",
)

_OWN_FILES = ("edge", "motion", "minima", "flow", "causes", "capacity")

_RIVAL_FILES = ("salvatori", "millidge", "bayespcn", "noae", "mesh")


def _read(names: tuple[str, ...]) -> dict[str, Experiment]:
    return {name: import_module(f"attrax.paper.experiments.{name}").EXPERIMENT for name in names}


EXPERIMENTS: dict[str, Experiment] = _read(_FILES)
"""The paper's experiments, by id."""

COMPARISONS: dict[str, Experiment] = _read(_RIVAL_FILES)
"""Tables that other groups published, with this library and other memories on the same cues, by id."""

EVERY: Mapping[str, Experiment] = ChainMap(_read(_OWN_FILES), COMPARISONS, EXPERIMENTS)
"""All of them, those of the paper first, with this project's own questions at the end."""
