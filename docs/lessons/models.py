# %% [markdown]
# # Your own PyTorch model: what does it remember?
#
# Networks that were trained to reproduce their data may have memorized some of it. This lesson trains an autoencoder
# in PyTorch, as anybody would, and asks it: which of its training pictures are attractors? Can somebody who has
# nothing but the network get them back out?
#
# You need PyTorch and ONNX: `pip install "attrax[torch]"`.

# %%
import jax.random as jr
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

import attrax as ax
from attrax import foreign
from attrax.audit import audit

# %% [markdown]
# ## The model
#
# An autoencoder with a bottleneck of 32 numbers, trained on ten pictures of digits until the loss is small. Another
# 150 digits are held out: the network never gets them.

# %%
digits = ax.sources.load("digits", n=250).values.astype(np.float32)
train, held_out = digits[:10], digits[100:250]
torch.manual_seed(0)
torch.set_num_threads(1)
model = nn.Sequential(
    nn.Flatten(),
    nn.Linear(64, 128),
    nn.SiLU(),
    nn.Linear(128, 32),
    nn.SiLU(),
    nn.Linear(32, 128),
    nn.SiLU(),
    nn.Linear(128, 64),
    nn.Unflatten(1, (8, 8)),
)
data = torch.from_numpy(train)
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(6000):
    optimizer.param_groups[0]["lr"] = 1e-3 * (1 - step / 6000)
    optimizer.zero_grad()
    loss = ((model(data) - data) ** 2).mean()
    loss.backward()
    optimizer.step()
print(f"loss {loss.item():.1e}")

# %% [markdown]
# ## From PyTorch to a map
#
# `from_torch` exports the model, translates it to JAX, and compares the two on random inputs. What comes out is a map
# like any other: it can be iterated, differentiated and certified. The PyTorch model is not changed.

# %%
conversion = foreign.from_torch(model.eval(), data[:1])
print(f"largest difference from PyTorch: {conversion.difference:.1e}")

# %% [markdown]
# ## Are the training pictures attractors?
#
# Put the map and the ten pictures together, and certify. *Attractor* is a statement about the fixed point next to the
# picture and about all eigenvalues there.

# %%
memory = ax.Memory(conversion.map, ax.Patterns.from_examples(train))
certificate = ax.certify(memory)
for index, (verdict, reason, radius) in enumerate(
    zip(certificate.verdict, certificate.reason, certificate.spectral_radius, strict=True)
):
    print(f"digit {index}: {verdict} ({reason}), radius {radius:.3f}")

# %% [markdown]
# The network reproduces all ten, but most of them repel (`expands`).
#
# ## What comes out of noise?
#
# `audit` goes further. It follows many starts to their ends, certifies the ends, and compares them with the training
# data. `num_starts` of them are noise and blends of two examples; the training and held-out pictures and damaged
# copies of them are added, so the counts below are higher. For every training example it asks how closely paths from
# it and from its copies come back to it, and compares this with the held-out pictures. The share of held-out pictures
# that do as well is the *p-value*.

# %%
found = audit(conversion.map, train, held_out, num_starts=200, key=jr.key(0))
for number, end in enumerate(found.ends.ends):
    print(f"end {number}: {end.kind}, {end.verdict}, radius {end.spectral_radius:.3f}, {end.count} starts")

# %% Above: the ends that are certified attractors, which noise alone leads to. Below: the nearest training picture
attractors = [end for end in found.ends.ends if end.attracts]
figure, rows = plt.subplots(2, len(attractors), figsize=(1.4 * len(attractors), 3), squeeze=False, layout="constrained")
for column, end in zip(rows.T, attractors, strict=True):
    state = end.states[0].reshape(8, 8)
    nearest = np.linalg.norm(train - state, axis=(1, 2)).argmin()
    column[0].imshow(state, cmap="gray", vmin=0, vmax=1)
    column[1].imshow(train[nearest], cmap="gray", vmin=0, vmax=1)
    column[1].set_title(f"digit {nearest}", fontsize=9)
for axes in rows.flat:
    axes.axis("off")

# %% [markdown]
# The starts of pure noise alone lead to both, as the next table says (*found from noise*). So these pictures can be
# found without the training data: whoever has the network has them.

# %%
for index, example in enumerate(found.examples.examples):
    word = "memorized" if example.memorized else "–"
    print(f"digit {index}: p = {example.p_value:.3f} {word}{', found from noise' if example.extracted else ''}")

# %% [markdown]
# "Memorized" is said at a rate of false accusations of 1 %: a picture that was not used in training, but is of the
# same kind, would be called so with a probability of at most 1 %, whatever the network does. That the others are not
# called memorized is no proof that they are safe. The score is about attraction, and the network does reproduce them.
#
# All of this on one page, with pictures and spectra, for people who do not write Python:
#
# ```sh
# attrax audit model.onnx --train train.npy --held-out held_out.npy -o audit.html
# ```
#
# [What does my model remember?](../audit.md) explains each column.
#
# ## Exercises
#
# **1.** Where do paths go that start at the digits that repel? Iterate from `train` itself, with a little noise.

# %% tags=["answer"] title="Ten digits with noise of σ = 0.05 (above), and where they end (below)"
cues = ax.corrupt("gaussian:0.05", train, key=jr.key(1))
ends = ax.iterate(conversion.map, cues, max_steps=3000)
figure, rows = plt.subplots(2, 10, figsize=(8, 2.2))
for axes, picture in zip(rows.flat, [*cues, *ends.value], strict=True):
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
    axes.axis("off")
for axes, status in zip(rows[1], ends.status, strict=True):
    axes.set_title("" if status == "converged" else str(status), fontsize=8)

# %% [markdown] tags=["answer"]
# They go to the two attractors, or they grow without bound: nothing keeps the outputs of this network between 0 and
# 1. The pictures that repel are not where paths end.

# %% [markdown]
# **2.** Train the model again, for 30, 100 and 300 steps only. When does it begin to memorize?


# %% tags=["answer"]
def trained(steps):
    torch.manual_seed(0)
    layers = [nn.Linear(64, 128), nn.SiLU(), nn.Linear(128, 32), nn.SiLU(), nn.Linear(32, 128), nn.SiLU()]
    model = nn.Sequential(nn.Flatten(), *layers, nn.Linear(128, 64), nn.Unflatten(1, (8, 8)))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = ((model(data) - data) ** 2).mean()
        loss.backward()
        optimizer.step()
    return model.eval(), loss.item()


for steps in (30, 100, 300):
    early, loss = trained(steps)
    found = audit(foreign.from_torch(early, data[:1]).map, train, held_out, num_starts=100, key=jr.key(0))
    attracting = sum(end.attracts for end in found.ends.ends)
    memorized = sum(bool(example.memorized) for example in found.examples.examples)
    print(f"{steps} steps: loss {loss:.0e}, {attracting} attractors, {memorized} of 10 memorized")

# %% [markdown] tags=["answer"]
# Early. After 30 steps everything leads to one picture, which is none of the ten. After 100 steps the loss is still
# large, and one example is memorized. After 300 steps there are two attractors and two memorized pictures, as after
# the long training.

# %% [markdown]
# **3.** Why are 150 held-out pictures used, and not 50?

# %% [markdown] tags=["answer"]
# The p-value is the rank of the training example among the held-out ones. With $n$ of them it cannot be smaller than
# $1/(n+1)$. For accusations at 1 % one needs at least 99.
