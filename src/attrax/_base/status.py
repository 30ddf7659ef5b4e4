"""The outcomes that attrax reports, each with a sentence of advice."""

from enum import StrEnum


class _Advised(StrEnum):
    """A string enumeration whose members carry advice for people."""

    advice: str

    def __new__(cls, value: str, advice: str):
        member = str.__new__(cls, value)
        member._value_ = value
        member.advice = advice
        return member


class IterationStatus(_Advised):
    """How the iteration of a map from one start ended."""

    CONVERGED = "converged", "Two successive states are closer than the tolerance."
    CYCLE = "cycle", "The states repeat with a period above one; see `period`."
    DIVERGED = "diverged", "The states grew without bound or stopped being finite."
    NOT_CONVERGED = "not_converged", "The step limit was reached first; raise `max_steps` or loosen `atol`."


class RecallStatus(_Advised):
    """What a cue was recalled as."""

    RECOVERED = "recovered", "The limit is the expected example (any stored example, if none was given)."
    OTHER_ATTRACTOR = "other_attractor", "The limit is a stored example, but not the one the cue was made from."
    SPURIOUS = (
        "spurious",
        "The limit matches no stored example to within the recovery threshold; see `nearest` and `distance`.",
    )
    CYCLE = (
        "cycle",
        "The limit is a cycle that matches no stored one to within the recovery threshold; see `period`.",
    )
    DIVERGED = "diverged", "The iteration grew without bound or stopped being finite."
    NOT_CONVERGED = (
        "not_converged",
        "The steps ran out, or became shorter than the tolerance without approaching a limit: raise `max_steps`, or "
        "lower `atol` if fewer steps were taken.",
    )


class Verdict(_Advised):
    """What is known about the stability of one stored cycle (an example is a cycle of length one)."""

    ATTRACTOR = "attractor", "A fixed point or cycle exists, and a bound on its whole spectrum is below one."
    NOT_ATTRACTOR = (
        "not_attractor",
        "It is not a fixed point, it expands, another example has it too, or it repeats too soon; see `reason`.",
    )
    DISPLACED = "displaced", "There is an attractor nearby, but farther from the example than the recovery threshold."
    INCONCLUSIVE = "inconclusive", "None of this could be shown; `reason` says what was missing."


class Reason(_Advised):
    """Why a stored cycle has its verdict."""

    CONTRACTS = "contracts", "The exact cycle was found and contracts: nothing to do."
    EXPANDS = "expands", "An eigenvalue exceeds one: train with noise, more depth or width, or longer."
    NO_FIXED_POINT_NEAR = (
        "no_fixed_point_near",
        "The map moves the example by more than the recovery threshold, and Newton's method found no fixed point or "
        "cycle within reach: train to a lower loss.",
    )
    EXISTENCE_NOT_SHOWN = (
        "existence_not_shown",
        "No exact fixed point or cycle could be proved to exist here: train to a lower loss, or polish the last layer.",
    )
    DISPLACED = (
        "displaced",
        "The attractor is farther away than the recovery threshold: train to a lower loss, or raise `recovery_atol`.",
    )
    DISTANCE_STRADDLES_THRESHOLD = (
        "distance_straddles_threshold",
        "The error of its distance is too large to say whether the attractor is within the recovery threshold: choose "
        "another `recovery_atol`, or train to a lower loss.",
    )
    SHARED = "shared", "Another example has the same attractor, so recall cannot tell them apart: remove one of them."
    SHORTER_PERIOD = "shorter_period", "The cycle repeats before it reaches all its states: remove the repeated ones."
    BOUND_STRADDLES_ONE = (
        "bound_straddles_one",
        "The radius is too close to one for its error bound: train with noise, or longer.",
    )
    PARTIAL_SPECTRUM = (
        "partial_spectrum",
        "The eigenvalues that were found are below one, but they are only a part of the spectrum, and the bound on all "
        "of it is not below one: train with noise, or longer.",
    )
    KINK = (
        "kink",
        "Difference quotients contradict the Jacobian, or small deviations grow: the map has a kink or jump here.",
    )
    NOT_FINITE = "not_finite", "The map or its Jacobian is not finite here: look for a division by 0 or an overflow."


class Evidence(_Advised):
    """What a certificate rests on."""

    BOUND = (
        "bound",
        "`upper_bound` and `distance_error` are proved, every rounding error included; where `distance_error` is "
        "infinite, the cycle was not shown to exist.",
    )
    DENSE = (
        "dense",
        "`upper_bound` is on all eigenvalues; rounding and the change of the Jacobian nearby, on which "
        "`distance_error` rests too, are estimates.",
    )
    PROBABLE = (
        "probable",
        "The Jacobian is too large to form: a bound on the norms of its powers that fails with a probability of 1e-10; "
        "rounding and the change of the Jacobian nearby, on which `distance_error` rests too, are estimates.",
    )
    NONE = "none", "No bound was computed."


class SpectrumStatus(_Advised):
    """What is known about the eigenvalues of one stored cycle that were not computed."""

    BOUNDED = "bounded", "No eigenvalue exceeds `upper_bound`: a bound on the whole spectrum, rounding included."
    PROBABLE = "probable", "No eigenvalue exceeds `upper_bound`, up to rounding; fails with probability 1e-10 at most."
    NOT_CONVERGED = "not_converged", "Arnoldi's method did not find as many eigenvalues as requested; request fewer."
    NOT_FINITE = "not_finite", "The map or its Jacobian is not finite at these points."


class RadiusStatus(_Advised):
    """What is known about the size of the basin around one stored point."""

    PROVED = "proved", "Every state within `proved_radius` converges to the stored cycle."
    SAMPLED = "sampled", "Nothing is proved; random states at `sampled_radius` came back, see `share`."
    NONE = "none", "Nothing is proved and no random state came back: certify it to see whether it is an attractor."


class StoreStatus(_Advised):
    """How writing a memory ended."""

    STORED = "stored", "Training reached its target and every example is a certified attractor."
    NOT_ALL_CERTIFIED = (
        "not_all_certified",
        "Some examples are not certified attractors: train with noise, more depth or width, or fewer examples.",
    )
    LOSS_NOT_REACHED = (
        "loss_not_reached",
        "Training ended above the requested loss: raise `epochs` or the time limit, change the learning rate, or widen "
        "the network.",
    )
    DIVERGED = "diverged", "The loss stopped being finite: lower the learning rate or choose another initialization."


class TrainingStatus(_Advised):
    """How training a network ended."""

    REACHED = "reached", "The loss is at most the requested one, or none was requested."
    EPOCHS_OVER = "epochs_over", "The epochs ran out above the requested loss: raise `epochs` or the learning rate."
    TIME_OVER = "time_over", "The time ran out before the epochs and the requested loss: raise the time limit."
    DIVERGED = "diverged", "The loss stopped being finite: lower the learning rate or choose another initialization."


class PeriodStatus(_Advised):
    """Whether a recording repeats itself."""

    PERIODIC = "periodic", "From `start` on it repeats every `period` states, and not sooner."
    CONSTANT = "constant", "From `start` on it does not change: period 1."
    NO_PERIOD = (
        "no_period",
        "No lag up to `max_lag` stands out, or only a near return: use a longer recording; otherwise it never repeats.",
    )
    TOO_SHORT = "too_short", "Fewer than four states: no lag can be compared with both of its neighbors."
