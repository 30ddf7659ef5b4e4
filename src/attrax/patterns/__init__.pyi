"""What is to be stored: points and their successors."""

from ._delays import Ambiguity as Ambiguity
from ._patterns import ENDS as ENDS
from ._patterns import Patterns as Patterns
