# %% [markdown]
# # How far does a basin reach?
#
# An attractor pulls everything near it. But how near is near? This lesson draws basins in the plane, where one can
# see them, and then measures them for pictures, in two ways: by a proof, and by sampling.

# %%
import jax.random as jr
import matplotlib.pyplot as plt
import numpy as np

import attrax as ax

# %% [markdown]
# ## Basins in the plane
#
# Six points of the plane are stored in a network with four hidden layers, trained with noise on the inputs. Then each
# point of a grid is a start, and its color says where it ends.

# %%
points = np.array([[-0.8, -0.6], [0.1, -0.9], [0.9, -0.4], [-0.6, 0.5], [0.2, 0.2], [0.7, 0.9]])
network = ax.maps.mlp((2,), width=128, depth=4, activation="selu", key=jr.key(0))
plane = ax.store(points, network, writer=ax.Gradient(noise=0.1, epochs=1500), key=jr.key(1))
print(plane.certificate.num_attractors, "of 6 are attractors; radii", plane.certificate.spectral_radius.round(2))

# %% Left: basins, paler where it takes more steps. Black lines: the nearest point changes there. Right: number of steps
basins = ax.analysis.basins(plane, extent=(-1.5, 1.5, -1.5, 1.5), resolution=96)
ax.report.basin_map(basins)

# %%
print(f"ends at a stored point: {basins.labeled_fraction:.0%} of the area")
print(f"ends at the nearest one: {basins.voronoi_agreement:.0%}")

# %% [markdown]
# The basins are not the cells of nearest points, whose boundaries are the black lines. The network has its own idea
# of what is near.
#
# ## Two radii
#
# A basin can have any shape. A ball around the point is simpler: which is the largest ball that lies in the basin?
# There are two honest answers.
#
# - The **proved radius** is a lower bound. *Every* start within it comes back. The proof bounds how much the slopes
#   of the network can change within the ball, and shows that the map contracts there.
# - The **sampled radius** is one at which all of 64 random starts came back. It says something about *most*
#   directions.

# %%
radii = ax.basin_radius(plane, key=jr.key(0))
for index in range(6):
    print(f"point {index}: proved {radii.proved_radius[index]:.3f}, sampled {radii.sampled_radius[index]:.3f}")

# %% Solid circles: proved. Dashed: sampled
figure, axes = plt.subplots(figsize=(5, 5))
axes.imshow(basins.label, origin="lower", extent=(-1.5, 1.5, -1.5, 1.5), cmap="Pastel1", vmin=0, vmax=8)
for point, proved, sampled in zip(points, radii.proved_radius, radii.sampled_radius, strict=True):
    axes.plot(*point, "o", color="black", markersize=3)
    axes.add_patch(plt.Circle(point, proved, fill=False, color="black"))
    axes.add_patch(plt.Circle(point, sampled, fill=False, color="black", linestyle="--"))
axes.set(xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), xlabel="$x_1$", ylabel="$x_2$")

# %% [markdown]
# The dashed circles come close to the boundaries. The solid ones are much smaller: a proof has to hold for the worst
# direction, and it loses something with each layer of the network.
#
# ## Pictures
#
# Now ten digits of 8×8 pixels, in a network of the same kind. In 64 dimensions there is no picture of a basin, but
# both radii can be computed.

# %%
digits = ax.sources.load("digits", n=10).values
network = ax.maps.mlp((8, 8), width=128, depth=2, activation="selu", key=jr.key(0))
memory = ax.store(digits, network, writer=ax.Gradient(noise=0.3, epochs=1500, coordinates=0), key=jr.key(1))
print(memory.certificate.num_attractors, "of 10; largest radius", memory.certificate.spectral_radius.max().round(3))

# %% Both radii of each digit, and half the distance to the nearest other digit (gray)
radii = ax.basin_radius(memory, key=jr.key(0))
ax.report.radius_plot(radii)

