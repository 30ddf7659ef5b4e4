"""Sweeps: independent cells of work, spread over processes, and kept in a file that a kill does not harm."""

from ._cells import Cell as Cell
from ._cells import CellFound as CellFound
from ._cells import CellRecord as CellRecord
from ._cells import CellStatus as CellStatus
from ._cells import Work as Work
from ._run import default_threads as default_threads
from ._run import echo as echo
from ._run import sweep as sweep
from ._store import ResultStore as ResultStore
