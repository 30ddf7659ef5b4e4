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
_USED = '''
import contextlib, io, json, os, shlex, sys, traceback
import attrax
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

def used(code, commands, report):
    """What a section comes to; an error is told by the test of that section."""
    names = {"command": command, "found": {}, "contextlib": contextlib, "io": io, "json": json}
    try:
        exec(code, names)
        printed = [command(line) for line in commands]
        exec(report, names)
    except BaseException:
        return traceback.format_exc()
    return {**names["found"], "printed": printed}

assert attrax.__file__ == sys.argv[1]
answers = []
for number, (code, commands, report) in enumerate(json.load(sys.stdin)):
    os.mkdir(f"work{number}")
    os.chdir(f"work{number}")
    answers.append(used(code, commands, report))
    os.chdir("..")
sys.stdout.write("\\n" + json.dumps(answers))
'''


def section(title: str) -> str:
    """The text of the section under a heading of the page."""
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def copy_with(titles: list[str], folder: Path) -> Path:
    """A copy of the source to which the sections of these titles are applied: a file and a line each."""
    root = folder / "attrax"
    shutil.copytree(SOURCE, root, ignore=shutil.ignore_patterns("__pycache__"))
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


def use(reports: dict[str, str], folder: Path) -> dict[str, dict[str, Any] | str]:
    """Adds what the sections of these titles show to one copy, and runs each section's Python, its commands and its
    report in a process in which nothing is loaded yet. All of them share the process, as starting one takes long.

    A report fills the dictionary `found`; `printed` has what each command printed. Where a section failed, the answer
    is its traceback.
    """
    root = copy_with([*reports], folder)
    work = []
    for title, report in reports.items():
        code, commands = (block for _, block in _BLOCK.findall(section(title))[2:])
        work.append((code, commands.splitlines(), report))
    # Not a file: processes that `reproduce` spawns would run it again.
    done = subprocess.run(
        [sys.executable, "-c", _USED, str(root / "__init__.py")],
        input=json.dumps(work),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "ATTRAX_CACHE": "off"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(zip(reports, json.loads(done.stdout.splitlines()[-1]), strict=True))
