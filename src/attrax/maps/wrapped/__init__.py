"""Any callable as a map: the general way to do what a map's class has no better way for."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
