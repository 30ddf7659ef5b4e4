"""What code that extends attrax shares with it: names of types, checks of arguments, 64 bits, files written safely.

>>> from attrax.extending import checks
>>> checks.integer("width", 3, least=1)
3
"""

import lazy_loader

from attrax._base import checks as checks

# The others when they are first used: processes of sweeps ask for names of types, and need not wait for JAX.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub("attrax", __file__)
