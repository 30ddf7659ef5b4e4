"""Any callable as a map: the general way to do what a map's class has no better way for."""

from ._describe import general_description as general_description
from ._jacobian import general_linearizer as general_linearizer
from ._plain_map import plain_map as plain_map
from ._quadratic import quadratic_bounds as quadratic_bounds
