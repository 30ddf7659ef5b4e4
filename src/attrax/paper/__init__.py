"""The paper made again: its experiments, the sweeps that run them, and the pages that show them."""
