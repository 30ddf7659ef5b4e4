"""Whole runs on real data, through the public functions only."""

from attrax.experiments._demo import Demo as Demo
from attrax.experiments._demo import demo as demo
from attrax.experiments._theory import THEORY_FIGURES as THEORY_FIGURES
from attrax.experiments._theory import theory_figure as theory_figure
