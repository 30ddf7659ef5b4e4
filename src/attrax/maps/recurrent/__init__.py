"""Recurrent networks that hear themselves."""

from attrax.maps.recurrent._network import FEEDBACKS as FEEDBACKS
from attrax.maps.recurrent._network import Recurrent as Recurrent
from attrax.maps.recurrent._network import recurrent as recurrent
