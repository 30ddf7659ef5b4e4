# %% [markdown]
# # Basins in the plane
#
# Six points, stored by the default writer. The color says where a start ends, the arrows where one step leads.

# %% Basins of six points in the plane
import jax.random as jr
import numpy as np

import attrax as ax

points = np.array([[-0.8, -0.6], [0.1, -0.9], [0.9, -0.4], [-0.6, 0.5], [0.2, 0.2], [0.7, 0.9]])
memory = ax.store(points, key=jr.key(0))
basins = ax.analysis.basins(memory, extent=(-1.5, 1.5, -1.5, 1.5), resolution=96)
ax.report.basin_map(basins, panels=("basins",))
