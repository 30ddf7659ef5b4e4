"""What is done to cues: noise, masks, shifts and blends."""

from attrax.corruptions._distortions import Distortion as Distortion
from attrax.corruptions._distortions import gaussian as gaussian
from attrax.corruptions._named import CORRUPTIONS as CORRUPTIONS
from attrax.corruptions._named import Corruption as Corruption
from attrax.corruptions._named import as_corruption as as_corruption
from attrax.corruptions._named import corrupt as corrupt
from attrax.corruptions._named import parse_corruption as parse_corruption
