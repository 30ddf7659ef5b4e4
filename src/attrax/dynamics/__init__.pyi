"""Iteration of maps, recall, and the fixed points and cycles that iteration leads to."""

from ._coordinates import isometric_coordinates as isometric_coordinates
from ._coordinates import states_of as states_of
from ._held import completed as completed
from ._iterate import Iterates as Iterates
from ._iterate import iterate as iterate
from ._iterate import trajectory as trajectory
from ._loop import NEVER as NEVER
from ._loop import Run as Run
from ._loop import run as run
from ._loop import run_on as run_on
from ._phase import phase_errors as phase_errors
from ._recall import Recall as Recall
from ._recall import recall as recall
from ._refine import Refined as Refined
from ._refine import refine as refine
from ._refine import refine_each as refine_each
from ._stored import StoredCycles as StoredCycles
from ._stored import thresholds_of as thresholds_of
