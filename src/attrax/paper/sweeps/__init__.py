"""Sweeps: independent cells of work, spread over processes, and kept in a file that a kill does not harm."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
