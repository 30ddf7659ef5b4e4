# %% [markdown]
# # Spurious attractors and capacity
#
# A memory can fail in two ways. It can *lose* an example, and it can *invent* one: an attractor that nobody stored.
# And every network stores only so much. This lesson looks for inventions, and then fills a network until it
# overflows.

# %%
import jax.random as jr
import matplotlib.pyplot as plt
import numpy as np

import attrax as ax

# %% [markdown]
# ## A memory that invents
#
# Ten digits in one hidden layer, trained as in the paper: Adam, no noise, until the loss is 10⁻⁸.

# %%
digits = ax.sources.load("digits", n=600).values
network = ax.maps.mlp((8, 8), width=128, depth=1, activation="sinusoid", key=jr.key(2))
small = ax.store(digits[:10], network, writer=ax.Gradient(learning_rate=1e-3, epochs=20_000), key=jr.key(2))
print(small.certificate.num_attractors, "of 10 are attractors; radii", small.certificate.spectral_radius.round(2))

# %% [markdown]
# Which attractors are there besides the digits? Nobody can look everywhere in 64 dimensions. But one can begin at
# many places and see where the paths end. `find_spurious` starts from digits that were not stored, from noise, and
# from mixtures of the stored digits. It merges equal ends, refines them by Newton's method and certifies them.

# %%
census = ax.analysis.find_spurious(small, digits[10:], num_starts=600, key=jr.key(1))
print(f"{census.recovered} of {census.starts} starts end at a stored digit, {census.other} elsewhere")
for limit in census.limits:
    if limit.kind != "stored":
        print(f"  {limit.kind}, {limit.verdict}: {limit.count} starts, nearest digit {limit.nearest}")

# %% What was found, and below it the nearest digit. A blue frame marks a certified attractor
ax.report.limits_figure(census, small.originals)

# %% [markdown]
# A blue frame means that Newton's method found an exact fixed point and that a bound on all eigenvalues is below 1.
# So these really are attractors. The numbers below the pictures are root mean square distances. Two of the three are
# close to a digit: the network has stored something there, only not exactly the digit. The one that most starts reach
# is none of the ten.
#
# ## A memory that does not seem to
#
# The same digits, trained with noise:

# %%
network = ax.maps.mlp((8, 8), width=128, depth=3, activation="selu", key=jr.key(0))
writer = ax.Gradient(noise=0.4, epochs=1500, coordinates=0)
noisy = ax.store(digits[:10], network, writer=writer, key=jr.key(0))
print(noisy.certificate.num_attractors, "of 10 are attractors")
second = ax.analysis.find_spurious(noisy, digits[10:], num_starts=600, key=jr.key(1))
print(f"{second.recovered} of {second.starts} starts end at a stored digit, {second.other} elsewhere")
print(f"with 95 % confidence, less than {second.upper_bound:.2%} of such starts end elsewhere")

# %% Left: how many ends were found with how many starts. Right: where the starts of each kind ended
ax.report.census_figure(second)

# %% [markdown]
# The bound is about starts *like these*. It never becomes 0, and it says nothing about starts of another kind. "No
# spurious attractor was found in six hundred starts" is a weaker sentence than "there is no spurious attractor".
#
# ## Capacity
#
# How many examples fit into a network of a given size? Random black and white vectors with 64 entries are the hardest
# case, as there is nothing common to them. `capacity_sweep` trains one network on 8 of them, one on 16, and so on,
# and asks each to recall all its examples from cues with noise.

# %% Left: the fraction recovered. Right: bits per weight
vectors = np.random.default_rng(0).choice([0.0, 1.0], size=(128, 64))
sweep = ax.analysis.capacity_sweep(
    vectors, [8, 16, 32, 64, 128], width=128, depth=4, corruption="gaussian:0.4", epochs=1000, key=jr.key(0)
)
ax.report.capacity_figure(sweep)

# %%
for point in sweep.points:
    print(
        f"{point.num_examples:4} examples: {point.attractors:3} attractors, {point.recovered:3} recovered,"
        f" {point.graded_bits_per_weight:.2f} bits per weight"
    )

# %% [markdown]
# *Bits per weight* counts one bit for each entry that surely comes back, and less for each the more entries come back
# wrong; this is divided by the number of weights. Up to 64 examples most are attractors, and at least half of these
# very noisy cues come back. One doubling later nothing does: the *capacity cliff*. The network has not forgotten the
# last examples and kept the first ones. It has lost them all together, because all examples share all weights.
#
# ## Exercises
#
# **1.** In 500 starts none ended elsewhere. Which bound follows, with 95 % confidence? How many starts does a bound
# of 10⁻⁴ need?

# %% [markdown] tags=["answer"]
# If a fraction $p$ of the starts ended elsewhere, none of 500 would with probability $(1-p)^{500}$. This is at least
# 0.05 for $p \le 1 - 0.05^{1/500} \approx 0.006$. For $10^{-4}$ one needs $\ln(0.05)/\ln(1-10^{-4}) \approx 30\,000$
# starts.

# %% [markdown]
# **2.** Does one of the spurious attractors of the first memory look like the mean of some digits? Compute the best
# mixture: weights for the ten digits that come closest to it.

# %% tags=["answer"] title="Weights of the ten digits in the most frequent spurious attractor"
found = next(limit for limit in census.limits if limit.kind == "spurious")
state = found.state.reshape(-1, 64)[0]
weights, *_ = np.linalg.lstsq(digits[:10].reshape(10, -1).T, state, rcond=None)
rest = np.linalg.norm(digits[:10].reshape(10, -1).T @ weights - state) / np.linalg.norm(state)
figure, axes = plt.subplots(figsize=(4.6, 2.6))
axes.bar(range(10), weights, color=ax.report.BLUE)
axes.set(xlabel="digit", ylabel="weight", xticks=range(10))
print(f"the mixture misses {rest:.0%} of the length of the state")

# %% [markdown] tags=["answer"]
# It is made of several digits, above all 0 and 3, with positive and negative weights. About a quarter of it is no
# mixture at all.

# %% [markdown]
# **3.** A vector of 64 random bits holds 64 bits. Sixty-four of them are stored in the network above, with 66,112
# weights of 32 bits each. How many bits per weight is this? What is the rest good for?

# %% [markdown] tags=["answer"]
# $64\cdot 64/66\,112 \approx 0.06$ bits per weight, of 32. (The table says 0.04, as it counts only what came back.)
# The network is a very wasteful way of keeping bits. What the other weights do is recall: they decide for every state
# in 64 dimensions where it should go.
