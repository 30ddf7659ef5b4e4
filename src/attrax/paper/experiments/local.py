"""An open question of the paper: does storing need backpropagation, or does a biologically plausible rule suffice?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float

from attrax import StoreStatus
from attrax.activations import activation
from attrax.maps import MLP
from attrax.memory import Memory
from attrax.paper._experiment import Drawing, Experiment, Records, Summary, extent, judged, labeled, repeated, told
from attrax.paper._figures import BLUE, VERMILION, plain_axes
from attrax.paper._networks import fitted, network_settings, reached, recipe, stored_numbers
from attrax.paper._pictures import data_note, data_source, limited, pictures
from attrax.paper.pages import PageTable
from attrax.paper.sweeps import Cell, CellFound, CellRecord, Work

_SIZES: dict[str, dict[str, Any]] = {
    "smoke": {"n": 3, "side": 8, "width": 128, "depth": 2, "epochs": 6000, "rate": 1e-3, "edge": {"epochs": 1500}},
    "quick": {"n": 10, "side": 14, "width": 256, "depth": 3, "epochs": 10_000, "rate": 3e-4},
    "tables": {"n": 20, "side": 28, "width": 512, "depth": 5, "epochs": 100_000, "rate": 1e-4},
    "full": {"n": 100, "side": 28, "width": 1024, "depth": 10, "epochs": 1_000_000, "rate": 1e-4},
}
RULES = ("backpropagation", "feedback alignment")


class FeedbackMLP(eqx.Module):
    """A fully connected network whose errors are propagated back through fixed random weights.

    After Lillicrap et al., "Random synaptic feedback weights support error backpropagation for deep learning" (2016): a
    layer's error is B g with a random B in place of the transposed forward weights. So no synapse has to know the
    weight of another one.

    **Fields:** `network`, the map itself; `feedback`, B of each layer, which is not trained.
    """

    network: MLP
    feedback: tuple[Float[Array, "in out"], ...]

    def __call__(self, x: Float[Array, "*state"]) -> Float[Array, "*state"]:
        """The output of the network; its derivative follows the rule."""
        phi = activation(self.network.activation)
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
    start = recipe(settings)(examples.shape[1:], key=key)
    draw = np.random.default_rng(settings["seed"])
    feedback = tuple(
        (draw.uniform(-1, 1, np.shape(weight)[::-1]) / np.sqrt(np.shape(weight)[1])).astype(weight.dtype)
        for weight in start.weights
    )
    numbers: dict[str, Any] = {}
    complete = False
    for rule in RULES:
        wrapped = rule != "backpropagation"
        memory = fitted(
            FeedbackMLP(start, feedback) if wrapped else start,
            examples,
            settings,
            replace(work, checkpoint=None),
            key,
            trained=(lambda found: found.network) if wrapped else (lambda found: found),
        )
        numbers[rule] = stored_numbers(memory) | {"radii": [float(radius) for radius in _finite(memory)]}
        complete = reached(memory)  # of the last rule, which is the one being tested
    return CellFound(numbers, {}, trained=complete)


def _finite(memory: Memory) -> np.ndarray:
    assert memory.certificate is not None  # `fitted` sets it
    radii = memory.certificate.spectral_radius
    return radii[np.isfinite(radii)]


def cells(scale: str, mode: str, seed: int) -> Sequence[Cell]:
    """Two networks per seed."""
    settings = limited({**_SIZES[scale], "source": data_source("mnist"), "gray": True, "activation": "tanh"})
    return repeated("local", run, network_settings(settings, mode), scale=scale, mode=mode, seed=seed)


def summarize(records: Records) -> Summary:
    """Compares the attractors of networks trained by feedback alignment with those of backpropagation."""
    there = [record for record in records if record.numbers]
    found = "; ".join(
        ", ".join(f"{_stored(record, rule)} of {record.numbers[rule]['cycles']} by {rule}" for rule in RULES)
        for record in there
    )
    return judged(
        records,
        lambda record: _stored(record, RULES[1]) / record.numbers[RULES[1]]["cycles"],
        lambda record: _reached(record, RULES[0]) and _stored(record, RULES[1]) >= max(_stored(record, RULES[0]), 1),
        lambda record: _stored(record, RULES[1]) >= 1,
        (f"Attractors of networks at their loss, network by network: {found}. " if found else "")
        + "Reproduced where feedback alignment stores some, and no fewer than backpropagation that reached its loss "
        "from the same start; partly where it stores some.",
    )


def _stored(record: CellRecord, rule: str) -> int:
    """Number of attractors with this rule; 0 if it did not reach the loss."""
    return record.numbers[rule]["attractors"] if _reached(record, rule) else 0


def _reached(record: CellRecord, rule: str) -> bool:
    """Whether training by this rule reached its loss."""
    return record.numbers[rule]["status"] in (StoreStatus.STORED, StoreStatus.NOT_ALL_CERTIFIED)


def draw(records: Records) -> Sequence[Drawing]:
    """Spectral radii at the examples by both rules, for all seeds, trained or not."""
    done = [record for record in records if record.numbers]
    if not done:
        return ()
    figure, grid = plain_axes(4.6, 3.0)
    axes = grid[0, 0]
    for rule, color in zip(RULES, (BLUE, VERMILION), strict=True):
        radii = np.sort(np.array([radius for record in done for radius in record.numbers[rule]["radii"]], float))
        axes.plot(radii, np.arange(1, len(radii) + 1), "o-", color=color, markersize=3, label=rule)
    axes.axvline(1, color="black", linewidth=1, linestyle="--")
    axes.set(xlabel="spectral radius", ylabel="examples up to it", xlim=(0, None))
    axes.legend(fontsize=8, frameon=False)
    settings = done[0].cell.settings
    losses = "; ".join(
        f"{labeled(record)}: " + ", ".join(f"{told(record.numbers[rule]['loss'], '.1e')} by {rule}" for rule in RULES)
        for record in done
    )
    caption = (
        f"{settings['n']} pictures, {settings['depth']}×{settings['width']}, {settings['activation']}, the same "
        f"starts by both rules. Losses of {losses}. {data_note('mnist', settings['source'])}"
    )
    return (Drawing(figure, caption),)


def tabulate(records: Records) -> Sequence[PageTable]:
    """The results of both rules for every network."""
    rows = [
        (
            labeled(record),
            rule,
            told(found["loss"], ".1e"),
            told(found["epochs"], "g"),
            found["status"].replace("_", " "),
            f"{found['attractors']} of {found['cycles']}",
            extent(found["radii"]),
        )
        for record in records
        if record.numbers
        for rule in RULES
        if (found := record.numbers[rule])
    ]
    head = ("network", "rule", "loss", "epochs", "training", "attractors", "spectral radii")
    caption = "Both rules from the same start. Attractors count as stored only where training reached its loss."
    return (PageTable(caption, head, tuple(rows)),) if rows else ()


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
    tabulate=tabulate,
    modes=("paper", "edge"),
    notes="The paper asks whether biologically plausible rules store as well; the rule is chosen here, and tanh, "
    "whose slope keeps its sign: errors come back through fixed weights, and with the sinusoid the loss stays high.",
)
