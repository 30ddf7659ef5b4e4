"""Iteration of maps, recall, and the fixed points and cycles that iteration leads to."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
