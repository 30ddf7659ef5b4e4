"""What is wrong with a foreign file, in one sentence."""

from attrax._base.arguments import ArgumentError


class ForeignError(ArgumentError):
    """A model that attrax cannot take, or cannot write: the message says why and what to do."""
