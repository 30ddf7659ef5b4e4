"""Maps from a state to a state: the contract that any callable fulfills, and fully connected, convolutional and
recurrent networks."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
