"""What experiments say of finished cells, from records made by hand: nothing is trained here."""

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import numpy as np
import pytest

from attrax import Memory, Patterns
from attrax.certificates import certify
from attrax.paper import EXPERIMENTS, Outcome, Summary
from attrax.paper._cycles import from_noise
from attrax.paper.experiments import power, rnn
from attrax.paper.experiments.fig4b import two_runs
from attrax.paper.experiments.general import CUES
from attrax.paper.experiments.local import RULES
from attrax.paper.experiments.power import ACTIVATIONS, STEPS
from attrax.paper.experiments.rnn import SENTENCE
from attrax.paper.sweeps import CellRecord, CellStatus, Work
from attrax.sources import SourceError


class Broken(eqx.Module):
    """A network whose weights are no numbers."""

    def __call__(self, x: Any) -> Any:
        return np.nan * x


STORED = {
    "attractors": 3,
    "inconclusive": 0,
    "cycles": 3,
    "states": 3,
    "radius_median": 0.5,
    "radius_max": 0.6,
    "radius_below_one": 3,
    "least_distance": 1.0,
    "loss": 9e-9,
    "epochs": 7,
    "writer": "gradient",
    "status": "stored",
}
CYCLE = {
    **STORED,
    "lengths": [3],
    "radii": [0.5],
    "log_radii": [-0.7],
    "stable": [True],
    "certified_periods": [3],
    "cues": 20,
    "recovered": 20,
    "cycles_met": 20 * [0],
}
PICTURES = np.linspace(0, 1, 20 * 16).reshape(20, 4, 4)
RULE = {**STORED, "status": "stored", "radii": [0.4, 0.5, 0.6]}
NUMBERS: dict[str, dict[str, Any]] = {
    "fig1": {**STORED, "attractors": 4, "cycles": 4, "drawn": {"steep": 0, "staircase": 4}},
    "control": {
        "attractors": 0,
        "inconclusive": 0,
        "cycles": 3,
        "radius_min": 1.1,
        "loss": 1e-30,
        "corollary_attractors": 0,
        "corollary": [
            {
                "activation": "swish",
                "k": 4,
                "v": 1.5,
                "eigenvalue": 1.3,
                "radius": 1.3,
                "loss": 1e-32,
                "verdict": "not_attractor",
            }
        ],
    },
    "unet": {
        **STORED,
        "evidence": 3 * ["dense"],
        "method": 3 * ["dense"],
        "radii": [0.4, 0.5, 0.6],
        "errors": 3 * [1e-9],
        "parameters": 1000,
        "recovered": 3,
        "bound": 0.61,
    },
    "rnn": {
        "words": 13,
        "repeats": True,
        "spoken": 3 * SENTENCE.split(),
        "stable": True,
        "period": 13,
        "log_radius": -3.0,
        "score_lead": 7.0,
        "loss": 9e-4,
        "epochs": 60,
        "status": "stored",
    },
    "audio": CYCLE,
    "fig4a": CYCLE,
    "fig4b": {
        **CYCLE,
        "lengths": [10, 10],
        "radii": [0.01, 0.02],
        "log_radii": [-4.6, -3.9],
        "stable": [True, True],
        "certified_periods": [10, 10],
        "cycles_met": [0, 1] * 10,
    },
    "theory": {
        "agreeing": 1,
        "total": 1,
        "largest_difference": 1e-9,
        "checks": [
            {
                "theorem": "Theorem 3",
                "activation": ["tanh"],
                "k": [2],
                "names": ["u", "top_eigenvalue"],
                "theory": [0.5, 0.25],
                "training": [0.5, 0.25],
                "difference": 1e-9,
                "status": "agrees",
            }
        ],
    },
    "power": {
        "steps": list(STEPS),
        "networks": [
            {
                "activation": name,
                "loss": 9e-9,
                "epochs": 7,
                "trained": True,
                "cosine": [0.9, 0.92, 0.94, 0.96],
                "to_example": [0.3, 0.5, 0.7, 0.99],
                "eigenvector": 0.93,
                "eigenvalue": 1.5,
                "ratio": 0.2,
                "attractors": 1,
            }
            for name in ACTIVATIONS
        ],
    },
    "local": dict.fromkeys(RULES, RULE),
    "general": {
        **STORED,
        "cues": [{"cue": cue, "rate": 0.9, "seen": "no", "euclidean": 0.8, "best": 0.95} for cue in CUES],
    },
}
ARRAYS: dict[str, dict[str, np.ndarray]] = {
    "fig1": {name: np.linspace(-1, 1, 9) for name in ("x", "steep", "staircase", "trained", "path")},
    "control": {"radii": np.array([1.1, 1.2, np.nan])},
    "unet": {"examples": PICTURES[:3], "cues": PICTURES[:3], "steps": np.stack([PICTURES[:3], PICTURES[3:6]])},
    "audio": {"points": np.zeros((3, 40)), "way": np.zeros((4, 40))},
    "fig4a": {"points": PICTURES[:3], "way": PICTURES[:5]},
    "fig4b": {"points": PICTURES, "way": PICTURES[:15]},
    "theory": {"theory": np.array([0.25, np.nan]), "training": np.array([0.25, 0.3])},
}


