"""A new activation is one file and one line; networks, certificates, the theory and commands then know its name."""

from typing import Any

TITLE = "An activation"
REPORTS = """
import jax.numpy as jnp
found |= {
    "verdicts": [str(verdict) for verdict in ax.certify(memory).verdict],
    "proved": [str(status) for status in radius.status],
    "eigenvalue": float(theory.top_eigenvalue),
    "same": ax.activations.activation(jnp.sin).name,
    "again": ax.maps.describe(ax.load("sine.attrax").map).facts["activation"],
    "help": command("attrax store --help"),
    "table": ax.report.activation_table(),
}
"""


def check(found: dict[str, Any]) -> None:
    assert found["verdicts"] == 2 * ["attractor"]
    assert found["proved"] == 2 * ["proved"]
    assert 0 < found["eigenvalue"] < 1
    assert (found["same"], found["again"]) == ("sine", "sine")
    assert "sine," in found["help"]
    assert "sin z" in found["table"]
    stored, info, theory = found["printed"]
    assert "2/2 certified" in stored
    assert "2 hidden layers of 32 sine units" in info
    assert "eigenvalue" in theory
