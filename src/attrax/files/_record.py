"""The record of how a memory was written, as a file has it: what attrax reads of it has the type that it expects."""

from collections.abc import Callable, Mapping
from typing import Any

from attrax._base.status import StoreStatus
from attrax.files._plain import is_list, is_number, is_whole

Check = tuple[Callable[[Any], bool], str]

_TEXT: Check = (lambda value: isinstance(value, str), "a text")
_TEXTS: Check = (lambda value: is_list(value, str), "a list of texts")
_TRUTH: Check = (lambda value: isinstance(value, bool), "true or false")
_COUNT: Check = (is_whole, "an integer of at least 0")
_POSITIVE: Check = (lambda value: is_whole(value, 1), "an integer of at least 1")
_SIZE: Check = (lambda value: is_number(value, 0), "a number of at least 0")
_NUMBER: Check = (is_number, "a number")
_OBJECT: Check = (lambda value: isinstance(value, dict), "an object")
_OBJECTS: Check = (lambda value: is_list(value, dict), "a list of objects")
_WIDTHS: Check = (lambda value: isinstance(value, list) and all(is_whole(one, 1) for one in value), "a list of widths")
_INDICES: Check = (
    lambda value: isinstance(value, str) or (isinstance(value, list) and all(map(is_whole, value))),
    "a text or a list of integers",
)
_STATUS: Check = (
    lambda value: isinstance(value, str) and value in set(StoreStatus),
    f"one of {', '.join(StoreStatus)}",
)
_CARRIERS: Check = (
    lambda value: is_list(value, list) and all(is_whole(one) for row in value for one in row),
    "lists of integers",
)
_WRITTEN: Mapping[str, Check] = {
    "status": _STATUS,
    "writer": _TEXT,
    "loss": _NUMBER,
    "epochs": _COUNT,
    "epochs_limit": _COUNT,
    "scratch_epochs": _COUNT,
    "seconds": _SIZE,
    "scratch_seconds": _SIZE,
    "changes": _COUNT,
    "seed": _COUNT,
    "sources": _TEXTS,
    "noise": _SIZE,
    "corruptions": _TEXTS,
    "attempts": _OBJECTS,
    "ambiguities": _OBJECTS,
    "closest_pair": _OBJECT,
    "fallback": _COUNT,
    "lead": _COUNT,  # what earlier versions call it
    "onset": _NUMBER,
    "rounds": _COUNT,
    "encoder_widths": _WIDTHS,
    "carriers": _CARRIERS,
    "selection": _OBJECT,
    "media": _OBJECT,
    "letters": _TEXTS,
}
_SELECTION: Mapping[str, Check] = {
    "n": _POSITIVE,
    "shuffle": _TRUTH,
    "seed": _COUNT,
    "size": _TEXT,
    "fit": _TEXT,
    "gray": _TRUTH,
    "range": _TEXT,
    "recursive": _TRUTH,
    "skip_unreadable": _TRUTH,
    "kind": _TEXT,
    "cycle_length": _POSITIVE,
    "indices": _INDICES,
    "single": _TEXTS,
    "end": _TEXT,
    "context": (lambda value: isinstance(value, str) or is_whole(value, 1), "a text or an integer of at least 1"),
    "media": _OBJECT,
}
_MEDIA: Mapping[str, Check] = {
    "fps": _SIZE,
    "start": _SIZE,
    "duration": _SIZE,
    "hop": _SIZE,
    "rate": _POSITIVE,
    "mono": _TRUTH,
    "by": _TEXT,
}
_FACTS: Mapping[str, Check] = {
    "kind": _TEXT,
    "fps": _SIZE,
    "rate": _POSITIVE,
    "hop": _SIZE,
    "by": _TEXT,
    "names": _TEXTS,
    "vocabulary": _TEXTS,
}


def checked_record(written: Any) -> dict[str, Any]:
    """The record, which is an object. Names that attrax does not know are a writer's own, and stay as they are.

    **Raises** `ValueError` where an entry that attrax reads is of another type or out of range.
    """
    if not isinstance(written, dict):
        raise ValueError(f"written must be an object; it is {str(written)[:80]}")
    _check(written, _WRITTEN, "written")
    selection, facts = written.get("selection"), written.get("media")
    if selection is not None:
        _check(selection, _SELECTION, "written.selection")
        media = selection.get("media") or {}
        unknown = next((name for name in media if name not in _MEDIA), None)
        if unknown is not None:
            raise ValueError(f"written.selection.media has {unknown[:80]!r}; allowed are {', '.join(_MEDIA)}")
        _check(media, _MEDIA, "written.selection.media")
    if facts is not None:
        if "kind" not in facts:
            raise ValueError("written.media does not say of which kind it is")
        _check(facts, _FACTS, "written.media")
    return written


def _check(values: Mapping[str, Any], checks: Mapping[str, Check], where: str) -> None:
    """An entry may always be null: numbers that are not finite are, and what was not given."""
    for name, (fits, what) in checks.items():
        if values.get(name) is not None and not fits(values[name]):
            raise ValueError(f"{where}.{name} must be {what}; it is {str(values[name])[:80]!r}")