def made(name: str, state: CellStatus = CellStatus.DONE, /, **changed: Any) -> CellRecord:
    """A record of the experiment's smallest cell: with the numbers of a success, save for those changed."""
    cell = EXPERIMENTS[name].cells("smoke", EXPERIMENTS[name].modes[0], 0)[0]
    return CellRecord(cell, state, {**NUMBERS[name], **changed}, ARRAYS.get(name, {}), 1.0)


def empty(name: str, status: CellStatus) -> CellRecord:
    """A record without numbers: a cell that failed, or ran out of time."""
    return CellRecord(made(name).cell, status, {}, {}, 1.0, "an error, or the time limit")


def nulls(value: Any) -> Any:
    """The same where no number was finite."""
    if isinstance(value, Mapping):
        return {name: nulls(item) for name, item in value.items()}
    if isinstance(value, list):
        return [nulls(item) for item in value]
    return None if isinstance(value, float) else value


def judge(name: str, **changed: Any) -> Summary:
    return EXPERIMENTS[name].summarize([made(name, **changed)])


def outcome(name: str, **changed: Any) -> Outcome:
    return judge(name, **changed).outcome


@pytest.mark.parametrize("name", NUMBERS)
def test_any_mixture_of_records_has_an_answer(name: str) -> None:
    one = EXPERIMENTS[name]
    done, missed = made(name), made(name, CellStatus.NOT_TRAINED)
    unknown, diverged = (made(name, status, **nulls(NUMBERS[name])) for status in (done.status, missed.status))
    late, failed = (empty(name, status) for status in (CellStatus.NOT_TRAINED, CellStatus.FAILED))
    for records, wanted in (
        ([], {Outcome.UNFINISHED}),
        ([done], {Outcome.REPRODUCED}),
        ([late, diverged, missed, done], {Outcome.PARTLY}),
        ([missed], {Outcome.NOT_TRAINED}),
        ([late, diverged], {Outcome.NOT_TRAINED}),
        ([late], {Outcome.NOT_TRAINED}),
        ([failed], {Outcome.UNFINISHED}),
        ([failed, unknown, done], {Outcome.UNFINISHED}),
        ([unknown], set(Outcome) - {Outcome.UNFINISHED, Outcome.NOT_TRAINED}),
    ):
        summary = one.summarize(records)
        assert summary.outcome in wanted, (records, summary)
        shows = any(record.numbers for record in records)
        captions = [drawing.caption for drawing in one.draw(records)]
        assert bool(captions) == shows
        assert ("not trained" in " ".join(captions)) == (shows and done not in records and unknown not in records) or (
            name == "local"  # shows every network, trained or not
        )
        tables = one.tabulate(records)
        assert all(len(row) == len(table.head) for table in tables for row in table.rows)
        assert all(isinstance(text, str) for table in tables for row in table.rows for text in row)
        assert bool(tables) == (shows and name not in ("fig1", "control"))


def test_a_figure_prefers_a_trained_network() -> None:
    records = [made("fig4a", CellStatus.NOT_TRAINED), made("fig4a", recovered=3)]
    assert "3 of 20" in EXPERIMENTS["fig4a"].draw(records)[0].caption
    assert "paper-0 (not trained, loss 9e-09)" in EXPERIMENTS["fig4a"].draw(records[:1])[0].caption


