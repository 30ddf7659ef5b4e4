"""One page about a memory: a single self-contained HTML file."""

import io
import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from attrax._base.files import write_atomically
from attrax._base.pictures import data_uri, is_picture, pixels
from attrax._base.status import Reason, RecallStatus, StoreStatus, Verdict
from attrax._base.types import HostStates
from attrax.analysis import Recovery, used_in_training, wilson_interval
from attrax.maps import describe
from attrax.memory import Certificate, Memory
from attrax.patterns import Patterns
from attrax.report._plots import spectrum_histogram
from attrax.report._style import document
from attrax.report._text import describe_cues, number

_INK = "#010203"
"""A color that occurs nowhere else in a figure; on the page it is replaced by the color of the text, light or dark."""

_NAMED = 8
"""Examples that a note names at most."""
_STATUS = {
    RecallStatus.RECOVERED: ("✓", "recovered"),
    RecallStatus.OTHER_ATTRACTOR: ("⇄", "another example"),
    RecallStatus.SPURIOUS: ("✗", "no stored example"),
    RecallStatus.CYCLE: ("↻", "cycle"),
    RecallStatus.DIVERGED: ("↗", "diverged"),
    RecallStatus.NOT_CONVERGED: ("…", "not converged"),
}


def write_page(
    path: str | os.PathLike[str],
    memory: Memory,
    recoveries: Sequence[Recovery],
    *,
    title: str = "A memory and what it recalls",
    settings: Mapping[str, Any] | None = None,
    commands: Sequence[str] = (),
    examples: int = 12,
    failures: int = 24,
) -> Path:
    """Writes one HTML page about a memory that needs no other file, no script and no network.

    It shows the certificates, the cues and the recalled states (as pictures if the states are pictures), the spectrum,
    the recovery rates next to those of nearest-neighbor rules, how the memory was written, and its limitations.

    **Arguments:**

    - `path`: the file. Its folder is created if it is missing; an existing file is replaced atomically.
    - `memory`, with its patterns; `recoveries` of its examples.
    - `title`: the heading.
    - `settings`: more facts about how the memory was written, such as the source and the seed.
    - `commands`: shell commands that create the page again.
    - `examples`: how many cues of each corruption are shown, the first ones.
    - `failures`: how many more unrecovered cues are shown; the rest are only counted.

    **Returns:** the path. **Raises** `ValueError` if the memory holds no patterns or the file can't be written.

        >>> import tempfile, numpy as np, jax.random as jr
        >>> import attrax as ax
        >>> from attrax.report import write_page
        >>> memory = ax.Memory(lambda x: x / 2, ax.Patterns.from_examples(np.zeros((1, 2, 2))))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     page = write_page(f"{folder}/page.html", memory, [ax.recovery(memory, "drop:0.5", key=jr.key(0))])
        ...     page.read_text().startswith("<!doctype html>")
        True
    """
    patterns = memory.examples()
    originals = np.asarray(memory.originals)
    parts = [_headline(memory, len(patterns), title)]
    if recoveries:
        parts.append(_rates(memory, recoveries))
        if is_picture(patterns.shape):
            parts.append(_pictures(memory, recoveries, originals, examples, failures))
    if memory.certificate is not None:
        parts.append(_spectrum(memory.certificate))
    parts += [_notes(memory, recoveries), _settings(memory, settings or {}), _commands(commands)]
    page = document(title, "".join(parts))
    return _write(Path(path), page)


