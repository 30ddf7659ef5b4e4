"""Writing memories."""

from ._auto import Auto as Auto
from ._certified import refine_and_certify as refine_and_certify
from ._change import Change as Change
from ._change import add as add
from ._change import forget as forget
from ._constructed import Constructed as Constructed
from ._gradient import Gradient as Gradient
from ._kind import WriterKind as WriterKind
from ._network import DEFAULT_NETWORK as DEFAULT_NETWORK
from ._protocol import Writer as Writer
from ._protocol import Written as Written
from ._sentence import store_words as store_words
from ._store import store as store
from ._winner_take_all import WinnerTakeAll as WinnerTakeAll
from ._writers import WRITERS as WRITERS
from ._writers import writer_kind as writer_kind
from ._writers import writer_of as writer_of
