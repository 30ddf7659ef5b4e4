"""Tables, figures and pages from records."""

from attrax.report._basin_plots import PANELS as PANELS
from attrax.report._basin_plots import basin_map as basin_map
from attrax.report._html import write_page as write_page
from attrax.report._plots import recall_strip as recall_strip
from attrax.report._plots import recovery_bars as recovery_bars
from attrax.report._plots import spectrum_histogram as spectrum_histogram
from attrax.report._text import describe_corruption as describe_corruption
from attrax.report._text import table as table
from attrax.report._text import wilson_interval as wilson_interval
from attrax.report._theory_plots import eigenvalue_curves as eigenvalue_curves
from attrax.report._theory_plots import eigenvalue_heat_map as eigenvalue_heat_map
from attrax.report._theory_plots import initial_jacobian_curves as initial_jacobian_curves
from attrax.report._theory_plots import interval_bars as interval_bars
from attrax.report._theory_plots import phase_portrait as phase_portrait
from attrax.report._theory_plots import random_start_bands as random_start_bands
from attrax.report._theory_text import theory_table as theory_table
