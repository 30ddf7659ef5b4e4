"""Maps from a state to a state: the contract that any callable fulfills, and fully connected, convolutional and
recurrent networks."""

from ._contract import BallBounds as BallBounds
from ._contract import Bounded as Bounded
from ._contract import BoundSteps as BoundSteps
from ._contract import Describable as Describable
from ._contract import Exportable as Exportable
from ._contract import Linearizable as Linearizable
from ._contract import OperatorWriter as OperatorWriter
from ._contract import Reducible as Reducible
from ._contract import Scalable as Scalable
from ._contract import StepBounds as StepBounds
from ._contract import Storable as Storable
from ._contract import describe as describe
from ._contract import linearizer as linearizer
from ._contract import reduced_map as reduced_map
from ._contract import shapes_of as shapes_of
from ._contract import step_bounds as step_bounds
from ._description import Description as Description
from ._description import count_parameters as count_parameters
from ._initializers import INITIALIZERS as INITIALIZERS
from ._kinds import KINDS as KINDS
from ._kinds import kind_of as kind_of
from ._linearization import Linearization as Linearization
from ._linearization import Linearizer as Linearizer
from ._reduced_map import ReducedMap as ReducedMap
from .conv import BIASES as BIASES
from .conv import ConvAutoencoder as ConvAutoencoder
from .conv import conv_autoencoder as conv_autoencoder
from .mlp import MLP as MLP
from .mlp import Recipe as Recipe
from .mlp import mlp as mlp
from .recurrent import FEEDBACKS as FEEDBACKS
from .recurrent import Recurrent as Recurrent
from .recurrent import recurrent as recurrent
from .wrapped import quadratic_bounds as quadratic_bounds
