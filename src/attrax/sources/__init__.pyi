"""Examples and sequences from files, folders and known data sets, and images, films, sound and text written back."""

from ._audio import AUDIO_SUFFIXES as AUDIO_SUFFIXES
from ._audio import save_audio as save_audio
from ._clicked import CLICKED as CLICKED
from ._clicked import click_points as click_points
from ._clips import Clip as Clip
from ._clips import Written as Written
from ._fidelity import Fidelity as Fidelity
from ._fidelity import psnr as psnr
from ._fidelity import snr as snr
from ._films import SHIPPED_FILMS as SHIPPED_FILMS
from ._load import count as count
from ._load import load as load
from ._records import Examples as Examples
from ._records import SourceError as SourceError
from ._save import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from ._save import save_array as save_array
from ._save import save_images as save_images
from ._sequences import load_sequence as load_sequence
from ._sequences import save_sequence as save_sequence
from ._text import TEXT_SUFFIXES as TEXT_SUFFIXES
from ._text import decode_text as decode_text
from ._text import encode_text as encode_text
from ._text import save_text as save_text
from ._video import VIDEO_SUFFIXES as VIDEO_SUFFIXES
from ._video import save_video as save_video
