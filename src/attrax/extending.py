"""What code that extends attrax shares with it: names of types, checks of arguments, 64 bits, files written safely.

>>> from attrax.extending import checks
>>> checks.integer("width", 3, least=1)
3
"""

from attrax._base import checks as checks
from attrax._base.files import alone as alone
from attrax._base.files import write_atomically as write_atomically
from attrax._base.numerics import cast as cast
from attrax._base.numerics import float64 as float64
from attrax._base.numerics import squared_distances as squared_distances
from attrax._base.processes import one_blas_thread as one_blas_thread
from attrax._base.shown import Record as Record
from attrax._base.shown import Rows as Rows
from attrax._base.types import HostStates as HostStates
from attrax._base.types import Map as Map
from attrax._base.types import Progress as Progress
from attrax._base.types import State as State
from attrax._base.types import States as States
