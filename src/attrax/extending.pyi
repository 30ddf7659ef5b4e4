"""What code that extends attrax shares with it."""

from ._base import checks as checks
from ._base.cluster import SchedulerLost as SchedulerLost
from ._base.cluster import on_dask as on_dask
from ._base.files import alone as alone
from ._base.files import write_atomically as write_atomically
from ._base.numerics import cast as cast
from ._base.numerics import float64 as float64
from ._base.numerics import squared_distances as squared_distances
from ._base.processes import cores as cores
from ._base.processes import one_blas_thread as one_blas_thread
from ._base.shown import Record as Record
from ._base.shown import Rows as Rows
from ._base.types import HostStates as HostStates
from ._base.types import Map as Map
from ._base.types import Progress as Progress
from ._base.types import State as State
from ._base.types import States as States
