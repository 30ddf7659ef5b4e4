"""What is to be stored: points and their successors."""

from attrax.patterns._delays import Ambiguity as Ambiguity
from attrax.patterns._patterns import ENDS as ENDS
from attrax.patterns._patterns import Patterns as Patterns
