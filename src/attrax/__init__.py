"""Associative memory in over-parameterized neural networks: store, recall, certify."""

from attrax import analysis as analysis
from attrax import certificates as certificates
from attrax import dynamics as dynamics
from attrax import maps as maps
from attrax import report as report
from attrax import sources as sources
from attrax import theory as theory
from attrax import training as training
from attrax._certificate import Certificate as Certificate
from attrax._corruptions import CORRUPTIONS as CORRUPTIONS
from attrax._corruptions import Corruption as Corruption
from attrax._corruptions import corrupt as corrupt
from attrax._corruptions import parse_corruption as parse_corruption
from attrax._io import MemoryFileError as MemoryFileError
from attrax._io import load as load
from attrax._io import save as save
from attrax._io import with_patterns as with_patterns
from attrax._memory import Memory as Memory
from attrax._patterns import Patterns as Patterns
from attrax._recall import Recall as Recall
from attrax._recall import recall as recall
from attrax._status import IterationStatus as IterationStatus
from attrax._status import RadiusStatus as RadiusStatus
from attrax._status import RecallStatus as RecallStatus
from attrax._status import SpectrumStatus as SpectrumStatus
from attrax._status import StoreStatus as StoreStatus
from attrax._status import Verdict as Verdict
from attrax.analysis import recovery as recovery
from attrax.certificates import basin_radius as basin_radius
from attrax.certificates import certify as certify
from attrax.certificates import spectrum as spectrum
from attrax.dynamics import iterate as iterate
from attrax.dynamics import refine as refine
from attrax.writing import Auto as Auto
from attrax.writing import Change as Change
from attrax.writing import Constructed as Constructed
from attrax.writing import Contest as Contest
from attrax.writing import Gradient as Gradient
from attrax.writing import add as add
from attrax.writing import forget as forget
from attrax.writing import store as store

__version__ = "0.1.0"
