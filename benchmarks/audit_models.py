"""PyTorch autoencoders of which it is known what they store: some memorized their pictures, some generalize."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch

from attrax import sources

SIDE = 14
MODELS = 100
KINDS = ("fully connected", "convolutional", "batch norm", "bottleneck")
SOURCES = ("mnist", "faces", "cifar10")
GENERAL = 3500
"""Pictures that a generalizing model is trained on. 500 are left for the audit, which is as many as CIFAR-10 has."""
_CROP, _SHIFTS = 20, 6
_NOISE = 0.4


@dataclass(frozen=True)
class Plan:
    """A model to be trained: `count` pictures for `steps` steps, with `noise` on the inputs."""

    number: int
    kind: str
    source: str
    count: int
    steps: int
    noise: float

    @property
    def memorizes(self) -> bool:
        return self.count < GENERAL


def plans() -> list[Plan]:
    """100 models: even numbers memorize 10 to 600 pictures, odd ones are trained on 3,500.

    These are stopped after 30 to 600 steps, so the first of them are under-trained; every other one sees noise.
    """
    counts = np.geomspace(10, 600, MODELS // 2).round().astype(int)
    stops = np.geomspace(30, 600, MODELS // 2).round().astype(int)
    # Sizes in a mixed order, so that the first models are a sample of all.
    order = np.random.default_rng(0).permutation(MODELS // 2)
    found: list[Plan] = []
    for place, size in enumerate(order.tolist()):
        kind, source = KINDS[place % len(KINDS)], SOURCES[place % len(SOURCES)]
        count = int(counts[size])
        found.append(Plan(2 * place, kind, source, count, min(1600 + 8 * count, 4000), _NOISE))
        found.append(Plan(2 * place + 1, kind, source, GENERAL, int(stops[size]), _NOISE if size % 2 else 0.0))
    return found


def pictures(plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """The training pictures of a model, and 500 others of the same kind, drawn from all by its number."""
    every = _pictures(plan.source, plan.memorizes)
    order = np.random.default_rng([1, plan.number]).permutation(len(every))
    return every[order[: plan.count]], every[order[plan.count : plan.count + 500]]


@cache
def _pictures(source: str, distinct: bool) -> np.ndarray:
    if source == "faces":
        # 100 faces in several positions, and mirrored. A random split of these is as exchangeable as any other. Models
        # that memorize get positions far apart, 800 pictures; for 3,500 all positions are needed.
        faces = torch.from_numpy(sources.load("faces").values.astype(np.float32))[:, None]
        places = (0, _SHIFTS - 1) if distinct else range(_SHIFTS)
        cuts = [faces[:, :, top : top + _CROP, left : left + _CROP] for top in places for left in places]
        both = torch.cat([side for one in cuts for side in (one, one.flip(-1))])
        sized = torch.nn.functional.interpolate(both, size=(SIDE, SIDE), mode="bilinear", antialias=True)
        return sized[:, 0].numpy()
    found = sources.load(source, n=4000, size=(SIDE, SIDE), gray=source != "mnist").values
    return found.astype(np.float32)


def autoencoder(kind: str, width: int) -> torch.nn.Module:
    """One of four architectures for SIDE×SIDE pictures."""
    nn = torch.nn
    size = SIDE * SIDE
    if kind == "convolutional":
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(256, width),
            nn.GELU(),
            nn.Linear(width, 256),
            nn.GELU(),
            nn.Unflatten(1, (16, 4, 4)),
            nn.ConvTranspose2d(16, 8, 3, stride=2, padding=1),
            nn.GELU(),
            nn.ConvTranspose2d(8, 1, 4, stride=2, padding=1),
        )
    inner = 64 if kind == "bottleneck" else width
    layers: list[torch.nn.Module] = [nn.Flatten(), nn.Linear(size, width)]
    for one, other in ((width, inner), (inner, width)):
        layers += [nn.BatchNorm1d(one)] if kind == "batch norm" else []
        layers += [nn.SiLU(), nn.Linear(one, other)]
    return nn.Sequential(*layers, nn.SiLU(), nn.Linear(width, size), nn.Unflatten(1, (1, SIDE, SIDE)))


def trained(plan: Plan, data: np.ndarray) -> torch.nn.Module:
    """The network after training: Adam on batches of 48 at most, to return pictures from noise, and as they are."""
    torch.manual_seed(plan.number)
    net = autoencoder(plan.kind, 208)
    every = torch.from_numpy(data[:, None])
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, plan.steps)
    for _ in range(plan.steps):
        batch = every if len(data) <= 48 else every[torch.randint(len(data), (48,))]
        given, rows = batch, len(batch)
        if plan.noise:
            size = plan.noise * (0.4 + 0.6 * torch.rand(rows, 1, 1, 1))
            clean = batch[: max(rows // 3, 8)]
            given, batch = torch.cat([batch + size * torch.randn_like(batch), clean]), torch.cat([batch, clean])
        error = ((net(given) - batch) ** 2).flatten(1).mean(1)
        loss = error[:rows].mean() + (error[rows:].mean() if plan.noise else 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval()


def stored(net: torch.nn.Module, picture: np.ndarray, atol: float) -> bool:
    """Whether PyTorch itself finds an attractor at a picture, in float64.

    Newton's method with dense Jacobians (`torch.func.jacrev`) leads to a fixed point within `atol`, where the largest
    eigenvalue of the Jacobian (`torch.linalg.eigvals`) is below 1.
    """
    net = net.double()

    def step(x: Any) -> Any:
        return net(x.reshape(1, 1, SIDE, SIDE)).reshape(-1)

    x = start = torch.from_numpy(picture.astype(np.float64)).reshape(-1)
    eye = torch.eye(len(x), dtype=torch.float64)
    for _ in range(12):
        missed = (step(x) - x).detach()
        if float(torch.linalg.norm(missed)) < 1e-11 or float(torch.linalg.norm(x - start)) > 10 * atol:
            break
        x = x + torch.linalg.solve(eye - torch.func.jacrev(step)(x).detach(), missed)
    near = float(torch.linalg.norm(x - start)) <= atol
    found = near and float(torch.linalg.norm((step(x) - x).detach())) < 1e-9
    found = found and float(torch.linalg.eigvals(torch.func.jacrev(step)(x).detach()).abs().max()) < 1
    net.float()
    return found
