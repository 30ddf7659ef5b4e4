"""Memories in files: exact round trips, refused damage, nothing half overwritten."""

import hashlib
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
    assert np.array_equal(
        arrays["map.weight.0"], np.asarray(memory.map.weights[0]).astype(arrays["map.weight.0"].dtype)
    )
    assert arrays["originals"].shape == (3, 2, 2)


def test_exactly_representable_weights_take_half_the_room(file: Path) -> None:
    arrays = safetensors.numpy.load_file(file)
    assert arrays["map.weight.0"].dtype == np.float32  # trained in 32 bits
    assert arrays["map.weight.2"].dtype == np.float64  # polished in 64


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
        with pytest.raises(ax.MemoryFileError, match="not an attrax memory"):
            ax.load(tmp_path / name)
    safetensors.numpy.save_file({"x": np.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(ax.MemoryFileError, match="not an attrax memory"):
        ax.load(tmp_path / "other.safetensors")
    content = file.read_bytes()
    (tmp_path / "newer").write_bytes(content.replace(b'"version":"3"', b'"version":"7"'))
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
    from attrax.files import checksum

    content = file.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    arrays = safetensors.numpy.load(content)
    text = json.loads(header["__metadata__"]["memory"])
    settings = text["map"]["settings"]
    of_the_map: tuple[dict, ...] = ({"activation": "eval"}, {"layers": 9}, {"shape": [5]}, {"shape": [4]})
    changes: list[dict] = [{"map": {"kind": "mlp", "settings": {**settings, **change}}} for change in of_the_map]
    changes += [{"map": {"kind": kind, "settings": settings}} for kind in ("conv", "recurrent", "os.system", None)]
    changes += [{"map": None}, {"shape": [5]}, {"verdicts": ["attractor"]}, {"examples": 2}]
    texts = [json.dumps({**text, **change}) for change in changes]
    texts += ["[" * 100_000, json.dumps({**text, "shape": [1e400]})]
    for forged in texts:
        meta = {**header["__metadata__"], "memory": forged, "checksum": checksum(arrays, forged)}
        (tmp_path / "forged").write_bytes(safetensors.numpy.save(arrays, meta))
        with pytest.raises(ax.MemoryFileError, match=r"contradicts itself|has no name here"):
            ax.load(tmp_path / "forged")


def version_1(path: Path, memory: ax.Memory) -> Path:
    """A file as the first format had it: one kind of map, whose arrays and settings stand beside the rest."""
    network, patterns, found = memory.map, memory.examples(), memory.certificate
    assert found is not None
    originals = np.ascontiguousarray(memory.originals)
    arrays = {f"weight.{i}": np.asarray(weight) for i, weight in enumerate(network.weights)}
    arrays |= {f"bias.{i}": np.asarray(bias) for i, bias in enumerate(network.biases)}
    arrays |= {"successor": patterns.successor, "points": patterns.points, "originals": originals}
    names = ("spectral_radius", "error", "upper_bound", "log_spectral_radius", "largest_singular_value", "residual")
    arrays |= {f"certificate.{name}": getattr(found, name) for name in (*names, "moved")}
    digest = hashlib.sha256(f"{originals.dtype.str} {originals.shape}".encode() + originals.tobytes()).hexdigest()
    text = json.dumps(
        {
            "shape": list(network.shape),
            "activation": network.activation,
            "layers": len(network.weights),
            "biases": [True for _ in network.biases],
            "examples": len(patterns),
            "merged": [],
            "digest": digest,
            "patterns": True,
            "written": memory.written,
            "verdicts": [str(verdict) for verdict in found.verdict],
            "methods": list(found.method),
            "widen": [],
        }
    )
    total = hashlib.sha256(f"attrax memory 1 {text}".encode())
    for name in sorted(arrays):
        total.update(f"|{name} {arrays[name].dtype.str} {arrays[name].shape}|".encode() + arrays[name].tobytes())
    header = {"format": "attrax memory", "version": "1", "memory": text, "checksum": total.hexdigest()}
    path.write_bytes(safetensors.numpy.save(arrays, header))
    return path


def test_files_of_version_1_stay_readable(memory: ax.Memory, tmp_path: Path) -> None:
    again = ax.load(version_1(tmp_path / "old.attrax", memory))
    assert same(memory, again)
    assert same(again, ax.load(ax.save(tmp_path / "new.attrax", again)))


def test_a_foreign_map_has_to_be_given_again(memory: ax.Memory, tmp_path: Path) -> None:
    network = memory.map
    path = ax.save(tmp_path / "foreign.attrax", replace(memory, map=lambda x: network(x)))
    bare = ax.load(path)
    assert bare.certificate is not None
    assert bare.certificate.verdict == memory.certificate.verdict
    assert np.array_equal(bare.patterns.points, memory.patterns.points)
    assert "lambda" in ax.maps.describe(bare.map).text
    cues = np.zeros((1, 2, 2))
    with pytest.raises(ValueError, match=r"load\(file, map=\.\.\.\).*--map"):
        ax.recall(bare, cues)
    whole = ax.load(path, map=network)
    assert np.array_equal(ax.recall(whole, cues).value, ax.recall(memory, cues).value)
    # What is known of the map survives another round without it.
    again = ax.save(tmp_path / "again.attrax", bare)
    assert ax.load(again, map=network).map is network
    other = ax.maps.mlp((2, 2), width=16, depth=2, key=jr.key(7))
    with pytest.raises(ValueError, match="not the one"):
        ax.load(path, map=other)
    with pytest.raises(ValueError, match="does not take states"):
        ax.load(path, map=ax.maps.mlp((5,), width=3, depth=1, key=jr.key(0)))
    with pytest.raises(ValueError, match="must be callable"):
        ax.load(path, map="network")


def test_a_map_in_the_file_is_not_given_again(memory: ax.Memory, file: Path) -> None:
    with pytest.raises(ValueError, match="holds its map"):
        ax.load(file, map=memory.map)


def test_a_file_without_patterns_does_not_give_them_away(memory: ax.Memory, tmp_path: Path) -> None:
    network = memory.map
    path = ax.save(tmp_path / "bare.attrax", replace(memory, map=lambda x: network(x)), patterns=False)
    arrays = safetensors.numpy.load_file(path)
    assert memory.originals is not None
    for array in arrays.values():
        if array.shape[1:] == (2, 2):
            assert np.abs(array[:, None] - memory.originals).max(axis=(2, 3)).min() > 1e-2
    whole = ax.with_patterns(ax.load(path, map=network), memory.originals)
    assert np.array_equal(whole.examples().points, memory.examples().points)


def test_what_cannot_be_saved_leaves_the_old_file(memory: ax.Memory, file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(TypeError):
        ax.save(file, replace(memory, written={"bad": object()}))
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == [file.name]
    with pytest.raises(ValueError, match="can't be written"):
        ax.save(file / "below.attrax", memory)
