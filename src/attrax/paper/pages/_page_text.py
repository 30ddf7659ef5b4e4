"""The texts and numbers of a page about experiments, the same in every format."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from attrax.paper.pages._page_records import PagePart, PageSection

MARKS = {
    "reproduced": ("✓", "good", "what the paper states was found, for every seed"),
    "partly": ("◐", "soft", "it was found in part, or for some of the seeds"),
    "not": ("✗", "bad", "it was not found"),
    "inconclusive": ("?", "soft", "too few networks were trained, or too few numbers can be compared, to say either"),
    "not trained": ("–", "soft", "no network reached its loss, so nothing is said for or against the statement"),
    "lost": ("∅", "soft", "there is nothing left to compare with"),
    "unfinished": ("…", "soft", "cells have not run, or failed, or what they tell could not be drawn"),
}
"""Symbol, style and meaning of each verdict."""

MODES = {
    "paper": "the paper’s recipe",
    "edge": "the paper’s recipe at the largest stable rate",
    "attrax": "attrax’s writers",
}
"""Words for each mode."""

READING = (
    "“paper” is the number printed in the paper’s text, a dash where it is lost or there was none. “here” is the "
    "number of this run, as a rule the median over the networks trained. Brackets behind it hold the range it comes "
    "with, as a rule the least and the largest, for a rank correlation its 95 % interval; a number without has none."
)
"""How to read the numbers on the page."""


def verdict_meanings(sections: Sequence[PageSection]) -> list[tuple[str, str]]:
    """The verdicts on the page, each with its meaning."""
    there = {part.outcome for section in sections for part in section.parts}
    return [(name, meaning) for name, (_, _, meaning) in MARKS.items() if name in there]


def cells_counted(part: PagePart) -> str:
    return f"{len(part.cells)} cell{'s' * (len(part.cells) != 1)}, each with its command, for a folder of its own"


def facts_said(facts: Mapping[str, Any]) -> str:
    return "; ".join(f"{name.replace('_', ' ')} {_value(value)}" for name, value in facts.items())


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def in_digits(value: float | None) -> str:
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e6 else f"{value:.4g}"


def with_spread(part: PagePart) -> str:
    if part.here is None:
        return "–"
    if part.low == part.high or part.low is None or part.high is None:
        return in_digits(part.here)
    return f"{in_digits(part.here)} ({in_digits(part.low)} to {in_digits(part.high)})"
