# %% [markdown]
# # The theorem against width and depth
#
# The one eigenvalue that decides, for one example, after training from the same start.

# %% The eigenvalue over width and depth
import matplotlib.pyplot as plt
import numpy as np

from attrax import theory

widths, depths = [1, 2, 4, 8, 16, 32, 64], range(1, 9)
values = np.empty((8, 7))
for row, depth in enumerate(depths):
    for column, k in enumerate(widths):
        found = theory.single_example("sigmoid", k, 0.5, 0.5, depth, [0.5] * (depth - 1))
        values[row, column] = np.log10(max(abs(found.top_eigenvalue), 1e-12))
figure, axes = plt.subplots(figsize=(5, 3.6))
image = axes.imshow(values, origin="lower", cmap="viridis")
axes.set(xticks=range(7), xticklabels=widths, xlabel="width", ylabel="depth", yticks=range(8), yticklabels=depths)
figure.colorbar(image, label="$\\log_{10}|\\lambda_1|$")
