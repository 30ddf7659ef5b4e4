"""The paper made again: its experiments, the sweeps that run them, and the pages that show them."""

from . import experiments as experiments
from . import pages as pages
from . import sweeps as sweeps
