"""Parts of a program as maps: its latent space, and the state of a recurrent network."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from attrax._base.arguments import printable
from attrax._base.numerics import apply_rows, cast, float64
from attrax._base.shown import Record
from attrax._base.types import HostStates, Map
from attrax.foreign import ForeignError, Program, Value, map_of
from attrax.maps import Description


class LatentMap(Record, eqx.Module):
    """The map z → E(D(z)) of an autoencoder, from a code to the code of its reconstruction.

    **Fields:** the `encoder` and the `decoder`, programs whose other inputs are fixed; the `shape` of a code and that
    of what is encoded (`outer_shape`); names of the inputs and outputs; whether there is a batch axis.
    """

    encoder: Program
    decoder: Program
    shape: tuple[int, ...] = eqx.field(static=True)
    outer_shape: tuple[int, ...] = eqx.field(static=True)
    names: tuple[str, str, str, str] = eqx.field(static=True)
    batched: tuple[bool, bool] = eqx.field(static=True)

    def encode(self, x: Any) -> Any:
        """The code of one picture."""
        given, made, _, _ = self.names
        x = jnp.reshape(x, self.outer_shape)
        found = self.encoder.call({given: x[None] if self.batched[0] else x})[made]
        return jnp.reshape(found, self.shape)

    def decode(self, z: Any) -> Any:
        """The picture of one code."""
        _, _, given, made = self.names
        z = jnp.reshape(z, self.shape)
        found = self.decoder.call({given: z[None] if self.batched[1] else z})[made]
        return jnp.reshape(found, self.outer_shape)

    def __call__(self, z: Any) -> Any:
        """The code of the reconstruction."""
        return self.encode(self.decode(z))

    def codes(self, pictures: HostStates) -> HostStates:
        """Codes of many pictures, float64."""
        return self._each(type(self).encode, pictures)

    def pictures(self, codes: HostStates) -> HostStates:
        """Pictures of many codes, float64."""
        return self._each(type(self).decode, codes)

    def _each(self, function: Any, rows: HostStates) -> HostStates:
        with float64():
            return apply_rows(eqx.Partial(function, cast(self, np.float64)), np.asarray(rows, np.float64), chunk=16)

    def describe(self) -> Description:
        """Its two parts."""
        nodes = len(self.encoder.nodes), len(self.decoder.nodes)
        text = f"latent map: an encoder of {nodes[0]} nodes after a decoder of {nodes[1]}"
        return Description(text, self.encoder.parameters + self.decoder.parameters)


class StateMap(Record, eqx.Module):
    """One step of a recurrent network, or one round of a cycle of inputs.

    A state is a vector: the entries of all inputs that hold a part of it, one after another. **Fields:** the `program`,
    with its constant inputs fixed; `pairs`, for each part of the state the names of its input and its output and its
    shape; `driven`, for each input that changes its values in turn, steps×shape.
    """

    program: Program
    pairs: tuple[tuple[str, str, tuple[int, ...]], ...] = eqx.field(static=True)
    driven: dict[str, Any] = eqx.field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a state: the number of entries of all parts."""
        return (sum(int(np.prod(shape)) for _, _, shape in self.pairs),)

    @property
    def steps(self) -> int:
        """How many steps one application makes: 1, or those of a round of inputs."""
        return next((len(one) for one in self.driven.values()), 1)

    def __call__(self, x: Any) -> Any:
        """The state after one step, or after one round of inputs."""
        if not self.driven:
            return self._next(x, {})
        return jax.lax.scan(lambda now, given: (self._next(now, given).astype(now.dtype), None), x, self.driven)[0]

    def _next(self, x: Any, inputs: dict[str, Any]) -> Any:
        given = dict(inputs)
        first = 0
        for name, _, shape in self.pairs:
            size = int(np.prod(shape))
            given[name] = jnp.reshape(x[first : first + size], shape)
            first += size
        found = self.program.call(given)
        return jnp.concatenate([jnp.ravel(found[name]) for _, name, _ in self.pairs])

    def describe(self) -> Description:
        """Its parts."""
        parts = ", ".join(f"{name} {'×'.join(map(str, shape))}" for name, _, shape in self.pairs)
        round = f", a round of {self.steps} inputs" if self.driven else ""
        return Description(
            f"recurrent network of {len(self.program.nodes)} nodes, state {parts}{round}", self.program.parameters
        )


