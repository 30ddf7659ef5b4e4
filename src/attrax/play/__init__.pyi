"""The playground."""

from ._page import play_page as play_page
from ._page import write_play_page as write_play_page
