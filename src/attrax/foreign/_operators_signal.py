"""Fourier transforms."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from attrax.foreign._operator import Call, axis_of, ints, operator


def _complex(x: Any) -> Any:
    return x[..., 0] if x.shape[-1] == 1 else x[..., 0] + 1j * x[..., 1]


def _pairs(z: Any, dtype: Any) -> Any:
    return jnp.stack([jnp.real(z), jnp.imag(z)], axis=-1).astype(dtype)


@operator("DFT", known=(1, 2))
def _dft(call: Call, x: Any, length: Any = None, axis: Any = None) -> Any:
    along = call.get("axis", 1 if call.version < 20 else -2) if axis is None else ints(axis)[0]
    along = axis_of(along, x.ndim)
    if along == x.ndim - 1:
        raise call.refuse("transforms along the axis of real and imaginary parts")
    size = x.shape[along] if length is None else ints(length)[0]
    call.room([size if at == along else side for at, side in enumerate(x.shape)], np.complex128)
    inverse, half = bool(call.get("inverse", 0)), bool(call.get("onesided", 0))
    if inverse and half:
        return jnp.fft.irfft(_complex(x), size if length is not None else None, axis=along)[..., None].astype(x.dtype)
    z = (jnp.fft.ifft if inverse else jnp.fft.fft)(_complex(x), size, axis=along)
    if half:
        z = z[(slice(None),) * along + (slice(size // 2 + 1),)]
    return _pairs(z, x.dtype)


@operator("STFT", known=(1, 3))
def _stft(call: Call, x: Any, step: Any, window: Any = None, length: Any = None) -> Any:
    hop = ints(step)[0]
    size = ints(length)[0] if length is not None else window.shape[0] if window is not None else x.shape[1]
    if x.ndim == 2:
        x = x[..., None]
    count = (x.shape[1] - size) // hop + 1
    if hop < 1 or count < 1:
        raise call.refuse(f"cuts frames of {size} entries, {hop} apart, from {x.shape[1]}")
    call.room((x.shape[0], count, size), np.complex128)
    frames = jnp.take(_complex(x), np.arange(count)[:, None] * hop + np.arange(size)[None], axis=1)
    z = jnp.fft.fft(frames if window is None else frames * window, axis=-1)
    z = z[..., : size // 2 + 1] if call.get("onesided", 1) else z
    return _pairs(z, x.dtype)
