"""A planted test of `attrax.audit`: PyTorch autoencoders that memorized their pictures, and some that generalize.

    python -m benchmarks.bench_audit --models 8

Half of the models are trained on few pictures, with noise on the inputs, the others on thousands for a few epochs. The
audit gets 20 training pictures of each and 99 held-out ones. A picture counts as stored if PyTorch itself says so:
Newton's method in float64 finds a fixed point within 32 times the recovery threshold, where the largest eigenvalue of a
dense Jacobian (`torch.func.jacrev`, `torch.linalg.eigvals`) is below 1. A model is scored by the share of its pictures
that are called memorized, a picture by its p-value.
"""

import argparse
import json
import time
from collections.abc import Sequence
from typing import Any

import jax.random as jr
import numpy as np
import torch
from scipy.stats import rankdata

from attrax import foreign, sources
from attrax.audit import audit, conformal_p_values

SIDE = 16
AUDITED = 20


def autoencoder(kind: str, width: int) -> torch.nn.Module:
    """One of four architectures for SIDE×SIDE pictures."""
    nn = torch.nn
    size = SIDE * SIDE
    if kind == "convolutional":
        return nn.Sequential(
            nn.Conv2d(1, 32, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(32, 48, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(48 * 16, width),
            nn.GELU(),
            nn.Linear(width, 48 * 16),
            nn.GELU(),
            nn.Unflatten(1, (48, 4, 4)),
            nn.ConvTranspose2d(48, 32, 4, stride=2, padding=1),
            nn.GELU(),
            nn.ConvTranspose2d(32, 1, 4, stride=2, padding=1),
        )
    inner = 32 if kind == "bottleneck" else width
    layers: list[torch.nn.Module] = [nn.Flatten(), nn.Linear(size, width)]
    for one, other in ((width, inner), (inner, width)):
        layers += [nn.BatchNorm1d(one)] if kind == "batch norm" else []
        layers += [nn.SiLU(), nn.Linear(one, other)]
    return nn.Sequential(*layers, nn.SiLU(), nn.Linear(width, size), nn.Unflatten(1, (1, SIDE, SIDE)))


def trained(kind: str, data: np.ndarray, steps: int, noise: bool, seed: int) -> torch.nn.Module:
    """A network after so many steps of Adam with batches of 64 at most, with noise on its inputs by choice."""
    torch.manual_seed(seed)
    net = autoencoder(kind, 256)
    pictures = torch.from_numpy(data[:, None])
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        batch = pictures if len(data) <= 64 else pictures[torch.randint(len(data), (64,))]
        noisy = batch + 0.3 * torch.rand(len(batch), 1, 1, 1) * torch.randn_like(batch) if noise else batch
        optimizer.zero_grad()
        ((net(noisy) - batch) ** 2).mean().backward()
        optimizer.step()
        schedule.step()
    return net.eval()


def stored(net: torch.nn.Module, picture: np.ndarray, atol: float) -> bool:
    """Whether PyTorch finds an attractor at a picture."""
    net = net.double()

    def step(x: Any) -> Any:
        return net(x.reshape(1, 1, SIDE, SIDE)).reshape(-1)

    x = start = torch.from_numpy(picture.astype(np.float64)).reshape(-1)
    eye = torch.eye(len(x), dtype=torch.float64)
    for _ in range(12):
        jacobian = torch.func.jacrev(step)(x).detach()
        x = x + torch.linalg.solve(eye - jacobian, (step(x) - x).detach())
    jacobian = torch.func.jacrev(step)(x).detach()
    residual = float(torch.linalg.norm(step(x) - x).detach())
    found = residual < 1e-9 and float(torch.linalg.norm(x - start).detach()) <= 32 * atol
    net.float()
    return found and float(torch.linalg.eigvals(jacobian).abs().max()) < 1


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The probability that a positive score is above a negative one, ties counted half."""
    if not len(positive) or not len(negative):
        return float("nan")
    ranks = rankdata(np.concatenate([positive, negative]))
    return float(
        (ranks[: len(positive)].sum() - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative))
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=8)
    parser.add_argument("--starts", type=int, default=60)
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = sources.load("mnist", n=4400, size=(SIDE, SIDE)).values.astype(np.float32)
    held_out = data[4200:4299]
    models: dict[bool, list[float]] = {True: [], False: []}
    scores: dict[bool, list[float]] = {True: [], False: []}
    called = planted = accused = fresh = certified = extracted = 0
    for number in range(options.models):
        memorizes = number % 2 == 0
        kind = ("fully connected", "convolutional", "batch norm", "bottleneck")[number // 2 % 4]
        count = (10, 20, 40, 60)[number // 2 % 4] if memorizes else 4000
        began = time.monotonic()
        net = trained(kind, data[:count], 3000 if memorizes else 800, memorizes, number)
        between = time.monotonic()
        train = data[: min(count, AUDITED)]
        made = foreign.from_torch(net, torch.from_numpy(train[:2, None]))
        found = audit(
            made.map, train, held_out, num_starts=options.starts, max_steps=3000, recovery_atol=None, key=jr.key(number)
        )
        table = found.examples
        assert table is not None
        truth = [stored(net, picture, table.recovery_atol) for picture in train] if memorizes else [False] * len(train)
        models[memorizes].append(float(np.mean([bool(one.memorized) for one in table.examples])))
        for one, true in zip(table.examples, truth, strict=True):
            if true or not memorizes:
                scores[true].append(-one.p_value)
            called += int(true and bool(one.memorized))
            certified += int(one.verdict in ("attractor", "displaced"))
            extracted += int(one.verdict in ("attractor", "displaced") and one.extracted)
        null = table.held_out_scores
        scores[False] += [
            -float(conformal_p_values(null[row : row + 1], np.delete(null, row))[0]) for row in range(len(null))
        ]
        planted += sum(truth)
        fresh += 0 if memorizes else len(train)
        accused += 0 if memorizes else int(table.num_memorized or 0)
        print(
            json.dumps(
                {
                    "model": kind,
                    "pictures": count,
                    "stored": sum(truth),
                    "certified": sum(str(one.verdict) in ("attractor", "displaced") for one in table.examples),
                    "memorized": table.num_memorized,
                    "extracted": table.num_extracted,
                    "of": len(train),
                    "attractors": found.ends.num_attractors,
                    "train_seconds": round(between - began, 1),
                    "audit_seconds": round(found.seconds, 1),
                }
            ),
            flush=True,
        )
    print(
        json.dumps(
            {
                "auroc_models": auroc(models[True], models[False]),
                "auroc_pictures": auroc(scores[True], scores[False]),
                "stored_found": f"{called}/{planted}",
                "accused_of_generalizing_models": f"{accused}/{fresh}",
                "extracted_of_certified": f"{extracted}/{certified}",
            }
        )
    )


if __name__ == "__main__":
    main()
