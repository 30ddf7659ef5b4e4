# %% [markdown]
# # A film from noise
#
# A film of 48 frames in one hidden layer. The cue is noise.

# %% From noise into the film
import jax.random as jr
import numpy as np

import attrax as ax

clip = ax.sources.load_sequence("pan:48", size=(48, 48), fps=4)
memory = ax.store(ax.Patterns.from_cycles([clip.values]), writer=ax.Constructed(), key=jr.key(0))
cue = np.random.default_rng(1).uniform(size=(1, 48, 48, 3))
ax.report.path_strip(memory, ax.recall(memory, cue, path=True))
