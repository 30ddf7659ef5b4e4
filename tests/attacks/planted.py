"""An attack that finds what was planted. It imports little, as workers start by importing it."""

import os
import signal
import time
from dataclasses import dataclass

from attacks.harness import Outcome


@dataclass(frozen=True, slots=True)
class Planted:
    """Case 1 breaks a promise, 2 raises, 3 ends its process, 4 hangs; all others are fine."""

    name: str = "planted"
    limit_s: float = 1.0

    def batches(self, scale: float) -> list[list[int]]:
        """Two workers' worth, or one case."""
        return [[0, 3, 5], [1, 2, 4, 6]] if scale == 1 else [[0]]

    def case(self, number: int, seed: int) -> Outcome:
        """One case."""
        if number == 1:
            return Outcome({"cases": 1}, f"planted with seed {seed}", {"shown.txt": b"here"})
        if number == 2:
            raise RuntimeError("planted")
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        if number == 4:
            time.sleep(60)
        return Outcome({"cases": 1})
