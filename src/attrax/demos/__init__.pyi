"""Demonstrations that run out of the box."""

from ._faces import Demo as Demo
from ._faces import demo as demo
from ._film import FilmDemo as FilmDemo
from ._film import demo_film as demo_film
