"""The paper's convolutional autoencoder: how far does Adam at 1e-4 come, and what has it stored by then?

`python -m benchmarks.paper_unet paper --minutes 100 -o DIR` trains the paper's network on 10 pictures of 64×64×3;
`variants` the three smaller ones at 32×32, one after the other. `DIR` keeps the state of training: the same command
goes on from there, and the minutes are those of this call. `ATTRAX_DATA` names the folder with ImageNet-64; where it is
not set, crops of scikit-image's photographs stand in. The tables are Markdown.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import jax.random as jr
import numpy as np
import optax

import attrax as ax
from attrax.analysis import recovery
from attrax.certificates import spectrum
from attrax.maps import conv_autoencoder
from attrax.paper.experiments import study_data
from attrax.training import fit
from attrax.writing import settle
from benchmarks.measure import Table, machine

COUNT, TOL, SEED = 10, 1e-8, 0
NETWORKS: dict[str, dict[str, tuple[int, dict[str, Any]]]] = {
    "paper": {"strided, 64 channels (the paper's)": (64, {})},
    "variants": {
        "strided, 16 channels": (32, {"channels": 16}),
        "strided, 16 channels, skips": (32, {"channels": 16, "skips": True}),
        "unstrided, 16 channels": (32, {"channels": 16, "strided": False}),
    },
}
COLUMNS = (
    "network",
    "pictures",
    "parameters",
    "epochs",
    "minutes",
    "loss",
    "attractor / not / inconclusive",
    "radius below 1",
    "largest radius",
    "probable bound",
    "recovered at σ = .05",
)
_EXACT = 1e-9
"""Mean square of f(x) − x up to which a point counts as found, so that a bound on its spectrum is worth an hour."""


def main() -> None:
    """Trains, certifies and recalls, a row a network."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", choices=list(NETWORKS))
    parser.add_argument("--minutes", type=float, default=100.0, help="of training, a network")
    parser.add_argument("--rate", type=float, default=1e-4, help="of Adam")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    print(machine(), flush=True)
    print()
    table = Table(*COLUMNS)
    for number, (name, (side, settings)) in enumerate(NETWORKS[options.which].items()):
        data = study_data("imagenet64", COUNT, side=side, gray=False)
        checkpoint = options.output / f"{options.which}-{number}.checkpoint"
        network = conv_autoencoder(data.values.shape[1:], activation="cosid", key=jr.key(SEED), **settings)
        begun = time.perf_counter()
        fitted = fit(
            network,
            data.values,
            data.values,
            optimizer=optax.adam(options.rate),
            tol=TOL,
            seconds=60 * options.minutes,
            checkpoint=checkpoint,
            resume=True,
            key=jr.key(SEED + 1),
        )
        minutes = (time.perf_counter() - begun) / 60
        memory = settle(ax.Memory(fitted.map, ax.Patterns.from_examples(data.values)))
        found = memory.certificate
        assert found is not None  # `settle` certifies
        print(
            f"{name}: certified; loss {fitted.loss:.2e}, radii {np.round(found.spectral_radius, 3).tolist()}",
            file=sys.stderr,
            flush=True,
        )
        fixed = (found.residual**2 / data.values[0].size <= _EXACT).all()
        bound = spectrum(memory, top=1, key=jr.key(SEED)).upper_bound.max() if fixed else np.nan
        answer = recovery(memory, "gaussian:0.05", max_steps=300, key=jr.key(SEED + 2))
        table.row(
            name,
            f"{COUNT} of {side}×{side}×3, {data.source}",
            f"{network.parameters:,}",
            f"{fitted.epochs:,}",
            f"{minutes:.0f}",
            f"{fitted.loss:.2e}",
            f"{found.num_attractors} / {found.num_not_attractors} / {found.num_inconclusive}",
            f"{int((found.spectral_radius < 1).sum())}",
            f"{np.nanmax(found.spectral_radius):.3f}",
            "–" if np.isnan(bound) else f"{bound:.3f}",
            f"{int(answer.recall.recovered.sum())}/{COUNT}",
        )


if __name__ == "__main__":
    main()
