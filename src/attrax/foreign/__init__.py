"""Maps from elsewhere and back: ONNX graphs, PyTorch modules and scikit-learn's networks as maps; memories as ONNX."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