def test_texts_hold_the_rules_that_decide() -> None:
    for name, words in (
        ("fig1", "partly where training stores some"),
        ("control", "inconclusive where"),
        ("unet", "2,048 entries"),
        ("rnn", "51 times"),
        ("audio", "Wilson's 95 %"),
        ("fig4a", "Wilson's 95 %"),
        ("fig4b", "radii below 0.034"),
        ("theory", "0.0005"),
        ("power", "at least 0.9"),
        ("local", "no fewer than"),
        ("general", "nearest neighbor"),
    ):
        text = judge(name).text
        assert words in text, name
        assert "eproduced where" in text, name


def test_no_verdict_holds_by_construction() -> None:
    assert outcome("fig1", attractors=1) is Outcome.PARTLY
    assert outcome("fig1", attractors=0) is Outcome.NOT
    assert outcome("fig1", drawn={"steep": 4, "staircase": 4}) is Outcome.PARTLY
    spoken = NUMBERS["rnn"]["spoken"]
    assert outcome("rnn", stable=False) is Outcome.PARTLY
    assert outcome("rnn", repeats=False) is Outcome.PARTLY  # it was said three times, but not for ever
    assert outcome("rnn", repeats=False, spoken=spoken[1:]) is Outcome.NOT
    assert judge("rnn", repeats=False, spoken=spoken[1:]).here == 0
    assert outcome("theory", agreeing=0) is Outcome.NOT
    assert outcome("theory", largest_difference=1e-3) is Outcome.PARTLY


@pytest.mark.parametrize(("recovered", "of", "most"), [(20, 20, True), (15, 20, True), (14, 20, False), (1, 20, False)])
def test_most_of_the_noise_has_to_come_back(recovered: int, of: int, most: bool) -> None:
    assert from_noise(made("fig4a", recovered=recovered, cues=of)) is most
    for name in ("fig4a", "audio", "fig4b"):
        assert outcome(name, recovered=recovered, cues=of) is (Outcome.REPRODUCED if most else Outcome.PARTLY)


def test_sequences() -> None:
    for name in ("fig4a", "audio"):
        assert outcome(name, stable=[False]) is Outcome.PARTLY
        assert outcome(name, stable=[False], recovered=0) is Outcome.NOT
        assert judge(name, stable=[False]).here == 0
    assert outcome("fig4b", radii=[0.01, 0.2]) is Outcome.PARTLY
    assert outcome("fig4b", radii=[0.01, None]) is Outcome.PARTLY
    assert outcome("fig4b", cycles_met=20 * [1]) is Outcome.PARTLY
    assert outcome("fig4b", stable=[False, False], recovered=0) is Outcome.NOT
    # Of a product that is zero the logarithm is null in the file; so is one that is not known.
    assert "radius −∞," in judge("fig4a", radii=[0.0], log_radii=[None]).text
    assert "radius –," in judge("fig4a", radii=[None], log_radii=[None]).text
    (table,) = EXPERIMENTS["fig4b"].tabulate([made("fig4b", cycles_met=[0, 1, 1, -1], recovered=3, cues=4)])
    assert [row[6] for row in table.rows] == ["1", "2"]


def test_pictures_too_large_for_a_certain_bound() -> None:
    large = {"method": 3 * ["matrix-free"], "evidence": 3 * ["probable"]}
    assert outcome("unet", **large) is Outcome.REPRODUCED
    assert "3 of 3 (probable)" in judge("unet", **large).text
    assert outcome("unet", **large, attractors=1, inconclusive=2) is Outcome.PARTLY
    assert judge("unet", **large, attractors=1, inconclusive=2).here == pytest.approx(1 / 3)
    assert outcome("unet", **large, attractors=0, inconclusive=3) is Outcome.INCONCLUSIVE
    assert outcome("unet", attractors=0, inconclusive=0) is Outcome.NOT
    (table,) = EXPERIMENTS["unet"].tabulate([made("unet", **large)])
    assert table.rows[0][table.head.index("evidence")] == "probable"


def test_a_large_state_has_a_radius_and_a_probable_certificate() -> None:
    slopes = np.linspace(0.1, 0.9, 2049)
    memory = Memory(lambda x: slopes * x, Patterns.from_examples(np.zeros((1, 2049))))
    certificate = certify(memory)
    assert certificate.method == ("matrix-free",)
    assert (certificate.num_attractors, certificate.evidence) == (1, ("probable",))


