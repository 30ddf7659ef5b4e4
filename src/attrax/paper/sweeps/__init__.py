"""Sweeps: independent cells of work, spread over processes, and kept in a file that a kill does not harm."""

from attrax.paper.sweeps._cells import Cell as Cell
from attrax.paper.sweeps._cells import CellFound as CellFound
from attrax.paper.sweeps._cells import CellRecord as CellRecord
from attrax.paper.sweeps._cells import CellStatus as CellStatus
from attrax.paper.sweeps._cells import Work as Work
from attrax.paper.sweeps._run import default_threads as default_threads
from attrax.paper.sweeps._run import sweep as sweep
from attrax.paper.sweeps._store import ResultStore as ResultStore
