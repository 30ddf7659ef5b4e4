"""A planted test of `attrax audit`: PyTorch autoencoders that memorized their pictures, and some that generalize.

    python -m benchmarks.bench_audit --models 100 --out planted.jsonl

The models are those of `audit_models.plans`. The audit gets 20 training pictures of each, 20 fresh ones as if they were
training pictures, and 99 held-out ones. PyTorch says which pictures are stored, by dense Jacobians in float64. A model
is scored by the share of its 20 pictures that are called memorized, a picture by its p-value. A picture counts as
extracted if noise or a walk, without the data, led to a certified attractor that close to it as PyTorch's has to be.

Each model is one line of the file, and a second run goes on where the first stopped.
"""

import argparse
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import equinox as eqx
import jax.random as jr
import numpy as np
import torch
from scipy.stats import binom, rankdata

from attrax import foreign
from attrax.audit import Audit, audit
from attrax.patterns import Patterns
from benchmarks.audit_models import MODELS, SIDE, Plan, pictures, plans, stored, trained

AUDITED, FRESH, HELD_OUT = 20, 20, 99
RATE = 0.01
_WITHOUT_DATA = ("zero", "gaussian:0.1", "gaussian:1", "gaussian:3", "uniform", "walk")


def walks_for(count: int) -> int:
    """How many walks: forty for each picture that may be stored, within limits."""
    return min(max(400, 40 * count), 6000)


def measured(plan: Plan, graphs: dict[Any, Any], starts: int) -> dict[str, Any]:
    """What PyTorch and the audit say of one model."""
    data, others = pictures(plan)
    began = time.process_time()
    net = trained(plan, data)
    after_training = time.process_time()
    train = data[:AUDITED]
    fresh = others[HELD_OUT : HELD_OUT + FRESH]
    shown = np.concatenate([train, fresh])
    # As far from an example as `certify` looks for its attractor.
    near = 0.01 * SIDE * Patterns.from_examples(shown).unit
    truth = [stored(net, picture, near) for picture in train]
    after_truth = time.process_time()
    found = audit(
        _map_of(net, graphs),
        shown,
        others[:HELD_OUT],
        num_starts=starts,
        num_walks=walks_for(plan.count) if plan.memorizes else 64,
        corruptions=("gaussian:0.2",),
        max_steps=150,
        false_rate=RATE,
        key=jr.key(plan.number),
    )
    assert found.examples is not None  # there are training data
    table = found.examples.examples
    reached = _reached(found, train)
    with torch.no_grad():
        error = float(((net(torch.from_numpy(data[:, None]))[:, 0] - torch.from_numpy(data)) ** 2).mean())
    return {
        "number": plan.number,
        "kind": plan.kind,
        "source": plan.source,
        "pictures": plan.count,
        "width": plan.width,
        "steps": plan.steps,
        "error": error,
        "stored": truth,
        "certified": [str(one.verdict) in ("attractor", "displaced") for one in table[: len(train)]],
        "memorized": [bool(one.memorized) for one in table[: len(train)]],
        "p_value": [one.p_value for one in table[: len(train)]],
        "fresh_p_value": [one.p_value for one in table[len(train) :]],
        "reached": [bool(distance <= near) for distance in reached],
        "attractors": found.ends.num_attractors,
        "cpu_seconds": [
            round(after_training - began, 1),
            round(after_truth - after_training, 1),
            round(time.process_time() - after_truth, 1),
        ],
    }


