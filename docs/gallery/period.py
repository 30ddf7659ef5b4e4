# %% [markdown]
# # The period of a recording
#
# A memory of seven random states is run from noise; the period is measured in what it does, as in any recording.

# %% Mean squared difference at each lag
import jax.random as jr
import numpy as np

import attrax as ax

draw = np.random.default_rng(0)
cycle = draw.normal(size=(7, 40))
memory = ax.store(ax.Patterns.from_cycles([cycle]), writer=ax.Constructed(), key=jr.key(0))
states = ax.analysis.iterated(memory, draw.normal(size=(1, 40)), 80)
found = ax.analysis.measured_period(states + 0.01 * draw.normal(size=states.shape))
ax.report.period_figure(found)
