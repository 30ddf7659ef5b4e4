"""The formulas of the theory: training on one example, sequences, several examples, and where its conditions fail."""

from attrax.theory._admissible import AdmissibleIntervals as AdmissibleIntervals
from attrax.theory._admissible import admissible_intervals as admissible_intervals
from attrax.theory._corollary1 import InterpolatingNetwork as InterpolatingNetwork
from attrax.theory._corollary1 import corollary1 as corollary1
from attrax.theory._descent import SpanTrained as SpanTrained
from attrax.theory._descent import Trained as Trained
from attrax.theory._descent import deep_gradient_descent as deep_gradient_descent
from attrax.theory._descent import gradient_descent as gradient_descent
from attrax.theory._descent import gradient_flow as gradient_flow
from attrax.theory._descent import span_gradient_descent as span_gradient_descent
from attrax.theory._descent import span_gradient_flow as span_gradient_flow
from attrax.theory._formulas import is_interpolating as is_interpolating
from attrax.theory._formulas import layer_factor as layer_factor
from attrax.theory._formulas import ratio_integral as ratio_integral
from attrax.theory._formulas import top_eigenvalue as top_eigenvalue
from attrax.theory._formulas import velocity as velocity
from attrax.theory._orthonormal import OrthonormalExtension as OrthonormalExtension
from attrax.theory._orthonormal import orthonormal_extension as orthonormal_extension
from attrax.theory._scalar import NAMES as NAMES
from attrax.theory._sequences import SequenceCycle as SequenceCycle
from attrax.theory._sequences import sequence as sequence
from attrax.theory._single_example import SingleExample as SingleExample
from attrax.theory._single_example import single_example as single_example
from attrax.theory._status import TheoryStatus as TheoryStatus
