"""Recurrent networks that hear themselves."""

from ._network import FEEDBACKS as FEEDBACKS
from ._network import Recurrent as Recurrent
from ._network import recurrent as recurrent
