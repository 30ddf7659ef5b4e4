"""Branches and loops that the file, or a fixed input, decides; sequences; optional values."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from attrax.foreign._operator import Call, operator

_ROUNDS = 1 << 14
"""Rounds up to which a loop is written out."""


@operator("If", known=(0,))
def _if(call: Call, condition: Any) -> Any:
    chosen = call.get("then_branch") if bool(condition.ravel()[0]) else call.get("else_branch")
    return tuple(call.run(chosen, []))


@operator("Loop", known=(0, 1))
def _loop(call: Call, rounds: Any, condition: Any, *carried: Any) -> Any:
    body = call.get("body")
    most = None if rounds is None else int(rounds.ravel()[0])
    going = True if condition is None else bool(condition.ravel()[0])
    states, rows, done = list(carried), [], 0
    while going and (most is None or done < most):
        if done >= _ROUNDS:
            raise call.refuse(f"runs more than {_ROUNDS:,} rounds")
        found = call.run(body, [np.array(done, np.int64), np.array(going), *states])
        if isinstance(found[0], Tracer):
            raise call.refuse("ends when a computed value says so; only loops of a known number of rounds are taken")
        going = bool(np.asarray(found[0]).ravel()[0])
        states, row = found[1 : 1 + len(carried)], found[1 + len(carried) :]
        rows.append(row)
        done += 1
    count = len(body.outputs) - 1 - len(carried)
    if not rows and count:
        raise call.refuse("collects rows and runs no round")
    return *states, *(jnp.stack([row[number] for row in rows]) for number in range(count))


@operator("Scan")
def _scan(call: Call, *inputs: Any) -> Any:
    if call.version < 9:
        raise call.refuse("is of a version before 9")
    body, count = call.get("body"), call.get("num_scan_inputs")
    states, streams = inputs[: len(inputs) - count], inputs[len(inputs) - count :]
    rows = len(body.outputs) - len(states)
    axes_in = call.get("scan_input_axes") or [0] * count
    axes_out = call.get("scan_output_axes") or [0] * rows
    back_in = call.get("scan_input_directions") or [0] * count
    back_out = call.get("scan_output_directions") or [0] * rows
    streams = [
        jnp.flip(jnp.moveaxis(one, axis, 0), 0) if back else jnp.moveaxis(one, axis, 0)
        for one, axis, back in zip(streams, axes_in, back_in, strict=True)
    ]

    def step(before: Any, now: Any) -> tuple[Any, Any]:
        found = [jnp.asarray(one) for one in call.run(body, [*before, *now])]
        after = [one.astype(old.dtype) for one, old in zip(found, before, strict=False)]
        return after, found[len(before) :]

    last, collected = jax.lax.scan(step, [jnp.asarray(one) for one in states], streams)
    collected = [
        jnp.moveaxis(jnp.flip(one, 0) if back else one, 0, axis)
        for one, axis, back in zip(collected, axes_out, back_out, strict=True)
    ]
    return *last, *collected


@operator("SequenceConstruct")
def _construct(call: Call, *inputs: Any) -> Any:
    return list(inputs)


@operator("SequenceEmpty")
def _empty(call: Call) -> Any:
    return []


@operator("SequenceAt", known=(1,))
def _at(call: Call, sequence: Any, place: Any) -> Any:
    return sequence[int(place.ravel()[0])]


@operator("SequenceLength")
def _length(call: Call, sequence: Any) -> Any:
    return np.array(len(sequence), np.int64)


@operator("SequenceInsert", known=(2,))
def _insert(call: Call, sequence: Any, value: Any, place: Any = None) -> Any:
    at = len(sequence) if place is None else int(place.ravel()[0])
    at = at + len(sequence) if at < 0 else at
    return [*sequence[:at], value, *sequence[at:]]


@operator("SequenceErase", known=(1,))
def _erase(call: Call, sequence: Any, place: Any = None) -> Any:
    at = len(sequence) - 1 if place is None else int(place.ravel()[0])
    at = at + len(sequence) if at < 0 else at
    return [*sequence[:at], *sequence[at + 1 :]]


@operator("SplitToSequence", known=(1,))
def _split_to_sequence(call: Call, x: Any, sizes: Any = None) -> Any:
    axis = call.get("axis", 0)
    if sizes is None:
        pieces = jnp.split(x, x.shape[axis], axis=axis)
        return pieces if call.get("keepdims", 1) else [jnp.squeeze(piece, axis) for piece in pieces]
    if sizes.ndim == 0:
        size = int(sizes)
        ends = [*range(size, x.shape[axis], size)]
    else:
        ends = np.cumsum(sizes)[:-1].tolist()
    return list(jnp.split(x, ends, axis=axis))


@operator("ConcatFromSequence")
def _concat_from_sequence(call: Call, sequence: Any) -> Any:
    join = jnp.stack if call.get("new_axis", 0) else jnp.concatenate
    return join(sequence, axis=call.get("axis"))


@operator("SequenceMap")
def _map(call: Call, sequence: Any, *others: Any) -> Any:
    body = call.get("body")
    rows = []
    for number, value in enumerate(sequence):
        rest = [other[number] if isinstance(other, list) else other for other in others]
        rows.append(call.run(body, [value, *rest]))
    return tuple([row[number] for row in rows] for number in range(len(body.outputs)))


@operator("Optional")
def _optional(call: Call, value: Any = None) -> Any:
    return value


@operator("OptionalHasElement")
def _has_element(call: Call, value: Any = None) -> Any:
    return np.array(value is not None)


@operator("OptionalGetElement")
def _get_element(call: Call, value: Any = None) -> Any:
    if value is None:
        raise call.refuse("opens an optional value that is empty")
    return value


@operator("Body")
def _body(call: Call, *inputs: Any) -> Any:
    body = call.get("body")
    return tuple(call.run(body, [*inputs, *[None] * (len(body.inputs) - len(inputs))]))
