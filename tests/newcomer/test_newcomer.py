"""What a contributor adds takes one file and one line; all else then knows it by its name."""

from collections.abc import Callable
from typing import Any

import pytest
from helpers.newcomer import use_all

Added = Callable[[str], dict[str, Any]]

REPORTS = {
    "An activation": """
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
""",
    "A corruption": """
found |= {
    "dark": dark.tolist(),
    "points": points.tolist(),
    "seen": memory.written["corruptions"],
    "levels": [point.level for point in curves if point.corruption == "fade"],
    "known": ax.recovery(memory, "fade:0.3", key=jr.key(0)).recovery_rate,
    "table": ax.report.corruption_table(),
}
""",
    "A kind of map": """
found |= {
    "kind": ax.maps.kind_of(memory.map),
    "verdicts": [str(verdict) for verdict in ax.certify(memory).verdict],
    "recovered": answer.recovered.tolist(),
    "index": answer.index.tolist(),
    "same": bool(np.array_equal(again.map.rows, memory.map.rows)),
    "trained": bool(np.abs(np.asarray(memory.map.rows) - begin.rows).max() > 0),
    "loss": memory.written["loss"],
}
""",
    "A writer": """
found |= {
    "writer": memory.written["writer"],
    "counts": [one.certificate.num_attractors for one in (memory, larger.memory, smaller.memory)],
    "widths": ax.maps.describe(smaller.memory.map).facts["widths"],
    "record": ax.load("random.attrax").written,
}
with contextlib.redirect_stderr(io.StringIO()) as told:
    command("attrax store points:0,1 --writer random-features --epochs 3 -o x.attrax", status=2)
    command("attrax store points:0,1 --writer random-feature -o x.attrax", status=2)
found["refused"] = told.getvalue()
""",
    "A command": """
from pathlib import Path
found["status"] = closest(Path("points.attrax"))
found["record"] = json.loads(command("attrax closest points.attrax --json"))
""",
    "An experiment": """
found["title"] = experiment.title
found["last"] = list(EXPERIMENTS)[-1]
found["page"] = "A few points" in open("few/index.html", encoding="utf-8").read()
""",
}
"""By section of docs/extending.md, what is asked once its code has run."""


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Added:
    """What came of a section; all of them run in one process, in which everything is imported once."""
    told = use_all(REPORTS, tmp_path_factory.mktemp("newcomer"))

    def found(title: str) -> dict[str, Any]:
        assert isinstance(told[title], dict), told[title]
        return told[title]

    return found


def test_a_new_activation(added: Added) -> None:
    """A new activation is one file and one line; networks, certificates, the theory and commands then know its name."""
    found = added("An activation")
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


def test_a_new_corruption(added: Added) -> None:
    """A new kind of corruption is one file and one line; training, recall, curves and help then know its name."""
    found = added("A corruption")
    for dark, point in zip(found["dark"], found["points"], strict=True):
        assert [round(2 * value, 5) for value in dark] == point
    assert found["seen"] == ["fade:0.3"]
    assert found["levels"] == [0.2, 0.4, 0.6]
    assert found["known"] == 1
    assert "darkens all pixels" in found["table"]
    stored, recalled, about = found["printed"]
    assert "2/2 certified" in stored
    assert "2/2 recovered" in recalled
    assert "used in training: yes" in recalled
    assert "fade:F" in about


def test_a_new_kind_of_map(added: Added) -> None:
    """A new kind of map with its codec is one file and one line; every verb, files and commands then take it."""
    found = added("A kind of map")
    assert found["kind"] == "hopfield"
    assert found["verdicts"] == 3 * ["attractor"]
    assert found["recovered"] == 3 * [True]
    assert found["index"] == [0, 1, 2]
    assert found["same"]
    assert found["trained"]
    assert found["loss"] < 1e-4
    info, certified, recalled = found["printed"]
    assert "Hopfield network of 3 rows, sharpness 4, 24 parameters, 8 states" in info
    assert "3/3 certified" in certified
    assert "3/3 recovered" in recalled


def test_a_new_writer(added: Added) -> None:
    """A new writer is one file and one line; `store`, `add`, `forget` and the commands then know its name."""
    found = added("A writer")
    assert found["writer"] == "random_features"
    assert found["counts"] == [3, 4, 3]
    assert found["widths"] == [48]
    record = found["record"]
    assert (record["writer"], record["width"], record["noise"]) == ("random_features", 48, 0.15)
    assert "--epochs does not apply to --writer random-features" in found["refused"]
    assert "'random-feature' is not one of 'auto', 'random-features'," in found["refused"]
    stored, added, forgotten, about = found["printed"]
    assert "2/2 certified" in stored
    assert "3/3 certified" in added
    assert "2/2 certified" in forgotten
    assert "random-features: a random layer, a solved one." in " ".join(about.split())


def test_a_new_command(added: Added) -> None:
    """A new command is one file and one line; `attrax --help` then lists it, and it runs."""
    found = added("A command")
    assert found["status"] == 0
    assert found["record"]["examples"] == [0, 2]
    assert round(found["record"]["distance"], 3) == 0.1
    listed, about, _, said = found["printed"]
    assert "closest Name the two examples that lie closest together." in " ".join(listed.split())
    assert "Usage: attrax closest [OPTIONS] FILE" in about
    assert said == "points[0] and points[2]: 0.1 apart\n"


def test_a_new_experiment(added: Added) -> None:
    """A new experiment is one file and one line; `attrax reproduce` then runs it and gives it a section of the page."""
    found = added("An experiment")
    assert (found["title"], found["last"]) == ("A few points", "few")
    assert found["page"]
    listed, ran = found["printed"]
    assert "A few points (paper-0)" in listed
    assert "1 cells ran" in ran
    assert "reproduced" in ran
