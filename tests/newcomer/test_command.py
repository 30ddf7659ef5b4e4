"""A new command is one file and one line; `attrax --help` then lists it, and it runs."""

from pathlib import Path

from helpers.newcomer import use


def test_a_new_command(tmp_path: Path) -> None:
    found = use(
        "A command",
        tmp_path,
        """
from pathlib import Path
found["status"] = closest(Path("points.attrax"))
found["record"] = json.loads(command("attrax closest points.attrax --json"))
""",
    )
    assert found["status"] == 0
    assert found["record"]["examples"] == [0, 2]
    assert round(found["record"]["distance"], 3) == 0.1
    listed, about, _, said = found["printed"]
    assert "closest Name the two examples that lie closest together." in " ".join(listed.split())
    assert "Usage: attrax closest [OPTIONS] FILE" in about
    assert said == "points[0] and points[2]: 0.1 apart\n"
