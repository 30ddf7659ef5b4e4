"""What a network that was made elsewhere remembers: where its states go, and which of its training data it holds."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
