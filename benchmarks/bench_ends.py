"""Ends and spectra of networks from PyTorch, beside PyTorch itself and beside fixed-point-finder's protocol.

    python -m benchmarks.bench_ends

**Spectra.** The largest eigenvalue at a fixed point of 2,000 entries: `spectrum`, which gives a bound on the others
as well, `certify`, which shows that the fixed point exists, and the dense route, `torch.func.jacrev` and
`torch.linalg.eigvals`; all in float64 and warm. One network is an autoencoder with a bottleneck; the other is a
recurrent cell as wide as its state, where no smaller matrix has the same eigenvalues.

**Flip-flop.** A GRU learns to hold three bits. Its fixed points without input are looked for as fixed-point-finder does
(Golub and Sussillo 2018, the example that comes with it): Adam in float32 on q = ‖f(h) − h‖²/2 of 1,024 noisy states of
trials, all at once, at a rate of 1 that falls by 5 % where q does not; 10,000 steps at most, or until q < 1e-12; far
points are left out, and points that differ by less than 1e-3 in all entries are one. The steps are written from its
description and defaults; nothing of its code is used. Its example says that GRUs do not work as expected there, so a
rate of 0.01 is tried as well. attrax gets the same 1,024 states.
"""

import argparse
import time
from functools import partial
from typing import Any

import jax.random as jr
import numpy as np
import torch

from attrax import Memory, Patterns, certify, foreign
from attrax.audit import find_ends
from attrax.certificates import spectrum
from attrax.dynamics import refine

TOLERANCES = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
_HIDDEN, _BITS, _TIME = 24, 3, 48
_STARTS, _NOISE = 1024, 0.5
_POLISHED = 100


class Step(torch.nn.Module):
    """One step of a recurrent cell without input."""

    def __init__(self, cell: torch.nn.Module, inputs: int) -> None:
        super().__init__()
        self.cell, self.inputs = cell, inputs

    def forward(self, state: torch.Tensor) -> torch.Tensor:
        return self.cell(state.new_zeros(state.shape[0], self.inputs), state)


def spectra(size: int) -> None:
    """Prints a table of radii and seconds."""
    nn = torch.nn
    torch.manual_seed(0)
    wide = nn.Sequential(
        nn.Linear(size, 512),
        nn.SiLU(),
        nn.Linear(512, 128),
        nn.SiLU(),
        nn.Linear(128, 512),
        nn.SiLU(),
        nn.Linear(512, size),
    )
    with torch.no_grad():
        for layer in wide[::2]:
            layer.weight *= 2.2  # so that the radius is not far below 1
    print(
        f"| network of {size:,} entries | `spectrum`, s | `certify`, s | PyTorch, s | ratios | radius | difference | |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, net in (
        ("autoencoder, 512-128-512", wide),
        ("GRU cell as wide as its state", Step(nn.GRUCell(1, size), 1)),
    ):
        made = foreign.from_torch(net.eval(), torch.randn(2, size))
        exact = net.double()
        point = torch.zeros(1, size, dtype=torch.float64)
        with torch.no_grad():
            for _ in range(200):
                point = exact(point)
        memory = Memory(made.map, Patterns.from_examples(point.numpy()))
        ask = partial(spectrum, memory, top=1, key=jr.key(0))
        ask(), certify(memory)  # compile
        alone, leading = _timed(ask)
        ours, found = _timed(partial(certify, memory))

        def dense(exact: Any = exact, point: torch.Tensor = point) -> float:
            jacobian = torch.func.jacrev(lambda x: exact(x[None])[0])(point[0])
            return float(torch.linalg.eigvals(jacobian.detach()).abs().max())

        dense()
        theirs, radius = _timed(dense)
        radii = float(found.spectral_radius[0]), float(abs(leading.eigenvalues[0, 0]))
        print(
            f"| {name} | {alone:.2f} | {ours:.2f} | {theirs:.2f} | {theirs / alone:.1f}, {theirs / ours:.1f} | "
            f"{radius:.6f} | {max(abs(one - radius) for one in radii):.1e} | {found.evidence[0]}, {found.verdict[0]} |",
            flush=True,
        )


