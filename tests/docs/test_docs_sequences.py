"""The page on sequences runs as it stands."""

import re
from pathlib import Path

import numpy as np
import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "sequences.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_python_on_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(BLOCKS) == 4
    names: dict = {}
    for block in BLOCKS:
        exec(block, names)  # one block goes on where the last one ended
    out = capsys.readouterr().out
    assert "[10, 2, 1] [10  2  1]" in out
    assert "context='auto'" in out
    assert names["answer"].recovered.all()
    assert np.array_equal(names["answer"].period, [10, 2])
    assert out.rstrip().endswith("points Hopfield networks are able to store binary")