def latent_map(
    program: Program, split: str, *, fixed: Mapping[str, Any] | None = None, shape: Sequence[int] | None = None
) -> LatentMap:
    """The latent map of an autoencoder that is cut at a node: what comes before is the encoder, the rest the decoder.

    **Arguments:** `split`, the name of the node, or of a value, that is the code; `fixed`, values of inputs other than
    what is encoded; `shape`, that of one encoded state, where the file leaves it open. **Raises** `ForeignError` where
    there is no such node, or something by-passes it.

        >>> import tempfile, jax.random as jr, numpy as np
        >>> import attrax as ax
        >>> from attrax import foreign
        >>> stored = ax.store(np.eye(3), writer=ax.Constructed(), key=jr.key(0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     program = foreign.load(stored.to_onnx(f"{folder}/memory.onnx").path)
        >>> latent_map(program, program.nodes[2]).shape
        (6,)
    """
    program = program.fixed(fixed or {})
    encoder, decoder = program.until(split), program.after(split)
    if list(decoder.inputs) != list(encoder.outputs):
        more = ", ".join(printable(name, 60) for name in decoder.inputs if name not in encoder.outputs)
        raise ForeignError(
            f"what comes after {printable(split, 60)!r} also needs {more or 'other values'}, so this node is no code; "
            "split at another one (--describe lists some)"
        )
    return latent_map_of(encoder, decoder, shape=shape)


def latent_map_of(encoder: Program, decoder: Program, *, shape: Sequence[int] | None = None) -> LatentMap:
    """The latent map z → E(D(z)) of an encoder and a decoder, each with one input and one output.

    **Arguments:** `encoder`, `decoder`; `shape`, that of one encoded state, where the file leaves it open. **Raises**
    `ForeignError` where they have more, or do not fit together.

        >>> import tempfile, jax.random as jr, numpy as np
        >>> import attrax as ax
        >>> from attrax import foreign
        >>> stored = ax.store(np.eye(3), writer=ax.Constructed(), key=jr.key(0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     program = foreign.load(stored.to_onnx(f"{folder}/memory.onnx").path)
        >>> code = program.nodes[2]
        >>> latent_map_of(program.until(code), program.after(code)).outer_shape
        (3,)
    """
    given, made = _only("encoder", "input", encoder.inputs), _only("encoder", "output", encoder.outputs)
    code, back = _only("decoder", "input", decoder.inputs), _only("decoder", "output", decoder.outputs)
    outer, batched = _sides(encoder.inputs[given], shape, given)
    dtype = encoder.inputs[given].dtype
    with float64():
        probe = jax.ShapeDtypeStruct((1, *outer) if batched else outer, dtype)
        found = eqx.filter_eval_shape(lambda x: encoder.call({given: x})[made], probe)
        whole = tuple(int(side) for side in found.shape)
        declared = decoder.inputs[code].shape
        inner_batched = len(whole) > 1 and whole[0] == 1 and (declared is None or len(declared) == len(whole))
        inner = whole[1:] if inner_batched else whole
        result = LatentMap(encoder, decoder, inner, outer, (given, made, code, back), (batched, inner_batched))
        again = eqx.filter_eval_shape(lambda z: decoder.call({code: z})[back], jax.ShapeDtypeStruct(whole, found.dtype))
    if int(np.prod(again.shape, dtype=object)) != int(np.prod(outer, dtype=object)):
        raise ForeignError(
            f"the decoder returns an array of shape {tuple(again.shape)}, which the encoder, whose input has the shape "
            f"{outer}, can't take"
        )
    return result


