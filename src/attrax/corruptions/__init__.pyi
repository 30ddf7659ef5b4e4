"""What is done to cues: noise, masks, shifts and blends."""

from ._distortions import Distortion as Distortion
from ._distortions import gaussian as gaussian
from ._named import CORRUPTIONS as CORRUPTIONS
from ._named import Corruption as Corruption
from ._named import as_corruption as as_corruption
from ._named import corrupt as corrupt
from ._named import parse_corruption as parse_corruption
