"""Whole runs on real data, through the public functions only."""

from attrax.experiments._demo import Demo as Demo
from attrax.experiments._demo import demo as demo
from attrax.experiments._experiment import MODES as MODES
from attrax.experiments._experiment import SCALES as SCALES
from attrax.experiments._experiment import Drawing as Drawing
from attrax.experiments._experiment import Experiment as Experiment
from attrax.experiments._experiment import Outcome as Outcome
from attrax.experiments._experiment import Summary as Summary
from attrax.experiments._plane import PLANE_EXPERIMENTS as PLANE_EXPERIMENTS
from attrax.experiments._plane import SIX_POINTS as SIX_POINTS
from attrax.experiments._plane import PlaneRun as PlaneRun
from attrax.experiments._plane import Trial as Trial
from attrax.experiments._plane import four_circles as four_circles
from attrax.experiments._plane import plane_experiment as plane_experiment
from attrax.experiments._plane import train_plane as train_plane
from attrax.experiments._registry import EXPERIMENTS as EXPERIMENTS
from attrax.experiments._reproduce import Reproduction as Reproduction
from attrax.experiments._reproduce import Row as Row
from attrax.experiments._reproduce import planned as planned
from attrax.experiments._reproduce import reproduce as reproduce
from attrax.experiments._theory import THEORY_FIGURES as THEORY_FIGURES
from attrax.experiments._theory import theory_figure as theory_figure
