# %% [markdown]
# # What is an attractor?
#
# A network that maps pictures to pictures can be applied again and again: to a picture, to the result, to the result
# of that. Some pictures come back unchanged, and pull everything near them towards themselves. These are attractors,
# and they are what attrax stores. This lesson looks at them in one dimension, where a picture is a single number and
# everything can be drawn.

# %%
import jax
import jax.numpy as jnp
import jax.random as jr
import matplotlib.pyplot as plt
import numpy as np

import attrax as ax

# %% [markdown]
# ## Following a map
#
# A *map* takes a number $x$ to a number $f(x)$. Here is one. Applied again and again, it gives the sequence $x, f(x),
# f(f(x)), \dots$


# %%
def wave(x):
    return x - 0.15 * jnp.sin(2 * np.pi * x)


x = jnp.array([0.4])
for step in range(9):
    print(f"step {step}: {x[0]:.4f}")
    x = wave(x)

# %% [markdown]
# The sequence approaches 0. At 0 nothing changes any more: $f(0) = 0$. Such a number is a *fixed point*.
#
# A *cobweb plot* shows this at a glance. Go vertically to the curve $f$, horizontally to the diagonal, vertically to
# the curve, and so on. Wherever the curve crosses the diagonal, there is a fixed point.


# %%
def cobweb(axes, map, starts, low, high, steps=40):
    grid = np.linspace(low, high, 400)
    values = np.asarray(jax.vmap(map)(grid[:, None]))[:, 0]
    axes.plot([low, high], [low, high], color=ax.report.GRAY, linewidth=1)
    axes.plot(grid, values, color=ax.report.BLUE, linewidth=2)
    for start in starts:
        x, points = jnp.array([start]), [(start, low)]
        for _ in range(steps):
            y = map(x)
            points += [(float(x[0]), float(y[0])), (float(y[0]), float(y[0]))]
            x = y
        axes.plot(*zip(*points, strict=True), color=ax.report.VERMILION, linewidth=0.8)
        axes.plot(start, low, "o", color=ax.report.VERMILION, clip_on=False)
    axes.set(xlim=(low, high), ylim=(low, high), xlabel="$x$", ylabel="$f(x)$", aspect="equal")
    axes.locator_params(nbins=6)


# %% The map (blue) and the paths of four starts (orange dots)
figure, axes = plt.subplots(figsize=(4.6, 4.6))
cobweb(axes, wave, [-0.42, 0.42, 0.58, 1.4], -0.6, 1.6)

# %% [markdown]
# The curve crosses the diagonal at −½, 0, ½, 1 and 1½. All four starts end at 0 or at 1. Nothing ends at ½, although
# ½ is a fixed point too: 0.42 and 0.58 begin close to it and move away, in opposite directions.
#
# ## The slope decides
#
# Start at a small distance $\varepsilon$ from a fixed point. After one step the distance is about $f'\varepsilon$,
# where $f'$ is the slope of the curve there. If $|f'| < 1$, the distance shrinks with each step, and the fixed point
# is an **attractor**. If $|f'| > 1$, the distance grows.

# %%
slope = jax.grad(lambda x: wave(x[None])[0])
for point in (0.0, 0.5, 1.0):
    print(f"slope at {point}: {slope(point):.2f}")

# %% [markdown]
# For pictures with a thousand pixels, the slope becomes a matrix of a thousand rows, the *Jacobian*. The numbers that
# play the part of the slope are its eigenvalues. All of them have to be below 1 in modulus. The largest modulus is
# called the *spectral radius*.
#
# attrax asks this question of any map. A `Memory` is a map together with the points that it is said to store, and
# `certify` checks each of them.

# %%
memory = ax.Memory(wave, ax.Patterns.from_examples(np.array([[0.0], [0.5], [1.0]])))
certificate = ax.certify(memory)
for point, radius, verdict in zip((0.0, 0.5, 1.0), certificate.spectral_radius, certificate.verdict, strict=True):
    print(f"{point}: spectral radius {radius:.2f}, {verdict}")

# %% [markdown]
# ## A network that interpolates
#
# Now let a network learn the points −0.8, −0.1, 0.4 and 0.9. It has one number as input, one as output, and two
# hidden layers of 64 units. It is trained until the mean squared error is below 1.6·10⁻⁷, which is the paper's 10⁻⁸
# in units of these points. In other words, the curve goes through the diagonal at the four points, to within 10⁻³.

# %%
points = np.array([[-0.8], [-0.1], [0.4], [0.9]])
network = ax.maps.mlp((1,), width=64, depth=2, activation="sinusoid", key=jr.key(0))
plain = ax.store(points, network, writer=ax.Gradient(epochs=5000), key=jr.key(0))
print(plain.certificate.spectral_radius.round(3))
print([str(verdict) for verdict in plain.certificate.verdict])

