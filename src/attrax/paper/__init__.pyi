"""The paper made again: its experiments, the sweeps that run them, and the pages that show them."""

from . import pages as pages
from . import sweeps as sweeps
from ._cost import Expected as Expected
from ._cost import expected as expected
from ._experiment import MODES as MODES
from ._experiment import SCALES as SCALES
from ._experiment import Drawing as Drawing
from ._experiment import Experiment as Experiment
from ._experiment import Outcome as Outcome
from ._experiment import Summary as Summary
from ._experiment import judged as judged
from ._experiment import repeated as repeated
from ._plane import four_circles as four_circles
from ._plane import train_plane as train_plane
from ._registry import COMPARISONS as COMPARISONS
from ._registry import EXPERIMENTS as EXPERIMENTS
from ._reproduce import Reproduction as Reproduction
from ._reproduce import Row as Row
from ._reproduce import planned as planned
from ._reproduce import reproduce as reproduce
