"""The records of a memory and of its certificate."""

from ._certificate import STRAYED as STRAYED
from ._certificate import Certificate as Certificate
from ._memory import Memory as Memory
