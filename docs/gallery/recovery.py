# %% [markdown]
# # How bad may a cue be?
#
# Recovery against the strength of three corruptions, with nearest-neighbor rules on the same cues.

# %% Recovery curves of twenty faces
import jax.random as jr

import attrax as ax

faces = ax.sources.load("faces", n=20).values
memory = ax.store(faces, writer=ax.Constructed(), key=jr.key(0))
kinds = ["gaussian:0.1..1.5", "occlude:0.1..0.9", "drop:0.1..0.9"]
ax.report.curve_figure(ax.analysis.recovery_curves(memory, kinds, clamp=False, key=jr.key(0)))
