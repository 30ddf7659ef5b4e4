# %% [markdown]
# # Films, sound and sentences
#
# So far each stored picture leads to itself. Now each picture leads to the next one, and the last to the first. Such
# a sequence is a *cycle*. If everything near it is pulled towards it, it is a **limit cycle**, and the network plays
# a film when it is applied again and again.

# %%
from collections import Counter

import jax.random as jr
import matplotlib.pyplot as plt
import numpy as np

import attrax as ax

# %% [markdown]
# ## A film
#
# The film is a slow pan over photographs that come with scikit-image: 48 frames of 48×48 pixels. The `margin` writer,
# `ax.Constructed()` in Python, computes a network with one hidden layer directly, without training. That takes a
# second.

# %%
clip = ax.sources.load_sequence("pan:48", size=(48, 48), gray=True, fps=4)
film = ax.store(ax.Patterns.from_cycles([clip.values]), writer=ax.Constructed(), key=jr.key(0))
print(film.certificate.verdict[0], "of period", film.certificate.period[0])

# %% [markdown]
# Where does the network lead from pure noise? The first picture below is the cue. Green edges mark frames that are
# frames of the film.

# %% From noise into the film; below, the stored frames
noise = np.random.default_rng(0).uniform(size=(1, 48, 48))
answer = ax.recall(film, noise, path=True)
ax.report.path_strip(film, answer, columns=8)

# %%
print(f"in the film after {answer.transient[0]} steps, period {answer.period[0]}, at least {answer.psnr_min[0]:.0f} dB")

# %% The same path as a film
frames = answer.path[0].repeat(2, axis=1).repeat(2, axis=2)
ax.sources.save_video("film.gif", frames, 8).path

# %% [markdown]
# ## What decides: the product of the Jacobians
#
# For a single picture the eigenvalues of one Jacobian decide. Along a cycle $x_1, x_2, \dots, x_n$ a small deviation
# is multiplied by one Jacobian after another. So the product decides:
#
# $$J_{f^n}(x_1) = J_f(x_n)\cdots J_f(x_2) J_f(x_1)$$
#
# If all its eigenvalues are below 1 in modulus, the cycle is a limit cycle. Single Jacobians may be large, as long as
# the whole round contracts. This makes sequences easier to store than single pictures.
#
# To see numbers that are not zero, here is a network that is *trained*: two sequences of ten digits, 0 to 9 and 9 to
# 0, of 8×8 pixels, in one hidden layer of 256 units. The digits of the two sequences are different pictures.
# Otherwise a picture would need two successors.

# %% The two sequences
digits = ax.sources.load("digits", n=100)
labels = np.array(digits.labels).astype(int)
first = [int(np.flatnonzero(labels == digit)[0]) for digit in range(10)]
second = [int(np.flatnonzero(labels == digit)[1]) for digit in range(10)]
up, down = digits.values[first], digits.values[second[::-1]]
figure, rows = plt.subplots(2, 10, figsize=(7, 1.6))
for axes, picture in zip(rows.flat, [*up, *down], strict=True):
    axes.imshow(picture, cmap="gray")
    axes.axis("off")

# %%
network = ax.maps.mlp((8, 8), width=256, depth=1, activation="sinusoid", key=jr.key(0))
writer = ax.Gradient(learning_rate=1e-3, tol=1e-9, epochs=20_000)
two = ax.store(ax.Patterns.from_cycles([up, down]), network, writer=writer, key=jr.key(1))
for cycle, verdict in enumerate(two.certificate.verdict):
    radius = np.exp(two.certificate.log_spectral_radius[cycle])
    print(f"cycle {cycle}: {verdict}, spectral radius of the product {radius:.2g}")

# %% [markdown]
# Both are limit cycles. A hundred cues of pure noise: how many of them end in one of the two sequences?


# %%
def from_noise(memory):
    cues = np.random.default_rng(1).uniform(size=(100, 8, 8))
    found = ax.recall(memory, cues, max_steps=2000)
    ends = [
        "0 to 9" if cycle == 0 else "9 to 0" if cycle == 1 else str(status)
        for cycle, status in zip(found.cycle, found.status, strict=True)
    ]
    print(dict(Counter(ends)))


from_noise(two)

# %% [markdown]
# None: they end at *spurious* attractors, which nobody stored. The eigenvalues say that deviations shrink if they are
# small. They do not say how small. Three layers that are trained with noise on the inputs have larger basins, as
# exercise 3 shows. Are they large enough for pure noise?

