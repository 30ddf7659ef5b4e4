"""Examples from files, folders and known data sets, and images written back."""

from attrax.sources._load import load as load
from attrax.sources._records import Examples as Examples
from attrax.sources._records import SourceError as SourceError
from attrax.sources._save import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from attrax.sources._save import save_array as save_array
from attrax.sources._save import save_images as save_images
