"""All experiments, in the order of the page. A new one is a file with an `EXPERIMENT` and a line here."""

from attrax.experiments import (
    _audio,
    _control,
    _fig1,
    _fig2a,
    _fig2b,
    _fig2c,
    _fig3,
    _fig4a,
    _fig4b,
    _fig4c,
    _fig6,
    _fig7,
    _fig8,
    _fig9,
    _fig14,
    _rnn,
    _spurious,
    _theory_checks,
    _unet,
)
from attrax.experiments._experiment import Experiment

EXPERIMENTS: dict[str, Experiment] = {
    "fig1": _fig1.EXPERIMENT,
    "fig2a": _fig2a.EXPERIMENT,
    "fig2b": _fig2b.EXPERIMENT,
    "fig2c": _fig2c.EXPERIMENT,
    "spurious": _spurious.EXPERIMENT,
    "fig3": _fig3.EXPERIMENT,
    "fig4a": _fig4a.EXPERIMENT,
    "fig4b": _fig4b.EXPERIMENT,
    "fig4c": _fig4c.EXPERIMENT,
    "fig6": _fig6.EXPERIMENT,
    "fig7": _fig7.EXPERIMENT,
    "fig8": _fig8.EXPERIMENT,
    "fig9": _fig9.EXPERIMENT,
    "fig14": _fig14.EXPERIMENT,
    "rnn": _rnn.EXPERIMENT,
    "audio": _audio.EXPERIMENT,
    "unet": _unet.EXPERIMENT,
    "theory": _theory_checks.EXPERIMENT,
    "control": _control.EXPERIMENT,
}
"""What `attrax reproduce` knows."""