def _map_of(net: torch.nn.Module, graphs: dict[Any, Any]) -> Any:
    """The map of a network. Graphs of one architecture are one object, so that they are compiled once."""
    shapes = tuple((name, tuple(one.shape)) for name, one in net.state_dict().items())
    example = torch.rand(4, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    known = graphs.get(shapes)
    if known is None:
        known = foreign.from_torch(net, example).map
        if isinstance(known, foreign.ProgramMap):
            graphs[shapes] = known
        return known
    weights = {name: one.numpy() for name, one in net.state_dict().items()}
    found = eqx.tree_at(lambda map: map.program.weights, known, weights)
    with torch.no_grad():
        expected = net(example).numpy()
    for state, output in zip(example.numpy(), expected, strict=True):
        assert np.abs(np.asarray(found(state)) - output).max() <= 1e-5 * max(np.abs(expected).max(), 1)
    return found


def _reached(found: Audit, points: np.ndarray) -> np.ndarray:
    """The distance of each point from the nearest certified attractor that a start without data came to."""
    labels = np.unique(found.ends.label[np.isin(found.starts.kind, _WITHOUT_DATA)])
    ends = [found.ends.ends[label] for label in labels.tolist() if label >= 0]
    states = [end.states.reshape(end.period, -1) for end in ends if end.attracts]
    if not states:
        return np.full(len(points), math.inf)
    flat = points.reshape(len(points), -1).astype(np.float64)
    return np.linalg.norm(flat[:, None] - np.concatenate(states), axis=2).min(axis=1)


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The probability that a positive score is above a negative one, ties counted half."""
    if not len(positive) or not len(negative):
        return float("nan")
    ranks = rankdata(np.concatenate([positive, negative]))
    return float(
        (ranks[: len(positive)].sum() - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative))
    )


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The bars, each with what was found."""
    memory, general = [row for row in rows if row["number"] % 2 == 0], [row for row in rows if row["number"] % 2]

    def flat(some: list[dict[str, Any]], name: str) -> np.ndarray:
        return np.array([one for row in some for one in row[name]])

    truth, called = flat(memory, "stored").astype(bool), flat(memory, "memorized").astype(bool)
    certified, reached = flat(memory, "certified").astype(bool), flat(memory, "reached").astype(bool)
    fresh = flat(rows, "fresh_p_value")
    negative = np.concatenate([fresh, flat(general, "p_value")])
    accused = int((fresh <= RATE).sum())
    whole = np.array([any(row["stored"]) for row in memory], bool)
    share = {kind: [float(np.mean(row["memorized"])) for row in some] for kind, some in ((0, memory), (1, general))}
    with_stored = [score for score, has in zip(share[0], whole, strict=True) if has]
    return {
        "models": [len(memory), len(general)],
        "memorizing_models_with_a_stored_picture": int(whole.sum()),
        "auroc_models": auroc(share[0], share[1]),
        "auroc_models_with_a_stored_picture": auroc(with_stored, share[1]),
        "auroc_pictures": auroc(-flat(memory, "p_value")[truth], -negative),
        "stored": f"{truth.sum()} of {len(truth)}",
        "stored_in_generalizing_models": int(flat(general, "stored").sum()),
        "stored_and_called_memorized": f"{(truth & called).sum()} of {truth.sum()}",
        "stored_and_certified": f"{(truth & certified).sum()} of {truth.sum()}",
        "certified_not_stored": int((certified & ~truth).sum()),
        "certified_and_reached_without_data": f"{(certified & reached).sum()} of {certified.sum()}",
        "fresh_called_memorized": f"{accused} of {len(fresh)}",
        "fresh_allowed": f"{int(binom.ppf(0.99, len(fresh), RATE))} (99 % quantile at {RATE:g})",
        "generalizing_called_memorized": f"{int(flat(general, 'memorized').sum())} of {len(general) * AUDITED}",
        "cpu_seconds": [round(sum(row["cpu_seconds"][part] for row in rows)) for part in range(3)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=8)
    parser.add_argument("--starts", type=int, default=24)
    parser.add_argument("--out", type=Path, help="one line of JSON for each model; a run goes on where it ends")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    if options.out is not None and options.out.exists():
        rows = [json.loads(line) for line in options.out.read_text(encoding="utf-8").splitlines()]
    known = {row["number"] for row in rows}
    graphs: dict[Any, Any] = {}
    for plan in plans()[: min(options.models, MODELS)]:
        if plan.number in known:
            continue
        row = measured(plan, graphs, options.starts)
        rows.append(row)
        if options.out is not None:
            with options.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        counts = {name: sum(row[name]) for name in ("stored", "certified", "memorized", "reached")}
        shown = {name: row[name] for name in ("number", "kind", "source", "pictures", "attractors", "cpu_seconds")}
        print(json.dumps(shown | counts | {"error": round(row["error"], 6)}), flush=True)
    print(json.dumps(summary(rows), indent=1))


if __name__ == "__main__":
    main()
