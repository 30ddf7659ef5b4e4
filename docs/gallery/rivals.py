# %% [markdown]
# # Beside other memories
#
# The same cues for nearest-neighbor rules and Hopfield networks that store the same digits.

# %% What each memory identifies and recovers
import jax.random as jr

import attrax as ax

digits = ax.sources.load("digits", n=30).values
memory = ax.store(digits, writer=ax.Constructed(), key=jr.key(0))
rivals = ["1-NN euclidean", "1-NN correlation", "Hopfield", "pseudo-inverse", "modern Hopfield"]
found = ax.analysis.compare(memory, ["gaussian:0.3", "drop:0.5", "occlude:0.3"], rivals=rivals, key=jr.key(0))
ax.report.comparison_figure(found)