# %%
network = ax.maps.mlp((8, 8), width=256, depth=3, activation="selu", key=jr.key(0))
writer = ax.Gradient(noise=0.4, epochs=2000, coordinates=0)
wide = ax.store(ax.Patterns.from_cycles([up, down]), network, writer=writer, key=jr.key(1))
print([str(verdict) for verdict in wide.certificate.verdict])
from_noise(wide)

# %% [markdown]
# They are not. Pure noise is far from all digits, and training never asked what the network does there. The `margin`
# network of the film is built for this case: it has a state of its own for everything that it does not recognize, and
# that state leads to the first frame.

# %% [markdown]
# ## A sound
#
# A sound is cut into pieces, here eight pieces of a quarter of a second. Each piece is one state, and it leads to the
# next.

# %%
rate = 2000
times = np.arange(2 * rate) / rate
sound = 0.5 * np.sin(2 * np.pi * 60 * times * (1 + times)) * np.hanning(len(times))
pieces = sound.reshape(8, -1)
memory = ax.store(ax.Patterns.from_cycles([pieces]), writer=ax.Constructed(), key=jr.key(0))
print(memory.certificate.verdict[0], memory.patterns.shape)

# %% The cue is a quarter of a second of noise (gray). After one more step the sound begins, and repeats
cue = np.random.default_rng(2).uniform(-0.5, 0.5, size=(1, rate // 4))
answer = ax.recall(memory, cue, path=True, cycles=2)
heard = answer.path[0].reshape(-1)
figure, axes = plt.subplots(figsize=(8, 2.4))
axes.plot(np.arange(len(heard)) / rate, heard, color=ax.report.BLUE, linewidth=0.4)
axes.plot(np.arange(rate // 4) / rate, heard[: rate // 4], color=ax.report.GRAY, linewidth=0.4)
axes.set(xlabel="seconds", ylabel="sound pressure")

# %% [markdown]
# ## A sentence
#
# Words are not pictures: there is nothing between two words. The paper stores a sentence in a *recurrent* network. It
# has hidden units that it keeps from step to step, and it hears the word that it has just said. Hidden units and word
# together are the state, and the closed loop is a map like any other.

# %%
words = "Hopfield networks are able to store binary training patterns as attractive fixed points".split()
spoken = ax.store_words(words, key=jr.key(0))
print(spoken.certificate.verdict[0], "of period", spoken.certificate.period[0])
print(" ".join(spoken.written["vocabulary"][word] for word in spoken.map.speak(18)))

# %% [markdown]
# ## Exercises
#
# **1.** Why can a map not store the sequence 0, 1, 0, 2? Try it, and find a way out.

# %% [markdown] tags=["answer"]
# The picture 0 would have to lead to 1 and to 2, but a map has one value at each state. attrax refuses:

# %% tags=["answer"]
sequence = up[[0, 1, 0, 2]]
try:
    ax.Patterns.from_cycles([sequence])
except ValueError as error:
    print(error)

# %% [markdown] tags=["answer"]
# The way out is a larger state. If a state is the last *two* pictures, (2, 0) leads to (0, 1) and (1, 0) leads to (0,
# 2):

# %% tags=["answer"]
pairs = ax.Patterns.from_sequences([sequence], context=2)
stored = ax.store(pairs, writer=ax.Constructed(), key=jr.key(0))
print(stored.patterns.shape, stored.certificate.verdict[0], "of period", stored.certificate.period[0])

# %% [markdown]
# **2.** The spectral radius of the product does not depend on the frame at which the round begins. Why?

# %% [markdown] tags=["answer"]
# For any two square matrices, $AB$ and $BA$ have the same eigenvalues. Take $A = J_f(x_n)\cdots J_f(x_2)$ and $B =
# J_f(x_1)$: beginning one frame later turns $AB$ into $BA$.

# %% [markdown]
# **3.** Start both networks of digits from stored pictures with noise of σ = 0.1, 0.3 and 1. How often does the right
# sequence follow?

# %% tags=["answer"]
cues = {sigma: ax.corrupt(f"gaussian:{sigma}", np.concatenate([up, down]), key=jr.key(2)) for sigma in (0.1, 0.3, 1.0)}
for name, memory in (("plain", two), ("with noise", wide)):
    found = {sigma: ax.recall(memory, some, expected=range(20), max_steps=2000) for sigma, some in cues.items()}
    print(f"{name}:", {sigma: int(answer.recovered.sum()) for sigma, answer in found.items()}, "of 20")
