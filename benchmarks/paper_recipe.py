"""The paper's own recipe on a few digits: which networks store what they interpolate?

No noise, no polish: full-batch training from PyTorch's default initialization until the mean squared error is 1e-8 or
the epochs run out, then the exact fixed points and their certificates. Run with
`python -m benchmarks.paper_recipe SOURCE`, such as `mnist` with `ATTRAX_DATA` set, or `digits`.
"""

import argparse

import jax.random as jr
import numpy as np

import attrax as ax

ACTIVATIONS = ("selu", "leaky_relu", "cosid", "sinusoid")
OPTIMIZERS = ("adam", "rmsprop")


def main() -> None:
    """Prints one row a run, as a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source")
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--depth", type=int, default=10)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=30_000)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    values = ax.sources.load(options.source, n=options.n).values
    print(f"{options.n} x {options.source}, {options.depth}x{options.width}, at most {options.epochs} epochs\n")
    print(
        "| activation | optimizer | seed | loss | epochs | seconds | attractors | not | inconclusive "
        "| radius < 1 | median radius | largest | status |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    for activation in ACTIVATIONS:
        for optimizer in OPTIMIZERS:
            for seed in range(options.seeds):
                network = ax.maps.mlp(
                    values.shape[1:],
                    width=options.width,
                    depth=options.depth,
                    activation=activation,
                    key=jr.key(seed),
                )
                writer = ax.Gradient(optimizer=optimizer, epochs=options.epochs)
                memory = ax.store(values, network, writer=writer, key=jr.fold_in(jr.key(seed), 1))
                found, how = memory.certificate, memory.written
                assert found is not None
                below = (found.spectral_radius < 1).sum()
                print(
                    f"| {activation} | {optimizer} | {seed} | {how['loss']:.1e} | {how['epochs']} "
                    f"| {how['seconds']:.0f} | {found.num_attractors} | {found.num_not_attractors} "
                    f"| {found.num_inconclusive} | {below} | {np.median(found.spectral_radius):.3f} "
                    f"| {found.spectral_radius.max():.3f} | {memory.status} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
