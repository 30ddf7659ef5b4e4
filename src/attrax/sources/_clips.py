"""What was read from a film, a sound, a text or a folder of images, and what is needed to write it back."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from attrax._base import checks
from attrax._base.budget import refuse_beyond_memory
from attrax._base.shown import Record
from attrax._base.types import HostStates
from attrax.sources._records import SourceError

Medium = Literal["video", "audio", "text", "images"]
MEDIA: tuple[Medium, ...] = ("video", "audio", "text", "images")


@dataclass(frozen=True, slots=True, eq=False)
class Clip(Record):
    """A sequence as it was read: one state a row, in order of time.

    **Fields:**

    - `values`: T×state shape, float32 (float64 for images stored so). A frame is H×W (gray) or H×W×3 in [0, 1]; a
      state of sound is `samples`, or `samples`×2 in stereo, in [−1, 1]; a state of text is a one-hot vector over the
      vocabulary.
    - `kind`: `"video"`, `"audio"`, `"text"` or `"images"`.
    - `names`: T names for people: the time in a film or a sound, the name of an image file, the word or character.
    - `fps`: frames per second, of video and of images to which one was given.
    - `rate`, `hop`: samples per second, and seconds per state; of audio.
    - `by`, `vocabulary`: `"word"` or `"character"`, and what the entries of a state stand for; of text.
    - `notes`: one sentence for each thing that was left out or changed on reading.

    ```python
    >>> from attrax.sources import encode_text
    >>> clip = encode_text("to be or not to be")
    >>> clip.values.shape, clip.vocabulary
    ((6, 4), ('to', 'be', 'or', 'not'))
    >>> clip.facts()
    {'kind': 'text', 'by': 'word', 'vocabulary': ['to', 'be', 'or', 'not']}

    ```
    """

    values: HostStates
    kind: Medium
    names: tuple[str, ...]
    fps: float | None = None
    rate: int | None = None
    hop: float | None = None
    by: str | None = None
    vocabulary: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    def facts(self) -> dict[str, Any]:
        """What `save_sequence` needs beside the values, as texts, numbers and lists that JSON can hold.

        `kind`, and of the other fields those that this kind has: `fps`; `rate` and `hop`; `by` and `vocabulary`;
        `names`, of images.
        """
        known: dict[str, Any] = {"kind": self.kind, "fps": self.fps, "rate": self.rate, "hop": self.hop, "by": self.by}
        if self.vocabulary is not None:
            known["vocabulary"] = list(self.vocabulary)
        if self.kind == "images":
            known["names"] = list(self.names)
        return {name: value for name, value in known.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Written(Record):
    """A file or folder as it was written.

    **Fields:**

    - `path`: where it is.
    - `notes`: one sentence for each thing in which the file is not what was handed over: values clipped, edges added.
    """

    path: Path
    notes: tuple[str, ...] = ()


def known_facts(facts: Any) -> dict[str, Any]:
    """The facts as a dict that can be relied on. **Raises** `ValueError` for an unknown kind or a wrong entry."""
    if not isinstance(facts, Mapping):
        raise SourceError(f"facts must be a mapping as Clip.facts() gives it; got {facts!r}")
    found = dict(facts)
    checks.one_of("facts['kind']", found.get("kind"), MEDIA)
    for name in ("fps", "hop"):
        if found.get(name) is not None:
            found[name] = checks.real(f"facts[{name!r}]", found[name], above=0)
    if found.get("rate") is not None:
        found["rate"] = checks.integer("facts['rate']", found["rate"], least=1)
    for name in ("names", "vocabulary"):
        entries = found.get(name)
        if entries is None:
            continue
        if not isinstance(entries, list | tuple) or not all(isinstance(entry, str) for entry in entries):
            raise SourceError(f"facts[{name!r}] must be a list of texts; got {entries!r}")
    return found


def refuse_too_large(label: str, count: int, state: np.ndarray[Any, Any], remedy: str, available: int | None) -> None:
    """**Raises** `SourceError` if `count` states like this one, and the array of all, exceed the `available` memory."""
    what = f"{label}: {count:,} states of {state.size:,} numbers"
    refuse_beyond_memory(what, 2 * count * state.nbytes, remedy, available=available, error=SourceError)
