"""The page on audits: its code runs as it stands, and its commands have the options that they name."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import pytest
from helpers.commands import run

PAGE = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")


def test_the_code_prints_what_the_page_says() -> None:
    part = PAGE.split("## In Python")[1]
    (code,), (printed, *_) = (re.findall(rf"^```{kind}\n(.*?)^```$", part, re.M | re.S) for kind in ("python", "text"))
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "docs/audit.md", "exec"), {})
    assert out.getvalue() == printed


def test_options_on_the_page_exist(capsys: pytest.CaptureFixture[str]) -> None:
    status, text, _ = run(capsys, "audit", "--help")
    assert status == 0
    lines = re.findall(r"attrax audit .*?(?=`|$)", PAGE, re.MULTILINE)
    assert len(lines) >= 6
    options = {word for line in lines for word in shlex.split(line) if word.startswith("--")}
    options |= set(re.findall(r"`(--[a-z-]+)", PAGE))
    lost = [option for option in sorted(options) if not re.search(rf"{option}\b", text)]
    assert lost == []
