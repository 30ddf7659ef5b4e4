"""Maps from a state to a state: fully connected, convolutional and recurrent networks. Any callable is a map too."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