# %% [markdown]
# All sampled radii are larger than half the distance to the nearest digit. How can that be? The balls around two
# neighbors overlap then, and no start can end at both. The answer is that only random directions were tried, and in
# 64 dimensions a random direction is almost at right angles to the direction of the neighbor. Random noise does not
# find the way there.
#
# ## The worst direction
#
# So let us go there on purpose: from each digit straight towards every other digit, and look how far one can go
# before the network no longer leads back.

# %% How far along the straight line to another digit the start still comes back, as a fraction of the distance
shares = np.linspace(0.1, 0.9, 9)
reach = np.full((10, 10), np.nan)
for index in range(10):
    others = [other for other in range(10) if other != index]
    cues = np.concatenate([digits[index] + shares[:, None, None] * (digits[other] - digits[index]) for other in others])
    back = ax.recall(memory, cues, expected=np.full(len(cues), index), max_steps=1000).recovered
    for other, came in zip(others, back.reshape(len(others), -1), strict=True):
        steps = np.append(np.flatnonzero(~came), len(shares))[0]  # until the first that does not come back
        reach[index, other] = shares[steps - 1] if steps else 0.0
figure, axes = plt.subplots(figsize=(5, 4))
image = axes.imshow(reach, vmin=0, vmax=1, cmap="viridis")
axes.set(xlabel="towards digit", ylabel="from digit")
figure.colorbar(image, label="fraction of the way")

# %%
print(f"on average {np.nanmean(reach):.2f} of the way, at least {np.nanmin(reach):.2f}")
between = np.linalg.norm(digits[:, None] - digits[None], axis=(2, 3))
worst = np.nanmin(reach * np.where(between > 0, between, np.nan), axis=1)
print("shortest way out, digits 0 to 4:  ", worst[:5].round(2))
print("sampled radius of the same digits:", radii.sampled_radius[:5].round(2))
print("proved radius of the same digits: ", radii.proved_radius[:5].round(3))

# %% [markdown]
# These are three different questions with three different answers: where does the proof hold, how far can one go in
# the worst direction that we tried, and how far in almost all directions?
#
# ## Exercises
#
# **1.** The sampled radius used 64 random directions, and all of them came back. Up to which fraction of all
# directions could nevertheless lead elsewhere, with 95 % confidence?

# %% [markdown] tags=["answer"]
# If a fraction $p$ of all directions leads elsewhere, all 64 come back with probability $(1-p)^{64}$. This is at
# least 0.05 as long as $p \le 1 - 0.05^{1/64} \approx 0.046$. `share` in the result is the fraction that comes back
# at least. It is a little smaller than 0.954, because several radii were tried:

# %% tags=["answer"]
print(radii.share.round(3))

# %% [markdown]
# **2.** Store the six points again with `noise=0.2` and with `noise=0.05`. What happens to the radii?

# %% tags=["answer"]
for noise in (0.05, 0.2):
    network = ax.maps.mlp((2,), width=128, depth=4, activation="selu", key=jr.key(0))
    again = ax.store(points, network, writer=ax.Gradient(noise=noise, epochs=1500), key=jr.key(1))
    found = ax.basin_radius(again, key=jr.key(0))
    print(f"noise {noise}: proved {found.proved_radius.round(3)}, sampled {found.sampled_radius.round(2)}")

# %% [markdown] tags=["answer"]
# The proved radii are largest for the amount in between, at four of the six points. Too little noise says nothing
# about the surroundings. With too much, the noisy copies of different points overlap, and the network cannot satisfy
# all of them. The sampled radii do not follow: 0.05 gives both the largest and the smallest of all, and more noise
# makes them more alike, 0.28 to 0.5. What a proof can show and what the basins are like are two questions.

# %% [markdown]
# **3.** A network maps everything to one point. What are its spectral radius and its basin? Is it a good memory?

# %% [markdown] tags=["answer"]
# The Jacobian is 0, so the spectral radius is 0, and the basin is the whole space. It is the best possible memory of
# one picture, and no memory of two. A small radius is not the aim in itself.
