"""The attacks themselves: they see what is planted, and nothing where there is nothing."""

import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import attrax as ax

sys.path.insert(0, str(Path(__file__).parents[2]))  # `pytest` alone does not look for packages in the root

from planted import Planted

from attacks import __main__ as command
from attacks import files, kills
from attacks.activations import checked
from attacks.designs import Design, attention, convolutional, layered, speaking
from attacks.drawn import SHAPES, draw
from attacks.exact import Chain, exact_cycle
from attacks.joint import shrink_together
from attacks.jumps import Jumps
from attacks.jumps import drawn as functions_with_jumps
from attacks.jumps import judge as judge_jumps
from attacks.mutate import damaged, resigned
from attacks.networks import KINKS, Networks, judge, sentences
from attacks.placing import Drawn, chain64
from attacks.starts import Starts

NETWORKS = Networks()


def pair(left: float, right: float, lift: float, kink: float = 0.0) -> Design:
    """f(x) = left·x below the kink and right·x above it, both lifted."""
    weights = (np.array([[1.0], [-1.0]]), np.array([[right, -left]]))
    biases = (np.array([-kink, kink]), np.array([lift + left * kink]))
    return Design("mlp", "relu", weights, biases, (1,))


def lying(**said: Any) -> Any:
    """A `certify` that says so of everything."""
    verdict = {"verdict": (ax.Verdict.ATTRACTOR,), "reason": (ax.Reason.CONTRACTS,)}
    return lambda memory: replace(
        ax.certify(memory), **verdict, **{name: np.array([value]) for name, value in said.items()}
    )


def test_crashes_hangs_and_failures_are_seen_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "ATTACKS", {"planted": Planted()})
    monkeypatch.setattr("attacks.harness._START", 20.0)
    assert command.main(["--seed", "5", "--jobs", "2", "--json", "-o", str(tmp_path)]) == 1
    (found,) = json.loads(capsys.readouterr().out)["attacks"]
    assert found["counts"] == {"cases": 4, "crashes": 1, "failures": 4, "hangs": 1, "tracebacks": 1}
    assert set(found["failures"]) == {"1", "2", "3", "4"}
    assert (tmp_path / "planted-5-1" / "shown.txt").read_bytes() == b"here"
    assert "--seed 5 --case 1" in json.loads((tmp_path / "planted-5-1" / "failure.json").read_text())["again"]
    assert command.main(["--scale", "0.5", "--jobs", "1", "-o", str(tmp_path)]) == 0


def test_false_certificates_are_seen() -> None:
    def told(design: Design, point: float, certify: Any) -> str:
        drawn = Drawn(design, np.array([[point]]), "plain")
        return judge(drawn, np.random.default_rng(0), certify).failure or ""

    stable, gone, leaves = pair(0.9, 0.3, 0.1), pair(0.95, 1.5, 1e-9), pair(0.9, 1.2, -0.3)
    assert told(stable, 0.1428, ax.certify) == ""
    assert told(gone, -2e-8, ax.certify) == ""
    attractor = {"upper_bound": 0.95, "distance_error": 1e-7}
    assert "finds no cycle" in told(gone, -2e-8, lying(**attractor))
    assert "but the radius is 1.1999" in told(leaves, 1.5, lying(**attractor))
    assert "exceeds the bound" in told(stable, 0.1428, lying(upper_bound=0.2, distance_error=1e-7))
    assert "claimed within" in told(stable, 0.1428, lying(upper_bound=0.95, distance_error=0.0))


def test_slopes_on_both_sides_of_a_kink_are_found() -> None:
    chain = Chain(pair(0.5, 1.5, 0.0).ops(), digits=True)
    found = exact_cycle(chain, [np.zeros(1)], np.random.default_rng(0))
    assert found is not None
    assert (found.kinks, found.radius) == (2, 2)  # both units on, 1.5 and .5 together, is one of the choices


