"""What the site needs beyond MkDocs: pages from outside docs/, pages of lessons and of the gallery with their outputs,
the playground, formulas as MathML, a check that it is self-contained.

MathML is made while the site is built, so a page with formulas needs no script and no fonts from elsewhere.
"""

import html
import importlib.util
import re
import sys
import unicodedata
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from attrax.play import play_page

ROOT = Path(__file__).parents[1]
OUTSIDE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "benchmarks/README.md": "benchmarks.md",
}
"""Files of the repository that are pages of the site as well, and the names of these pages."""


def _beside(name: str) -> Any:
    """A module of this folder, which is not a package and not on the path."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


lessons = _beside("_lessons")

_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
_PRIME = re.compile(r"<msup>(<mi>[^<]*</mi>)<m[io]>&#x02032;</m[io]></msup>")
"""A derivative. As a superscript, the prime is too small to see where no font for mathematics is installed."""
_SKIPPED = re.compile(r'\s*<span class="c1"># doctest: \+SKIP</span>')
"""What keeps examples that take minutes, a window or PyTorch from the tests, and is of no use to a reader."""
_STYLED = re.compile(r'<(m[in]) mathvariant="(bold|double-struck)">(\w)</\1>')
"""Browsers take bold and double-struck letters and digits as characters of their own only."""
_CELL = re.compile(r"<t[dh][ >].*?</t[dh]>", re.DOTALL)
_CODE = re.compile(r"<code>[^<]*</code>")
_NUMBER = re.compile(r"(?<![\w.\-])[−-]?\d[\d.,]*(?:e[−-]\d+| %)(?![^<]*>)")
_OPTION = re.compile(r"(?<![\w-])-{1,2}\w")
_NAME = re.compile(r"(?<=>)[A-Za-z][\w.]*(?=</(?:code|a|autoref)>)")
_FETCHED = re.compile(
    r"""<(?:script|img|iframe|audio|video|source|embed)\b[^>]*\bsrc=["']?(?:https?:)?//[^\s>]*"""
    r"""|<link\b(?![^>]*\brel=["']?canonical)[^>]*\bhref=["']?(?:https?:)?//[^\s>]*"""
    r"""|@import\s+(?:url\()?["']?(?:https?:)?//[^\s;]*|url\(["']?(?:https?:)?//[^)]*""",
    re.IGNORECASE,
)
"""What a browser would ask another host for."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that stand outside docs/, with their links as seen from docs/, those of lessons and gallery,
    and the playground. A lesson whose outputs are out of date ends the build.
    """
    kept = lessons.record()
    for script in lessons.scripts():
        if reason := lessons.outdated(script, kept):
            raise PluginError(
                f"docs/{script.name}.py: {reason}; run `python docs/_lessons.py` and commit what it changes"
            )
    made = {"gallery/index.md": lessons.gallery(), "play.html": play_page()}
    for name, page in OUTSIDE.items():
        made[page] = re.sub(r"\]\((?:\.\./)?docs/", "](", (ROOT / name).read_text(encoding="utf-8"))
    for script in lessons.scripts():
        made[f"{script.name}.ipynb"] = lessons.notebook(script)
    for script in lessons.scripts("lessons"):
        made[f"{script.name}.md"] = lessons.page(script)
    for page, content in made.items():
        files.append(File.generated(config, page, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leads links to the files outside docs/ to their pages. In a search, what explains comes before what lists."""
    if page.file.src_uri.startswith("results/") or page.file.src_uri == "changelog.md":
        page.meta["search"] = {"boost": 0.2}
    elif not page.file.src_uri.startswith("reference/"):
        page.meta["search"] = {"boost": 2}
    if page.file.src_uri == "lessons/index.md":  # in the repository, its links lead to the files
        markdown = markdown.replace(".py)", ".md)")
    for name, target in OUTSIDE.items():
        markdown = markdown.replace(f"](../{name}", f"]({target}")
    return markdown


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns formulas into MathML; a command that is not known there ends the build. Takes marks for doctest away.

    In tables, long names may be broken after a dot or an underscore, so that a phone shows the columns beside them.
    Numbers stay together with their exponent or percent sign, and the hyphens of an option with its name. An example
    that Markdown took for a quotation ends the build, too.
    """

    def mathml(found: re.Match[str]) -> str:
        formula = html.unescape(found[2]).strip()
        made = convert(formula, display="block" if found[1] == "div" else "inline")
        if "\\" in made:
            raise PluginError(f"{page.file.src_uri}: cannot typeset {formula}")
        made = _PRIME.sub(r'<mrow>\1<mtext class="prime">′</mtext></mrow>', made)
        made = _STYLED.sub(lambda sign: f"<{sign[1]}>{_styled(sign[2], sign[3])}</{sign[1]}>", made)
        return made.replace('<mo stretchy="false">&#x0007C;</mo>', '<mo stretchy="false" lspace="0" rspace="0">|</mo>')

    def breakable(cell: re.Match[str]) -> str:
        named = _NAME.sub(lambda name: re.sub(r"([._])(?=\w)", r"\1<wbr>", name[0]), cell[0])
        return _NUMBER.sub(r'<span class="whole">\g<0></span>', named)

    def joined(code: re.Match[str]) -> str:
        return _OPTION.sub(r'<span class="whole">\g<0></span>', code[0])

    if re.search(r"<blockquote>\s*<blockquote>\s*<blockquote>", content):
        raise PluginError(f"{page.file.src_uri}: an example that begins with >>> needs a fence, ```python")
    return _CODE.sub(joined, _CELL.sub(breakable, _SKIPPED.sub("", _FORMULA.sub(mathml, content))))


def _styled(style: str, sign: str) -> str:
    name = f"{style.upper()} {unicodedata.name(sign).replace('LATIN ', '').replace(' LETTER', '')}"
    try:
        return unicodedata.lookup(f"MATHEMATICAL {name}")
    except KeyError:
        return unicodedata.lookup(name)  # ℝ and the like are older than the others


def on_post_build(config: MkDocsConfig) -> None:
    """Ends the build if a page would send a request to another host.

    The index of the search is written as a script as well, which a page that is read from the disk may load.
    """
    index = Path(config.site_dir) / "search" / "search_index.json"
    if index.exists():
        index.with_suffix(".js").write_text(f"var __index = {index.read_text(encoding='utf-8')}", encoding="utf-8")
    for path in sorted(Path(config.site_dir).rglob("*")):
        if path.suffix in {".html", ".css"}:
            for found in _FETCHED.findall(path.read_text(encoding="utf-8")):
                raise PluginError(f"{path.relative_to(config.site_dir)} asks another host: {found}")
