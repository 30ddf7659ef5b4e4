"""A new kind of corruption is one file and one line; training, recall, curves and help then know its name."""

from typing import Any

TITLE = "A corruption"
REPORTS = """
found |= {
    "dark": dark.tolist(),
    "points": points.tolist(),
    "seen": memory.written["corruptions"],
    "curve": [(point.corruption, point.level) for point in curve],
    "default": ax.analysis.default_curves()["fade"],
    "known": ax.recovery(memory, "fade:0.3", key=jr.key(0)).recovery_rate,
    "table": ax.report.corruption_table(),
}
"""


def check(found: dict[str, Any]) -> None:
    for dark, point in zip(found["dark"], found["points"], strict=True):
        assert [round(2 * value, 5) for value in dark] == point
    assert found["seen"] == ["fade:0.3"]
    assert found["curve"] == [["fade", level] for level in (0.2, 0.28, 0.36, 0.44, 0.52, 0.6)]
    assert found["default"] == [0.2, 0.4, 0.6]
    assert found["known"] == 1
    assert "darkens all pixels" in found["table"]
    stored, recalled, about = found["printed"]
    assert "2/2 certified" in stored
    assert "2/2 recovered" in recalled
    assert "used in training: yes" in recalled
    assert "fade:F" in about