def flip_flop(steps: int) -> None:
    """Prints what both find in a GRU that holds three bits."""
    # More threads only wait for each other in networks this small.
    torch.set_num_threads(1)
    rnn, hidden, error = _trained(steps)
    draw = np.random.default_rng(0)
    rows = hidden.reshape(-1, _HIDDEN)[draw.integers(hidden.shape[0] * hidden.shape[1], size=_STARTS)]
    starts = rows + _NOISE * draw.standard_normal(rows.shape)
    cell = torch.nn.GRUCell(_BITS, _HIDDEN)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in rnn.state_dict().items()})
    step = Step(cell, _BITS).eval()
    exact = Step(torch.nn.GRUCell(_BITS, _HIDDEN), _BITS).double()
    exact.load_state_dict({name: value.double() for name, value in step.state_dict().items()})

    def residual(points: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            given = torch.from_numpy(points)
            return torch.linalg.norm(exact(given) - given, dim=1).numpy()

    print(
        f"\nGRU of {_HIDDEN} units, {_BITS} bits, mean squared error {error:.1e} on fresh trials; {_STARTS} starts",
        flush=True,
    )
    made = foreign.from_torch(step, torch.from_numpy(starts[:2].astype(np.float32)))
    for rate in (1.0, 0.01):
        theirs, (points, q) = _timed(partial(_optimized, step, starts.astype(np.float32), rate))
        unique = _unique(points, starts)
        missed = residual(unique.astype(np.float64))
        print(
            f"fixed-point-finder's protocol, rate {rate:g}: {theirs:.1f} s, {len(unique)} points; "
            f"{int((missed <= 1e-10).sum())} of them fixed to 1e-10 (residuals {missed.min():.1e} to "
            f"{missed.max():.1e}); q of all starts {q.min():.1e} to {q.max():.1e}",
            flush=True,
        )
        counts = [f"{len(_unique(points, starts, unlike))} at {unlike:g}" for unlike in (1e-1, 1e-2, 1e-4, 1e-5)]
        print(f"  different points, by the difference up to which two are one: {', '.join(counts)}", flush=True)
        few = unique[:: -(-len(unique) // _POLISHED)]
        polished = [refine(made.map, point[None].astype(np.float64), max_move=1.0) for point in few]
        found = [one.points for one in polished if one.converged]
        distinct = _unique(np.concatenate(found), starts, 1e-6) if found else np.zeros((0, _HIDDEN))
        print(
            f"  Newton's method in 64 bits from {len(few)} of them: {len(found)} converge, to {len(distinct)} fixed "
            "points",
            flush=True,
        )
    first = True
    for tolerance in TOLERANCES:
        ours, found = _timed(lambda tolerance=tolerance: find_ends(made.map, starts, tolerance=tolerance))
        states = np.concatenate([end.states for end in found.ends])
        worst = residual(states).max()
        kinds = ", ".join(sorted({f"{end.kind} of period {end.period}, {end.verdict}" for end in found.ends}))
        print(
            f"attrax, tolerance {tolerance:g}: {ours:.1f} s{' with compilation' if first else ''}, {len(found.ends)} "
            f"ends, {found.num_attractors} certified attractors ({kinds}); largest residual {worst:.1e}; "
            f"{found.elsewhere} starts elsewhere; {theirs / ours:.1f} times as fast as the last protocol",
            flush=True,
        )
        first = False


def _trials(count: int, draw: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Pulses of ±1 for each bit, and the sign of the last pulse of each."""
    pulse = torch.rand(count, _TIME, _BITS, generator=draw) < 0.3
    pulse[:, 0] = True
    sign = torch.where(torch.rand(count, _TIME, _BITS, generator=draw) < 0.5, -1.0, 1.0)
    last = torch.where(pulse, torch.arange(_TIME)[None, :, None], 0).cummax(dim=1).values
    return pulse * sign, sign.gather(1, last)


def _trained(steps: int) -> tuple[torch.nn.GRU, np.ndarray, float]:
    torch.manual_seed(0)
    draw = torch.Generator().manual_seed(0)
    rnn, readout = torch.nn.GRU(_BITS, _HIDDEN, batch_first=True), torch.nn.Linear(_HIDDEN, _BITS)
    parameters = [*rnn.parameters(), *readout.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        given, wanted = _trials(64, draw)
        optimizer.zero_grad()
        ((readout(rnn(given)[0]) - wanted) ** 2).mean().backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
    given, wanted = _trials(128, draw)
    with torch.no_grad():
        hidden = rnn(given)[0]
        return rnn, hidden.numpy(), float(((readout(hidden) - wanted) ** 2).mean())


def _optimized(step: torch.nn.Module, starts: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """The states that Adam leads to, and q of each."""
    for parameter in step.parameters():
        parameter.requires_grad_(False)
    state = torch.from_numpy(starts.copy()).requires_grad_()
    optimizer = torch.optim.Adam([state], lr=rate)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.95, patience=2, cooldown=0)
    before, q = torch.full((len(starts),), float("nan")), torch.zeros(len(starts))
    for _ in range(10_000):
        q = 0.5 * ((step(state) - state) ** 2).sum(dim=1)
        optimizer.zero_grad()
        q.mean().backward()
        optimizer.step()
        schedule.step(q.mean().detach())
        now = optimizer.param_groups[0]["lr"]
        if bool((((q - before).abs() < 1e-20 * now) | (q < 1e-12)).all()):
            break
        before = q.detach()
    return state.detach().numpy(), q.detach().numpy()


def _unique(points: np.ndarray, starts: np.ndarray, unlike: float = 1e-3) -> np.ndarray:
    """Points no farther from the middle of the starts than ten times these are on average, equal ones only once."""
    middle = starts.mean(axis=0)
    typical = np.linalg.norm(starts - middle, axis=1).mean()
    points = points[np.linalg.norm(points - middle, axis=1) < 10 * typical]
    kept: list[np.ndarray] = []
    for point in points:
        if not kept or (np.abs(np.stack(kept) - point).max(axis=1) >= unlike).all():
            kept.append(point)
    return np.stack(kept)


def _timed(work: Any) -> tuple[float, Any]:
    begun = time.perf_counter()
    found = work()
    return time.perf_counter() - begun, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("spectra", "flip-flop"))
    parser.add_argument("--entries", type=int, default=2000)
    parser.add_argument("--steps", type=int, default=800, help="of training the GRU")
    options = parser.parse_args()
    if options.only != "flip-flop":
        spectra(options.entries)
    if options.only != "spectra":
        flip_flop(options.steps)


if __name__ == "__main__":
    main()
