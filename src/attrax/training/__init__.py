"""Training: the paper's optimizers, one loop, coordinates in the span of the data, the polish of the last layer."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
