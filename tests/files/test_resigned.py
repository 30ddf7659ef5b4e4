"""Files with a valid checksum that are no memories: refused in one sentence, whatever is wrong with them."""

import itertools
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax.random as jr
import numpy as np
import pytest
import safetensors.numpy

import attrax as ax
from attrax.files import checksum
from tests.helpers.commands import record, run

Text, Arrays = dict[str, Any], dict[str, np.ndarray]


def resigned(path: Path, text: Text | str, arrays: Arrays) -> Path:
    """A file of these with the checksum that belongs to them."""
    said = text if isinstance(text, str) else json.dumps(text)
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    header = {"format": "attrax memory", "version": "3", "memory": said}
    header["checksum"] = checksum(arrays, said)
    path.write_bytes(safetensors.numpy.save(arrays, header))
    return path


def opened(path: Path) -> tuple[Text, Arrays]:
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return json.loads(header["__metadata__"]["memory"]), safetensors.numpy.load(content)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three points that a map of rank 1 and contraction 1/4 fixes none of; the verdicts do not matter here."""
    weights = (np.eye(3, 2) / 4, np.eye(2, 3))
    network = ax.maps.MLP(weights, (np.zeros(3), np.array([0.5, 0.3])), (2,), "tanh")
    points = np.array([[0.1, 0.2], [0.3, 0.9], [0.66, 0.39]])
    patterns = ax.Patterns.from_examples(points, names=["a", "b", "c"])
    memory = ax.Memory(network, patterns, None, {"status": "not_all_certified", "selection": {"n": 3}})
    certificate = ax.certify(memory)
    path = tmp_path_factory.mktemp("resigned") / "a.attrax"
    return ax.save(path, ax.Memory(network, patterns, None, memory.written, certificate))


def test_the_helper_signs(file: Path, tmp_path: Path) -> None:
    again = ax.load(resigned(tmp_path / "same.attrax", *opened(file)))
    assert again.examples().names == ("a", "b", "c")


REFUSED = r"forged\.attrax contradicts itself \((?!\w+Error)[^\n\x1b]*\); write it again"
DEEP = json.loads("[" * 200 + "]" * 200)

TEXTS: dict[str, Callable[[Text], Any]] = {
    "no map": lambda text: text.pop("map"),
    "no list of widened arrays": lambda text: text.update(widen=5),
    "widened what was not narrow": lambda text: text["widen"].append("successor"),
    "shape of truth": lambda text: text.update(shape=[True, 2]),
    "shape of fractions": lambda text: text.update(shape=[2.0]),
    "endless shape": lambda text: text.update(shape=[2**62, 2**62]),
    "negative shape": lambda text: text.update(shape=[-2]),
    "layers without end": lambda text: text["map"]["settings"].update(layers=10**18),
    "layers of text": lambda text: text["map"]["settings"].update(layers="2"),
    "activation of a number": lambda text: text["map"]["settings"].update(activation=5),
    "activation of a list": lambda text: text["map"]["settings"].update(activation=["tanh"]),
    "settings of a list": lambda text: text["map"].update(settings=[1]),
    "kind of a list": lambda text: text["map"].update(kind=["mlp"]),
    "examples of truth": lambda text: text.update(examples=True),
    "patterns of text": lambda text: text.update(patterns="yes"),
    "digest of a number": lambda text: text.update(digest=5),
    "merged out of range": lambda text: text.update(merged=[[9, 0]]),
    "merged into itself": lambda text: text.update(merged=[[3, 3]]),
    "merged of threes": lambda text: text.update(merged=[[3, 0, 1]]),
    "frame that does not fit": lambda text: text.update(frame=[2, 2]),
    "names of numbers": lambda text: text.update(names=[1, 2, 3]),
    "too few names": lambda text: text.update(names=["a"]),
    "deep record": lambda text: text["written"].update(own=DEEP),
    "integer of 70 bits": lambda text: text["written"].update(own=2**70),
    "record of a list": lambda text: text.update(written=[1]),
    "unknown status": lambda text: text["written"].update(status="fine"),
    "status of a list": lambda text: text["written"].update(status=["stored"]),
    "loss of text": lambda text: text["written"].update(loss="low"),
    "negative seconds": lambda text: text["written"].update(seconds=-1),
    "negative epochs": lambda text: text["written"].update(epochs=-1),
    "corruptions of numbers": lambda text: text["written"].update(corruptions=[1]),
    "noise of text": lambda text: text["written"].update(noise="much"),
    "selection of a list": lambda text: text["written"].update(selection=[1]),
    "size of a number": lambda text: text["written"].update(selection={"size": 5}),
    "unknown medium": lambda text: text["written"].update(selection={"media": {"path": "/etc/passwd"}}),
    "facts without a kind": lambda text: text["written"].update(media={"fps": 5}),
    "rate of text": lambda text: text["written"].update(media={"kind": "audio", "rate": "x"}),
    "unknown verdict": lambda text: text["verdicts"].__setitem__(0, "fine"),
    "too few verdicts": lambda text: text["verdicts"].pop(),
    "methods of numbers": lambda text: text.update(methods=[1, 2, 3]),
    "unknown method": lambda text: text["methods"].__setitem__(0, "\x1b[2J"),
    "unknown reason": lambda text: text["reasons"].__setitem__(0, "luck"),
    "numbers without verdicts": lambda text: [text.pop(name) for name in ("verdicts", "reasons")],
    "threshold of text": lambda text: text.update(recovery_atol="x"),
    "attractor that is none": lambda text: text.update(verdicts=["attractor"] * 3, reasons=["contracts"] * 3),
    "verdict for another reason": lambda text: text.update(reasons=["contracts"] * 3),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts_that_fit_no_memory_are_refused(name: str, file: Path, tmp_path: Path) -> None:
    text, arrays = opened(file)
    TEXTS[name](text)
    with pytest.raises(ax.MemoryFileError, match=REFUSED):
        ax.load(resigned(tmp_path / "forged.attrax", text, arrays))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.update(written="\x1b[2J"),
        lambda text: text.update(shape="\ud800"),
        lambda text: text["map"]["settings"].update(layers="x" * 100_000),
        lambda text: text["map"]["settings"].update(activation="x" * 100_000),
        lambda text: text["methods"].__setitem__(0, "x" * 100_000),
    ],
)
def test_a_refusal_is_one_short_line_whatever_it_quotes(
    change: Callable[[Text], Any], file: Path, tmp_path: Path
) -> None:
    text, arrays = opened(file)
    change(text)
    with pytest.raises(ax.MemoryFileError) as refused:
        ax.load(resigned(tmp_path / "forged.attrax", text, arrays))
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 1000 + len(str(tmp_path))


@pytest.mark.parametrize(
    "said", ["[" * 100_000, "[1]", "5", '{"shape": [1e400]}', '{"shape": [NaN]}', '{"a": 1' + "0" * 5000]
)
def test_texts_that_are_no_text_of_a_memory_are_refused(said: str, file: Path, tmp_path: Path) -> None:
    with pytest.raises(ax.MemoryFileError, match=REFUSED):
        ax.load(resigned(tmp_path / "forged.attrax", said, opened(file)[1]))


ARRAYS: dict[str, Callable[[Arrays], Any]] = {
    "complex": lambda arrays: arrays.update({"map.bias.1": np.array([0.5, 0.3], np.complex64)}),
    "integers": lambda arrays: arrays.update({"map.weight.1": np.eye(2, 3, dtype=int)}),
    "truth": lambda arrays: arrays.update({"points": arrays["points"] > 0.5}),
    "not a number": lambda arrays: arrays["map.weight.0"].__setitem__((0, 0), np.nan),
    "infinite": lambda arrays: arrays["map.bias.0"].__setitem__(0, np.inf),
    "infinite points": lambda arrays: arrays["points"].__setitem__(0, -np.inf),
    "batched weights": lambda arrays: arrays.update({"map.weight.0": arrays["map.weight.0"][None]}),
    "a number": lambda arrays: arrays.update({"map.bias.1": np.float32(1)}),
    "a layer too many": lambda arrays: arrays.update({"map.weight.2": np.eye(2)}),
    "an array of nobody": lambda arrays: arrays.update(junk=np.zeros(2)),
    "no units": lambda arrays: arrays.update(
        {"map.weight.0": np.zeros((0, 2)), "map.bias.0": np.zeros(0), "map.weight.1": np.zeros((2, 0))}
    ),
    "no points": lambda arrays: arrays.pop("points"),
    "successor out of range": lambda arrays: arrays["successor"].__setitem__(0, 3),
    "successor of fractions": lambda arrays: arrays.update(successor=arrays["successor"].astype(float)),
    "negative error": lambda arrays: arrays["certificate.error"].__setitem__(0, -1),
    "one number too few": lambda arrays: arrays.update({"certificate.error": arrays["certificate.error"][:-1]}),
    "certificate of integers": lambda arrays: arrays.update({"certificate.error": np.zeros(3, int)}),
    "unknown number": lambda arrays: arrays.update({"certificate.luck": np.zeros(3)}),
    "radius and logarithm": lambda arrays: arrays["certificate.spectral_radius"].__setitem__(slice(None), 0.1234),
    "period of no divisor": lambda arrays: arrays["certificate.period"].__setitem__(0, 7),
    "open sequence that is none": lambda arrays: arrays.update({"certificate.way_error": np.zeros(1)}),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_fit_no_memory_are_refused(name: str, file: Path, tmp_path: Path) -> None:
    text, arrays = opened(file)
    arrays = {name: array.copy() for name, array in arrays.items()}
    ARRAYS[name](arrays)
    with pytest.raises(ax.MemoryFileError, match=REFUSED):
        ax.load(resigned(tmp_path / "forged.attrax", text, arrays))


@pytest.mark.parametrize("number", ["upper_bound", "residual", "period", "distance", "distance_error"])
def test_an_attractor_has_to_have_the_numbers_of_one(number: str, tmp_path: Path) -> None:
    patterns = ax.Patterns.from_examples(np.array([[0.5, 0.3]]))
    network = ax.maps.MLP((np.eye(3, 2) / 4, np.zeros((2, 3))), (np.zeros(3), np.array([0.5, 0.3])), (2,), "tanh")
    found = ax.certify(ax.Memory(network, patterns))
    assert found.all_attractors
    text, arrays = opened(ax.save(tmp_path / "a.attrax", ax.Memory(network, patterns, None, {}, found)))
    name = f"certificate.{number}"
    arrays[name] = np.zeros(1, int) if number == "period" else np.array([np.inf if number == "residual" else 1.0])
    with pytest.raises(ax.MemoryFileError, match=r"cycle 0 is on record as attractor (with|at a distance)"):
        ax.load(resigned(tmp_path / "b.attrax", text, arrays))


def test_what_cannot_be_loaded_is_not_saved(file: Path, tmp_path: Path) -> None:
    memory = ax.load(file)
    lost = ax.maps.MLP((np.full((3, 2), np.nan), np.eye(2, 3)), (None, None), (2,), "tanh")
    with pytest.raises(ValueError, match=r"not written, because it could not be loaded again: .*not finite"):
        ax.save(tmp_path / "lost.attrax", ax.Memory(lost, memory.patterns))
    assert not list(tmp_path.iterdir())
    # Training that diverged is on record as such, so that people can see what it came to.
    diverged = ax.Memory(lost, memory.patterns, None, {"status": "diverged"})
    assert np.isnan(ax.load(ax.save(tmp_path / "lost.attrax", diverged)).map.weights[0]).all()


def test_no_verdict_keeps_a_memory_from_being_saved(file: Path, tmp_path: Path) -> None:
    memory = ax.load(file)
    found = memory.certificate
    assert found is not None
    count = len(found.verdict)
    verdicts = {
        ax.Reason.CONTRACTS: ax.Verdict.ATTRACTOR,
        ax.Reason.DISPLACED: ax.Verdict.DISPLACED,
        **dict.fromkeys((ax.Reason.EXPANDS, ax.Reason.NO_FIXED_POINT_NEAR), ax.Verdict.NOT_ATTRACTOR),
        **dict.fromkeys((ax.Reason.SHARED, ax.Reason.SHORTER_PERIOD), ax.Verdict.NOT_ATTRACTOR),
    }
    zeros = np.zeros(count)
    every_evidence = itertools.cycle(ax.Evidence)
    for reason in ax.Reason:
        verdict = verdicts.get(reason, ax.Verdict.INCONCLUSIVE)
        radius = 2.0 if reason is ax.Reason.EXPANDS else 0.5
        said = replace(
            found,
            verdict=(verdict,) * count,
            reason=(reason,) * count,
            evidence=(next(every_evidence),) * count,
            period=np.ones(count, int),
            residual=zeros,
            spectral_radius=zeros + radius,
            log_spectral_radius=zeros + np.log(radius),
            distance=zeros + (2.0 if verdict is ax.Verdict.DISPLACED else 0.5),
            distance_error=zeros + 0.1,
            recovery_atol=1.0,
        )
        again = ax.load(ax.save(tmp_path / "a.attrax", replace(memory, certificate=said))).certificate
        assert again is not None
        assert (again.verdict, again.reason, again.evidence) == (said.verdict, said.reason, said.evidence)


def test_weights_of_types_that_numpy_lacks_are_kept(file: Path, tmp_path: Path) -> None:
    patterns = ax.load(file).patterns
    network = ax.maps.mlp((2,), width=3, depth=1, dtype="bfloat16", key=jr.key(0))
    again = ax.load(ax.save(tmp_path / "a.attrax", ax.Memory(network, patterns))).map
    assert again.weights[0].dtype == np.float32
    assert np.array_equal(again.weights[0], np.asarray(network.weights[0], np.float32))


def test_equal_memories_give_equal_files(file: Path, tmp_path: Path) -> None:
    content = file.read_bytes()
    for number in range(5):  # the order of a hash table differs from one to the next
        assert ax.save(tmp_path / f"{number}.attrax", ax.load(file)).read_bytes() == content


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_devices_and_folders_are_refused_before_they_are_opened(tmp_path: Path, file: Path) -> None:
    os.mkfifo(tmp_path / "pipe.attrax")
    memory = ax.load(file)
    for path, what in ((tmp_path / "pipe.attrax", "pipe"), (Path("/dev/zero"), "device"), (tmp_path, "folder")):
        with pytest.raises(ax.MemoryFileError, match=f"can't be read: it is a {what}"):
            ax.load(path)
        with pytest.raises(ValueError, match=f"can't be written: it is a {what}"):
            ax.save(path, memory)
    (tmp_path / "link.attrax").symlink_to(tmp_path / "link.attrax")
    with pytest.raises(ax.MemoryFileError, match="can't be read"):
        ax.load(tmp_path / "link.attrax")
    with pytest.raises(ValueError, match="can't be written"):
        ax.save(tmp_path / "link.attrax", memory)


def test_info_says_what_is_on_record_and_moves_no_cursor(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, arrays = opened(file)
    text["written"] |= {"writer": "\x1b]0;owned\x07gradient", "\x1b[2J": "\u202e"}
    text["names"] = ["\x1b[31ma", "b\r", "c"]
    forged = resigned(tmp_path / "a.attrax", text, arrays)
    status, out, err = run(capsys, "info", forged)
    assert status == 0
    assert "certificate on record, not checked here: 0 attractors" in out
    assert all(letter.isprintable() or letter == "\n" for letter in out + err)
    assert record(capsys, "info", forged)["certificate"]["checked"] is False
    text["map"]["settings"]["activation"] = "\x1b[2J"
    status, _, err = run(capsys, "info", resigned(forged, text, arrays))
    assert status == 2
    assert "\x1b" not in err