def test_what_interpolates_and_stores_nothing() -> None:
    assert EXPERIMENTS["control"].paper is None  # the paper prints no such number
    assert outcome("control", inconclusive=1) is Outcome.PARTLY
    assert outcome("control", inconclusive=3) is Outcome.INCONCLUSIVE
    assert outcome("control", attractors=3) is Outcome.NOT
    found = [row | {"verdict": "attractor"} for row in NUMBERS["control"]["corollary"]]
    assert outcome("control", corollary=found, corollary_attractors=1) is Outcome.NOT

    def caption(**changed: Any) -> str:
        return EXPERIMENTS["control"].draw([made("control", CellStatus.NOT_TRAINED, **changed)])[0].caption

    assert "all of these interpolate" in caption()
    assert "not all interpolate (mean squared error over random features 1.0e-03" in caption(loss=1e-3)
    assert "not all interpolate" in caption(corollary=[row | {"loss": None} for row in found])


def test_power_iteration_is_judged_without_the_linear_network() -> None:
    def with_cosines(*values: float) -> list[dict[str, Any]]:
        return [
            network | {"cosine": [1.0, 1.0, value, 1.0]}
            for network, value in zip(NUMBERS["power"]["networks"], values, strict=True)
        ]

    assert outcome("power", networks=with_cosines(1.0, 0.9, 0.9, 0.9)) is Outcome.REPRODUCED
    assert outcome("power", networks=with_cosines(1.0, 0.9, 0.8, 0.7)) is Outcome.PARTLY
    assert outcome("power", networks=with_cosines(1.0, 0.8, 0.8, 0.7)) is Outcome.NOT
    assert judge("power", networks=with_cosines(0.1, 0.8, 0.8, 0.7)).here == 0.7
    (table,) = EXPERIMENTS["power"].tabulate([made("power")])
    assert [row[1] for row in table.rows] == list(ACTIVATIONS)
    assert table.rows[0][4:13] == ("0.90", "0.92", "0.94", "0.96", "0.30", "0.50", "0.70", "0.99", "0.93")


def test_a_rule_is_compared_with_backpropagation_at_its_loss() -> None:
    back, local = RULES
    few, none = RULE | {"attractors": 2}, RULE | {"attractors": 0}
    missed = RULE | {"status": "loss_not_reached"}
    assert outcome("local", **{local: few}) is Outcome.PARTLY
    assert outcome("local", **{back: few, local: few}) is Outcome.REPRODUCED
    # Nothing is won against a rule that did not arrive.
    assert outcome("local", **{back: missed, local: few}) is Outcome.PARTLY
    assert outcome("local", **{back: none, local: none}) is Outcome.NOT
    (table,) = EXPERIMENTS["local"].tabulate(
        [made("local", CellStatus.NOT_TRAINED, **{local: missed | {"loss": None}})]
    )
    assert table.rows[0][1:] == (back, "9.0e-09", "7", "stored", "3 of 3", "0.4 to 0.6")
    assert table.rows[1][1:5] == (local, "–", "7", "loss not reached")


def test_a_network_that_diverged_is_like_nothing() -> None:
    example = np.ones((1, 2))
    memory = Memory(Broken(), Patterns.from_examples(example))
    found = power._likeness(memory, example[0], np.eye(2))
    assert np.isnan([*found["cosine"], found["eigenvector"], found["ratio"]]).all()
    assert found["attractors"] == 0


def test_a_sentence_is_trained_as_its_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    handed: dict[str, Any] = {}

    def writer(words: Any, **settings: Any) -> Any:
        handed.update(settings)
        raise InterruptedError

    monkeypatch.setattr(rnn, "store_words", writer)
    settings = EXPERIMENTS["rnn"].cells("smoke", "paper", 0)[0].settings
    with pytest.raises(InterruptedError):
        rnn.run({**settings, "rate": 0.5, "rounds": 2}, Work(lambda *_: None))
    assert {name: handed[name] for name in ("width", "epochs", "tol", "rounds", "feedback")} == {
        "width": settings["width"],
        "epochs": settings["epochs"],
        "tol": 1e-3,
        "rounds": 2,
        "feedback": "argmax",
    }
    assert (handed["optimizer"], handed["learning_rate"]) == ("adam", 0.5)


