"""One page about an audit: a single self-contained HTML file."""

import io
import math
import os
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attrax._base.files import write_atomically
from attrax._base.pictures import data_uri, is_picture, pixels
from attrax._base.status import Verdict
from attrax._base.wording import time_constant_text
from attrax.audit import Audit, End, Example
from attrax.report._plots import BLUE, GRAY, GREEN, ORANGE, VERMILION, _figure
from attrax.report._style import document
from attrax.report._text import number

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_INK = "#010203"
_ENDS, _EXAMPLES, _SPECTRA = 48, 600, 6
_COLORS = (BLUE, VERMILION, GREEN, ORANGE, "#cc79a7", GRAY)
_STYLE = """
.ends img,.table img{width:3.2rem;height:auto;display:block;image-rendering:pixelated;background:#000}
.ends td,.table td{vertical-align:middle}
.ends td:not(:first-child) img,.table td:not(:first-child) img{margin-left:auto}
.share{white-space:nowrap}
.bar{display:inline-block;height:.6rem;background:var(--link);border-radius:.15rem;vertical-align:middle}
"""


def write_audit(
    path: str | os.PathLike[str],
    audit: Audit,
    *,
    title: str = "What the network remembers",
    step_seconds: float | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Path:
    """Writes one HTML page about an audit that needs no other file, no script and no network.

    It shows the ends (as pictures, with their nearest training examples, if they are pictures), shares of starts, time
    constants, the spectrum of the leading ends, paths in the plane of their main directions, and a table of the
    examples.

    **Arguments:** `path`, the file; `audit`; `title`, the heading; `step_seconds`, how long one step lasts, to give
    times in seconds as well; `settings`, more facts for the last section.

    **Returns:** the path. **Raises** `ValueError` if the file can't be written.

        >>> import tempfile, jax.random as jr, numpy as np
        >>> from attrax.audit import audit
        >>> found = audit(lambda x: x / 2, np.zeros((1, 2, 2)), num_starts=4, key=jr.key(0))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_audit(f"{folder}/page.html", found).read_text().startswith("<!doctype html>")
        True
    """
    parts = [_headline(audit, title), _ends(audit, step_seconds), _starts(audit, step_seconds), _figures(audit)]
    parts += [] if audit.examples is None else [_examples(audit)]
    parts += [_notes(audit), _settings(audit, settings or {})]
    page = document(title, "".join(parts), _STYLE)
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{path} can't be written: {error.strerror or error}") from None
    return write_atomically(Path(path), page.encode())


def _headline(audit: Audit, title: str) -> str:
    ends, table = audit.ends, audit.examples
    cards = [
        (f"{ends.num_attractors}", f"certified attractors that {len(ends.label):,} starts came to"),
        (f"{len(ends.ends) - ends.num_attractors}", "other ends"),
        (f"{ends.diverged + ends.not_converged}", "starts that diverged or did not converge"),
    ]
    if table is not None:
        held = table.count(Verdict.ATTRACTOR) + table.count(Verdict.DISPLACED)
        cards.append(
            (f"{held}/{len(table.examples)}", "training examples with a certified attractor at or beside them")
        )
        if table.num_memorized is not None:
            cards.append(
                (
                    f"{table.num_memorized}/{len(table.examples)}",
                    f"memorized, at a rate of false accusations of {table.rate:g}",
                )
            )
        cards.append((f"{table.num_extracted}/{len(table.examples)}", "found without the data"))
    listed = "".join(f"<div><dd>{escape(value)}</dd><dt>{escape(name)}</dt></div>" for value, name in cards)
    return f"""<h1>{escape(title)}</h1>
<p>The network was applied again and again to many starts. What these came to was refined in 64 bits and certified: an
<em>attractor</em> is a fixed point or cycle to which all states close to it return.</p>
<dl class="figures">{listed}</dl>
"""


def _drawn(audit: Audit, states: np.ndarray) -> list[str]:
    """States as pictures in data URIs; empty if they are none."""
    shown = np.asarray(audit.view.pictures(states))
    if not is_picture(shown.shape[1:]) or not np.isfinite(shown).all():
        return []
    references = shown if audit.train is None else audit.train
    return [data_uri(picture) for picture in pixels(shown, references)]


def _ends(audit: Audit, step_seconds: float | None) -> str:
    ends = audit.ends.ends[:_ENDS]
    if not ends:
        return "<h2>Ends</h2>\n<p>No start came to an end.</p>\n"
    pictures = _drawn(audit, np.stack([end.states[0] for end in ends]))
    near = _nearest_examples(audit, ends)
    shares = audit.from_noise
    head = ["end", *(["picture"] if pictures else []), *(["nearest example"] if near else [])]
    head += ["kind", "verdict", "radius", "time constant", "starts", "from noise"]
    rows = []
    for place, end in enumerate(ends):
        cells = [str(place)]
        cells += [f'<img src="{pictures[place]}" alt="end {place}">'] if pictures else []
        cells += [near[place]] if near else []
        good = "good" if end.attracts else "bad"
        share = float(shares[place])
        bar = f'<span class="bar" style="width:{3 * share:.2f}rem"></span>'
        cells += [
            escape(_kind(end)),
            f'<b class="{good}">{escape("by estimate" if end.estimated else str(end.verdict).replace("_", " "))}</b>'
            f"<small>{escape(f'{end.evidence}, {end.reason}'.replace('_', ' '))}</small>",
            f"{end.spectral_radius:.6f}",
            time_constant_text(end.time_constant, step_seconds),
            str(end.count),
            f'<span class="share">{bar} {100 * share:.1f} %</span>',
        ]
        rows.append(cells)
    more = len(audit.ends.ends) - len(ends)
    rest = f'<p class="soft">{more} more ends are not shown.</p>\n' if more else ""
    return (
        "<h2>Ends</h2>\n<p>Certified attractors first, by the share of starts from noise that came to them: what can "
        f"be had from the network without its data.</p>\n{_table(head, rows, 'ends')}{rest}"
    )


def _nearest_examples(audit: Audit, ends: tuple[End, ...]) -> list[str]:
    """For each end the nearest training example, with distance and cosine."""
    if audit.train is None:
        return []
    states = np.asarray(audit.view.states(audit.train), np.float64).reshape(len(audit.train), -1)
    lengths = np.linalg.norm(states, axis=1)
    found = []
    for end in ends:
        own = end.states[0].ravel()
        apart = np.linalg.norm(states - own, axis=1)
        row = int(np.argmin(apart))
        size = float(lengths[row] * np.linalg.norm(own))
        cosine = float(states[row] @ own) / size if size else math.nan
        picture = ""
        if is_picture(audit.train.shape[1:]):
            (uri,) = (data_uri(one) for one in pixels(audit.train[row : row + 1], audit.train))
            picture = f'<img src="{uri}" alt="example {row}">'
        text = f"example {row}<br>{number(float(apart[row]), 4)} away<br>cosine {number(cosine, 4)}"
        found.append(f"{picture}<small>{text}</small>")
    return found


def _starts(audit: Audit, step_seconds: float | None) -> str:
    head = [
        "starts",
        "number",
        "at certified attractors",
        "different ones",
        "diverged",
        "not converged",
        "elsewhere at most",
    ]
    rows = [
        [
            escape(kind),
            *(str(row[name]) for name in ("starts", "attractors", "different_attractors", "diverged", "not_converged")),
            f"{100 * row['elsewhere_bound']:.1f} %",
        ]
        for kind, row in audit.by_start().items()
    ]
    listed = "".join(f"<li>{escape(one.sentence(step_seconds))}</li>" for one in audit.ends.moving)
    return (
        "<h2>Where starts end</h2>\n<p>The last column is an exact bound (Clopper and Pearson) on the probability "
        f"that one more start of the kind ends elsewhere, at {100 * audit.ends.confidence:g} % confidence.</p>\n"
        f"{_table(head, rows, 'table')}" + (f"<ul>{listed}</ul>\n" if listed else "")
    )


def _figures(audit: Audit) -> str:
    parts = []
    leading = [end for end in audit.ends.ends[:_SPECTRA] if len(end.eigenvalues)]
    if leading:
        parts.append(
            f"<figure>{_inline(_spectrum(leading), 'Eigenvalues of the leading ends')}<figcaption>The largest "
            "eigenvalues of the first ends, with the unit circle. Inside it, deviations die out; the nearer to it, the "
            "longer they last.</figcaption></figure>\n"
        )
    if len(audit.paths):
        parts.append(
            f"<figure>{_inline(_paths_figure(audit), 'Paths')}<figcaption>Some paths, from dot to cross, in the plane "
            "of their two main directions.</figcaption></figure>\n"
        )
    return f"<h2>Dynamics</h2>\n{''.join(parts)}" if parts else ""


def _spectrum(ends: list[End]) -> "Figure":
    figure, axes = _figure(4.4, 4.0, _INK, True)
    turn = np.linspace(0, 2 * np.pi, 200)
    axes.plot(np.cos(turn), np.sin(turn), color=GRAY, linewidth=1)
    for place, end in enumerate(ends):
        values = end.eigenvalues[np.isfinite(end.eigenvalues)]
        axes.scatter(np.real(values), np.imag(values), s=12, color=_COLORS[place % len(_COLORS)], label=f"end {place}")
    axes.set_aspect("equal", "datalim")
    axes.set_xlabel("real part")
    axes.set_ylabel("imaginary part")
    axes.legend(fontsize=8, frameon=False, labelcolor=_INK, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _paths_figure(audit: Audit) -> "Figure":
    figure, axes = _figure(4.8, 3.6, _INK, True)
    for place, path in enumerate(audit.paths):
        color = _COLORS[place % len(_COLORS)]
        axes.plot(path[:, 0], path[:, 1], color=color, linewidth=1)
        axes.scatter(path[:1, 0], path[:1, 1], s=14, color=color)
        axes.scatter(path[-1:, 0], path[-1:, 1], s=30, marker="x", color=_INK)
    axes.set_xlabel("first main direction")
    axes.set_ylabel("second main direction")
    return figure


def _inline(figure: "Figure", label: str) -> str:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    drawing = stream.getvalue()
    # Inline, a drawing needs no document type, which names an address, and it can take the color of the text.
    drawing = drawing[drawing.index("<svg") :].replace(_INK, "currentColor")
    start, end = drawing.find("<metadata>"), drawing.find("</metadata>")
    if 0 <= start < end:
        drawing = drawing[:start] + drawing[end + len("</metadata>") :]
    return drawing.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def _examples(audit: Audit) -> str:
    table = audit.examples
    assert table is not None  # `write_audit` has seen to it
    assert audit.train is not None  # a table is of these
    shown = table.examples[:_EXAMPLES]
    pictures: list[str] = []
    if is_picture(audit.train.shape[1:]):
        pictures = [data_uri(one) for one in pixels(audit.train[: len(shown)], audit.train)]
    head = ["example", *(["picture"] if pictures else []), "verdict", "radius", "one step keeps", "recovered from"]
    head += ["nearest end"]
    head += ["p-value", "memorized"] if table.held_out else []
    head += ["found without data"]
    rows = []
    for row, one in enumerate(shown):
        cells = [str(row), *([f'<img src="{pictures[row]}" alt="example {row}">'] if pictures else [])]
        cells += _verdict_cells(one)
        if table.held_out:
            cells += [f"{one.p_value:.4f}", "yes" if one.memorized else "not shown"]
        rows.append([*cells, "yes" if one.extracted else "no"])
    more = len(table.examples) - len(shown)
    rest = f'<p class="soft">{more} more examples are not shown.</p>\n' if more else ""
    how = ""
    if table.held_out:
        how = (
            f"An example is called memorized if its p-value is at most {table.rate:g}: an example that the network was "
            f"not trained on, of the kind of the {table.held_out} held-out ones, is called so with at most this "
            "probability."
        )
        if table.procedure == "benjamini_hochberg":
            how = (
                f"Of the examples called memorized, an expected part of at most {table.rate:g} is wrongly accused "
                "(Benjamini and Hochberg)."
            )
    return (
        "<h2>Examples</h2>\n<p>An attractor counts as that of an example within a distance of "
        f"{number(table.recovery_atol, 3)}. {how}</p>\n{_table(head, rows, 'table')}{rest}"
    )


def _verdict_cells(one: Example) -> list[str]:
    good = "good" if one.verdict in (Verdict.ATTRACTOR, Verdict.DISPLACED) else "bad"
    verdict, reason = (str(name).replace("_", " ") for name in (one.verdict, one.reason))
    back = ", ".join(name for name, came in one.recovered.items() if came) or "none"
    return [
        f'<b class="{good}">{escape(verdict)}</b><small>{escape("" if reason == verdict else reason)}</small>',
        number(one.spectral_radius, 4),
        number(one.contraction, 3),
        escape(back),
        "–"
        if one.nearest < 0
        else f"{one.nearest}<small>{number(one.distance, 4)} away<br>cosine {number(one.cosine, 4)}</small>",
    ]


def _table(head: list[str], rows: list[list[str]], style: str) -> str:
    headings = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        "<tr>"
        + "".join(f'<td data-name="{escape(n)}"><span>{c}</span></td>' for n, c in zip(head, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table class="stack {style}"><thead><tr>{headings}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>\n"
    )


def _kind(end: End) -> str:
    if end.marginal:
        return f"{ {1: 'line', 2: 'plane'}.get(end.marginal, 'space') } of fixed points".strip()
    return f"cycle of {end.period} states" if end.period > 1 else str(end.kind).replace("_", " ")


def _notes(audit: Audit) -> str:
    return "<h2>To be fair</h2>\n<ul>" + "".join(f"<li>{escape(note)}</li>" for note in audit.notes) + "</ul>\n"


def _settings(audit: Audit, settings: Mapping[str, Any]) -> str:
    rows: dict[str, Any] = {
        **settings,
        "seconds": f"{audit.seconds:.1f}",
        "unit of distances": f"{audit.ends.unit:.6g}",
    }
    listed = "".join(f"<dt>{escape(str(name))}</dt><dd>{escape(str(value))}</dd>" for name, value in rows.items())
    return f'<h2>How it was asked</h2>\n<dl class="settings">{listed}</dl>\n'
