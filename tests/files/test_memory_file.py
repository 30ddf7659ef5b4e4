"""Memories in files: exact round trips, refused damage, nothing half overwritten."""

import json
import random
from dataclasses import replace
from pathlib import Path

import jax
import jax.random as jr
import numpy as np
import pytest
import safetensors.numpy

import attrax as ax


@pytest.fixture(scope="module")
def memory() -> ax.Memory:
    points = np.random.default_rng(0).random((3, 2, 2)).astype(np.float32)
    network = ax.maps.mlp((2, 2), width=16, depth=2, key=jr.key(0))
    return ax.store(points, network, writer=ax.Gradient(noise=0.1, epochs=50), key=jr.key(1))


@pytest.fixture
def file(memory: ax.Memory, tmp_path: Path) -> Path:
    return ax.save(tmp_path / "a.attrax", memory)


def same(first: ax.Memory, second: ax.Memory) -> bool:
    pairs = zip(jax.tree.leaves(first.map), jax.tree.leaves(second.map), strict=True)
    assert first.patterns is not None
    assert second.patterns is not None
    assert first.certificate is not None
    assert second.certificate is not None
    return (
        all(np.array_equal(a, b) and np.asarray(a).dtype == np.asarray(b).dtype for a, b in pairs)
        and np.array_equal(first.patterns.points, second.patterns.points)
        and np.array_equal(first.patterns.successor, second.patterns.successor)
        and np.array_equal(first.originals, second.originals)
        and first.certificate.verdict == second.certificate.verdict
        and np.array_equal(first.certificate.spectral_radius, second.certificate.spectral_radius)
        and first.written == second.written
    )


def test_round_trip_is_exact(memory: ax.Memory, file: Path) -> None:
    again = ax.load(file)
    assert same(memory, again)
    assert again.status == memory.status
    cues = np.random.default_rng(1).random((4, 2, 2))
    one, two = ax.recall(memory, cues), ax.recall(again, cues)
    assert np.array_equal(one.value, two.value)
    assert one.status == two.status


def test_a_file_is_readable_without_attrax(memory: ax.Memory, file: Path) -> None:
    arrays = safetensors.numpy.load_file(file)
    assert np.array_equal(arrays["weight.0"], np.asarray(memory.map.weights[0]).astype(arrays["weight.0"].dtype))
    assert arrays["originals"].shape == (3, 2, 2)


def test_exactly_representable_weights_take_half_the_room(file: Path) -> None:
    arrays = safetensors.numpy.load_file(file)
    assert arrays["weight.0"].dtype == np.float32  # trained in 32 bits
    assert arrays["weight.2"].dtype == np.float64  # polished in 64


def test_without_patterns_they_have_to_be_given_again(memory: ax.Memory, tmp_path: Path) -> None:
    path = ax.save(tmp_path / "b.attrax", memory, patterns=False)
    assert "points" not in safetensors.numpy.load_file(path)
    bare = ax.load(path)
    assert bare.certificate is not None
    with pytest.raises(ValueError, match="saved without its patterns"):
        ax.recall(bare, np.zeros((1, 2, 2)))
    assert memory.originals is not None
    with pytest.raises(ValueError, match="not the examples"):
        ax.with_patterns(bare, memory.originals + 1)
    whole = ax.with_patterns(bare, memory.originals)
    assert memory.patterns is not None
    assert whole.patterns is not None
    assert np.array_equal(whole.patterns.points, memory.patterns.points)


def test_foreign_and_missing_files_are_refused_with_a_sentence(tmp_path: Path, file: Path) -> None:
    with pytest.raises(ax.MemoryFileError, match="can't be read"):
        ax.load(tmp_path / "missing.attrax")
    with pytest.raises(ax.MemoryFileError, match="can't be read"):
        ax.load(tmp_path)
    for name, content in {"empty": b"", "text": b"hello " * 40, "zip": b"PK\x03\x04" * 20}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ax.MemoryFileError, match="no attrax memory"):
            ax.load(tmp_path / name)
    safetensors.numpy.save_file({"x": np.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(ax.MemoryFileError, match="no attrax memory"):
        ax.load(tmp_path / "other.safetensors")
    content = file.read_bytes()
    (tmp_path / "newer").write_bytes(content.replace(b'"version":"1"', b'"version":"7"'))
    with pytest.raises(ax.MemoryFileError, match="update attrax"):
        ax.load(tmp_path / "newer")
    (tmp_path / "short").write_bytes(content[:-5])
    with pytest.raises(ax.MemoryFileError, match="damaged"):
        ax.load(tmp_path / "short")


def test_a_thousand_mutations(memory: ax.Memory, file: Path, tmp_path: Path) -> None:
    draw, content, target = random.Random(0), file.read_bytes(), tmp_path / "mutant"
    header = int.from_bytes(content[:8], "little") + 8
    refused = 0
    for trial in range(1000):
        mutant = bytearray(content)
        kind = trial % 4
        place = draw.randrange(header if trial % 2 else len(mutant))
        if kind == 0:
            mutant[place] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del mutant[place : place + draw.randrange(1, 50)]
        elif kind == 2:
            mutant[place:place] = bytes(draw.randrange(256) for _ in range(draw.randrange(1, 20)))
        else:
            mutant[place : place + 4] = draw.randbytes(4)
        target.write_bytes(mutant)
        try:
            loaded = ax.load(target)
        except ax.MemoryFileError:
            refused += 1
        else:
            assert same(loaded, memory), f"mutation {trial} was accepted and changed the memory"
    assert refused > 900


def test_a_forged_checksum_does_not_make_nonsense_loadable(file: Path, tmp_path: Path) -> None:
    from attrax.files import _memory_file

    content = file.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    arrays = safetensors.numpy.load(content)
    text = json.loads(header["__metadata__"]["memory"])
    for change in ({"activation": "eval"}, {"layers": 9}, {"shape": [5]}, {"verdicts": ["attractor"]}, {"examples": 2}):
        forged = json.dumps({**text, **change})
        meta = {**header["__metadata__"], "memory": forged, "checksum": _memory_file._checksum(arrays, forged)}
        (tmp_path / "forged").write_bytes(safetensors.numpy.save(arrays, meta))
        with pytest.raises(ax.MemoryFileError, match="contradicts itself"):
            ax.load(tmp_path / "forged")


def test_what_cannot_be_saved_leaves_the_old_file(memory: ax.Memory, file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(ValueError, match="only fully connected networks"):
        ax.save(file, replace(memory, map=lambda x: x))
    with pytest.raises(TypeError):
        ax.save(file, replace(memory, written={"bad": object()}))
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    with pytest.raises(ValueError, match="can't be written"):
        ax.save(file / "below.attrax", memory)
