"""Fig. 16: how many examples are stored, by activation and initialization."""

from attrax.paper._tables_report import table_experiment

EXPERIMENT = table_experiment(
    "fig16",
    "Fig. 16: activations and initializations",
    "How many of 100 gray CIFAR-10 pictures become attractors depends on the activation and on the initialization.",
    "Depth, width and rate are lost; at quick, pictures are smaller and the rate is larger than elsewhere. That the "
    "rows ascend in a, and which of the last two columns is cosid, are readings; the rows of Xavier, Kaiming and the "
    "default are lost.",
)
