"""What a contributor adds, as docs/extending.md shows it: one file and one line in a copy of the source, then used."""

import difflib
import filecmp
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrax

SOURCE = Path(attrax.__file__).parent
PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text(encoding="utf-8")

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PLACE = re.compile(r"`src/attrax/([\w/]+\.py)`")
_PRELUDE = '''
import contextlib, io, json, shlex, sys
from attrax.cli import main

def command(line, status=0):
    """What a command prints, with the status that it should end with."""
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        try:
            main(shlex.split(line)[1:])
        except SystemExit as ended:
            assert (ended.code or 0) == status, (line, ended.code, told.getvalue())
    return told.getvalue()
'''


def section(title: str) -> str:
    """The text of the section under a heading of the page."""
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def copy_with(titles: list[str], folder: Path) -> Path:
    """A copy of the source to which the sections of these titles are applied: a file and a line each."""
    root = folder / "attrax"
    # With what Python compiled, which knows a changed file by its time and size, but not with what it is just writing.
    shutil.copytree(SOURCE, root, ignore=shutil.ignore_patterns("*.pyc.*"))
    for title in titles:
        text = section(title)
        new, changed = _PLACE.findall(text)[:2]
        blocks = _BLOCK.findall(text)
        assert [kind for kind, _ in blocks] == ["python", "diff", "python", "sh"], title
        assert not (root / new).exists(), new
        (root / new).write_text(blocks[0][1], encoding="utf-8")
        lines = blocks[1][1].splitlines()
        assert sum(line.startswith("+") for line in lines) == 1, title
        assert sum(line.startswith("-") for line in lines) <= 1, title
        before, after = ("".join(f"{line[1:]}\n" for line in lines if line[0] != sign) for sign in "+-")
        source = (root / changed).read_text(encoding="utf-8")
        assert source.count(before) == 1, f"{changed} has no single place for\n{before}"
        (root / changed).write_text(source.replace(before, after), encoding="utf-8")
    added, edited = _differences(SOURCE, root)
    assert len(added) == len(titles), added
    assert edited <= len(titles)
    return root


def _differences(old: Path, new: Path) -> tuple[list[str], int]:
    """Files that only the new tree has, and how many lines of the others differ."""
    names = [{str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()} for top in (old, new)]
    before, after = ({name for name in found if "__pycache__" not in name} for found in names)
    assert before <= after
    lines = 0
    for name in before:
        if not filecmp.cmp(old / name, new / name, shallow=False):
            texts = [(top / name).read_text(encoding="utf-8").splitlines() for top in (old, new)]
            lines += sum(line.startswith("+ ") for line in difflib.ndiff(*texts))
    return sorted(after - before), lines


_EACH = """
import os, traceback
from pathlib import Path

told = {}
for title, (code, commands, reports) in sections.items():
    names = {"command": command, "contextlib": contextlib, "io": io, "json": json, "found": {}}
    Path(title).mkdir()
    os.chdir(title)
    try:
        exec(compile(code, title, "exec"), names)
        names["printed"] = {line: command(line) for line in commands}
        exec(compile(reports, title, "exec"), names)
        told[title] = names["found"] | {"printed": list(names["printed"].values())}
    except BaseException:
        told[title] = traceback.format_exc()
    os.chdir("..")
sys.stdout.write("\\n" + json.dumps(told))
"""


def use_all(reports: dict[str, str], folder: Path) -> dict[str, dict[str, Any] | str]:
    """Adds what each of these sections shows, and in one process of its own runs their Python and their commands, then
    the `reports` of each: code that fills a dictionary `found`. `printed` has what each command printed, by command.

    **Returns:** by section, `found` with what was `printed` in order, or the text of what was raised.
    """
    root = copy_with(list(reports), folder)
    sections = {}
    for title, own in reports.items():
        code, commands = (block for _, block in _BLOCK.findall(section(title))[2:])
        sections[title] = (code, commands.splitlines(), own)
    script = [
        _PRELUDE,
        f"import attrax; assert attrax.__file__ == {str(root / '__init__.py')!r}",
        f"sections = {sections!r}",
        _EACH,
    ]
    work = folder / "work"
    work.mkdir()
    # Not a file: processes that `reproduce` spawns would run it again.
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(script)],
        cwd=work,
        env=os.environ | {"PYTHONPATH": str(folder), "ATTRAX_CACHE": "off"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])
