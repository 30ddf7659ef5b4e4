"""Activations by name: one record each, which may be given in place of a name as well."""

from . import intervals as intervals
from ._bounds import CustomBounds as CustomBounds
from ._bounds import PiecewiseLinear as PiecewiseLinear
from ._bounds import SlopeBounds as SlopeBounds
from ._bounds import Smooth as Smooth
from ._named import ACTIVATIONS as ACTIVATIONS
from ._named import UnknownActivation as UnknownActivation
from ._named import activation as activation
from ._named import name_for_file as name_for_file
from ._named import reference as reference
from ._named import register as register
from ._record import Activation as Activation
from ._record import ActivationLike as ActivationLike
from ._record import Case as Case
from ._record import ClosedForms as ClosedForms
from ._record import Elementwise as Elementwise
