"""Products, norms and spectra of matrices, with the rounding of every step carried along."""

from attrax.linalg._bounds import Leading as Leading
from attrax.linalg._bounds import leading_eigenvalue as leading_eigenvalue
from attrax.linalg._bounds import power_bound as power_bound
from attrax.linalg._norms import Norm as Norm
from attrax.linalg._norms import contracting_norms as contracting_norms
from attrax.linalg._norms import two_norm as two_norm
from attrax.linalg._running_product import UNIT_ROUNDOFF as UNIT_ROUNDOFF
from attrax.linalg._running_product import Factor as Factor
from attrax.linalg._running_product import Product as Product
from attrax.linalg._running_product import RunningProduct as RunningProduct
from attrax.linalg._running_product import gamma as gamma
