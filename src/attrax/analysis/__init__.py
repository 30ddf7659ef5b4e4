"""Measurements on memories."""

from attrax.analysis._neighbors import RULES as RULES
from attrax.analysis._neighbors import nearest_neighbor as nearest_neighbor
from attrax.analysis._recovery import Recovery as Recovery
from attrax.analysis._recovery import neighbor_rates as neighbor_rates
from attrax.analysis._recovery import recovery as recovery
