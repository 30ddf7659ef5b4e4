"""How a computation of the theory ended, each outcome with a sentence of advice."""

from collections.abc import Iterable
from enum import StrEnum


class TheoryStatus(StrEnum):
    """How a computation of the theory ended."""

    advice: str

    def __new__(cls, value: str, advice: str):
        member = str.__new__(cls, value)
        member._value_ = value
        member.advice = advice
        return member

    SOLVED = "solved", "Zero error was reached and the answer was checked against the equations."
    TRAPPED = (
        "trapped",
        "Zero error was reached with v next to a zero of φ', which it cannot cross: φ/φ' is infinite there and "
        "the top eigenvalue is near 0. Start v0 on the other side for another branch.",
    )
    IMPOSSIBLE = (
        "impossible",
        "The gradient vanishes while the error does not (dead unit, edge of φ's domain, or a saddle with u = 0 and "
        "φ(v) = 0, met to within rounding): no zero-error network is reached. Change the signs or sizes of u0 and v0.",
    )
    NONFINITE = "nonfinite", "φ, φ' or the numbers computed from them are not finite there: start elsewhere."
    ILL_CONDITIONED = (
        "ill_conditioned",
        "The flow passes so close to a zero of φ' or a saddle that two integrations disagree: double precision does "
        "not determine the answer. Move u0, w0 or v0 a little.",
    )
    MAX_STEPS_REACHED = (
        "max_steps_reached",
        "The integrator gave up before zero error: bring u0, w0, v0 to ordinary sizes.",
    )
    INADMISSIBLE = (
        "inadmissible",
        "The network interpolates, but |vφ'(v)/φ(v)| ≤ 1: choose v inside an admissible interval.",
    )
    FINISHED = "finished", "All requested steps or times were done; `error` is the remaining error."
    PROVED = "proved", "Every interval is proved by interval arithmetic or exact case analysis."
    SAMPLED = (
        "sampled",
        "Found on a grid and refined, not proved: intervals narrower than the grid may be missing. "
        "Only activations whose record has `admissible` cases can be proved.",
    )

    @property
    def interpolates(self) -> bool:
        """Whether the record describes a network with zero error."""
        return self in (TheoryStatus.SOLVED, TheoryStatus.TRAPPED, TheoryStatus.INADMISSIBLE)


def combined(statuses: Iterable[TheoryStatus]) -> TheoryStatus:
    """The status of an answer built from several: the first failure, else trapped if any is, else solved."""
    statuses = tuple(statuses)
    for status in statuses:
        if not status.interpolates:
            return status
    return TheoryStatus.TRAPPED if TheoryStatus.TRAPPED in statuses else TheoryStatus.SOLVED
