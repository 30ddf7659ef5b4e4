"""Examples and sequences from files, folders and known data sets, and images, films, sound and text written back."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
