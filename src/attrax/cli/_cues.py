"""The one cue of --from: noise, a stored state, or a source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrax.cli._examples import read_selected

if TYPE_CHECKING:  # help and wrong usage don't wait for NumPy
    import numpy as np


def start_of(memory: Any, begin: str, seed: int) -> np.ndarray:
    """The one state that `begin`, `noise` or `frame:I`, names. **Raises** `ValueError` for anything else."""
    if begin != "noise" and not begin.startswith("frame:"):
        raise ValueError(f"--from must be noise or frame:I with the position of a stored state; got {begin!r}")
    return one_cue(memory, begin, {}, seed)[0]


def one_cue(memory: Any, begin: str, selection: dict[str, Any], seed: int) -> tuple[np.ndarray, np.ndarray | None]:
    """The cue that `begin` names, `noise`, `frame:I` or a source of one state; where it is a stored one, its index."""
    import numpy as np

    patterns, originals = memory.examples(), np.asarray(memory.originals)
    kind, colon, place = begin.partition(":")
    if begin == "noise":
        draw = np.random.default_rng(seed)
        return draw.uniform(originals.min(), originals.max(), (1, *patterns.shape)), None
    if kind == "frame" and colon:
        if not (place.isascii() and place.isdigit() and int(place) < len(patterns)):
            raise ValueError(
                f"--from frame:I takes a state from 0 to {len(patterns) - 1}, in the order they were stored; got {begin!r}"
            )
        return originals[[int(place)]], np.array([int(place)])
    cues = _frames(memory, begin, selection)
    if len(cues) == patterns.context > 1 and cues.shape[1:] == patterns.frame_shape:
        return patterns.one_state(cues), None
    if len(cues) != 1:
        single = "" if patterns.context == 1 else f", or of {patterns.context} frames"
        raise ValueError(
            f"--from takes noise, frame:I or a source of one state{single}; {begin} holds {len(cues)}. "
            "--n 1 takes the first"
        )
    return cues, None


def _frames(memory: Any, begin: str, selection: dict[str, Any]) -> np.ndarray:
    """The frames of a source, brought to what the memory stores as its own sources were."""
    import numpy as np

    from attrax.sources import is_sequence

    stored, facts = memory.written.get("selection") or {}, memory.written.get("media") or {}
    size, gray = selection["size"] or stored.get("size"), bool(selection["gray"] or stored.get("gray"))
    options = {**selection, "size": size, "gray": gray, "range": stored.get("range"), "kind": None}
    options["fit"] = stored.get("fit", "squash") if size else "squash"
    if is_sequence(begin):
        options["media"] = {name: facts[name] for name in ("hop", "rate", "by") if facts.get(name) is not None}
        if (stored.get("media") or {}).get("mono"):
            options["media"]["mono"] = True
    part = read_selected([begin], options)
    vocabulary = facts.get("vocabulary")
    if vocabulary is None or part.facts is None or "vocabulary" not in part.facts:
        return part.values
    unknown = [entry for entry in part.names if entry not in vocabulary]
    if unknown:
        raise ValueError(f"--from {begin}: {unknown[0]!r} is not in the text that the memory stores; leave it out")
    return np.eye(len(vocabulary))[[vocabulary.index(entry) for entry in part.names]]
