"""An open question of the paper: does storing need backpropagation, or will a rule do that a synapse could follow?"""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
from jaxtyping import Array, Float

from attrax._activations import activation as named_activation
from attrax._memory import Memory
from attrax._patterns import Patterns
from attrax._status import StoreStatus
from attrax.experiments._common import data_note, data_source
from attrax.experiments._experiment import Drawing, Experiment, Records, Summary, judged, repeated, trained
from attrax.experiments._figures import BLUE, VERMILION, plain_axes
from attrax.experiments._material import limited, pictures, stored_numbers
from attrax.maps import MLP, mlp
from attrax.sweeps import Cell, CellFound, Work
from attrax.training import fit
from attrax.writing import settle

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"n": 3, "side": 8, "width": 128, "depth": 2, "epochs": 6000, "rate": 1e-3},
    "quick": {"n": 10, "side": 14, "width": 256, "depth": 3, "epochs": 10_000, "rate": 3e-4},
    "tables": {"n": 20, "side": 28, "width": 512, "depth": 5, "epochs": 100_000, "rate": 1e-4},
    "full": {"n": 100, "side": 28, "width": 1024, "depth": 10, "epochs": 1_000_000, "rate": 1e-4},
}
RULES = ("backpropagation", "feedback alignment")


class FeedbackMLP(eqx.Module):
    """A fully connected network whose errors come back through fixed random weights.

    After Lillicrap et al., "Random synaptic feedback weights support error backpropagation for deep learning" (2016):
    a layer's error is B g with a random B in place of the transposed forward weights. No synapse has to know another
    one's weight.

    **Fields:** `network`, the map itself; `feedback`, B of each layer, which no gradient reaches.
    """

    network: MLP
    feedback: tuple[Float[Array, "in out"], ...]

    def __call__(self, x: Float[Array, "*state"]) -> Float[Array, "*state"]:
        """The network's output; its derivative is that of the rule."""
        phi = named_activation(self.network.activation)
        shape, x = x.shape, jnp.ravel(x)
        layers = list(zip(self.network.weights, self.network.biases, self.feedback, strict=True))
        for number, (weight, bias, back) in enumerate(layers):
            x = _layer(weight, bias, back, x)
            x = phi(x) if number + 1 < len(layers) else x
        return x.reshape(shape)


@jax.custom_vjp
def _layer(weight: Any, bias: Any, back: Any, x: Any) -> Any:
    return weight @ x + bias


def _forward(weight: Any, bias: Any, back: Any, x: Any) -> Any:
    return weight @ x + bias, (back, x)


def _backward(kept: Any, error: Any) -> Any:
    back, x = kept
    return jnp.outer(error, x), error, jnp.zeros_like(back), back @ error


_layer.defvjp(_forward, _backward)


def run(settings: Mapping[str, Any], work: Work) -> CellFound:
    """Trains one network by both rules from the same start, and certifies both."""
    examples = pictures(settings)
    key = jr.key(settings["seed"])
    start = mlp(
        examples.shape[1:], width=settings["width"], depth=settings["depth"], activation=settings["activation"],
        dtype="float64", key=key,
    )  # fmt: skip
    draw = np.random.default_rng(settings["seed"])
    feedback = tuple(
        draw.uniform(-1, 1, np.shape(weight)[::-1]) / np.sqrt(np.shape(weight)[1]) for weight in start.weights
    )
    numbers: dict[str, Any] = {}
    complete = False
    for rule in RULES:
        map = start if rule == "backpropagation" else FeedbackMLP(start, feedback)
        fitted = fit(
            map, examples, examples, optimizer=optax.adam(settings["rate"]), epochs=settings["epochs"], tol=1e-8,
            progress=work.progress, key=key,
        )  # fmt: skip
        network = fitted.map.network if isinstance(fitted.map, FeedbackMLP) else fitted.map
        memory = settle(Memory(network, Patterns.from_examples(examples)), progress=work.progress)
        numbers[rule] = stored_numbers(memory) | {
            "loss": fitted.loss, "epochs": fitted.epochs, "stopped": str(fitted.status),
            "radii": [float(radius) for radius in _finite(memory)],
        }  # fmt: skip
        complete |= rule != "backpropagation" and fitted.status is StoreStatus.STORED
    return CellFound(numbers, {}, trained=complete)


def _finite(memory: Memory) -> np.ndarray:
    assert memory.certificate is not None  # `settle` sets it
    radii = memory.certificate.spectral_radius
    return radii[np.isfinite(radii)]


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """Two networks a seed."""
    settings = limited({**_SIZES[scale], "source": data_source("mnist"), "gray": True, "activation": "sinusoid"})
    return repeated("local", run, settings, scale=scale, mode=mode, seed=seed)


def summarize(records: Records) -> Summary:
    """Attractors of networks that feedback alignment trained."""

    def share(record: Any) -> float:
        found = record.numbers[RULES[1]]
        return found["attractors"] / found["cycles"]

    done = trained(records)
    by_gradient = [record.numbers[RULES[0]]["attractors"] for record in done]
    text = f"By backpropagation from the same starts: {', '.join(map(str, by_gradient))} attractors." if done else ""
    return judged(records, share, lambda record: share(record) == 1, lambda record: share(record) > 0, text)


def draw(records: Records) -> Sequence[Drawing]:
    """Spectral radii at the examples by both rules, for all seeds."""
    done = [record for record in records if RULES[1] in record.numbers]
    if not done:
        return ()
    figure, grid = plain_axes(4.6, 3.0)
    axes = grid[0, 0]
    for rule, color in zip(RULES, (BLUE, VERMILION), strict=True):
        radii = np.sort(np.concatenate([record.numbers[rule]["radii"] for record in done]))
        axes.plot(radii, np.arange(1, len(radii) + 1), "o-", color=color, markersize=3, label=rule)
    axes.axvline(1, color="black", linewidth=1, linestyle="--")
    axes.set(xlabel="spectral radius", ylabel="examples up to it", xlim=(0, None))
    axes.legend(fontsize=8, frameon=False)
    settings = done[0].cell.settings
    losses = ", ".join(f"{record.numbers[RULES[1]]['loss']:.1e}" for record in done)
    caption = (
        f"{settings['n']} pictures, {settings['depth']}×{settings['width']}, {settings['activation']}, the same "
        f"starts; losses by feedback alignment {losses}. {data_note('mnist', settings['source'])}"
    )
    return (Drawing(figure, caption),)


EXPERIMENT = Experiment(
    id="local",
    title="Open question: a local learning rule",
    statement="A rule without weight transport (feedback alignment) makes attractors of examples as backpropagation "
    "does.",
    paper=None,
    unit="attractors, fraction of the examples",
    cells=cells,
    summarize=summarize,
    draw=draw,
    modes=("paper",),
    notes="The paper asks whether biologically plausible rules store as well; the rule is chosen here.",
)