def _headline(memory: Memory, count: int, title: str) -> str:
    certificate, written = memory.certificate, memory.written
    cards: list[tuple[str, str]] = []
    if certificate is not None:
        total = len(certificate.verdict)
        what = "examples are" if all(len(cycle) == 1 for cycle in certificate.cycles) else "cycles are"
        cards.append((f"{certificate.num_attractors}/{total}", f"{what} certified attractors"))
        finite = certificate.spectral_radius[np.isfinite(certificate.spectral_radius)]
        bound = float(np.max(certificate.upper_bound))
        says = f"largest spectral radius; upper bound {bound:.4f}" if np.isfinite(bound) else "largest spectral radius"
        cards.append((number(finite.max(), 4) if len(finite) else "–", says))
    else:
        cards.append((str(count), "examples, no certificate yet"))
    if isinstance(written.get("seconds"), int | float):
        cards.append((f"{written['seconds']:.0f} s", "to train, refine and certify"))
    network = describe(memory.map)
    cards.append((network.text, f"the map, {network.parameters:,} parameters"))
    listed = "".join(f"<div><dd>{escape(value)}</dd><dt>{escape(name)}</dt></div>" for value, name in cards)
    return f"""<h1>{escape(title)}</h1>
<p>A network was trained to map each of {count} stored examples to itself. An example is an <em>attractor</em> where
every eigenvalue of the network’s Jacobian is smaller than 1 in modulus; then, applied again and again, the network
brings what is close enough back to the example. Below, cues are farther away than anything is promised for.</p>
<dl class="figures">{listed}</dl>
"""


def _rates(memory: Memory, recoveries: Sequence[Recovery]) -> str:
    rules = list(dict.fromkeys(rule for record in recoveries for rule in record.neighbor_rates))
    head = [
        "corruption",
        "used in training",
        "memory",
        *(f"1-NN {rule}" for rule in rules),
        "best 1-NN",
    ]
    rows = []
    for record in recoveries:
        total = len(record.cues)
        cells = [
            (f'<span class="name">{escape(describe_cues(record))}</span>', False),
            (escape(used_in_training(memory, record.corruption)), False),
            (_rate(int(record.recall.recovered.sum()), total), record.recovery_rate >= record.best_nn_rate),
        ]
        for rule in rules:
            rate = record.neighbor_rates.get(rule)
            cells.append(("–" if rate is None else _rate(round(rate * total), total), False))
        cells.append((_rate(round(record.best_nn_rate * total), total), record.best_nn_rate >= record.recovery_rate))
        rows.append(
            "<tr>"
            + "".join(
                f'<td data-name="{escape(name)}"{" class=best" if best else ""}><span>{text}</span></td>'
                for name, (text, best) in zip(head, cells, strict=True)
            )
            + "</tr>"
        )
    headings = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    return f"""<h2>How often the right example came back</h2>
<p class="soft">Counts over one cue an example, with a 95 % interval for the rate (Wilson’s). The rules name the stored
example nearest to the same cue. Bold: the memory or the best rule, whichever is ahead.</p>
<div class="scroll"><table class="stack">
<thead><tr>{headings}</tr></thead>
<tbody>{"".join(rows)}</tbody>
</table></div>
"""


def _rate(count: int, total: int) -> str:
    low, high = wilson_interval(count, total)
    return f"{count}/{total} <small>{low:.2f} to {high:.2f}</small>"


def _pictures(
    memory: Memory, recoveries: Sequence[Recovery], originals: HostStates, examples: int, failures: int
) -> str:
    # Each stored picture is encoded once, however often it appears on the page.
    stored = [data_uri(picture) for picture in pixels(originals, originals)]
    parts = ["<h2>Pictures</h2>\n<p>From left to right: stored, cue, recalled.</p>\n"]
    for record in recoveries:
        recovered = record.recall.recovered
        first = list(range(min(examples, len(record.cues))))
        missed = [row for row in np.flatnonzero(~recovered).tolist() if row not in first]
        saw = used_in_training(memory, record.corruption)
        use = {"yes": "used in training", "no": "not used in training", "unknown": "training unknown"}.get(saw, saw)
        parts.append(
            f"<h3>{escape(_capital(describe_cues(record)))} "
            f'<span class="soft">({escape(use)})</span></h3>\n'
            f"<p>{int(recovered.sum())} of {len(record.cues)} recovered. The first {len(first)}:</p>\n"
        )
        parts.append(_grid(memory.examples(), record, first, originals, stored))
        if missed:
            shown, rest = missed[:failures], len(missed) - failures
            more = f", and {rest} more that are not shown" if rest > 0 else ""
            parts.append(
                f"<details open><summary>{len(shown)} more cue{'s' * (len(shown) != 1)} that did not come back{more}"
                f"</summary>\n{_grid(memory.examples(), record, shown, originals, stored)}</details>\n"
            )
        elif recovered.all():
            parts.append('<p class="soft">No cue failed.</p>\n')
        else:
            parts.append('<p class="soft">Every cue that failed is among these.</p>\n')
    return "".join(parts)


