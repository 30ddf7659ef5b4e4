"""Words for numbers, in texts for people."""

import math


def counted(number: int, one: str, several: str | None = None) -> str:
    """A number and what is counted, in the singular or plural.

    ```python
    >>> counted(1, "end"), counted(2, "end"), counted(2, "start diverges", "starts diverge")
    ('1 end', '2 ends', '2 starts diverge')

    ```
    """
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def time_constant_text(steps: float, step_seconds: float | None) -> str:
    """A time constant in steps, and in seconds where a step has a length; a dash where there is no decay.

    ```python
    >>> time_constant_text(1278.0, 0.032), time_constant_text(math.inf, None)
    ('1,278 steps = 40.9 s', '–')

    ```
    """
    if not math.isfinite(steps):
        return "–"
    many = f"{steps:,.0f}" if 1e3 <= steps < 1e7 else f"{steps:.4g}"
    return f"{many} steps" + ("" if step_seconds is None else f" = {steps * step_seconds:.4g} s")
