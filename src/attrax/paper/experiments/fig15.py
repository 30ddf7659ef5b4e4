"""Fig. 15: how many examples are stored, by activation and optimizer."""

from attrax.paper._tables_report import table_experiment

EXPERIMENT = table_experiment(
    "fig15",
    "Fig. 15: activations and optimizers",
    "How many of 100 gray CIFAR-10 pictures become attractors depends on the activation and on the optimizer.",
    "Depth, width and rates are lost: 10 layers, PyTorch's initialization and the rates of the command's defaults are "
    "chosen; at quick, pictures are smaller and Adam's rate is larger. The place of empty cells in three rows is not "
    "known; both readings are printed. The headings of the last two columns are lost as well; both complete rows have "
    "the same number there, and of the incomplete ones the first order is taken.",
)
