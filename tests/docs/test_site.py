"""The hooks of the site: formulas become MathML, pages stand alone, and the pages are all in the navigation."""

import importlib.util
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from helpers.javascript import browser
from mkdocs.exceptions import PluginError

from attrax.play import play_page

ROOT = Path(__file__).parents[2]
_SPEC = importlib.util.spec_from_file_location("_hooks", ROOT / "docs" / "_hooks.py")
assert _SPEC is not None
assert _SPEC.loader is not None
hooks: Any = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(hooks)
PAGE = SimpleNamespace(file=SimpleNamespace(src_uri="theory.md"))


def content(formula: str) -> str:
    return hooks.on_page_content(rf'<p><span class="arithmatex">\({formula}\)</span></p>', PAGE, None, None)


def test_formulas_become_mathml() -> None:
    found = content(r"\lambda_1=\frac{h \varphi'(h)}{\varphi(h)} &lt; 1")
    assert found.startswith("<p><math ")
    assert "<mfrac>" in found
    assert "′</mtext>" in found  # the prime stays readable without a font for mathematics
    assert "arithmatex" not in found


def test_long_names_in_tables_may_be_broken() -> None:
    inside, outside = "<code>one_two.three</code> a_b <code>0.1</code>", "<p><code>one_two</code></p>"
    found = hooks.on_page_content(f"<td>{inside}</td>{outside}", PAGE, None, None)
    assert found == f"<td>{inside.replace('one_two.', 'one_<wbr>two.<wbr>')}</td>{outside}"


def test_a_number_in_a_table_stays_together_with_its_exponent_or_percent_sign() -> None:
    found = hooks.on_page_content('<td title="1e-3 %">9.9e-09 of 20, 99.8 %, 3 in all</td><p>5 %</p>', PAGE, None, None)
    whole = (
        '<td title="1e-3 %"><span class="whole">9.9e-09</span> of 20, <span class="whole">99.8 %</span>, 3 in all</td>'
    )
    assert found == f"{whole}<p>5 %</p>"


def test_an_option_is_not_broken_after_its_hyphens() -> None:
    found = hooks.on_page_content("<code>store --n 3 -o a-b</code> --n", PAGE, None, None)
    assert found == ('<code>store <span class="whole">--n</span> 3 <span class="whole">-o</span> a-b</code> --n')


def test_bold_and_double_struck_signs_are_characters() -> None:
    found = content(r"\mathbf 1\mathbf x\mathbf A\mathbb E\mathbb R")
    assert "".join(re.findall(r"<m[in]>(.)</m[in]>", found)) == "𝟏𝐱𝐀𝔼ℝ"


def test_a_formula_with_an_unknown_command_ends_the_build() -> None:
    with pytest.raises(PluginError, match=r"theory\.md: cannot typeset"):
        content(r"\nosuchcommand{x}")


def test_an_example_without_a_fence_ends_the_build() -> None:
    quoted = "<blockquote>\n<blockquote>\n<blockquote>\n<p>import attrax</p>"
    with pytest.raises(PluginError, match=r"theory\.md: an example"):
        hooks.on_page_content(quoted, PAGE, None, None)


@pytest.mark.parametrize(
    ("page", "other"),
    [
        ('<script src="https://example.org/x.js"></script>', True),
        ('<link rel="stylesheet" href="//example.org/x.css">', True),
        ('<img alt="" src="http://example.org/x.png">', True),
        ("<style>a { background: url(https://example.org/x.png) }</style>", True),
        ('<a href="https://example.org">a link is asked for by the reader</a>', False),
        ('<script src="assets/x.js"></script><img src="images/faces.png">', False),
    ],
)
def test_a_page_that_asks_another_host_ends_the_build(tmp_path: Path, page: str, other: bool) -> None:
    (tmp_path / "index.html").write_text(page, encoding="utf-8")
    config = SimpleNamespace(site_dir=str(tmp_path))
    if other:
        with pytest.raises(PluginError, match=r"index\.html asks another host"):
            hooks.on_post_build(config)
    else:
        hooks.on_post_build(config)


def test_the_playground_is_on_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks.lessons, "scripts", lambda *folders: [])
    config: Any = SimpleNamespace(
        site_dir="site", use_directory_urls=False, plugins=SimpleNamespace(_current_plugin="")
    )
    files = {file.src_uri: file for file in hooks.on_files([], config)}
    assert files["play.html"].content_string == play_page()
    assert not hooks._FETCHED.search(play_page())
    assert "](play.html)" in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")


def test_pages_from_the_disk_can_be_searched(tmp_path: Path) -> None:
    """Their browser loads the index as a script, and starts no worker but that of assets/offline.js."""
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "search_index.json").write_text('{"docs": []}', encoding="utf-8")
    hooks.on_post_build(SimpleNamespace(site_dir=str(tmp_path)))
    assert (tmp_path / "search" / "search_index.js").read_text(encoding="utf-8") == 'var __index = {"docs": []}'
    shutil.copy(ROOT / "docs" / "assets" / "offline.js", tmp_path)
    (tmp_path / "worker.js").write_text("addEventListener('message', (event) => postMessage(event.data + 1));")
    script = (
        "const worker = new Worker('worker.js'); worker.addEventListener('message', ({ data }) => { got = data; });"
    )
    page = f"<script src=offline.js></script><body><script>let got; {script} worker.postMessage(41);</script>"
    (tmp_path / "index.html").write_text(f"<!doctype html>{page}", encoding="utf-8")
    with browser() as started:
        opened = started.new_page()
        opened.goto((tmp_path / "index.html").as_uri())
        opened.wait_for_function("got === 42")


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"[\w/-]+\.md", yaml.safe_dump(yaml.safe_load(text)["nav"])))
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("[!_]*.md")}
    made = {f"{script.name}.md" for script in hooks.lessons.scripts("lessons")} | {"gallery/index.md"}
    assert named == pages | made | set(hooks.OUTSIDE.values())


@pytest.mark.parametrize(
    ("question", "link", "answer"),
    [
        ("store my photos", "](getting-started.md)", "attrax store photos/ "),
        ("*inconclusive*", "](verdicts.md)", "| `inconclusive` |"),
        ("eigenvalues", "[attrax.spectrum][]", "::: attrax.spectrum\n"),
    ],
)
def test_the_start_page_leads_to_answers(question: str, link: str, answer: str) -> None:
    """One click from the start."""
    (row,) = [line for line in _page("index.md").splitlines() if line.startswith("|") and question in line]
    assert link in row
    assert answer in _page(link[2:-1] if link.startswith("](") else "reference/certificates.md")


def _page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_formulas_are_marked_as_the_site_reads_them() -> None:
    """GitHub takes a block of the language `math` as well; the site would show it as code."""
    for path in (ROOT / "docs").rglob("*.md"):
        assert "```math" not in path.read_text(encoding="utf-8"), path.name


def test_lists_in_lists_are_indented_by_four() -> None:
    """GitHub takes fewer; Python-Markdown would put them on the level above."""
    for path in (*(ROOT / "docs").rglob("*.md"), *(ROOT / name for name in hooks.OUTSIDE)):
        text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for line in re.findall(r"^ +(?:[-*+]|\d+\.) .*", text, re.MULTILINE):
            assert (len(line) - len(line.lstrip())) % 4 == 0, f"{path.name}: {line}"
