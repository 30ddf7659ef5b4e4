"""Iteration of maps, and the exact fixed points and cycles it leads to."""

from attrax.dynamics._iterate import Iterates as Iterates
from attrax.dynamics._iterate import iterate as iterate
from attrax.dynamics._orbit import Orbit as Orbit
from attrax.dynamics._orbit import orbit as orbit
from attrax.dynamics._refine import Refined as Refined
from attrax.dynamics._refine import fixed as fixed
from attrax.dynamics._refine import refine as refine
