"""The records of the usual kinds of corruption.

Each is a pure function of a key, one state, a level and a partner. Pictures are H×W or H×W×C; a pixel is all its
channels, black is 0. The partner is another stored state, for blends, or the mean of all, for what hides a part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrax._base.lazy import lazy
from attrax.corruptions._record import AS_IS, BOTH_WAYS, FACTOR, FROM_ONE, CorruptionKind, Distortion, Motion

if TYPE_CHECKING:
    import jax
    import jax.numpy as jnp
    import jax.random as jr
    from jaxtyping import Array, PRNGKeyArray
else:
    # The names and texts are read by the command line's help, which is not to wait for JAX.
    jax, jnp, jr = lazy("jax"), lazy("jax.numpy"), lazy("jax.random")


def _per_pixel(mask: Array, x: Array) -> Array:
    """A mask over pixels, with a trailing axis where `x` has channels."""
    return mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim))


def _pixels(x: Array) -> tuple[int, ...]:
    return x.shape[:2] if x.ndim >= 2 else x.shape


def gaussian(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """x + level·N(0, 1), not clipped."""
    return x + level * jr.normal(key, x.shape, x.dtype)


def occlude(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """The lower fraction `level` of the rows black (the number of rows rounded)."""
    height = x.shape[0]
    hidden = jnp.arange(height) >= height - jnp.round(level * height)
    return jnp.where(hidden.reshape((-1,) + (1,) * (x.ndim - 1)), 0.0, x)


def drop(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """Each pixel black with probability `level`."""
    return jnp.where(_per_pixel(jr.bernoulli(key, level, _pixels(x)), x), 0.0, x)


def uniform(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """Each pixel replaced by U[0, 1] with probability `level`."""
    mask_key, value_key = jr.split(key)
    replaced = _per_pixel(jr.bernoulli(mask_key, level, _pixels(x)), x)
    return jnp.where(replaced, jr.uniform(value_key, x.shape, x.dtype), x)


def saltpepper(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """Each pixel black or white, with even chances, with probability `level`."""
    # One draw decides both: its lower half of the replaced share makes black.
    draw = _per_pixel(jr.uniform(key, _pixels(x)), x)
    return jnp.where(draw < level, (draw >= level / 2).astype(x.dtype), x)


def _square(key: PRNGKeyArray, x: Array, level: Any) -> Array:
    """Mask of a square with the fraction `level` of the area at a random place that holds it (cut off if too large)."""
    height, width = x.shape[:2]
    side = jnp.round(jnp.sqrt(level * height * width))
    row, column = jr.uniform(key, (2,))
    top = jnp.floor(row * jnp.maximum(height - side + 1, 1.0))
    left = jnp.floor(column * jnp.maximum(width - side + 1, 1.0))
    rows, columns = jnp.arange(height), jnp.arange(width)
    inside = ((rows >= top) & (rows < top + side))[:, None] & ((columns >= left) & (columns < left + side))[None]
    return _per_pixel(inside, x)


def block(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """A square with the fraction `level` of the area, at a random place, black."""
    return jnp.where(_square(key, x, level), 0.0, x)


def blocknoise(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """The same square filled with U[0, 1]."""
    place_key, value_key = jr.split(key)
    return jnp.where(_square(place_key, x, level), jr.uniform(value_key, x.shape, x.dtype), x)


def half(side: str) -> Distortion:
    """One half of the picture, `left`, `right`, `top` or `bottom`, at the value `level`."""

    def hide(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
        axis = 0 if side in ("top", "bottom") else 1
        size = x.shape[axis]
        position = jnp.arange(size)
        hidden = position < size // 2 if side in ("top", "left") else position >= size - size // 2
        return jnp.where(hidden.reshape([-1 if a == axis else 1 for a in range(x.ndim)]), level, x)

    return hide


def _moved(x: Array, down: Array, right: Array) -> Array:
    for axis, amount in ((0, down), (1, right)):
        position = jnp.arange(x.shape[axis]) - amount
        valid = (position >= 0) & (position < x.shape[axis])
        moved = jnp.take(x, jnp.clip(position, 0, x.shape[axis] - 1), axis=axis)
        x = jnp.where(valid.reshape([-1 if a == axis else 1 for a in range(x.ndim)]), moved, 0.0)
    return x


def shift(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """Moved right and down by the whole number `level` of pixels (left and up if negative); vacated pixels black."""
    amount = jnp.round(level).astype(jnp.int32)
    return _moved(x, amount, amount)


def shift_any_way(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """Moved by whole numbers of pixels drawn from −level … level for each of the two directions."""
    most = jnp.round(jnp.abs(level))
    # One draw, where `jr.randint` makes several, each of which takes time to compile.
    down, right = jnp.minimum(jnp.floor(jr.uniform(key, (2,)) * (2 * most + 1)) - most, most).astype(jnp.int32)
    return _moved(x, down, right)


def _sampled(x: Array, rows: Array, columns: Array) -> Array:
    """The picture read off at these places by bilinear interpolation; outside it is black."""
    height, width = x.shape[:2]
    planes = jax.vmap(
        lambda plane: jax.scipy.ndimage.map_coordinates(plane, [rows, columns], order=1, cval=0.0),
        in_axes=-1,
        out_axes=-1,
    )(x.reshape(height, width, -1))
    return planes.reshape(x.shape).astype(x.dtype)


def _from_center(x: Array) -> tuple[Array, Array, float, float]:
    middle_row, middle_column = (x.shape[0] - 1) / 2, (x.shape[1] - 1) / 2
    rows, columns = jnp.meshgrid(
        jnp.arange(x.shape[0]) - middle_row, jnp.arange(x.shape[1]) - middle_column, indexing="ij"
    )
    return rows, columns, middle_row, middle_column


def rotate(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """Turned counter-clockwise about its center by `level` degrees, bilinear; what comes from outside is black."""
    angle = jnp.deg2rad(level)
    rows, columns, middle_row, middle_column = _from_center(x)
    return _sampled(
        x,
        jnp.cos(angle) * rows + jnp.sin(angle) * columns + middle_row,
        -jnp.sin(angle) * rows + jnp.cos(angle) * columns + middle_column,
    )


def scale(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """Enlarged about its center by the factor `level` (made smaller below 1), bilinear; what is vacated is black."""
    rows, columns, middle_row, middle_column = _from_center(x)
    return _sampled(x, rows / level + middle_row, columns / level + middle_column)


def elastic(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """Warped by a smooth random field: each of its two components is noise, blurred by a Gaussian of an eighth of the
    picture's larger side and scaled to a root mean square of `level` pixels; bilinear, outside is black.
    """
    height, width = x.shape[:2]
    noise = jr.normal(key, (2, height, width), x.dtype)
    blur = max(height, width) / 8

    def weights(size: int) -> Array:
        gaps = jnp.arange(size)[:, None] - jnp.arange(size)[None]
        return jnp.exp(-0.5 * (gaps / blur) ** 2).astype(x.dtype)

    field = jnp.einsum("ij,cjk,kl->cil", weights(height), noise, weights(width))
    size = jnp.sqrt(jnp.mean(field**2, axis=(1, 2), keepdims=True))
    field = field * (level / jnp.maximum(size, 1e-12))
    rows, columns, middle_row, middle_column = _from_center(x)
    return _sampled(x, rows + middle_row + field[0], columns + middle_column + field[1])


def hide(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """All but the fraction 1 − `level` of the picture at the partner's values. With even chances, what is left are rows
    or columns counted from one of the four sides (rounded up), or a rectangle at a random place."""
    height, width = x.shape[:2]
    kind_key, key = jr.split(key)
    left = 1 - level
    rows, columns = jnp.arange(height)[:, None], jnp.arange(width)[None]
    low, wide = (jnp.maximum(jnp.round(jnp.sqrt(left) * size), 1.0) for size in (height, width))
    row, column = jr.uniform(key, (2,))
    top, side = jnp.floor(row * (height - low + 1)), jnp.floor(column * (width - wide + 1))
    choices = (
        rows < left * height,
        height - 1 - rows < left * height,
        columns < left * width,
        width - 1 - columns < left * width,
        (rows >= top) & (rows < top + low) & (columns >= side) & (columns < side + wide),
    )
    seen = jnp.stack([jnp.broadcast_to(choice, (height, width)) for choice in choices])
    return jnp.where(_per_pixel(seen[jr.randint(kind_key, (), 0, len(choices))], x), x, partner)


def blank(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """Each pixel at the partner's value with probability `level`."""
    return jnp.where(_per_pixel(jr.bernoulli(key, level, _pixels(x)), x), partner, x)


