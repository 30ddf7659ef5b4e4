"""Running the playground's modules from Python: in Node if it is there, otherwise in Chromium."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from attrax.play._bundle import bundle  # the script without its page
from helpers import PATIENCE

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    """Where Chromium is."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@contextmanager
def browser() -> Iterator[Any]:
    """Headless Chromium, or a skipped test that says what is missing."""
    where = chromium()
    if where is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    if find_spec("playwright") is None:
        pytest.skip("no Playwright here: pip install 'attrax[tests]'")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Nothing but files of this project is opened in it, and root can't have a sandbox.
        started = playwright.chromium.launch(executable_path=where, args=["--no-sandbox"])
        try:
            yield started
        finally:
            started.close()


def evaluate(text: str, given: Any, folder: Path) -> Any:
    """The export `result` of a module that imports from the playground's, with `given` as the constant of that name."""

    def read(name: str) -> str:
        if name == "entry":
            return dedent(text).lstrip()
        return (files("attrax.play") / "static" / f"{name}.js").read_text("utf-8")

    script = f"const given = {json.dumps(given)};\n{bundle('entry', read)}"
    node = shutil.which("node")
    if node is not None:
        (folder / "entry.cjs").write_text(f"{script}console.log(JSON.stringify(module_entry.result));")
        ran = subprocess.run([node, str(folder / "entry.cjs")], capture_output=True, text=True, timeout=PATIENCE)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)
    with browser() as started:
        page = started.new_page()
        return json.loads(page.evaluate(f"() => {{ {script}\nreturn JSON.stringify(module_entry.result); }}"))
