"""Mutated memory files: each is either a memory or refused in one sentence."""

import contextlib
import functools
import io
import tempfile
import unicodedata
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import attrax as ax
from attacks.harness import Outcome
from attacks.mutate import damaged, resigned
from attrax.cli._certify import info
from attrax.files import MissingMap

_LONGEST = 1000
"""Letters that a refusal may have."""
WRITTEN = ("winner_take_all", "gradient", "margin")
"""Writers whose memories are changed as well."""
_MOST_EPOCHS = 1000
"""Records that ask for more training are not followed."""


@dataclass(frozen=True, slots=True)
class Files:
    """Files with damaged bytes, or `resigned` ones, altered with a checksum that fits."""

    resigned: bool = False
    limit_s: float = 30.0

    @property
    def name(self) -> str:
        """`files` or `resigned`."""
        return "resigned" if self.resigned else "files"

    def batches(self, scale: float) -> Sequence[Sequence[int]]:
        """Large ones, as each worker first makes memories to alter."""
        count = max(1, round((10_000 if self.resigned else 20_000) * scale))
        size = max(1, min(5000, -(-count // 2)))
        return [range(first, min(first + size, count)) for first in range(0, count, size)]

    def case(self, number: int, seed: int) -> Outcome:
        """One file."""
        rng = np.random.default_rng([seed, self.resigned, number])
        bases = memories()
        names = sorted(bases)
        name = names[int(rng.integers(len(names)))]
        base, share = bases[name], 0.3 if self.resigned and name in WRITTEN else 0.05
        if self.resigned:
            content = resigned(base, rng)
        else:
            content = damaged(base, bases[names[int(rng.integers(len(names)))]], rng)
        counts = {"files": 1}
        told = judge(content, counts, thorough=rng.random() < share)
        if told is None:
            return Outcome(counts)
        return Outcome(counts, told, {"file.attrax": content})


def judge(content: bytes, counts: dict[str, int], *, thorough: bool) -> str | None:
    """What is wrong with how a file is taken, if anything is."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "file.attrax"
        path.write_bytes(content)
        try:
            memory = ax.load(path)
        except ax.MemoryFileError as error:
            counts["refused"] = 1
            return _sentence(str(error))
        except Exception as error:  # any other error is what this attack looks for
            counts["tracebacks"] = 1
            return f"load raised {type(error).__name__}: {_cut(error)}"
        counts["loaded"] = 1
        try:
            return _looked_at(memory, path, counts, thorough=thorough)
        except Exception as error:  # the same
            counts["tracebacks"] = 1
            return f"a file that loads raised {type(error).__name__}: {_cut(error)}"


def _looked_at(memory: ax.Memory, path: Path, counts: dict[str, int], *, thorough: bool) -> str | None:
    for leaf in jax.tree.leaves(memory.map):
        if isinstance(leaf, np.ndarray | jax.Array) and leaf.dtype.kind == "f" and not np.isfinite(leaf).all():
            return "weights that are not finite were loaded"
    for as_json in (False, True):
        said = io.StringIO()
        try:
            with contextlib.redirect_stdout(said):
                info(path, as_json=as_json)
        except ValueError as error:
            # What `attrax info` would tell, with exit status 2.
            counts["refused by info"] = 1
            return _sentence(str(error))
        if _control(said.getvalue()):
            return "info prints control characters"
    if _control(repr(memory)):
        return "the memory prints control characters"
    on_record = memory.certificate
    if on_record is not None:
        bound = on_record.upper_bound
        for number, verdict in enumerate(on_record.verdict):
            if verdict in ("attractor", "displaced") and not 0 <= bound[number] < 1:
                return f"a certificate is shown that contradicts itself: {verdict} with the bound {bound[number]!r}"
    again = ax.load(ax.save(path, memory)) if memory.patterns is not None else memory
    if again.certificate is not None and on_record is not None and again.certificate.verdict != on_record.verdict:
        return "saved and loaded again, the certificate is another one"
    if memory.patterns is None or isinstance(memory.map, MissingMap):
        return None
    if memory.written.get("writer") in WRITTEN:
        told = _changed(memory, counts) if thorough else None
        if told is not None:
            return told
    if not thorough and _form(memory) not in _forms():
        return None  # it would have to be compiled for
    counts["certified anew"] = 1
    try:
        found = ax.certify(memory)
    except ValueError as error:
        counts["refused by certify"] = 1
        return _sentence(str(error))
    if len(found.verdict) != len(found.cycles):
        return "a certificate without a verdict for each cycle"
    return None


def _changed(memory: ax.Memory, counts: dict[str, int]) -> str | None:
    """A memory with one example less, and with one more, or the reason why not."""
    patterns = memory.examples()
    epochs = [memory.written.get(name) for name in ("epochs_limit", "scratch_epochs", "copies")]
    if any(isinstance(count, int) and count > _MOST_EPOCHS for count in epochs):
        return None  # a record may ask for long training
    more = np.full((1, *patterns.shape), 0.5) * patterns.unit
    for change in (
        lambda: ax.forget(memory, [0], time_limit=1e-3, key=jax.random.key(0)),
        lambda: ax.add(memory, more, time_limit=1e-3, key=jax.random.key(0)),
    ):
        try:
            found = change()
        except ValueError as error:
            counts["changes refused"] = counts.get("changes refused", 0) + 1
            told = _sentence(str(error))
            if told is not None:
                return f"of a change: {told}"
            continue
        counts["changes made or given up"] = counts.get("changes made or given up", 0) + 1
        if found.accepted and not ax.certify(found.memory).all_attractors:
            return "a change was accepted, and not all examples are attractors"
    return None


def _sentence(text: str) -> str | None:
    if "\n" in text or _control(text):
        return f"a refusal with line breaks or control characters: {text[:200]!r}"
    if len(text) > _LONGEST:
        return f"a refusal of {len(text)} letters: {text[:100]!r}"
    return None


def _control(text: str) -> bool:
    """Whether a terminal would do something else than print this."""
    return any(unicodedata.category(one) in ("Cc", "Cf", "Cs") and one not in "\n\t" for one in text)


def _cut(error: BaseException) -> str:
    return repr(str(error))[:200]


def _form(memory: ax.Memory) -> Any:
    """What decides whether JAX has to compile anew."""
    patterns = memory.examples()
    leaves, structure = jax.tree.flatten(memory.map)
    shapes = tuple((np.shape(leaf), str(np.asarray(leaf).dtype)) for leaf in leaves)
    return str(structure), shapes, tuple(len(cycle) for cycle in patterns.cycles), patterns.shape


@functools.cache
def _forms() -> set[Any]:
    found = set()
    with tempfile.TemporaryDirectory() as folder:
        for name, content in memories().items():
            path = Path(folder) / name
            path.write_bytes(content)
            memory = ax.load(path)
            if memory.patterns is not None and not isinstance(memory.map, MissingMap):
                found.add(_form(memory))
    return found


@functools.cache
def memories() -> dict[str, bytes]:
    """Small memories of every kind that files hold, by name."""
    rng = np.random.default_rng(0)
    points = rng.random((3, 4))
    ring = [rng.random((2, 4)), rng.random((1, 4))]
    written = {"writer": "by hand", "seed": 3, "loss": 1e-9, "status": "stored", "sources": ["a.npy"], "epochs": 12}
    plain = ax.training.pseudoinverse(points, points)
    named = ax.Patterns.from_examples(points, names=["one", "two", "three"])
    network = ax.maps.mlp((2, 2), width=3, depth=2, activation="tanh", key=jax.random.key(0))
    conv = ax.maps.conv_autoencoder((2, 2), channels=1, levels=1, activation="selu", key=jax.random.key(1))
    talker = ax.maps.recurrent(2, width=2, key=jax.random.key(2))
    made = {
        "examples": ax.Memory(plain, named, written=written),
        "network": ax.Memory(network, ax.Patterns.from_examples(_limits(network, (2, 2)))),
        "cycles": ax.Memory(ax.training.pseudoinverse(points, points), ax.Patterns.from_cycles(ring)),
        "conv": ax.Memory(conv, ax.Patterns.from_examples(_limits(conv, (2, 2)))),
        "recurrent": ax.Memory(talker, ax.Patterns.from_examples(_limits(talker, (4,)))),
        "function": ax.Memory(lambda x: 0.5 * jnp.cos(x), ax.Patterns.from_examples(points[:, :2])),
    }
    few = jax.random.key(3)
    trained = ax.maps.mlp((4,), width=6, depth=1, key=few)
    made |= {
        "winner_take_all": ax.store(
            points, writer=ax.WinnerTakeAll((8, 6), epochs=2, corruptions=("gaussian:0.1",)), key=few
        ),
        "gradient": ax.store(points, trained, writer=ax.Gradient(epochs=2), key=few),
        "margin": ax.store(points, writer=ax.Constructed("margin"), key=few),
    }
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, memory in made.items():
            certified = ax.Memory(memory.map, memory.patterns, memory.originals, memory.written, ax.certify(memory))
            found[name] = ax.save(Path(folder) / name, certified).read_bytes()
        bare = ax.save(Path(folder) / "bare", made["network"], patterns=False)
        found["without patterns"] = bare.read_bytes()
    return found


def _limits(map: Any, shape: tuple[int, ...]) -> np.ndarray:
    return ax.iterate(map, np.zeros((1, *shape)), max_steps=2000).value
