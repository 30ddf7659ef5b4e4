# %% [markdown]
# # Recall as a film
#
# Nine digits with noise, all iterated at once. On the command line: `attrax recall digits.attrax --corrupt
# gaussian:0.4 -o way.gif`.

# %% Nine digits come back
import jax.random as jr

import attrax as ax

digits = ax.sources.load("digits", n=9).values
network = ax.maps.mlp((8, 8), width=128, depth=2, activation="selu", key=jr.key(0))
memory = ax.store(digits, network, writer=ax.Gradient(noise=0.2, epochs=800, coordinates=0), key=jr.key(0))
cues = ax.corrupt("gaussian:0.4", digits, key=jr.key(1))
answer = ax.recall(memory, cues, expected=range(9), path=True)
ax.sources.save_video("way.gif", ax.report.path_film(memory, answer, max_steps=24), 5).path
