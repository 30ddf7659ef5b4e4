# %% [markdown]
# # Faces that come back
#
# Twenty faces are stored in a network by training it to reproduce them. Then half of a face is blackened, and the
# network is applied until nothing changes any more. The face comes back, step by step. The spectrum of the Jacobian
# at each face says how fast.
#
# You need the first lesson, [What is an attractor?](attractors.md)

# %%
import jax.random as jr
import matplotlib.pyplot as plt
import numpy as np

import attrax as ax

# %% [markdown]
# ## Storing
#
# The faces come with scikit-image. Each has 25×25 pixels between 0 (black) and 1 (white), so the state of the network
# is an array of 625 numbers.

# %% The first ten of the twenty faces
faces = ax.sources.load("faces", n=20).values


def show(pictures, titles=None):
    figure, row = plt.subplots(1, len(pictures), figsize=(0.85 * len(pictures), 1.15), squeeze=False)
    for number, (axes, picture) in enumerate(zip(row[0], pictures, strict=True)):
        axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
        axes.set_title("" if titles is None else titles[number], fontsize=9)
        axes.axis("off")


show(faces[:10])

# %% [markdown]
# The network has three hidden layers of 256 units. The `Gradient` writer trains it by gradient descent, on damaged
# faces, half of them with noise and half with a black lower part; the target is the clean face. So the map is made
# flat around each face, as in the first lesson, and flattest in the directions of this damage. `coordinates=0` trains
# in the 20-dimensional space that the faces span, which is faster; the result is a plain network on pixels.

# %%
network = ax.maps.mlp((25, 25), width=256, depth=3, activation="selu", key=jr.key(0))
writer = ax.Gradient(corruptions=("gaussian:0.5", "occlude:0.6"), copies=4, epochs=2000, coordinates=0)
memory = ax.store(faces, network, writer=writer, key=jr.key(1))
print(memory.status, "–", memory.certificate.num_attractors, "of", len(faces), "are attractors")

# %% [markdown]
# ## One face, step by step
#
# The lower half of each face is now made black. `recall` applies the network again and again, and `path=True` keeps
# every state on the way.

# %% Face 2 with a black lower half, and what the network makes of it
cues = ax.corrupt("occlude:0.5", faces, key=jr.key(2))
answer = ax.recall(memory, cues, expected=range(20), path=True)
path = answer.path[2]
steps = [step for step in (0, 1, 2, 3, 5, 8, 12, 20) if step < len(path)]
show([*path[steps], faces[2]], ["cue", *[f"step {step}" for step in steps[1:]], "stored"])

# %% [markdown]
# The network is never told which face to look for, nor which pixels are wrong. It is only applied.
#
# The distance to all twenty faces along the way shows the same. One curve goes down to zero, and the others level off
# at the distances between that face and the others.

# %% Distance from the state to each stored face. Blue: the face that the cue was made from
distances = np.linalg.norm(path[:, None] - faces[None], axis=(2, 3))
figure, axes = plt.subplots(figsize=(6, 3.4))
axes.plot(np.delete(distances, 2, axis=1), color=ax.report.GRAY, linewidth=0.8)
axes.plot(distances[:, 2], color=ax.report.BLUE, linewidth=2.5)
axes.set(xlabel="step", ylabel="Euclidean distance", ylim=(0, None))

# %% [markdown]
# Ten at once, as a film. A picture gets a green edge and a check mark when its cue has reached the right face, and a
# cross if the path ends somewhere else.

# %% Ten faces with a black lower half, side by side, step by step
ten = ax.recall(memory, cues[:10], expected=range(10), path=True)
ax.sources.save_video("faces.gif", ax.report.path_film(memory, ten, columns=5, max_steps=20), 5).path

# %%
print(f"{answer.recovered.sum()} of {len(cues)} recovered")

# %% [markdown]
# ## The spectrum
#
# The Jacobian at a face is a matrix of 625×625 numbers. If all its eigenvalues are smaller than 1 in modulus, the
# face is an attractor. The largest modulus is the *spectral radius*; it is the factor by which the distance shrinks
# in the long run.

