"""The command line."""

from attrax.cli._app import main as main
