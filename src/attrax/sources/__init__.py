"""Examples and sequences from files, folders and known data sets, and images, films, sound and text written back."""

from attrax.sources._audio import AUDIO_SUFFIXES as AUDIO_SUFFIXES
from attrax.sources._audio import save_audio as save_audio
from attrax.sources._clicked import CLICKED as CLICKED
from attrax.sources._clicked import click_points as click_points
from attrax.sources._clips import Clip as Clip
from attrax.sources._clips import Written as Written
from attrax.sources._fidelity import Fidelity as Fidelity
from attrax.sources._fidelity import psnr as psnr
from attrax.sources._fidelity import snr as snr
from attrax.sources._films import SHIPPED_FILMS as SHIPPED_FILMS
from attrax.sources._load import load as load
from attrax.sources._records import Examples as Examples
from attrax.sources._records import SourceError as SourceError
from attrax.sources._save import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from attrax.sources._save import save_array as save_array
from attrax.sources._save import save_images as save_images
from attrax.sources._sequences import load_sequence as load_sequence
from attrax.sources._sequences import save_sequence as save_sequence
from attrax.sources._text import TEXT_SUFFIXES as TEXT_SUFFIXES
from attrax.sources._text import decode_text as decode_text
from attrax.sources._text import encode_text as encode_text
from attrax.sources._text import save_text as save_text
from attrax.sources._video import VIDEO_SUFFIXES as VIDEO_SUFFIXES
from attrax.sources._video import save_video as save_video
