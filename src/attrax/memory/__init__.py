"""The records of a memory and of its certificate."""

from attrax.memory._certificate import STRAYED as STRAYED
from attrax.memory._certificate import Certificate as Certificate
from attrax.memory._memory import Memory as Memory
