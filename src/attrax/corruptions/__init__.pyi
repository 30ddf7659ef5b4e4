"""What is done to cues: noise, masks, shifts and blends. One record a kind."""

from ._corrupt import corrupt as corrupt
from ._known import SIDES as SIDES
from ._known import known_entries as known_entries
from ._known import known_mask as known_mask
from ._named import CORRUPTIONS as CORRUPTIONS
from ._named import as_corruption as as_corruption
from ._named import parse_corruption as parse_corruption
from ._named import register as register
from ._record import AS_IS as AS_IS
from ._record import BOTH_WAYS as BOTH_WAYS
from ._record import FACTOR as FACTOR
from ._record import FROM_ONE as FROM_ONE
from ._record import UP_TO as UP_TO
from ._record import Corruption as Corruption
from ._record import CorruptionKind as CorruptionKind
from ._record import Distortion as Distortion
from ._record import Drawn as Drawn
from ._record import Motion as Motion
