"""Lessons and gallery: what is committed belongs together, and what is out of date is found out."""

import importlib.util
import json
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mkdocs.exceptions import PluginError

ROOT = Path(__file__).parents[2]


def _module(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"tested{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hooks = _module("_hooks")
lessons = hooks.lessons
SCRIPTS = {script.name: script for script in lessons.scripts()}
KEPT = lessons.record()
SMALL = """# %% [markdown]
# # Small
#
# See [verdicts](../verdicts.md).

# %% A line
import matplotlib.pyplot as plt

import attrax as ax

print("printed")
axes = plt.figure(figsize=(1, 1)).add_subplot()
axes.plot([0, 1])

# %%
ax.report.is_picture((2, 2))

# %% [markdown] tags=["answer"]
# Because.
"""


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A small lesson with outputs, beside its record."""
    folder = tmp_path / "lessons"
    folder.mkdir()
    (folder / "small.py").write_text(SMALL, encoding="utf-8")
    script = lessons.Script(folder / "small.py")
    home = Path.cwd()
    lessons.run_inside(script, tmp_path)
    os.chdir(home)
    script.made.parent.mkdir()
    (tmp_path / "outputs").rename(script.made)
    monkeypatch.setattr(lessons, "RECORD", tmp_path / "executed.json")
    (tmp_path / "executed.json").write_text(json.dumps({script.name: {**script.digests(), "seconds": 1.0}}))
    return script


@pytest.mark.parametrize("name", SCRIPTS)
def test_outputs_are_those_that_were_recorded(name: str) -> None:
    script, kept = SCRIPTS[name], KEPT[name]
    new = script.digests()
    assert (new["code"], new["outputs"]) == (kept["code"], kept["outputs"]), "run `make docs` and commit its outputs"
    assert len(script.outputs) == len(script.code)
    assert kept["seconds"] <= 120
    assert sum(entry["seconds"] for entry in KEPT.values()) <= 12 * 60
    assert not [path for path in script.made.iterdir() if path.stat().st_size > 1_500_000]


def test_lessons_have_pictures_and_exercises_with_answers() -> None:
    assert len(lessons.scripts("lessons")) == 8
    for script in lessons.scripts("lessons"):
        page = lessons.page(script)
        assert not re.search("```.+```", page), f"{script.name}: a block of code that was filled as prose"
        exercises = re.findall(r"^\*\*\d\.\*\* ", page, re.MULTILINE)
        assert len(exercises) >= 3, script.name
        assert page.count('??? success "Answer"') == len(exercises), script.name
        assert len(re.findall(r"^ *!\[.+\]\(outputs/", page, re.MULTILINE)) >= 2, script.name


def test_the_gallery_holds_short_scripts_with_their_pictures() -> None:
    page = lessons.gallery()
    for script in lessons.scripts("gallery"):
        assert len(script.path.read_text(encoding="utf-8").splitlines()) <= 40
        assert f"## {script.title}\n" in page
        assert f"](outputs/{script.path.stem}/1." in page
    assert len(lessons.scripts("gallery")) >= 8


def test_a_page_shows_code_output_pictures_and_folded_answers(small: Any) -> None:
    page = lessons.page(small)
    assert "```{ .text .output }\nprinted\n```\n\n![A line](outputs/small/1.png)\n\n*A line.*" in page
    assert "```python\nax.report.is_picture((2, 2))\n```\n\n```{ .text .output }\nTrue\n```" in page
    assert '??? success "Answer"\n\n    Because.' in page
    made = json.loads(lessons.notebook(small))
    assert made["nbformat"] == 4
    assert [cell["cell_type"] for cell in made["cells"]] == ["markdown", "code", "code", "markdown"]
    assert "".join(made["cells"][0]["source"]).endswith("See verdicts.")  # which is no file beside the notebook
    assert "".join(made["cells"][1]["source"]).startswith("# A line\nimport")
    assert "<details>" in "".join(made["cells"][3]["source"])


def test_what_is_out_of_date_is_found_out(small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def why() -> str:
        return lessons.outdated(lessons.Script(small.path), lessons.record())

    assert why() == ""
    small.path.write_text(SMALL.replace("Because.", "As I say."), encoding="utf-8")
    assert why() == ""  # prose
    small.path.write_text(SMALL.replace('"printed"', '"other"'), encoding="utf-8")
    assert why() == "its code changed"
    small.path.write_text(SMALL.replace("is_picture", "no_such_name"), encoding="utf-8")
    assert why() == "its code changed"
    assert lessons.Script(small.path).digests()["attrax"] == {"attrax.report.no_such_name": None}
    small.path.write_text(SMALL, encoding="utf-8")
    (picture,) = small.made.glob("*.png")
    kept = picture.read_bytes()
    picture.write_bytes(kept + b"0")
    assert why() == "its outputs are not those that were recorded"
    picture.write_bytes(kept)
    monkeypatch.setattr(lessons, "_interface", lambda named: "shape\nother=None")
    assert why() == ""
    monkeypatch.setattr(lessons, "_interface", lambda named: "form")
    assert why() == "attrax.report.is_picture changed"
    monkeypatch.setattr(lessons, "record", dict)
    monkeypatch.setattr(lessons, "scripts", lambda *folders: [small])
    with pytest.raises(PluginError, match=r"was not executed; run `python docs/_lessons\.py`"):
        hooks.on_files([], SimpleNamespace())


def test_what_counts_is_the_interface() -> None:
    from attrax import Training
    from attrax.report import is_picture, save_figure

    assert lessons._interface(is_picture) == "shape"
    assert lessons._interface(save_figure).splitlines() == ["figure", "path", "dpi=130"]
    assert lessons._interface(Training).splitlines()[:2] == ["optimizer=None", "learning_rate=None"]
    assert lessons._fits("a\nb=1", "a\nb=1\nc=2")
    assert not lessons._fits("a\nb=1", "a\nb=2")
    assert not lessons._fits("a\nb=1", "a\nb=1\nc")


def test_ci_refuses_more_than_it_has_time_for(
    small: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small.path.write_text(SMALL.replace('"printed"', '"other"'), encoding="utf-8")
    monkeypatch.setattr(lessons, "scripts", lambda *folders: [lessons.Script(small.path)])
    monkeypatch.setattr(sys, "argv", ["_lessons.py", "--changed", "--at-most", "0.5"])
    assert lessons.main() == 1
    assert "lessons/small: its code changed" in capsys.readouterr().out
