"""Measurements on memories."""

from attrax.analysis._basins import OUTCOMES as OUTCOMES
from attrax.analysis._basins import Basins as Basins
from attrax.analysis._basins import Other as Other
from attrax.analysis._basins import basins as basins
from attrax.analysis._eigenvalue_map import EigenvalueMap as EigenvalueMap
from attrax.analysis._eigenvalue_map import eigenvalue_map as eigenvalue_map
from attrax.analysis._eigenvalue_map import log10_top_eigenvalue as log10_top_eigenvalue
from attrax.analysis._neighbors import RULES as RULES
from attrax.analysis._neighbors import nearest_neighbor as nearest_neighbor
from attrax.analysis._plane import Plane as Plane
from attrax.analysis._plane import plane_of as plane_of
from attrax.analysis._random_start import InitialMeasured as InitialMeasured
from attrax.analysis._random_start import RandomStart as RandomStart
from attrax.analysis._random_start import measure_initial_jacobian as measure_initial_jacobian
from attrax.analysis._random_start import median_interval as median_interval
from attrax.analysis._random_start import scaled_start as scaled_start
from attrax.analysis._random_start import simulate_random_start as simulate_random_start
from attrax.analysis._recovery import Recovery as Recovery
from attrax.analysis._recovery import neighbor_rates as neighbor_rates
from attrax.analysis._recovery import recovery as recovery
from attrax.analysis._seen import training_saw as training_saw
from attrax.analysis._theory_check import CheckStatus as CheckStatus
from attrax.analysis._theory_check import TheoryCheck as TheoryCheck
from attrax.analysis._theory_check import check_training as check_training
from attrax.analysis._theory_settings import theory_settings as theory_settings
from attrax.analysis._theory_settings import verify_theory as verify_theory
