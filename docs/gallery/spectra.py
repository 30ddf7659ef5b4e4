# %% [markdown]
# # Spectra with and without noise
#
# The largest eigenvalues at ten digits. Trained with noise on its inputs, the same network contracts.

# %% Moduli of the largest eigenvalues, trained without noise and with it
import jax.random as jr

import attrax as ax

digits = ax.sources.load("digits", n=10).values
spectra = {}
for name, settings in {"plain": {"epochs": 4000}, "with noise": {"noise": 0.2, "epochs": 1000}}.items():
    network = ax.maps.mlp((8, 8), width=128, depth=2, activation="sinusoid", key=jr.key(0))
    memory = ax.store(digits, network, writer=ax.Gradient(learning_rate=1e-3, **settings), key=jr.key(0))
    spectra[name] = ax.spectrum(memory, top=16, key=jr.key(0))
ax.report.eigenvalue_panels(spectra, bins=24)
