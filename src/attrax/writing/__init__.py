"""Writing memories."""

from attrax.writing._auto import Auto as Auto
from attrax.writing._change import Change as Change
from attrax.writing._change import add as add
from attrax.writing._change import forget as forget
from attrax.writing._constructed import Constructed as Constructed
from attrax.writing._contest import Contest as Contest
from attrax.writing._gradient import Gradient as Gradient
from attrax.writing._settle import settle as settle
from attrax.writing._start import Writer as Writer
from attrax.writing._start import Written as Written
from attrax.writing._store import store as store
from attrax.writing._words import store_words as store_words
