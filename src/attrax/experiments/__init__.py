"""Whole runs on real data, through the public functions only."""

from attrax.experiments._demo import Demo as Demo
from attrax.experiments._demo import demo as demo