# %% The thirty largest eigenvalues at each face. Left: those of face 2 in the complex plane, with the unit circle
spectrum = ax.spectrum(memory, top=30, key=jr.key(0))
figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.8))
circle = np.exp(2j * np.pi * np.linspace(0, 1, 200))
left.plot(circle.real, circle.imag, color=ax.report.GRAY)
left.plot(spectrum.eigenvalues[2].real, spectrum.eigenvalues[2].imag, "o", color=ax.report.BLUE, markersize=4)
left.set(xlabel="real part", ylabel="imaginary part", aspect="equal")
right.plot(np.abs(spectrum.eigenvalues).T, color=ax.report.BLUE, linewidth=0.7)
right.axhline(1, color="black", linewidth=1)
right.set(xlabel="rank of the eigenvalue", ylabel="modulus", ylim=(0, None))

# %% [markdown]
# Most of the 625 eigenvalues are nearly 0: in these directions one step removes a deviation completely. Nineteen are
# larger. They belong to the directions between the faces, of which 20 faces have 19.
#
# Does the spectral radius predict the speed? Close to the face, the distance to the attractor should shrink by this
# factor in each step.

# %% The distance to the attractor on a logarithmic axis, and the slope that the spectral radius predicts
cue = ax.corrupt("gaussian:0.1", faces[2:3], key=jr.key(3))
near = ax.iterate(memory.map, cue).value[0]
states = [cue[0]]
for _ in range(12):
    states.append(ax.iterate(memory.map, states[-1][None], max_steps=1).value[0])
distance = np.linalg.norm(np.array(states) - near, axis=(1, 2))
radius = memory.certificate.spectral_radius[2]
figure, axes = plt.subplots(figsize=(6, 3.4))
axes.semilogy(distance, "o-", color=ax.report.BLUE, label="measured")
axes.semilogy(distance[4] * radius ** (np.arange(13.0) - 4), "--", color="black", label=f"{radius:.3f} per step")
axes.set(xlabel="step", ylabel="distance to the attractor")
axes.legend(frameon=False)

# %% [markdown]
# ## Exercises
#
# **1.** Which damage is harder for this memory: noise, a black lower half, or pixels dropped at random? Compare with
# the nearest stored face by Euclidean distance.

# %% tags=["answer"]
for corruption in ("gaussian:0.5", "occlude:0.5", "drop:0.5"):
    found = ax.recovery(memory, corruption, key=jr.key(4))
    print(f"{corruption}: recovered {found.recovery_rate:.2f}, nearest neighbor {found.one_nn_rate:.2f}")

# %% [markdown] tags=["answer"]
# Noise and black halves are what it was trained on. Dropped pixels are new to it. They make the picture darker
# everywhere, which moves it far away, and always in a similar direction.

# %% [markdown]
# **2.** The spectral radius of some face is 0.9. How many steps does it take until a deviation is a million times
# smaller?

# %% [markdown] tags=["answer"]
# $0.9^n = 10^{-6}$ gives $n = \ln(10^{-6})/\ln(0.9) \approx 131$. With a radius of 0.5 it takes 20 steps.

# %% [markdown]
# **3.** What does the memory do with a face that it has not stored?

# %% tags=["answer"] title="Above: five new faces. Below: where they end"
new = ax.sources.load("faces", n=25).values[20:]
found = ax.recall(memory, new)
figure, rows = plt.subplots(2, 5, figsize=(4.4, 1.9))
for axes, picture in zip(rows.flat, [*new, *found.value], strict=True):
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
    axes.axis("off")
print([str(status) for status in found.status], found.nearest)

# %% [markdown] tags=["answer"]
# Each new face ends at a stored one, which need not look very much like it. (`recovered` means only this here, as
# nothing was expected: the path ended at a stored face.) The memory has no answer such as "unknown". Other memories
# end at mixtures that nobody stored; the [sixth lesson](spurious.md) looks for these.