def _grid(
    patterns: Patterns, record: Recovery, rows: Sequence[int], originals: HostStates, stored: Sequence[str]
) -> str:
    if not rows:
        return ""
    index = list(rows)
    cues, values = pixels(record.cues[index], originals), pixels(record.recall.value[index], originals)
    items = []
    for place, row in enumerate(index):
        status, expected = record.recall.status[row], int(record.expected[row])
        mark, words = _STATUS[status]
        if status is RecallStatus.OTHER_ATTRACTOR:
            words = _called(patterns, int(record.recall.nearest[row]))
        good = status is RecallStatus.RECOVERED
        steps = int(record.recall.num_steps[row])
        name = "" if patterns.names is None else f"{escape(patterns.names[expected])}, "
        images = (
            (stored[expected], f"{_called(patterns, expected)} as stored"),
            (data_uri(cues[place]), f"cue {row}"),
            (data_uri(values[place]), f"recalled: {words}"),
        )
        items.append(
            f'<li class="{"hit" if good else "miss"}" title="{escape(status.advice)}"><div class="trio">'
            + "".join(f'<img src="{uri}" alt="{escape(text)}">' for uri, text in images)
            + f'</div><div class="what"><b class="{"good" if good else "bad"}">{mark} {escape(words)}</b>'
            f'<span class="soft">{name}{steps} step{"s" * (steps != 1)}</span></div></li>'
        )
    return f'<ul class="cues">{"".join(items)}</ul>\n'


def _called(patterns: Patterns, index: int) -> str:
    return f"example {index}" if patterns.names is None else patterns.names[index]


def _spectrum(certificate: Certificate) -> str:
    figure = spectrum_histogram(certificate, ink=_INK, transparent=True)
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    drawing = stream.getvalue()
    # Inline, a drawing needs no document type, which names an address, and it can take the color of the text.
    drawing = drawing[drawing.index("<svg") :].replace(_INK, "currentColor")
    start, end = drawing.find("<metadata>"), drawing.find("</metadata>")
    if 0 <= start < end:
        drawing = drawing[:start] + drawing[end + len("</metadata>") :]
    drawing = drawing.replace("<svg ", '<svg role="img" aria-label="Histogram of the spectral radii" ', 1)
    how = ", ".join(f"{name} ({count})" for name, count in sorted(Counter(certificate.evidence).items()))
    how = how or "not on record"
    return f"""<h2>Certificates</h2>
<figure>{drawing}<figcaption>Spectral radius at every stored example. The verdict <em>attractor</em> needs an upper
bound on all eigenvalues below 1, not an estimate of the largest. Evidence: {escape(how)}.</figcaption></figure>
"""


def _reasons(certificate: Certificate, patterns: Patterns) -> list[str]:
    """For each reason why an example is not certified, which ones it concerns and what to do."""
    found = []
    for reason in dict.fromkeys(certificate.reason):
        rows = [row for row, why in enumerate(certificate.reason) if why is reason]
        if reason is Reason.CONTRACTS:
            continue
        names = ", ".join(patterns.name(certificate.cycles[row][0]) for row in rows[:_NAMED])
        more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
        found.append(f"{_capital(str(reason).replace('_', ' '))}: {names}{more}. {reason.advice}")
        if reason in (Reason.DISPLACED, Reason.DISTANCE_STRADDLES_THRESHOLD):
            largest = float(np.max(certificate.distance[rows]))
            found[-1] += f" Largest distance {largest:.2g}, recovery threshold {certificate.recovery_atol:.2g}."
    return found


