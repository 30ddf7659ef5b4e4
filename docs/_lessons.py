"""Lessons and gallery: Python files in Jupytext's percent format, executed, and shown as pages and notebooks.

    python docs/_lessons.py              executes those that changed since their outputs were made
    python docs/_lessons.py --all        executes all
    python docs/_lessons.py lessons/NAME executes one

The outputs (text, pictures) are committed beside the files, and docs/executed.json holds for each file a digest of its
code and of its outputs, and the arguments, fields and defaults of every function and class of attrax that it names. A
file is out of date where one of these changed, other than by an addition; the site is not built with one that is. Prose
may be changed without executing anything. That attrax computes the same behind an interface is for its tests to show;
before a release all files are executed.
"""

import argparse
import ast
import contextlib
import hashlib
import importlib
import inspect
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
RECORD = DOCS / "executed.json"
FOLDERS = ("lessons", "gallery")
_LIMIT = 600  # seconds, on a busy machine; a test asks that none takes more than 120 s of CPU
_DPI = 110


@dataclass(frozen=True)
class Script:
    """One file of docs/lessons or docs/gallery."""

    path: Path

    @property
    def name(self) -> str:
        return f"{self.path.parent.name}/{self.path.stem}"

    @property
    def made(self) -> Path:
        """The folder of its outputs."""
        return self.path.parent / "outputs" / self.path.stem

    @cached_property
    def cells(self) -> list[Any]:
        import jupytext

        return jupytext.read(self.path, fmt="py:percent").cells

    @property
    def title(self) -> str:
        found = re.search(r"^# (.+)$", self.cells[0].source, re.MULTILINE)
        if found is None:
            raise ValueError(f"{self.name}: the first cell has no heading")
        return found[1]

    @property
    def code(self) -> list[str]:
        return [cell.source for cell in self.cells if cell.cell_type == "code"]

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """Per code cell, the text that it printed and the names of its pictures."""
        return json.loads((self.made / "cells.json").read_text(encoding="utf-8"))

    def digests(self) -> dict[str, Any]:
        """What decides whether the outputs belong to the code, and the code to attrax."""
        files = sorted(self.made.glob("*")) if self.made.is_dir() else []
        return {
            "code": _digest("\n".join(self.code)),
            "attrax": {name: named and _interface(named) for name, named in _named("\n".join(self.code))},
            "outputs": _digest(*(part for file in files for part in (file.name, file.read_bytes()))),
        }


def scripts(*folders: str) -> list[Script]:
    """All files of these folders, in the order of their names."""
    return [Script(path) for folder in folders or FOLDERS for path in sorted((DOCS / folder).glob("[!_]*.py"))]


def record() -> dict[str, dict[str, Any]]:
    return json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}


def outdated(script: Script, kept: dict[str, dict[str, Any]]) -> str:
    """Why a script has to be executed; empty where its outputs are those of its code."""
    if script.name not in kept:
        return "was not executed"
    old, new = kept[script.name], script.digests()
    if old["code"] != new["code"]:
        return "its code changed"
    if old["outputs"] != new["outputs"]:
        return "its outputs are not those that were recorded"
    changed = [name for name, used in new["attrax"].items() if not _fits(old["attrax"].get(name), used)]
    return f"{', '.join(changed)} changed" if changed else ""


def page(script: Script) -> str:
    """The script with its outputs as Markdown."""
    below = f"[Notebook]({script.path.stem}.ipynb){{ download }} · [Python file]({script.path.name}){{ download }}"
    parts, answer, outputs = [], [], iter(script.outputs)
    for number, cell in enumerate([*script.cells, None]):
        if answer and not (cell and "answer" in _tags(cell)):
            parts.append('??? success "Answer"\n\n' + textwrap.indent("\n\n".join(answer), "    "))
            answer = []
        if cell is None:
            break
        text = cell.source if cell.cell_type == "markdown" else shown(script, cell, next(outputs))
        (answer if "answer" in _tags(cell) else parts).append(text)
        if number == 0:
            parts.append(below)
    return "\n\n".join(parts) + "\n"


def shown(script: Script, cell: Any, output: dict[str, Any]) -> str:
    """A code cell with what it printed and drew."""
    parts = [f"```python\n{cell.source}\n```"]
    if output["text"]:
        parts.append("```{ .text .output }\n" + output["text"].rstrip("\n") + "\n```")
    parts += pictures(script, cell, output)
    return "\n\n".join(parts)


def pictures(script: Script, cell: Any, output: dict[str, Any]) -> list[str]:
    """The pictures of a cell, with its title as their caption."""
    caption = cell.metadata.get("title", script.title)
    shown = [f"![{caption}](outputs/{script.path.stem}/{name})" for name in output["figures"]]
    return [*shown, f"*{caption.rstrip('.')}.*"] if shown and "title" in cell.metadata else shown


