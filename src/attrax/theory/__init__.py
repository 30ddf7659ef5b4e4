"""The formulas of the theory: training on one example, sequences, several examples, and where its conditions fail."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
