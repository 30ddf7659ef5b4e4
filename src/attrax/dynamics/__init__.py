"""Iteration of maps, and the exact fixed points and cycles it leads to."""

from attrax.dynamics._iterate import Iterates as Iterates
from attrax.dynamics._iterate import iterate as iterate
from attrax.dynamics._orbit import Orbit as Orbit
from attrax.dynamics._orbit import orbit as orbit
from attrax.dynamics._recall import READINGS as READINGS
from attrax.dynamics._recall import Recall as Recall
from attrax.dynamics._recall import recall as recall
from attrax.dynamics._refine import Refined as Refined
from attrax.dynamics._refine import fixed as fixed
from attrax.dynamics._refine import refine as refine
from attrax.dynamics._sequence_recall import SequenceRecall as SequenceRecall
from attrax.dynamics._sequence_recall import phase_errors as phase_errors
from attrax.dynamics._sequence_recall import recall_sequence as recall_sequence
