# %% [markdown]
# # Faces from damaged faces
#
# Thirty faces, computed into one hidden layer. The cues have noise, or their lower third is black.

# %% Stored faces, cues, and what came back
import jax.random as jr

import attrax as ax

faces = ax.sources.load("faces", n=30).values
memory = ax.store(faces, writer=ax.Constructed(), key=jr.key(0))
found = [ax.recovery(memory, corruption, key=jr.key(1)) for corruption in ("gaussian:0.3", "occlude:0.3")]
ax.report.recall_strip(memory, found)