def notebook(script: Script) -> str:
    """The script as a notebook without outputs. Links to pages of the site become their titles."""
    import jupytext

    made = jupytext.read(script.path, fmt="py:percent")
    for number, cell in enumerate(made.cells):
        cell["id"] = f"cell-{number}"  # the same file each time
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\[([^\]]+)\]\((?!https?:)[^)]+\)", r"\1", cell.source)
            if "answer" in _tags(cell):
                cell.source = f"<details><summary>Answer</summary>\n\n{cell.source}\n\n</details>"
        elif "title" in cell.metadata:  # which notebooks do not show
            cell.source = f"# {cell.metadata['title']}\n{cell.source}"
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return jupytext.writes(made, fmt="ipynb")


def gallery() -> str:
    """The page of the gallery: each script with its picture."""
    parts = ["# Gallery", (DOCS / "gallery" / "_intro.md").read_text(encoding="utf-8").strip()]
    for script in scripts("gallery"):
        first, *code = script.cells
        links = f"[Notebook]({script.path.stem}.ipynb){{ download }} · [Python file]({script.path.name}){{ download }}"
        parts.append(re.sub(r"^# ", "## ", first.source))
        for cell, output in zip(code, script.outputs, strict=True):
            parts += pictures(script, cell, output)
            body = shown(script, cell, {**output, "figures": []}) + f"\n\n{links}"
            parts.append('??? example "The script"\n\n' + textwrap.indent(body, "    "))
    return "\n\n".join(parts) + "\n"


def execute(script: Script) -> float:
    """Runs a script in a process and a folder of its own, and replaces its outputs. Returns CPU seconds.

    **Raises** `RuntimeError` where the script ends with an error or a warning.
    """
    own = {"MPLBACKEND": "agg", "JAX_PLATFORMS": "cpu", "PYTHONHASHSEED": "0"}
    begun = _children()
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-W", "error", __file__, "--inside", folder, script.name],
            env=os.environ | own,
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{script.name} failed:\n{done.stderr}")
        seconds = _children() - begun
        script.made.mkdir(parents=True, exist_ok=True)
        for old in script.made.iterdir():
            old.unlink()
        for new in (Path(folder) / "outputs").iterdir():
            (script.made / new.name).write_bytes(new.read_bytes())
    return seconds


def _children() -> float:
    """CPU seconds of all processes that ended, which another program on the same cores does not change."""
    found = os.times()
    return found.children_user + found.children_system


def run_inside(script: Script, folder: Path) -> None:
    """Runs the cells one after another in `folder`, and writes what they print and draw to `folder`/outputs."""
    import matplotlib.pyplot as plt

    made = folder / "outputs"
    made.mkdir()
    os.chdir(folder)
    names, cells, count = {"__name__": "__main__"}, [], 0
    for number, source in enumerate(script.code):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            value = _run(source, f"{script.name}, code cell {number}", names)
        drawn = [plt.figure(which) for which in plt.get_fignums()]
        if value is not None:
            if hasattr(value, "savefig"):
                drawn += [value] if value not in drawn else []
            elif isinstance(value, Path) and value.suffix in (".png", ".gif"):
                drawn.append(value)
            elif not drawn:  # what a method of a figure returns is of no interest
                print(repr(value), file=printed)
        figures = []
        for figure in drawn:
            count += 1
            suffix = figure.suffix if isinstance(figure, Path) else ".png"
            figures.append(f"{count}{suffix}")
            _keep(figure, made / figures[-1])
        plt.close("all")
        cells.append({"text": printed.getvalue(), "figures": figures})
    text = json.dumps(cells, ensure_ascii=False, indent=1)
    (made / "cells.json").write_text(text + "\n", encoding="utf-8")


def _run(source: str, place: str, names: dict[str, Any]) -> Any:
    """Executes a cell; returns the value of its last line where that is an expression."""
    tree = ast.parse(source, place)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, place, "exec"), names)
    if last is None:
        return None
    value = eval(compile(ast.Expression(last.value), place, "eval"), names)
    return None if source.rstrip().endswith(";") else value


def _keep(figure: Any, path: Path) -> None:
    from PIL import Image

    if isinstance(figure, Path):
        path.write_bytes(figure.read_bytes())
        return
    raw = io.BytesIO()
    figure.savefig(raw, format="png", dpi=_DPI, bbox_inches="tight")  # as in a notebook
    # 256 colors are enough for charts and gray pictures, and a third of the bytes.
    Image.open(raw).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def _tags(cell: Any) -> list[str]:
    return cell.metadata.get("tags", [])


def _digest(*parts: str | bytes) -> str:
    made = hashlib.sha256()
    for part in parts:
        made.update(part.encode() if isinstance(part, str) else part)
        made.update(b"\0")
    return made.hexdigest()[:16]