def test_recovery_beside_the_neighbor() -> None:
    def with_rates(*values: float) -> list[dict[str, Any]]:
        rates = [*values, *(len(CUES) - len(values)) * [0.1]]
        return [cue | {"rate": rate} for cue, rate in zip(NUMBERS["general"]["cues"], rates, strict=True)]

    assert outcome("general", cues=with_rates(0.9)) is Outcome.PARTLY
    assert outcome("general", cues=with_rates()) is Outcome.NOT
    seen = [cue | {"seen": word} for cue, word in zip(NUMBERS["general"]["cues"], ["yes", "kind only"], strict=False)]
    (drawing,) = EXPERIMENTS["general"].draw([made("general", cues=[*seen, *NUMBERS["general"]["cues"][2:]])])
    assert f"kinds used in training: {CUES[0]}, {CUES[1]} (kind only)." in drawing.caption
    (table,) = EXPERIMENTS["general"].tabulate([made("general")])
    assert len(table.rows) == len(CUES) + 1
    assert table.rows[-1][1:] == ("mean of all", "", "0.90", "0.80", "0.95")


def write_mnist(folder: Path, labels: np.ndarray, pixels: np.ndarray | None = None) -> None:
    (folder / "mnist").mkdir()
    packed = b"\0\0\x08\x01" + len(labels).to_bytes(4, "big") + labels.astype(np.uint8).tobytes()
    (folder / "mnist" / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(packed))
    if pixels is not None:
        shape = b"".join(side.to_bytes(4, "big") for side in pixels.shape)
        (folder / "mnist" / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + shape + pixels.tobytes())


def test_digits_of_mnist_are_ordered_by_their_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 3))
    pixels = np.broadcast_to(np.arange(30, dtype=np.uint8)[:, None, None], (30, 28, 28))
    write_mnist(tmp_path, labels, pixels.copy())
    monkeypatch.setenv("ATTRAX_DATA", str(tmp_path))
    cell = EXPERIMENTS["fig4b"].cells("smoke", "paper", 0)[0]
    assert cell.settings["source"] == "mnist"
    patterns = two_runs("mnist", 28)
    places = np.rint(255 * patterns.points[:, 0, 0]).astype(int)
    assert labels[places].tolist() == [*range(10), *range(9, -1, -1)]
    assert len(set(places.tolist())) == 20  # other hands
    assert [len(cycle) for cycle in patterns.cycles] == [10, 10]
    record = CellRecord(cell, CellStatus.DONE, NUMBERS["fig4b"], ARRAYS["fig4b"], 1.0)
    assert "Data: MNIST." in EXPERIMENTS["fig4b"].draw([record])[0].caption


def test_digits_without_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ATTRAX_DATA", raising=False)
    assert made("fig4b").cell.settings["source"] == "digits"
    assert "in place of MNIST" in EXPERIMENTS["fig4b"].draw([made("fig4b")])[0].caption
    assert [len(cycle) for cycle in two_runs("digits", 8).cycles] == [10, 10]
    monkeypatch.setenv("ATTRAX_DATA", str(tmp_path))
    write_mnist(tmp_path, np.arange(10), np.zeros((10, 28, 28), np.uint8))
    assert made("fig4b").cell.settings["source"] == "mnist"
    (tmp_path / "mnist" / "train-labels-idx1-ubyte.gz").unlink()
    assert made("fig4b").cell.settings["source"] == "digits"  # pictures alone are no digits
    with pytest.raises(SourceError, match="mnist have no labels"):
        two_runs("mnist", 28)


@pytest.mark.parametrize("name", NUMBERS)
def test_settings_say_how_a_network_is_trained(name: str) -> None:
    settings = EXPERIMENTS[name].cells("quick", "paper", 0)[0].settings
    wanted = {"theory": {"activations"}, "control": {"init", "dtype", "tol"}}.get(
        name, {"optimizer", "rate", "tol", "dtype", "epochs"}
    )
    assert wanted <= set(settings)
    assert None not in [value for setting, value in settings.items() if setting != "seconds"]  # without a limit