def test_what_is_due_a_certificate_at_a_kink() -> None:
    # Slopes .01 and 1 of all units; each choice has a radius of at most .9 times a factor.
    turning = np.array([[0.9, 1.5], [-1.0, -0.9]])
    for factor, away, below in ((1.0, 0.0, False), (0.7, 0.0, True), (0.7, 1e-15, True), (1.0, 1e-3, None)):
        design = Design("mlp", "leaky_relu", (np.eye(2), factor * turning), (np.full(2, away - 1),) * 2, (2,))
        design = design.shifted(1, 1 - chain64(design)(np.ones(2)))
        outcome = judge(Drawn(design, np.ones((1, 2)), "kink"), np.random.default_rng(0))
        where = "bound" if below is None else f"kinks, {'all' if below else 'not all'} slopes below .99"
        assert outcome.counts[f"attractors below .99, {where}"] == 1
        assert outcome.failure is None
        assert ("certified" in str(outcome.counts)) == (below is not False)


@pytest.mark.parametrize(
    ("attack", "number"),
    [(NETWORKS, 28004), (NETWORKS, 47008), (KINKS, 2008), (KINKS, 12010)],
    ids=["a cycle far from 0", "a function far from 0", "two kinks that turn", "a cycle on a kink far from 0"],
)
def test_attractors_that_were_missed_once_are_certified(attack: Networks, number: int) -> None:
    outcome = attack.case(number, 0)
    assert (outcome.failure, outcome.note) == (None, None)
    assert any(name.startswith("certified below .99") for name in outcome.counts)


def test_counts_are_told_in_sentences() -> None:
    counts = {"networks": 1200, "of which kink": 90, "verdict attractor": 700, "attractors below .99, bound": 600}
    counts |= {"attractors below .99, a tie": 3, "certified below .99, bound": 597}
    told = sentences(counts)
    assert told.startswith("1,200 networks (90 kink; 0 of unusual size): 700 attractor. False certificates: none.")
    assert "0 of 3 a tie; 597 of 600 bound; of all that are due 0.9950 (597 of 600)" in told


def test_the_joint_spectral_radius() -> None:
    one, other = np.array([[0.0, 1.2], [0.0, 0.0]]), np.array([[0.0, 0.0], [0.8, 0.0]])  # it is the root of .96
    assert shrink_together([one, other], 0.985) is True
    assert shrink_together([one, other], 0.975) is False
    assert shrink_together([np.array([[0.9, 50.0], [0.0, 0.9]])], 0.99) is True


def test_too_large_a_proved_radius_is_seen() -> None:
    drawn = Drawn(pair(0.5, 1.5, 0.0, kink=1.0), np.zeros((1, 1)), "plain")  # its basin ends at 2
    attack, rng = Starts(each=40), np.random.default_rng(0)
    assert attack.followed(drawn, rng).failure is None

    def larger(*given: Any, **named: Any) -> Any:
        found = ax.basin_radius(*given, **named)
        return replace(found, proved_radius=found.proved_radius + 5)

    outcome = attack.followed(drawn, rng, larger)
    assert "not back" in str(outcome.failure)
    assert "network.npz" in outcome.files


def test_an_activation_that_is_off_is_seen() -> None:
    places = np.array([-3.0, -1e-9, 0.5, 40.0])
    assert checked("tanh", jnp.tanh, places) is None
    assert "tanh(0.5)" in str(checked("tanh", lambda z: jnp.tanh(z) + 1e-14 * (z == 0.5), places))
    assert "slope of tanh" in str(checked("tanh", lambda z: jax.lax.stop_gradient(jnp.tanh(z)) + 0 * z, places))


