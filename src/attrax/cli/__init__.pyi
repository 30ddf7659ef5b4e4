"""The command line."""

from ._app import main as main