def state_map(
    program: Program,
    pairs: Mapping[str, str],
    *,
    fixed: Mapping[str, Any] | None = None,
    driven: Mapping[str, Any] | None = None,
) -> Map:
    """One step of a recurrent network, from its state to its next state, under constant other inputs.

    Under inputs that repeat, it is one round of these: a fixed point of this map is a cycle in step with the inputs,
    and its time constants count rounds.

    **Arguments:** `pairs`, for each input that holds a part of the state the output that holds its next value; `fixed`,
    the values of all other inputs; `driven`, those of inputs that change from step to step and repeat,
    steps×shape, all equally many. Sizes that the file leaves open are 1. **Raises** `ForeignError` for a name that is
    not there, or a part whose input and output differ in shape.

        >>> import tempfile, jax.random as jr, numpy as np
        >>> import attrax as ax
        >>> from attrax import foreign
        >>> stored = ax.store(np.eye(3), writer=ax.Constructed(), key=jr.key(0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     program = foreign.load(stored.to_onnx(f"{folder}/memory.onnx").path)
        >>> state_map(program, {"state": "next_state"}).shape
        (3,)
    """
    if not pairs:
        raise ForeignError("name the state: pairs such as {'state': 'next_state'} (--state in=out)")
    sides: dict[str, tuple[int, ...]] = {}
    for name, output in pairs.items():
        for kind, one, allowed in (("input", name, program.inputs), ("output", output, program.outputs)):
            if one not in allowed:
                listed = ", ".join(printable(other, 60) for other in allowed)
                raise ForeignError(f"the network has no {kind} {printable(one, 60)!r}; it has {listed or 'none'}")
        sides[name] = closed(program.inputs[name], name)
    rounds = {name: np.asarray(values) for name, values in (driven or {}).items()}
    _check_driven(program, rounds, (*pairs, *(fixed or {})))
    lost = [name for name in program.inputs if name not in {*pairs, *(fixed or {}), *rounds}]
    if lost:
        raise ForeignError(
            f"the network has the further inputs {', '.join(printable(name, 60) for name in lost)}; give each a value "
            f"(--input {printable(lost[0], 60)}=zeros)"
        )
    if len(pairs) == 1 and not rounds:
        ((name, output),) = pairs.items()
        known = program.inputs[name].shape or ()
        batched = len(known) > 1 and known[0] in (None, 1)
        return map_of(
            program, input=name, output=output, fixed=fixed, shape=sides[name][1:] if batched else sides[name]
        )
    made = StateMap(
        program.fixed(fixed or {}), tuple((name, output, sides[name]) for name, output in pairs.items()), rounds
    )
    with float64():
        found = eqx.filter_eval_shape(made, jax.ShapeDtypeStruct(made.shape, np.float64))
    if found.shape != made.shape:
        raise ForeignError(f"the next state has {found.shape[0]} entries, the state {made.shape[0]}; check the pairs")
    return made


def _check_driven(program: Program, driven: Mapping[str, np.ndarray], taken: Sequence[str]) -> None:
    for name, values in driven.items():
        if name not in program.inputs or name in taken:
            why = "is the state or has one value already" if name in taken else "is no input of the network"
            raise ForeignError(f"{printable(name, 60)!r} can't change from step to step: it {why}")
        if not values.ndim or not len(values):
            raise ForeignError(f"the values of {printable(name, 60)!r} must be steps × its shape; got {values.shape}")
    lengths = {name: len(values) for name, values in driven.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{printable(name, 60)!r} {length}" for name, length in lengths.items())
        raise ForeignError(f"inputs that change from step to step must have equally many steps; got {listed}")


def closed(value: Value, name: str) -> tuple[int, ...]:
    """The shape of a value, with 1 for what the file leaves open. **Raises** `ForeignError` where it says none."""
    if value.shape is None:
        raise ForeignError(f"the file does not say the shape of {printable(name, 60)!r}, so it can't be a state")
    return tuple(1 if side is None else side for side in value.shape)


def _only(part: str, kind: str, values: Mapping[str, Value]) -> str:
    if len(values) != 1:
        listed = ", ".join(printable(name, 60) for name in values)
        raise ForeignError(f"the {part} must have one {kind}; it has {listed or 'none'}. Fix the others")
    return next(iter(values))


def _sides(value: Value, shape: Sequence[int] | None, name: str) -> tuple[tuple[int, ...], bool]:
    known = value.shape
    if known is None:
        raise ForeignError(f"the file does not say the shape of the input {printable(name, 60)!r}")
    batched = len(known) > 1 and known[0] in (None, 1)
    rest = known[1:] if batched else known
    if shape is not None:
        given = tuple(int(side) for side in shape)
        if len(given) != len(rest) or any(a not in (None, b) for a, b in zip(rest, given, strict=True)):
            raise ForeignError(f"shape must fit the input {printable(name, 60)!r}, which is {known}; got {given}")
        return given, batched
    if any(side is None for side in rest):
        raise ForeignError(f"the input {printable(name, 60)!r} has open sizes, {rest}; give the shape of a state")
    return tuple(side for side in rest if side is not None), batched
