"""Iteration of maps, and the exact fixed points and cycles it leads to."""

from ._iterate import Iterates as Iterates
from ._iterate import iterate as iterate
from ._recall import READINGS as READINGS
from ._recall import Recall as Recall
from ._recall import recall as recall
from ._refine import Refined as Refined
from ._refine import fixed as fixed
from ._refine import refine as refine
from ._sequence_recall import SequenceRecall as SequenceRecall
from ._sequence_recall import phase_errors as phase_errors
from ._sequence_recall import recall_sequence as recall_sequence
