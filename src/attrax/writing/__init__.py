"""Writing memories."""

from attrax.writing._constructed import Constructed as Constructed
from attrax.writing._gradient import Gradient as Gradient
from attrax.writing._start import Writer as Writer
from attrax.writing._start import Written as Written
from attrax.writing._store import settle as settle
from attrax.writing._store import store as store
