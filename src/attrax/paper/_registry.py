"""All experiments, in the order of the page. A new one is a file in `experiments/` with an `EXPERIMENT`, and a line."""

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

EXPERIMENTS: dict[str, Experiment] = {
    name: import_module(f"attrax.paper.experiments.{name}").EXPERIMENT for name in _FILES
}
"""The experiments of `attrax reproduce`, by id."""
