"""What convolutions and pooling share: padding, and the entries under a window at each of its places.

A window is taken apart into its entries: for one of k entries, k shifted copies of the input. On a CPU, and inside a
loop, products and maxima of these are faster than XLA's own convolution, and they have derivatives of every order.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from attrax.foreign._operator import Call


@dataclass(frozen=True, slots=True)
class Window:
    """**Fields:** one entry per axis: the `kernel`, `strides`, `dilations`; `pads`, before and after; and `ceil`,
    whether a last window that begins inside the padded input may reach beyond it."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    ceil: bool = False

    @property
    def reach(self) -> tuple[int, ...]:
        """How many entries a window spans, gaps included."""
        return tuple((side - 1) * gap + 1 for side, gap in zip(self.kernel, self.dilations, strict=True))

    def places(self, sides: Sequence[int]) -> tuple[int, ...]:
        """How many places the window has along each axis."""
        found = []
        for side, reach, stride, (low, high) in zip(sides, self.reach, self.strides, self.pads, strict=True):
            free = side + low + high - reach
            count = (-(-free // stride) if self.ceil else free // stride) + 1
            if self.ceil and (count - 1) * stride >= side + low:
                count -= 1  # the last window would begin in the padding at the end
            found.append(max(count, 0))
        return tuple(found)


def window_of(call: Call, sides: Sequence[int], kernel: Sequence[int]) -> Window:
    """The window that the attributes of a node describe. `sides` are those of the input."""
    rank = len(sides)
    kernel = tuple(kernel)
    strides = tuple(call.get("strides") or [1] * rank)
    dilations = tuple(call.get("dilations") or [1] * rank)
    amounts = call.get("pads") or [0] * (2 * rank)
    lengths = {len(kernel), len(strides), len(dilations), len(amounts) // 2}
    if lengths != {rank} or min((*kernel, *strides, *dilations), default=1) < 1:
        raise call.refuse(f"has a window of {kernel}, strides {strides} and dilations {dilations} for {rank} axes")
    mode = call.get("auto_pad", "NOTSET")
    ceil = bool(call.get("ceil_mode", 0))
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        pads = []
        for side, size, stride, gap in zip(sides, kernel, strides, dilations, strict=True):
            total = max((-(-side // stride) - 1) * stride + (size - 1) * gap + 1 - side, 0)
            small, large = total // 2, total - total // 2
            pads.append((small, large) if mode == "SAME_UPPER" else (large, small))
        return Window(kernel, strides, dilations, tuple(pads))
    if mode == "VALID":
        return Window(kernel, strides, dilations, ((0, 0),) * rank, ceil)
    return Window(kernel, strides, dilations, tuple(zip(amounts[:rank], amounts[rank:], strict=True)), ceil)


def shifted(call: Call, x: Any, window: Window, fill: Any) -> tuple[list[Any], tuple[int, ...]]:
    """The entries of `x`, batch×channels×…, under each place in the window, and the number of places of the window.

    Outside the input there is `fill`.
    """
    sides = x.shape[2:]
    places = window.places(sides)
    widths = [(0, 0), (0, 0)]
    for side, count, reach, stride, (low, high) in zip(
        sides, places, window.reach, window.strides, window.pads, strict=True
    ):
        widths.append((low, max(high, (count - 1) * stride + reach - side - low)))
    call.room([side + low + high for side, (low, high) in zip(x.shape, widths, strict=True)], x.dtype)
    padded = jnp.pad(x, widths, constant_values=jnp.asarray(fill, x.dtype))
    pieces = []
    for offsets in itertools.product(*map(range, window.kernel)):
        starts = [offset * gap for offset, gap in zip(offsets, window.dilations, strict=True)]
        ends = [
            start + (count - 1) * stride + 1 if count else start
            for start, count, stride in zip(starts, places, window.strides, strict=True)
        ]
        pieces.append(jax.lax.slice(padded, (0, 0, *starts), (*padded.shape[:2], *ends), (1, 1, *window.strides)))
    return pieces, places