def test_chains_are_the_networks() -> None:
    rng = np.random.default_rng(0)
    designs = [
        convolutional(rng, (2, 2), 1, "selu", strided=True, skips=True, bias=True),
        speaking(rng, "argmax", 3, 2),
        speaking(rng, "softmax", 3, 2),
        attention(rng, 2, 3),
        layered(rng, "foreign", 2, (3, 2), "abs"),
    ]
    for design in designs:
        x = rng.normal(size=design.shape)
        with jax.enable_x64(True):
            given = np.asarray(eqx.filter_jit(design.map())(x)).ravel()
        many = Chain(design.ops(), digits=True)(x.ravel().astype(object)).astype(float)
        np.testing.assert_allclose(chain64(design)(x.ravel()), given, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(many, given, rtol=1e-12, atol=1e-13)


def test_networks_are_made_as_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(SHAPES) <= 60
    tanh, relu = SHAPES[0], SHAPES[1]
    made = [draw(shape, "odd", np.random.default_rng(seed)).made for seed in range(6) for shape in (tanh, relu)]
    assert set(made) == {"gap", "pair", "kink"}
    monkeypatch.setattr("attacks.drawn._UNUSUAL", 0)
    critical = draw(tanh, "critical", np.random.default_rng(1))
    values = np.linalg.eigvals(chain64(critical.design).around([critical.cycle[0]]))
    assert 0.99 < np.abs(values).max() < 1.01


def test_files_are_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    points = rng.random((2, 3))
    memory = ax.Memory(ax.training.pseudoinverse(points, points), ax.Patterns.from_examples(points))
    base = ax.save(tmp_path / "base.attrax", memory).read_bytes()
    counts: dict[str, int] = {}
    assert files.judge(base, counts, thorough=True) is None
    assert counts == {"loaded": 1, "certified anew": 1}
    for _ in range(20):
        altered = damaged(base, base, rng)
        assert files.judge(altered, counts := {}, thorough=False) is None
        assert "refused" in counts or altered == base
    assert len({resigned(base, rng) for _ in range(10)}) > 5
    escape = replace(memory, written={"note": "\x1b[2J"})
    content = ax.save(tmp_path / "escape.attrax", escape).read_bytes()
    monkeypatch.setattr(files, "info", lambda path, as_json: print("\x1b[2J"))
    assert "control characters" in str(files.judge(content, {}, thorough=False))

    def load(path: Path) -> Any:
        raise RecursionError("planted")

    monkeypatch.setattr(ax, "load", load)
    assert "RecursionError" in str(files.judge(base, {}, thorough=False))


def test_changes_of_files_are_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(0).random((3, 4))
    memory = ax.store(points, writer=ax.Constructed("margin"), key=jax.random.key(0))
    content = ax.save(tmp_path / "a.attrax", memory).read_bytes()
    assert files.judge(content, counts := {}, thorough=True) is None
    assert counts["changes made or given up"] == 2

    def refused(*given: Any, **named: Any) -> Any:
        raise ValueError("no\nsentence")

    monkeypatch.setattr(ax, "forget", refused)
    assert "of a change: a refusal with line breaks" in str(files.judge(content, {}, thorough=True))
    monkeypatch.setattr(ax, "add", lambda *given, **named: 1 // 0)
    monkeypatch.setattr(ax, "forget", lambda *given, **named: 1 // 0)
    assert "ZeroDivisionError" in str(files.judge(content, {}, thorough=True))


def test_what_a_kill_leaves_is_judged(tmp_path: Path) -> None:
    points = np.random.default_rng(0).random((4, 3))
    memory = ax.Memory(ax.training.pseudoinverse(points, points), ax.Patterns.from_examples(points))
    whole = ax.save(tmp_path / "m.attrax", memory).read_bytes()
    assert kills.left_whole("store", tmp_path, whole, {}) is None
    assert kills.left_whole("store", tmp_path, b"another", {}) is None
    assert "not 5" in str(kills.left_whole("add", tmp_path, b"another", {}))
    assert kills.leftovers(tmp_path) == []
    (tmp_path / ".m.attrax.12.tmp").write_bytes(whole[:20])
    assert kills.leftovers(tmp_path) == [".m.attrax.12.tmp"]
    (tmp_path / "m.attrax").write_bytes(whole[:-1])
    assert "does not load" in str(kills.left_whole("store", tmp_path, whole, {}))
    (tmp_path / "m.attrax").unlink()
    assert "gone" in str(kills.left_whole("store", tmp_path, whole, {}))


def test_false_certificates_at_jumps_are_seen() -> None:
    attack = Jumps()
    assert [len(batch) for batch in attack.batches(0.02)] == [4, 4, 4, 4]
    counts: Counter[str] = Counter()
    for number in (3000, 3001, 3002):
        outcome = attack.case(number, 0)
        assert outcome.failure is None
        counts.update(outcome.counts)
    assert counts["verdict attractor"] > 0
    assert counts["without a fixed point"] == 1
    pieces, start = functions_with_jumps(5, np.random.default_rng([0, 17, 3, 2]))  # the last one
    assert "the fixed points: none" in (judge_jumps(pieces, start, lying()).failure or "")
