"""Names of what sources are read as. The command line checks what was typed with them, and must not wait for NumPy."""

KINDS = ("images", "sequence")
"""What states are read as: each an example of its own, or each source one sequence."""
MEDIA = ("fps", "start", "duration", "hop", "rate", "mono", "by")
"""Arguments of films, sound and text."""
