"""Any object with the two methods is a writer: `store`, `Auto`, `add` and `forget` ask for nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import equinox as eqx
import jax.random as jr
import numpy as np
import pytest

import attrax as ax
from attrax import TrainingStatus
from attrax.maps import HostFunction
from attrax.training import pseudoinverse
from attrax.writing import WRITERS, Writer, Written, refine_and_certify, writer_kind, writer_of

POINTS = np.random.default_rng(0).uniform(size=(5, 12))
PATTERNS = ax.Patterns.from_examples(POINTS)


@dataclass(frozen=True)
class Nearest:
    """A writer of somebody else: a construction, or, while it is `lazy`, a map that stores nothing."""

    lazy: bool = False
    asked: list[Any] = field(default_factory=list, compare=False)

    def write(self, patterns: ax.Patterns, network: Any = None, **options: Any) -> Written:
        self.asked.append(network)
        made = ax.maps.mlp(patterns.shape, width=3, depth=1, key=options["key"])
        if not self.lazy:
            made = pseudoinverse(patterns.points, patterns.targets)
        return Written(made, 0.0, 1, 0.0, TrainingStatus.REACHED, {"writer": "nearest"})

    def grow(self, memory: ax.Memory, patterns: ax.Patterns, kept: Any, **options: Any) -> Iterator[Written]:
        self.asked.append(list(kept))
        yield Nearest(lazy=True).write(patterns, **options)
        yield self.write(patterns, **options)
        raise AssertionError("the attempt before was certified")


def test_store_add_and_forget_take_any_writer() -> None:
    writer: Writer = Nearest()
    memory = ax.store(POINTS[:4], writer=writer, key=jr.key(0))
    assert memory.status == "stored"
    assert memory.written["writer"] == "nearest"
    with pytest.raises(ValueError, match=r"its record does not name \(it names 'nearest'\); give it"):
        ax.add(memory, POINTS[4:], key=jr.key(0))
    change = ax.add(memory, POINTS[4:], writer=writer, key=jr.key(0))
    assert change.accepted
    assert [attempt["attractors"] for attempt in change.attempts] == [0, 5]
    smaller = ax.forget(change.memory, [1], writer=writer, key=jr.key(0))
    assert smaller.accepted
    assert [0, 1, 2, 3] in writer.asked
    assert [0, 2, 3, 4] in writer.asked


def test_a_memory_may_be_changed_by_another_writer_than_its_own() -> None:
    memory = ax.store(POINTS[:4], writer=Nearest(), key=jr.key(0))
    change = ax.add(memory, POINTS[4:], writer=ax.Constructed(), key=jr.key(0))
    assert change.accepted
    assert writer_of(change.memory.written) == ax.Constructed()
    with pytest.raises(ValueError, match="winner_take_all can change only a memory that it wrote"):
        ax.add(memory, POINTS[4:], writer=ax.WinnerTakeAll(), key=jr.key(0))
    # `Auto` changes a memory by the writer that made it.
    again = ax.forget(change.memory, [0], writer=ax.Auto(), key=jr.key(0))
    assert again.memory.written["writer"] == "margin"


def test_a_writer_that_does_not_name_itself_is_on_record_by_its_class() -> None:
    class Plain(Nearest):
        def write(self, patterns: ax.Patterns, network: Any = None, **options: Any) -> Written:
            return replace(super().write(patterns, network, **options), details={})

    assert ax.store(POINTS[:4], writer=Plain(), key=jr.key(0)).written["writer"] == "Plain"
    tried = ax.store(POINTS[:4], writer=ax.Auto([Plain()]), key=jr.key(0)).written
    assert tried["attempts"][0]["parameters"] == 2 * 8 * 12 + 8 + 12


def test_images_that_a_writer_has_are_not_computed_again() -> None:
    seen = list[int]()

    class Counted(eqx.Module):
        map: ax.maps.MLP

        def __call__(self, x: Any) -> Any:
            return self.map(x)

        def on_host(self) -> HostFunction:
            host = self.map.on_host()
            return HostFunction(lambda rows: (seen.append(len(rows)), host.rows(rows))[1], host.push)

    class Telling(Nearest):
        def __init__(self, tell: bool) -> None:
            self.tell = tell

        def write(self, patterns: ax.Patterns, network: Any = None, **options: Any) -> Written:
            made = pseudoinverse(patterns.points, patterns.targets)
            images = made.on_host().rows(patterns.points) if self.tell else None
            return Written(Counted(made), 0.0, 1, 0.0, TrainingStatus.REACHED, {}, images=images)

    def found(tell: bool) -> ax.Memory:
        seen.clear()
        return ax.store(POINTS[:4], writer=Telling(tell), key=jr.key(0))

    told, asked = found(True), sum(seen)
    untold = found(False)
    assert sum(seen) == asked + 4
    assert told.certificate is not None
    assert untold.certificate is not None
    assert told.certificate.verdict == untold.certificate.verdict
    np.testing.assert_array_equal(told.examples().points, untold.examples().points)


def test_auto_tries_a_list_of_writers_bound_by_its_settings() -> None:
    lazy = Nearest(lazy=True)
    own = ax.Auto((lazy, ax.Gradient(noise=0.3, copies=2), Nearest()), epochs=2, noise=0.1)
    tried = own.attempts(None, PATTERNS)
    assert tried[0] is lazy
    assert tried[1] == ax.Gradient(noise=0.1, copies=2, epochs=2)
    recipe = ax.maps.mlp((12,), width=4, depth=1, key=jr.key(0))
    memory = ax.store(POINTS, recipe, writer=own, key=jr.key(0))
    assert [attempt["writer"] for attempt in memory.written["attempts"]] == ["nearest", "gradient", "nearest"]
    assert memory.certificate.all_attractors
    assert lazy.asked == [recipe]
    with pytest.raises(ValueError, match="at least one writer"):
        ax.Auto(())


@pytest.mark.parametrize(("limit", "status"), [(1e-9, TrainingStatus.TIME_OVER), (None, TrainingStatus.EPOCHS_OVER)])
@pytest.mark.parametrize("kind", [ax.Gradient, ax.WinnerTakeAll])
def test_a_writer_says_what_was_over_before_the_loss_was_reached(kind: Any, limit: Any, status: TrainingStatus) -> None:
    writer = kind(epochs=40, noise=0.1, tol=0.0, time_limit=limit)
    recipe = partial(ax.maps.mlp, width=16, depth=1) if kind is ax.Gradient else None
    written = writer.write(PATTERNS, recipe, key=jr.key(0))
    assert written.status is status
    certificate = refine_and_certify(ax.Memory(written.map, PATTERNS)).certificate
    assert certificate.status_after(written.status) is ax.StoreStatus.LOSS_NOT_REACHED


def test_the_status_of_a_memory_follows_from_training_and_verdicts() -> None:
    at_zero = ax.Patterns.from_examples(np.zeros((1, 3)))
    stored = ax.certify(ax.Memory(lambda x: x / 2, at_zero))
    expanding = ax.certify(ax.Memory(lambda x: 2 * x, at_zero))
    for certificate, reached in ((stored, "stored"), (expanding, "not_all_certified")):
        found = [certificate.status_after(training) for training in TrainingStatus]
        assert found == [reached, "loss_not_reached", "loss_not_reached", "diverged"]
        with pytest.raises(ValueError, match=r"training must be one of reached, epochs_over.*got <StoreStatus"):
            certificate.status_after(ax.StoreStatus.STORED)


def test_the_recovery_threshold_reaches_every_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    class Shifted(Nearest):
        """All attractors lie .03 away from the examples."""

        def write(self, patterns: ax.Patterns, network: Any = None, **options: Any) -> Written:
            shifted = pseudoinverse(patterns.points + 0.01, patterns.targets + 0.01)
            return Written(shifted, 0.0, 1, 0.0, TrainingStatus.REACHED, {"writer": "shifted"})

        def grow(self, memory: ax.Memory, patterns: ax.Patterns, kept: Any, **options: Any) -> Iterator[Written]:
            yield self.write(patterns, **options)

    calls = []
    monkeypatch.setattr("attrax.writing._certified.certify", lambda *a, **o: calls.append(1) or ax.certify(*a, **o))
    memory = ax.store(POINTS[:4], writer=ax.Auto([Shifted(), Nearest()]), recovery_atol=0.2, key=jr.key(0))
    assert memory.status == "stored"
    assert "failed" not in memory.written
    assert [one["attractors"] for one in memory.written["attempts"]] == [4]
    assert len(calls) == 1
    assert ax.certify(memory).recovery_atol == memory.recovery_atol == 0.2
    grown = ax.add(memory, POINTS[4:], writer=Shifted(), key=jr.key(0))
    assert grown.accepted
    assert grown.memory.recovery_atol == 0.2
    # The default follows the patterns and is nobody's choice.
    assert ax.store(POINTS[:4], writer=Nearest(), key=jr.key(0)).recovery_atol is None
    assert "displaced" in ax.certify(memory, recovery_atol=0.001).verdict


@pytest.mark.parametrize("wrong", ["gradient", ax.Gradient, lambda network, patterns: None])
def test_what_is_no_writer_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="writer must be an object with the method write"):
        ax.store(POINTS, writer=wrong, key=jr.key(0))
    memory = ax.store(POINTS[:4], writer=ax.Constructed(), key=jr.key(0))
    with pytest.raises(ValueError, match="writer must be an object with the method grow"):
        ax.forget(memory, [0], writer=wrong, key=jr.key(0))


def test_records_of_earlier_versions_name_their_writers() -> None:
    record = {"writer": "kfac", "optimizer": "kfac", "epochs_limit": 100, "corruptions": []}
    assert writer_of(record) == ax.Gradient(optimizer="kfac", epochs=100, corruptions=())


def test_each_name_makes_its_own_writer() -> None:
    made = {name: writer_kind(name).make() for name in WRITERS}
    assert made == {
        "auto": ax.Auto(),
        "winner-take-all": ax.WinnerTakeAll(),
        "gradient": ax.Gradient(),
        "margin": ax.Constructed("margin"),
        "pseudoinverse": ax.Constructed("pseudoinverse"),
    }
