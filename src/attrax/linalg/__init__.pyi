"""Products, norms and spectra of matrices, with the rounding of every step carried along."""

from ._arnoldi import DENSE as DENSE
from ._arnoldi import FORMED as FORMED
from ._arnoldi import LargestEigenvalues as LargestEigenvalues
from ._arnoldi import largest_eigenvalues as largest_eigenvalues
from ._bounds import Leading as Leading
from ._bounds import leading_eigenvalue as leading_eigenvalue
from ._bounds import power_bound as power_bound
from ._norms import SAFETY as SAFETY
from ._norms import Norm as Norm
from ._norms import contracting_norms as contracting_norms
from ._norms import contraction_rate as contraction_rate
from ._norms import two_norm_bound as two_norm_bound
from ._random_norms import FAILURE as FAILURE
from ._random_norms import GAUSS as GAUSS
from ._random_norms import POWERS as POWERS
from ._random_norms import PowerNorms as PowerNorms
from ._random_norms import power_norms as power_norms
from ._random_norms import probable_bound as probable_bound
from ._running_product import UNIT_ROUNDOFF as UNIT_ROUNDOFF
from ._running_product import Factor as Factor
from ._running_product import Product as Product
from ._running_product import RunningProduct as RunningProduct
from ._running_product import frobenius_bound as frobenius_bound
from ._running_product import gamma as gamma
from ._singular import dense_norm as dense_norm
from ._singular import largest_singular_value as largest_singular_value