def _notes(memory: Memory, recoveries: Sequence[Recovery]) -> str:
    notes = []
    certificate = memory.certificate
    if certificate is not None:
        counts = Counter(certificate.verdict)
        notes.append(
            "Verdicts: "
            + "; ".join(f"{counts[verdict]} {str(verdict).replace('_', ' ')}" for verdict in Verdict)
            + f". Stored points were moved by at most {float(np.max(certificate.moved)):.1e} when certified; largest "
            f"residual there {float(np.max(certificate.residual)):.1e}; largest singular value "
            f"{number(np.nanmax(certificate.largest_singular_value), 2)} (above 1, a deviation may grow before it "
            "shrinks)."
        )
        notes += _reasons(certificate, memory.examples())
    if memory.status is not None and memory.status is not StoreStatus.STORED:
        notes.append(f"Writing ended as {memory.status}: {memory.status.advice}")
    missed = [(record, Counter(record.recall.status)) for record in recoveries if not record.recall.recovered.all()]
    for record, counts in missed:
        where = ", ".join(
            f"{counts[status]} {words}"
            for status, words in (
                (RecallStatus.OTHER_ATTRACTOR, "to another stored example"),
                (RecallStatus.SPURIOUS, "to a state that matches no stored example"),
                (RecallStatus.CYCLE, "into a cycle"),
                (RecallStatus.DIVERGED, "diverged"),
                (RecallStatus.NOT_CONVERGED, "not converged"),
            )
            if counts[status]
        )
        notes.append(f"{_capital(describe_cues(record))}: cues that did not come back went {where}.")
    if recoveries and not missed:
        notes.append("Every cue of every corruption came back to its example.")
    behind = [record for record in recoveries if record.best_nn_rate > record.recovery_rate]
    if behind:
        names = "; ".join(
            f"{describe_cues(record)} ("
            + ", ".join(rule for rule, rate in record.neighbor_rates.items() if rate > record.recovery_rate)
            + ")"
            for record in behind
        )
        notes.append(f"A nearest-neighbor rule with access to all stored examples does better for: {names}.")
    readings = sorted({record.recall.reading for record in recoveries})
    if readings:
        limits = {
            "literal": "the literal one: steps below 1e-8, and within 1e-7 of the stored fixed point",
            "mean_square": "the mean-square one, for networks left at the paper’s stopping loss",
        }
        notes.append(
            "Reading of the paper’s thresholds: " + "; ".join(limits.get(name, name) for name in readings) + "."
        )
    if recoveries:
        notes.append(
            "One draw of each corruption and one trained network: the intervals cover the draw of the cues, not of the "
            "training. Pictures are clipped to black and white for display; the cues themselves are not."
        )
    listed = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return f"<h2>To be fair</h2>\n<ul>{listed}</ul>\n" if notes else ""


def _settings(memory: Memory, settings: Mapping[str, Any]) -> str:
    rows: dict[str, Any] = dict(settings)
    network = describe(memory.map)
    rows["map"] = f"{network.text}, {network.parameters:,} parameters"
    rows["state"] = "×".join(map(str, memory.examples().shape))
    rows |= {name.replace("_", " "): value for name, value in memory.written.items()}
    rows["versions"] = ", ".join(f"{name} {_version(name)}" for name in ("attrax", "jax", "numpy"))
    rows["python"] = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    listed = "".join(f"<dt>{escape(str(name))}</dt><dd>{escape(_shown(value))}</dd>" for name, value in rows.items())
    return f'<h2>How it was written</h2>\n<dl class="settings">{listed}</dl>\n'


def _commands(commands: Sequence[str]) -> str:
    if not commands:
        return ""
    return f"<h2>Make this page again</h2>\n<pre>{escape(chr(10).join(commands))}</pre>\n"


def _shown(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(not installed as a package)"


def _write(path: Path, text: str) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{path} can't be written: {error.strerror or error}") from None
    return write_atomically(path, text.encode())
