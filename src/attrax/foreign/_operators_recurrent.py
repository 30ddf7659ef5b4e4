"""Recurrent layers."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from attrax.foreign._operator import Call, operator

_ACTIVATIONS: dict[str, Callable[[Any, float | None, float | None], Any]] = {
    "affine": lambda z, a, b: (1.0 if a is None else a) * z + (0.0 if b is None else b),
    "elu": lambda z, a, b: jax.nn.elu(z, 1.0 if a is None else a),
    "hardsigmoid": lambda z, a, b: jnp.clip((0.2 if a is None else a) * z + (0.5 if b is None else b), 0, 1),
    "leakyrelu": lambda z, a, b: jnp.where(z >= 0, z, (0.01 if a is None else a) * z),
    "relu": lambda z, a, b: jax.nn.relu(z),
    "scaledtanh": lambda z, a, b: (1.0 if a is None else a) * jnp.tanh((1.0 if b is None else b) * z),
    "sigmoid": lambda z, a, b: jax.nn.sigmoid(z),
    "softplus": lambda z, a, b: jax.nn.softplus(z),
    "softsign": lambda z, a, b: jax.nn.soft_sign(z),
    "tanh": lambda z, a, b: jnp.tanh(z),
    "thresholdedrelu": lambda z, a, b: jnp.where(z > (1.0 if a is None else a), z, jnp.zeros_like(z)),
}
_TAKES = {"affine": 2, "elu": 1, "hardsigmoid": 2, "leakyrelu": 1, "scaledtanh": 2, "thresholdedrelu": 1}
"""Numbers that each activation takes from `activation_alpha` and `activation_beta`."""

Step = Callable[[tuple[Any, ...], Any], tuple[Any, ...]]


def _activations(call: Call, default: Sequence[str], directions: int) -> list[list[Callable[[Any], Any]]]:
    """For each direction its activations, with the numbers and the clipping that the node asks for."""
    names = [name.lower() for name in call.get("activations") or [*default] * directions]
    if len(names) != len(default) * directions or any(name not in _ACTIVATIONS for name in names):
        raise call.refuse(f"has the activations {names}; known are {sorted(_ACTIVATIONS)}")
    alphas, betas = iter(call.get("activation_alpha") or ()), iter(call.get("activation_beta") or ())
    clip = call.get("clip")
    found = []
    for name in names:
        first = next(alphas, None) if _TAKES.get(name, 0) > 0 else None
        second = next(betas, None) if _TAKES.get(name, 0) > 1 else None

        def apply(z: Any, name: str = name, first: float | None = first, second: float | None = second) -> Any:
            return _ACTIVATIONS[name](z if clip is None else jnp.clip(z, -clip, clip), first, second)

        found.append(apply)
    return [found[start : start + len(default)] for start in range(0, len(found), len(default))]


def _layer(
    call: Call, x: Any, lengths: Any, initial: Sequence[Any], hidden: int, step_of: Callable[[int], Step]
) -> tuple[Any, ...]:
    """Runs every direction over the sequence.

    `initial` are the states before the sequence, directions×batch×hidden, or `None` for zeros; `step_of` makes the step
    of a direction, from states and an input to the next states, of which the first is the output.
    """
    batch_first = bool(call.get("layout", 0))
    x = jnp.asarray(jnp.swapaxes(x, 0, 1) if batch_first else x)
    time, batch = x.shape[:2]
    direction = call.get("direction", "forward")
    if direction not in ("forward", "reverse", "bidirectional"):
        raise call.refuse(f"has the direction {direction!r}, which is unknown")
    outputs, finals = [], []
    for number in range(2 if direction == "bidirectional" else 1):
        backwards = direction == "reverse" or number == 1
        step = step_of(number)
        start = tuple(
            jnp.zeros((batch, hidden), x.dtype)
            if state is None
            else jnp.asarray(state[:, number] if batch_first else state[number], x.dtype)
            for state in initial
        )

        def masked(states: Any, now: Any, step: Step = step) -> tuple[Any, Any]:
            value, index = now
            after = step(states, value)
            after = tuple(one.astype(before.dtype) for one, before in zip(after, states, strict=True))
            if lengths is None:
                return after, after[0]
            on = (index < jnp.asarray(lengths))[:, None]
            kept = tuple(jnp.where(on, one, before) for one, before in zip(after, states, strict=True))
            return kept, jnp.where(on, after[0], jnp.zeros_like(after[0]))

        if time == 1:
            final, one = masked(start, (x[0], 0))
            output = one[None]
        else:
            final, output = jax.lax.scan(masked, start, (x, jnp.arange(time)), reverse=backwards)
        outputs.append(output)
        finals.append(final)
    ends = [jnp.stack([final[part] for final in finals]) for part in range(len(initial))]
    y = jnp.stack(outputs, axis=1)  # time × directions × batch × hidden
    if batch_first:
        return jnp.transpose(y, (2, 0, 1, 3)), *(jnp.swapaxes(end, 0, 1) for end in ends)
    return y, *ends


def _split_bias(bias: Any, number: int, hidden: int, gates: int) -> tuple[Any, Any]:
    if bias is None:
        return 0.0, 0.0
    return bias[number, : gates * hidden], bias[number, gates * hidden :]


@operator("RNN")
def _rnn(call: Call, x: Any, w: Any, r: Any, b: Any = None, lengths: Any = None, start: Any = None) -> Any:
    hidden = r.shape[2]
    activations = _activations(call, ("tanh",), w.shape[0])

    def step_of(number: int) -> Step:
        (phi,), (first, second) = activations[number], _split_bias(b, number, hidden, 1)

        def step(states: Any, value: Any) -> Any:
            return (phi(value @ w[number].T + states[0] @ r[number].T + first + second),)

        return step

    return _layer(call, x, lengths, (start,), hidden, step_of)


@operator("GRU")
def _gru(call: Call, x: Any, w: Any, r: Any, b: Any = None, lengths: Any = None, start: Any = None) -> Any:
    hidden = r.shape[2]
    activations = _activations(call, ("sigmoid", "tanh"), w.shape[0])
    before_reset = bool(call.get("linear_before_reset", 0))

    def step_of(number: int) -> Step:
        (sigma, phi), (first, second) = activations[number], _split_bias(b, number, hidden, 3)

        def step(states: Any, value: Any) -> Any:
            last = states[0]
            entering = value @ w[number].T + first
            both = slice(None, 2 * hidden)
            gates = sigma(entering[:, both] + (last @ r[number].T[:, both] + (second if b is None else second[both])))
            update, reset = gates[:, :hidden], gates[:, hidden:]
            weight = r[number].T[:, 2 * hidden :]
            offset = second if b is None else second[2 * hidden :]
            recurrent = reset * (last @ weight + offset) if before_reset else (reset * last) @ weight + offset
            new = phi(entering[:, 2 * hidden :] + recurrent)
            return ((1 - update) * new + update * last,)

        return step

    return _layer(call, x, lengths, (start,), hidden, step_of)


@operator("LSTM")
def _lstm(
    call: Call,
    x: Any,
    w: Any,
    r: Any,
    b: Any = None,
    lengths: Any = None,
    start: Any = None,
    start_cell: Any = None,
    peepholes: Any = None,
) -> Any:
    hidden = r.shape[2]
    activations = _activations(call, ("sigmoid", "tanh", "tanh"), w.shape[0])
    coupled = bool(call.get("input_forget", 0))

    def step_of(number: int) -> Step:
        (sigma, phi, out), (first, second) = activations[number], _split_bias(b, number, hidden, 4)
        looks = [0.0] * 3 if peepholes is None else jnp.split(peepholes[number], 3)

        def step(states: Any, value: Any) -> Any:
            last, cell = states
            gates = value @ w[number].T + last @ r[number].T + first + second
            entering, leaving, forgetting, new = jnp.split(gates, 4, axis=-1)
            into = sigma(entering + looks[0] * cell)
            keep = 1 - into if coupled else sigma(forgetting + looks[2] * cell)
            after = keep * cell + into * phi(new)
            return sigma(leaving + looks[1] * after) * out(after), after

        return step

    return _layer(call, x, lengths, (start, start_cell), hidden, step_of)
