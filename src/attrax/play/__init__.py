"""The playground: one HTML page that trains and iterates networks in the browser, with memories inside."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
