"""Numbers of finished cells as texts: what was not finite comes back as null and is shown as a dash."""


def told(value: float | None, form: str = ".2g") -> str:
    """The number in this form, or a dash where there is none.

    >>> told(0.125, ".2f"), told(None), told(float("nan"))
    ('0.12', '–', '–')
    """
    number = numeric(value)
    return "–" if number != number else format(number, form)


def numeric(value: float | None) -> float:
    """The number, NaN for null: it fails every comparison, as a number that is not there should.

    >>> numeric(None) < 1
    False
    """
    return float("nan") if value is None else float(value)


def extent(values: list[float | None], form: str = ".2g") -> str:
    """The least and the largest of the numbers that are there, as a text.

    >>> extent([0.5, None, 0.25]), extent([1.0, 1.0]), extent([None])
    ('0.25 to 0.5', '1', '–')
    """
    there = sorted(value for value in map(numeric, values) if value == value)
    ends = list(dict.fromkeys(told(value, form) for value in there[:1] + there[-1:]))
    return " to ".join(ends) or "–"
