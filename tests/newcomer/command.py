"""A new command is one file and one line; `attrax --help` then lists it, and it runs."""

from typing import Any

TITLE = "A command"
REPORTS = """
from pathlib import Path
found["status"] = closest(Path("points.attrax"))
found["record"] = json.loads(command("attrax closest points.attrax --json"))
"""


def check(found: dict[str, Any]) -> None:
    assert found["status"] == 0
    assert found["record"]["examples"] == [0, 2]
    assert round(found["record"]["distance"], 3) == 0.1
    listed, about, _, said = found["printed"]
    assert "closest Name the two examples that lie closest together." in " ".join(listed.split())
    assert "Usage: attrax closest [OPTIONS] FILE" in about
    assert said == "points[0] and points[2]: 0.1 apart\n"
