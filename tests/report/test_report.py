"""Tables, figures and pages: what they say is what the records say, and a page asks for nothing else."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import jax.random as jr
import numpy as np
import pytest

import attrax as ax
from attrax import Evidence, Reason
from attrax.analysis import used_in_training, wilson_interval
from attrax.report import (
    describe_corruption,
    recall_strip,
    recovery_bars,
    spectrum_histogram,
    table,
    write_page,
)

CORRUPTIONS = ("gaussian:0.1", "gaussian:2", "occlude:0.5")


STATUSES = tuple(ax.RecallStatus)


@pytest.fixture(scope="module")
def memory() -> ax.Memory:
    """Six digits with a certificate made by hand, one verdict of each kind, for the page has to show them all."""
    points = ax.sources.load("digits", n=6).values
    network = ax.maps.mlp((8, 8), width=16, depth=2, key=jr.key(0))
    radii = np.array([0.5, 0.71, 0.9, 0.93, 0.9999, 1.2])
    verdicts = (*[ax.Verdict.ATTRACTOR] * 4, ax.Verdict.INCONCLUSIVE, ax.Verdict.NOT_ATTRACTOR)
    certificate = ax.Certificate(
        cycles=tuple((index,) for index in range(6)),
        spectral_radius=radii,
        error=np.full(6, 1e-9),
        upper_bound=radii + 0.001,
        log_spectral_radius=np.log(radii),
        largest_singular_value=radii + 1,
        residual=np.full(6, 1e-15),
        moved=np.zeros(6),
        verdict=verdicts,
        method=("dense",) * 6,
        reason=(*[Reason.CONTRACTS] * 4, Reason.BOUND_STRADDLES_ONE, Reason.EXPANDS),
        evidence=(Evidence.BOUND,) * 6,
        distance=np.full(6, 1e-5),
        distance_error=np.full(6, 1e-12),
    )
    written = {"writer": "gradient", "noise": 0.1, "seconds": 12.3, "status": "not_all_certified"}
    return ax.Memory(network, ax.Patterns.from_examples(points), None, written, certificate)


def answer(memory: ax.Memory, name: str, status: Sequence[ax.RecallStatus]) -> ax.analysis.Recovery:
    """A record as `recovery` makes it, with the statuses that are asked for."""
    points = np.asarray(memory.examples().points, np.float64)
    good = np.array([each is ax.RecallStatus.RECOVERED for each in status])
    index = np.arange(6)
    value = np.where(good[:, None, None], points, np.nan)
    nearest = np.where(good, index, (index + 1) % 6)
    zeros, ones = np.zeros(6), np.ones(6, int)
    reached = np.where(good, index, -1)
    recall = ax.Recall(
        value=value,
        index=reached,
        nearest=nearest,
        distance=zeros,
        num_steps=7 * ones,
        residual=zeros,
        period=ones,
        cycle=reached,
        transient=7 * ones,
        entry=reached,
        phase=np.where(good, 0, -1),
        status=tuple(status),
        reading="literal",
        expected=index,
    )
    rates = {"euclidean": 0.5, "cosine": 1.0, "correlation": 5 / 6}
    return ax.analysis.Recovery(name, points - 0.5, index, recall, rates)


@pytest.fixture(scope="module")
def recoveries(memory: ax.Memory) -> list[ax.analysis.Recovery]:
    good, bad = ax.RecallStatus.RECOVERED, ax.RecallStatus.OTHER_ATTRACTOR
    return [
        answer(memory, "gaussian:0.1", [good] * 6),
        answer(memory, "gaussian:2", [bad] * 6),
        answer(memory, "occlude:0.5", STATUSES),
    ]


class Page(HTMLParser):
    """What a browser would see: every tag with its attributes, and the text outside of the style."""

    VOID = frozenset({"meta", "link", "img", "br", "hr", "path", "use"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.style = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open, f"</{tag}> closes nothing"
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            self.style += data
        else:
            self.text += data


@pytest.fixture(scope="module")
def page(memory: ax.Memory, recoveries: list[ax.analysis.Recovery], tmp_path_factory: pytest.TempPathFactory) -> Page:
    path = write_page(
        tmp_path_factory.mktemp("page") / "new" / "page.html",
        memory,
        recoveries,
        title='<b>six</b> & "more"',
        settings={"source": "<script>alert(1)</script>"},
        commands=["attrax demo > 'log'"],
        examples=2,
        failures=3,
    )
    assert [file.name for file in path.parent.iterdir()] == ["page.html"]  # nothing is left beside it
    return Page(path.read_text(encoding="utf-8"))


def test_a_page_asks_for_nothing(page: Page) -> None:
    assert not page.open
    assert not {"script", "iframe", "object", "embed", "base", "form"} & {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        for name in ("src", "href", "xlink:href", "srcset", "poster", "data", "background", "action"):
            value = attributes.get(name, "#")
            assert value.startswith(("data:", "#")), (tag, name, value)
        assert not [name for name in attributes if name.startswith("on")]
        assert "url(" not in attributes.get("style", "").replace("url(#", "")
    assert "url(" not in page.style.replace("url(#", "")
    assert "@import" not in page.style


def test_a_page_escapes_text(page: Page) -> None:
    assert '<b>six</b> & "more"' in page.text
    assert "<script>alert(1)</script>" in page.text
    assert "attrax demo > 'log'" in page.text


def test_a_page_shows_the_first_cues_and_the_failures(page: Page, recoveries: list[ax.analysis.Recovery]) -> None:
    items = [attributes for tag, attributes in page.tags if tag == "li" and "class" in attributes]
    expected, misses = 0, 0
    for record in recoveries:
        good = record.recall.recovered
        later = min(int((~good[2:]).sum()), 3)
        expected += 2 + later
        misses += int((~good[:2]).sum()) + later
    assert len(items) == expected
    assert sum(item["class"] == "miss" for item in items) == misses > 0
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 3 * expected
    assert all(picture["alt"] for picture in pictures)


def test_a_page_counts_what_it_leaves_out(
    memory: ax.Memory, recoveries: list[ax.analysis.Recovery], tmp_path: Path
) -> None:
    worst = min(recoveries, key=lambda record: record.recovery_rate)
    failed = int((~worst.recall.recovered).sum())
    assert failed > 1
    text = Page(write_page(tmp_path / "p.html", memory, [worst], examples=0, failures=1).read_text()).text
    assert f"{failed - 1} more that are not shown" in text


def test_what_recall_was_told_is_said(
    memory: ax.Memory, recoveries: list[ax.analysis.Recovery], tmp_path: Path
) -> None:
    told = replace(recoveries[2], told=True)
    assert ax.report.table([recoveries[2], told]).count("occlude:0.5, told") == 1
    text = Page(write_page(tmp_path / "p.html", memory, [recoveries[2], told]).read_text()).text
    assert (
        text.count("ower 50 % of the rows black") > text.count("ower 50 % of the rows black, the known part told") > 0
    )
    (axes,) = ax.report.recovery_bars([recoveries[2], told]).axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[1] == f"{labels[0]}, the known part told"


def test_a_page_says_what_the_records_say(page: Page, memory: ax.Memory) -> None:
    certificate = memory.certificate
    assert certificate is not None
    assert f"{certificate.num_attractors}/6" in page.text
    assert "Gaussian noise, σ = 0.1" in page.text
    assert "kind only, at σ = 0.1" in page.text
    assert "not used in training" in page.text
    ends = ("another stored", "matches no stored example", "into a cycle", "1 diverged", "1 not converged")
    for words in ends:
        assert words in page.text
    assert "4 attractor; 1 not attractor; 0 displaced; 1 inconclusive" in page.text
    assert f"Bound straddles one: 4. {Reason.BOUND_STRADDLES_ONE.advice}" in page.text
    assert f"Expands: 5. {Reason.EXPANDS.advice}" in page.text
    for rule in ax.analysis.RULES:
        assert f"1-NN {rule}" in page.text
    assert f"attrax {ax.__version__}" in page.text


def test_a_page_of_vectors_without_a_certificate(tmp_path: Path) -> None:
    memory = ax.Memory(lambda x: 0.5 * x, ax.Patterns.from_examples(np.zeros((1, 3))))
    answers = [ax.recovery(memory, "gaussian:0.1", key=jr.key(0))]  # made by the library itself
    page = Page(write_page(tmp_path / "p.html", memory, answers).read_text())
    assert not page.open
    assert "no certificate yet" in page.text
    assert not [tag for tag, _ in page.tags if tag == "img"]


def test_a_page_replaces_the_old_one_only_when_done(memory: ax.Memory, tmp_path: Path) -> None:
    path = tmp_path / "p.html"
    path.write_text("old")
    write_page(path, memory, [])
    assert path.read_text() != "old"
    with pytest.raises(ValueError, match="can't be written"):
        write_page(path / "below" / "p.html", memory, [])


def test_tables(memory: ax.Memory, recoveries: list[ax.analysis.Recovery]) -> None:
    assert memory.certificate is not None
    lines = table(memory.certificate).splitlines()
    assert len(lines) == 8
    assert lines[0].split()[:3] == ["points", "spectral", "radius"]
    assert lines[2].split()[-3:] == ["attractor", "contracts", "bound"]
    assert len({line.index(" ") for line in lines[2:]}) == 1
    marked = table(recoveries, style="markdown").splitlines()
    assert len(marked) == 2 + len(CORRUPTIONS)
    assert len({line.count("|") for line in marked}) == 1
    assert marked[2].startswith(f"| gaussian:0.1 | 6 | {int(recoveries[0].recall.recovered.sum())} |")
    assert table(recoveries[0]) == table(recoveries[:1])
    with pytest.raises(ValueError, match="style must be one of"):
        table(recoveries, style="html")


def test_a_table_of_numbers_that_are_not_finite(memory: ax.Memory) -> None:
    assert memory.certificate is not None
    broken = replace(memory.certificate, spectral_radius=np.full(6, np.nan), upper_bound=np.full(6, np.inf))
    assert "–" in table(broken)
    assert spectrum_histogram(broken).axes


def test_wilson_interval_against_known_values() -> None:
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3.
    known = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (count, total), ends in known.items():
        assert wilson_interval(count, total) == pytest.approx(ends, abs=5e-5)
    low, high = wilson_interval(7, 7)
    assert high == 1.0
    assert 0 < low < 1
    for wrong in ((2, 1), (-1, 1), (0, 0)):
        with pytest.raises(ValueError, match="must be"):
            wilson_interval(*wrong)


def test_what_training_saw(memory: ax.Memory) -> None:
    assert used_in_training(memory, "gaussian:0.1") == "yes"
    assert used_in_training(memory, "gaussian:0.5") == "kind only, at σ = 0.1"
    assert used_in_training(memory, "drop:0.5") == "no"
    assert used_in_training(replace(memory, written={}), "drop:0.5") == "unknown"
    assert describe_corruption("nothing known") == "nothing known"
    for name in ax.CORRUPTIONS:
        level = {"none": "", "half": ":left,0.5", "shift": ":2"}.get(name, ":0.5")
        assert describe_corruption(name + level) != name + level


def test_figures_have_their_labels(memory: ax.Memory, recoveries: list[ax.analysis.Recovery]) -> None:
    assert memory.certificate is not None
    histogram = spectrum_histogram(memory.certificate)
    (axes,) = histogram.axes
    assert axes.get_xlabel() == "spectral radius of the Jacobian"
    assert sum(patch.get_height() for patch in axes.patches) == 6
    strip = recall_strip(memory, recoveries, columns=4)
    assert len(strip.axes) == 4 * (1 + 2 * len(recoveries))
    marks = [text.get_text() for axes in strip.axes for text in axes.texts]
    recovered = sum(int(record.recall.recovered[:4].sum()) for record in recoveries)
    assert (marks.count("✓"), marks.count("✗")) == (recovered, 4 * len(recoveries) - recovered)
    bars = recovery_bars(recoveries)
    assert len(bars.axes[0].patches) == 4 * len(recoveries)
    with pytest.raises(ValueError, match="at least one"):
        recovery_bars([])


def test_imports_are_light_and_figures_leave_matplotlib_as_it_was() -> None:
    code = """
import io, sys, jax
before = dict(jax.config.values)
import attrax as ax
assert dict(jax.config.values) == before, "configuration changed"
heavy = {"matplotlib", "torch", "sklearn", "skimage", "typer"} & set(sys.modules)
assert not heavy, heavy
# Names of verbs wait for neither: each takes about as long to import as a third of JAX.
ax.store; ax.recall; ax.certify; ax.load
assert "attrax.writing" in sys.modules
late = {"optax", "scipy.linalg"} & set(sys.modules)
assert not late, late
import jax.random as jr, numpy as np
import attrax.report, attrax.paper
assert "matplotlib" not in sys.modules, "imported at the top"
import matplotlib
settings = matplotlib.rcParams.copy()
memory = ax.Memory(lambda x: x / 2, ax.Patterns.from_examples(np.zeros((1, 4, 4))))
certificate = ax.certify(memory)
records = [ax.recovery(memory, "drop:0.5", key=jr.key(0))]
for figure in (ax.report.spectrum_histogram(certificate), ax.report.recovery_bars(records),
               ax.report.recall_strip(memory, records)):
    figure.savefig(io.BytesIO(), format="png")
assert matplotlib.rcParams.copy() == settings
assert "matplotlib.pyplot" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