# %% [markdown]
# The network *interpolates*, but does it *store*? Only two of the four points have slopes below 1. (*Displaced* means
# that an attractor is there, but farther from −0.8 than the threshold allows. Where the slope is close to 1, a small
# error $f(x) - x$ moves the fixed point far, by about the error times $1/(1 - f')$: here an error of 0.0006 puts it
# 0.004 away, and 0.0008 would be allowed.) The other two repel.


# %% Left: the trained network. Circles: the four points, filled if the radius is below 1. Right: where each start ends
def ends(axes, memory, low=-1.5, high=1.5):
    starts = np.linspace(low, high, 400)[:, None]
    found = ax.iterate(memory.map, starts)
    axes.plot(starts[:, 0], found.value[:, 0], ".", color=ax.report.BLUE, markersize=2)
    axes.set(xlim=(low, high), ylim=(low, high), xlabel="start", ylabel="end", aspect="equal")


def both(memory):
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 4.2), layout="constrained")
    cobweb(left, memory.map, [-1.2, 0.1, 1.2], -1.5, 1.5)
    ends(right, memory)
    for point, radius in zip(points[:, 0], memory.certificate.spectral_radius, strict=True):
        face = ax.report.GREEN if radius < 1 else "white"
        left.plot(point, point, "o", markerfacecolor=face, markeredgecolor="black", zorder=3)


both(plain)

# %% [markdown]
# Where the blue curve crosses the diagonal from below, it is steeper than the diagonal: the slope is above 1, and the
# point repels. This happens at −0.1 and at 0.9. So almost half of the starts end at −0.21, and some at 0.94. Nobody
# stored these two numbers. They are *spurious* attractors.
#
# This is the first thing to remember: **interpolating is not storing**. A small loss says that the points are fixed
# points, or nearly. Whether they are attractors is a question about slopes, and the loss does not contain them.
#
# ## Noise makes it store
#
# Training can be asked for small slopes. One way is to add noise to the inputs and none to the targets: everything
# near a point has to be mapped to the point.

# %%
network = ax.maps.mlp((1,), width=64, depth=2, activation="sinusoid", key=jr.key(0))
noisy = ax.store(points, network, writer=ax.Gradient(noise=0.1, epochs=5000), key=jr.key(0))
print(noisy.certificate.spectral_radius.round(3))
print([str(verdict) for verdict in noisy.certificate.verdict])

# %% The same network, trained with noise on the inputs. The curve is flat at the four points.
both(noisy)

# %% [markdown]
# Each start now ends at one of the four points. The stretch of starts that end at the same point is its **basin of
# attraction**. Between two attractors there is always a fixed point that repels: a continuous curve that crosses the
# diagonal twice from above must cross it from below in between, and there it is steeper than the diagonal.
#
# ## Exercises
#
# **1.** Change the factor 0.15 in `wave` to 0.4. What is the slope at 0 now, and how does a start at 0.2 move? Is 0
# still an attractor?

# %% [markdown] tags=["answer"]
# The slope at 0 is $1 - 0.4 \cdot 2\pi \approx -1.51$. It is below −1, so its modulus is above 1, and 0 repels. A
# negative slope takes a start to the other side of the fixed point, so the path jumps from side to side. It does not
# run off either. It ends at two numbers that take turns, a *limit cycle* of length 2:


# %% tags=["answer"]
def steep(x):
    return x - 0.4 * jnp.sin(2 * np.pi * x)


found = ax.iterate(steep, np.array([[0.2]]))
print(found.status[0], "period", found.period[0], "at", found.value[0], "and", steep(found.value[0]))

# %% tags=["answer"] title="The path from 0.2 around a fixed point with slope −1.51"
figure, axes = plt.subplots(figsize=(3.8, 3.8))
cobweb(axes, steep, [0.2], -0.5, 0.5)

# %% [markdown]
# **2.** The slope of a map is at most 0.9 in modulus everywhere. How many attractors does it have?

# %% [markdown] tags=["answer"]
# Exactly one. There are not two fixed points: one step makes the distance between any two numbers smaller, but the
# distance between two fixed points stays the same. And there is one: each step of a path is at most 0.9 times as long
# as the step before, so the path converges. (A slope below 1 everywhere is not enough for that. Where it comes as close
# to 1 as one likes, as for $\sqrt{1 + x^2}$, paths can go on forever.) So a memory with several attractors must be
# steep somewhere, between the basins.

# %% [markdown]
# **3.** Train the network without noise from other initial weights (`key=jr.key(1)`, `2`, `3`). How many of the four
# points are attractors each time?

# %% tags=["answer"]
for seed in (1, 2, 3):
    network = ax.maps.mlp((1,), width=64, depth=2, activation="sinusoid", key=jr.key(seed))
    again = ax.store(points, network, writer=ax.Gradient(epochs=5000), key=jr.key(seed))
    print(f"seed {seed}:", again.certificate.num_attractors, again.certificate.spectral_radius.round(2))

# %% [markdown] tags=["answer"]
# It depends on the initial weights. A radius below 1 beside a smaller number of attractors is a displaced point, as
# −0.8 above.