def _named(code: str) -> Iterator[tuple[str, Any]]:
    """The functions and classes of attrax that the code names, by the name it uses."""
    tree = ast.parse(code)
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known |= {part.asname or part.name: part.name for part in node.names if part.name.split(".")[0] == "attrax"}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "attrax":
            known |= {part.asname or part.name: f"{node.module}.{part.name}" for part in node.names}
    used = set(_dotted(tree))
    full = {known[head] + name[len(head) :] for name in used if (head := name.split(".")[0]) in known}
    for name in sorted(full):
        try:
            value = _resolved(name)
        except (AttributeError, ImportError):  # it was renamed or removed
            yield name, None
            continue
        if inspect.isfunction(value) or inspect.isclass(value):
            yield name, value


def _dotted(node: ast.AST) -> Iterator[str]:
    """Names such as a and a.b.c in the code, each as long as it stands there."""
    text = ast.unparse(node) if isinstance(node, ast.Attribute | ast.Name) else ""
    if re.fullmatch(r"[\w.]+", text):
        yield text
        return
    for child in ast.iter_child_nodes(node):
        yield from _dotted(child)


def _resolved(name: str) -> Any:
    package, *rest = name.split(".")
    value: Any = importlib.import_module(package)
    for part in rest:
        if inspect.ismodule(value) and not hasattr(value, part):
            value = importlib.import_module(f"{value.__name__}.{part}")
        else:
            value = getattr(value, part)
        if not (inspect.ismodule(value) or inspect.isclass(value) or inspect.isfunction(value)):
            return value
    return inspect.unwrap(value) if inspect.isfunction(value) else value


def _interface(named: Any) -> str:
    """The arguments of a function, or the fields of a class, with their defaults, one per line."""
    node = ast.parse(textwrap.dedent(inspect.getsource(named))).body[0]
    lines: list[str] = []
    for part in (node, *(node.body if isinstance(node, ast.ClassDef) else ())):
        if isinstance(part, ast.FunctionDef) and (part is node or part.name == "__init__"):
            given = part.args
            plain = [*given.posonlyargs, *given.args]
            defaults = [None] * (len(plain) - len(given.defaults)) + given.defaults
            pairs = [*zip(plain, defaults, strict=True), *zip(given.kwonlyargs, given.kw_defaults, strict=True)]
            lines += [_entry(one.arg, default) for one, default in pairs]
        elif isinstance(part, ast.AnnAssign):
            lines.append(_entry(ast.unparse(part.target), part.value))
    return "\n".join(lines)


def _entry(name: str, default: ast.expr | None) -> str:
    return name if default is None else f"{name}={ast.unparse(default)}"


def _fits(old: str | None, new: str | None) -> bool:
    """Whether what was there still is, in its order and with its defaults, and what was added has a default."""
    if old is None or new is None:
        return False
    before, now = old.splitlines(), new.splitlines()
    return [one for one in now if one in before] == before and all("=" in one for one in now if one not in before)


def main() -> int:
    parser = argparse.ArgumentParser(description="Executes lessons and scripts of the gallery for the site.")
    parser.add_argument("names", nargs="*", help="such as lessons/basins; without names, those that changed")
    parser.add_argument("--all", action="store_true", help="execute all")
    parser.add_argument("--changed", action="store_true", help="execute those that changed (the default)")
    parser.add_argument(
        "--at-most", type=float, metavar="SECONDS", help="refuse if they took longer than this last time"
    )
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    known = {script.name: script for script in scripts()}
    if unknown := set(asked.names) - set(known):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if asked.inside is not None:
        run_inside(known[asked.names[0]], asked.inside)
        return 0
    kept = {name: entry for name, entry in record().items() if name in known}
    chosen = dict.fromkeys(asked.names, "was asked for")
    if not chosen:
        reasons = {name: "all are" if asked.all else outdated(script, kept) for name, script in known.items()}
        chosen = {name: reason for name, reason in reasons.items() if reason}
    planned = sum(kept.get(name, {"seconds": 30})["seconds"] for name in chosen)
    if asked.at_most is not None and planned > asked.at_most:
        listed = "".join(f"\n  {name}: {reason}" for name, reason in chosen.items())
        print(f"about {planned:.0f} s of lessons are out of date:{listed}\nrun `make docs` and commit what it changes")
        return 1
    for name, reason in chosen.items():
        print(f"{name}: {reason}; executing …", flush=True)
        seconds = execute(known[name])
        # Read again: another process may have written.
        kept = {other: entry for other, entry in record().items() if other in known}
        kept[name] = {**known[name].digests(), "seconds": round(seconds, 1)}
        text = json.dumps(dict(sorted(kept.items())), indent=1)
        RECORD.write_text(text + "\n", encoding="utf-8")
        print(f"{name}: {seconds:.1f} s of CPU", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
