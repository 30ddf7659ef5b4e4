"""The records of a memory and of its certificate, and the thresholds by which both are judged."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
