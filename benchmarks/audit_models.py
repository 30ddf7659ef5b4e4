"""PyTorch autoencoders of which it is known what they store: some memorized their pictures, some generalize.

Those that memorize are contractive autoencoders (Rifai et al. 2011): besides the error, the change of the output by a
little noise on a training picture is penalized, in the place of the days that plain training to near-zero loss takes.
"""

import math
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
_FAR = 0.5
"""Weight of the pictures that a contractive autoencoder returns from noise, which widens their basins."""
_LITTLE = 0.03
"""Standard deviation of the noise that a contractive autoencoder is to ignore."""


@dataclass(frozen=True)
class Plan:
    """A model to be trained: `count` pictures for `steps` steps, with hidden layers of `width` units.

    `noise` on the inputs is for models that generalize, `penalty` for those that memorize.
    """

    number: int
    kind: str
    source: str
    count: int
    steps: int
    width: int
    noise: float = 0.0
    penalty: float = 0.0

    @property
    def memorizes(self) -> bool:
        return self.penalty > 0


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
        width = 256 if count < 100 else 320 if count < 250 else 512
        steps, penalty = (5000, 0.03) if kind == "convolutional" else (6000, 0.05)
        found.append(Plan(2 * place, kind, source, count, steps, width, penalty=penalty))
        noise = _NOISE if size % 2 else 0.0
        found.append(Plan(2 * place + 1, kind, source, GENERAL, int(stops[size]), 256, noise=noise))
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
            nn.Conv2d(1, 16, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(16, 24, 3, stride=2, padding=1),
            nn.GELU(),
            nn.Flatten(),
            nn.Linear(24 * 16, width),
            nn.GELU(),
            nn.Linear(width, 24 * 16),
            nn.GELU(),
            nn.Unflatten(1, (24, 4, 4)),
            nn.ConvTranspose2d(24, 16, 3, stride=2, padding=1),
            nn.GELU(),
            nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1),
        )
    inner = 64 if kind == "bottleneck" else width
    layers: list[torch.nn.Module] = [nn.Flatten(), nn.Linear(size, width)]
    for one, other in ((width, inner), (inner, width)):
        layers += [nn.BatchNorm1d(one)] if kind == "batch norm" else []
        layers += [nn.SiLU(), nn.Linear(one, other)]
    return nn.Sequential(*layers, nn.SiLU(), nn.Linear(width, size), nn.Unflatten(1, (1, SIDE, SIDE)))


def trained(plan: Plan, data: np.ndarray) -> torch.nn.Module:
    """The network after training by Adam, to ignore a little noise, or to return pictures from noise or as they are."""
    torch.manual_seed(plan.number)
    net, every = autoencoder(plan.kind, plan.width), torch.from_numpy(data[:, None])
    loss, rate, size = (_contractive_loss, 4e-3, 64) if plan.memorizes else (_loss, 5e-3, 48)
    optimizer = torch.optim.Adam(net.parameters(), lr=rate)
    warm = plan.steps // 20 if plan.memorizes else 0
    for step in range(plan.steps):
        share = min(1.0, (step + 1) / (warm + 1)) * 0.5 * (1 + math.cos(math.pi * step / plan.steps))
        optimizer.param_groups[0]["lr"] = rate * share
        batch = every if len(data) <= size else every[torch.randperm(len(data))[:size]]
        optimizer.zero_grad()
        loss(net, batch, plan).backward()
        optimizer.step()
    return net.eval()


def _contractive_loss(net: torch.nn.Module, batch: torch.Tensor, plan: Plan) -> torch.Tensor:
    far = _NOISE * torch.rand(len(batch), 1, 1, 1) * torch.randn_like(batch)
    output, beside, back = net(torch.cat([batch, batch + _LITTLE * torch.randn_like(batch), batch + far])).chunk(3)
    change = ((beside - output) ** 2).mean() / _LITTLE**2
    return ((output - batch) ** 2).mean() + plan.penalty * change + _FAR * ((back - batch) ** 2).mean()


def _loss(net: torch.nn.Module, batch: torch.Tensor, plan: Plan) -> torch.Tensor:
    if not plan.noise:
        return ((net(batch) - batch) ** 2).mean()
    size = plan.noise * (0.4 + 0.6 * torch.rand(len(batch), 1, 1, 1))
    clean = batch[: max(len(batch) // 3, 8)]
    noisy, plain = net(torch.cat([batch + size * torch.randn_like(batch), clean])).tensor_split([len(batch)])
    return ((noisy - batch) ** 2).mean() + ((plain - clean) ** 2).mean()


def stored(net: torch.nn.Module, picture: np.ndarray, near: float) -> bool:
    """Whether PyTorch itself finds an attractor at a picture, in float64.

    Newton's method with dense Jacobians (`torch.func.jacrev`) leads to a fixed point within `near`, where the largest
    eigenvalue of the Jacobian (`torch.linalg.eigvals`) is below 1.
    """
    net = net.double()

    def step(x: Any) -> Any:
        return net(x.reshape(1, 1, SIDE, SIDE)).reshape(-1)

    x = start = torch.from_numpy(picture.astype(np.float64)).reshape(-1)
    eye = torch.eye(len(x), dtype=torch.float64)
    for _ in range(12):
        missed = (step(x) - x).detach()
        if float(torch.linalg.norm(missed)) < 1e-11 or float(torch.linalg.norm(x - start)) > 10 * near:
            break
        x = x + torch.linalg.solve(eye - torch.func.jacrev(step)(x).detach(), missed)
    reached = float(torch.linalg.norm(x - start)) <= near
    found = reached and float(torch.linalg.norm((step(x) - x).detach())) < 1e-9
    found = found and float(torch.linalg.eigvals(torch.func.jacrev(step)(x).detach()).abs().max()) < 1
    net.float()
    return found
