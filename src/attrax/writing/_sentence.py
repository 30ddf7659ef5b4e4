"""Sentences in recurrent networks: the closed loop is a cycle of states and is certified as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import PRNGKeyArray

from attrax._base import checks
from attrax._base.numerics import cast, float64
from attrax._base.status import TrainingStatus
from attrax._base.types import HostStates, Progress
from attrax.maps import FEEDBACKS, recurrent
from attrax.memory import Memory
from attrax.patterns import Patterns
from attrax.training import OPTIMIZERS, Training, fit_recurrent, fit_recurrent_at_edge
from attrax.writing._certified import refine_and_certify

if TYPE_CHECKING:
    import optax

_RATE = 1e-2
"""Adam's rate here."""
_REPEATS = 50
"""How many times the sentence is repeated before its states are taken as those of the cycle."""
_SAME = 1e-6
"""Two hidden states closer than this in every unit are the same: rounding is far smaller, other states far apart."""


def store_words(
    words: Sequence[str],
    *,
    feedback: str = "argmax",
    width: int = 64,
    epochs: int = 5_000,
    tol: float = 1e-3,
    optimizer: str | optax.GradientTransformation | None = None,
    learning_rate: float | Callable[..., Any] | Literal["edge"] | None = None,
    rounds: int = 3,
    progress: Progress | None = None,
    key: PRNGKeyArray,
) -> Memory:
    """Trains a recurrent network to say `words` forever, and certifies the closed loop as a cycle.

    Each distinct word is one one-hot input; see `attrax.training.fit_recurrent` for the training. The loop is run from
    the state zero, in 64 bits, for 50 repetitions of the sentence. The states of the last repetition are the patterns
    (hidden units first, then the input), or those of several where the hidden state returns only after as many; they
    are refined and certified as a cycle. With `argmax` the input is constant near the cycle, so the Jacobian product is
    that of the matrices diag(1 − h²)·W. This holds as long as the same score stays the largest (`score_lead` in the
    record is its least lead over the second).

    **Arguments:** `words`, at least two different ones; `feedback`, `argmax` or `softmax`; `width`,
    hidden units; `epochs`, `tol` and `rounds`, of training; `optimizer` and `learning_rate`, by default Adam at 1e-2,
    as in `attrax.training.Training` (at the edge RMSprop; K-FAC needs another loss and is refused).

    **Returns:** a `Memory` with a `Recurrent` map; `written` holds the `vocabulary` and `repeats`, whether the loop
    from zero produces the words in order. If it does not, the `status` is `loss_not_reached`. At the edge, it holds
    `edge` as well, the record of `EdgeFit`. It can be saved like any other memory.

    **Raises** `ValueError` for a wrong argument.

    Source: the recurrent network of Radhakrishnan, Belkin and Uhler (2020).

        >>> import jax.random as jr
        >>> memory = store_words("to be or not to be".split(), width=16, key=jr.key(0))
        >>> memory.certificate.period.tolist(), [memory.written["vocabulary"][i] for i in memory.map.speak(7)]
        ([6], ['to', 'be', 'or', 'not', 'to', 'be', 'to'])
    """
    checks.random_key(key)
    checks.one_of("feedback", feedback, FEEDBACKS)
    if isinstance(words, str) or not all(isinstance(word, str) for word in words) or len(set(words)) < 2:
        raise ValueError(f"words must be a sequence of texts, at least two of them different; got {words!r}")
    training = Training(optimizer=optimizer, learning_rate=learning_rate)
    if training.optimizer_name == "kfac":
        raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, or an Optax transformation; got 'kfac'")
    vocabulary = list(dict.fromkeys(words))
    symbols = np.array([vocabulary.index(word) for word in words])
    network = recurrent(len(vocabulary), width=width, feedback=feedback, key=key)
    limits: dict[str, Any] = {"rounds": rounds, "epochs": epochs, "tol": tol, "progress": progress, "key": key}
    edge = None
    if training.at_edge:
        edge = fit_recurrent_at_edge(network, symbols, optimizer=training.optimizer_name, **limits)
        fitted = edge.fit
    else:
        rate = _RATE if optimizer is None and learning_rate is None else learning_rate
        fitted = fit_recurrent(network, symbols, optimizer=training.transformation(rate), **limits)
    length = len(words)
    with float64():
        map64 = cast(fitted.map, np.float64)
        states = map64.run((_REPEATS + 1) * length)
        scores = np.stack([np.asarray(map64.scores(state[: map64.width])) for state in states[-length:]])
    said = np.argmax(states[:, map64.width :], axis=1)
    repeats = bool((said == np.tile(symbols, _REPEATS + 1)).all())
    ranked = np.sort(scores, axis=1)
    # The states of the loop are used whatever it does; the certificate detects a shorter cycle or none.
    lap = length * _rounds(states[length - 1 :: length])
    patterns = Patterns(states[-lap:], (np.arange(lap) + 1) % lap)
    memory = refine_and_certify(Memory(fitted.map, patterns), progress=progress)
    certificate = memory.certificate
    assert certificate is not None  # `refine_and_certify` sets it
    trained = TrainingStatus.REACHED if repeats else TrainingStatus.EPOCHS_OVER
    trained = trained if np.isfinite(fitted.loss) else TrainingStatus.DIVERGED
    record = {
        "writer": "recurrent",
        "feedback": feedback,
        "vocabulary": vocabulary,
        "repeats": repeats,
        "score_lead": float((ranked[:, -1] - ranked[:, -2]).min()),
        "status": str(certificate.status_after(trained)),
        "loss": fitted.loss,
        "epochs": fitted.epochs,
        "seconds": fitted.seconds,
        **({} if edge is None else {"edge": edge.record()}),
    }
    return replace(memory, written=record)


def _rounds(ends: HostStates) -> int:
    """After how many rounds the last of these states returns, each at the end of a round; 1 if it doesn't."""
    for rounds in range(1, len(ends) // 2):
        if np.abs(ends[-1] - ends[-1 - rounds]).max() < _SAME:
            return rounds
    return 1