def _hidden_by_octaves(distortion: Distortion) -> Distortion:
    """For training: the fraction that is left is drawn from 1 − `level` to 1 on a logarithmic scale."""

    def hidden(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
        level_key, key = jr.split(key)
        left = jnp.maximum(1 - level, 1e-3) ** jr.uniform(level_key, (), jnp.result_type(level))
        return distortion(key, x, 1 - left, partner)

    return hidden


def contrast(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """mean + level·(x − mean), with the mean over all entries of the state."""
    mean = jnp.mean(x)
    return mean + level * (x - mean)


def blend(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """(1 − level)·x + level·partner."""
    return (1 - level) * x + level * partner


def none(key: PRNGKeyArray, x: Array, level: Any, partner: Array) -> Array:
    """x as it is."""
    return x


RECORDS = (
    CorruptionKind(
        "gaussian",
        gaussian,
        about="adds Gaussian noise, not clipped",
        words="Gaussian noise, σ = {level:g}",
        unit="SIGMA",
        most=1e300,
        isotropic=True,
        levels=(0.1, 0.3, 0.5, 0.75, 1.0, 1.5),
    ),
    CorruptionKind(
        "saltpepper",
        saltpepper,
        about="makes each pixel black or white with probability F",
        words="{percent} of the pixels black or white",
        levels=(0.1, 0.3, 0.5, 0.7, 0.9),
        masks=True,
        scattered=True,
    ),
    CorruptionKind(
        "drop",
        drop,
        about="blackens each pixel with probability F",
        words="{percent} of the pixels black",
        levels=(0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95),
        masks=True,
        scattered=True,
    ),
    CorruptionKind(
        "uniform",
        uniform,
        about="replaces each pixel by U[0, 1] with probability F",
        words="{percent} of the pixels replaced by noise",
        levels=(0.1, 0.3, 0.5, 0.7, 0.8, 0.9),
        masks=True,
        scattered=True,
    ),
    CorruptionKind(
        "block",
        block,
        about="blackens a random square of area F",
        words="a square of {percent} of the area black",
        levels=(0.1, 0.25, 0.5, 0.75),
        masks=True,
        picture=True,
    ),
    CorruptionKind(
        "blocknoise",
        blocknoise,
        about="fills a random square of area F with U[0, 1]",
        words="a square of {percent} of the area noise",
        masks=True,
        picture=True,
    ),
    CorruptionKind(
        "occlude",
        occlude,
        about="blackens the lower fraction F of the rows",
        words="lower {percent} of the rows black",
        levels=(0.1, 0.3, 0.5, 0.7, 0.9),
        masks=True,
        picture=True,
    ),
    CorruptionKind(
        "half",
        half,
        about="sets the left, right, top or bottom half to VALUE",
        words="{choice} half at {level:g}",
        unit="SIDE,VALUE",
        least=-1e300,
        most=1e300,
        levels=(0.0, 0.5),
        choices=("left", "right", "top", "bottom"),
        masks=True,
        picture=True,
    ),
    CorruptionKind(
        "hide",
        hide,
        about="sets all but a part at one side, or a rectangle, to the mean of the examples: F of the area",
        words="{percent} of the area at the mean of the examples",
        masks=True,
        mean=True,
        picture=True,
        drawn=AS_IS,
        trained=_hidden_by_octaves(hide),
    ),
    CorruptionKind(
        "blank",
        blank,
        about="sets each pixel to the mean of the examples with probability F",
        words="{percent} of the pixels at the mean of the examples",
        masks=True,
        scattered=True,
        mean=True,
        drawn=AS_IS,
        trained=_hidden_by_octaves(blank),
    ),
    CorruptionKind(
        "blend",
        blend,
        about="mixes in the fraction A of another example",
        words="blended with {percent} of another example",
        unit="A",
        levels=(0.1, 0.2, 0.3, 0.4, 0.45),
        partner=True,
    ),
    CorruptionKind(
        "shift",
        shift,
        about="moves right and down by N pixels, vacated pixels black",
        words="shifted by {level:g} pixels right and down",
        unit="N",
        least=-1e6,
        most=1e6,
        whole=True,
        levels=(1, 2, 3, 4),
        motion=Motion.TRANSLATION,
        picture=True,
        drawn=AS_IS,
        trained=shift_any_way,
    ),
    CorruptionKind(
        "rotate",
        rotate,
        about="turns counter-clockwise",
        words="turned by {level:g}°",
        unit="DEGREES",
        least=-360.0,
        most=360.0,
        levels=(5, 10, 15, 20, 30),
        motion=Motion.ROTATION,
        picture=True,
        drawn=BOTH_WAYS,
    ),
    CorruptionKind(
        "scale",
        scale,
        about="enlarges about the center",
        words="enlarged {level:g} times",
        unit="FACTOR",
        least=0.01,
        most=100.0,
        motion=Motion.OTHER,
        picture=True,
        drawn=FACTOR,
    ),
    CorruptionKind(
        "elastic",
        elastic,
        about="warps by a smooth random field of this root mean square",
        words="warped by {level:g} pixels",
        unit="PIXELS",
        most=1e6,
        motion=Motion.OTHER,
        picture=True,
    ),
    CorruptionKind(
        "contrast",
        contrast,
        about="scales the deviation from the mean by C",
        words="contrast times {level:g}",
        unit="C",
        most=1e3,
        levels=(0.1, 0.25, 0.5, 2.0),
        drawn=FROM_ONE,
    ),
    CorruptionKind("none", none, about="does nothing", words="no corruption", unit="", most=0.0, identity=True),
)
