"""Training: the paper's optimizers, one loop, coordinates in the span of the data, the polish of the last layer."""

from attrax.training._construct import CONSTRUCTIONS as CONSTRUCTIONS
from attrax.training._construct import constructed_start as constructed_start
from attrax.training._construct import margin as margin
from attrax.training._construct import pseudoinverse as pseudoinverse
from attrax.training._contest import Encoder as Encoder
from attrax.training._contest import carriers as carriers
from attrax.training._contest import contest_network as contest_network
from attrax.training._contest import encoder as encoder
from attrax.training._contest import lead_at_home as lead_at_home
from attrax.training._contest import rounds_for as rounds_for
from attrax.training._coordinates import Coordinates as Coordinates
from attrax.training._fit import Fit as Fit
from attrax.training._fit import fit as fit
from attrax.training._fit_many import FitMany as FitMany
from attrax.training._fit_many import fit_many as fit_many
from attrax.training._kfac import kfac as kfac
from attrax.training._losses import cross_entropy as cross_entropy
from attrax.training._losses import squared_error as squared_error
from attrax.training._objective import Objective as Objective
from attrax.training._objective import objective as objective
from attrax.training._optimizers import OPTIMIZERS as OPTIMIZERS
from attrax.training._optimizers import optimizer as optimizer
from attrax.training._polish import mean_squared_error as mean_squared_error
from attrax.training._polish import polish as polish
from attrax.training._recurrent import fit_recurrent as fit_recurrent
