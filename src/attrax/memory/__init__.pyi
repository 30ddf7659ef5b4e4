"""The records of a memory and of its certificate, and the thresholds by which both are judged."""

from ._certificate import Certificate as Certificate
from ._memory import Memory as Memory
from ._memory import check_memory as check_memory
from ._thresholds import READINGS as READINGS
from ._thresholds import Thresholds as Thresholds
from ._thresholds import default_recovery_atol as default_recovery_atol
