"""A new experiment is one file and one line; `attrax reproduce` then runs it and gives it a section of the page."""

from typing import Any

TITLE = "An experiment"
REPORTS = """
found["title"] = experiment.title
found["last"] = list(EXPERIMENTS)[-1]
found["page"] = "A few points" in open("few/index.html", encoding="utf-8").read()
"""


def check(found: dict[str, Any]) -> None:
    assert (found["title"], found["last"]) == ("A few points", "few")
    assert found["page"]
    listed, ran = found["printed"]
    assert "A few points (paper-0)" in listed
    assert "1 cells ran" in ran
    assert "reproduced" in ran
