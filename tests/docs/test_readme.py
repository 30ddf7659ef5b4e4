"""The README's Python runs as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import PATIENCE

import attrax as ax

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_there_is_python_in_it() -> None:
    assert any("ax.store(" in block and "ax.recall(" in block for block in BLOCKS)
    assert len([line for line in BLOCKS[0].splitlines() if line.strip()]) == 10, "the heading says ten lines"


def _optimized() -> dict[str, str]:
    """Training on twenty faces takes longer than compiling it, so some of what tests leave out pays here."""
    own = {name: value for name, value in os.environ.items() if name != "JAX_DISABLE_MOST_OPTIMIZATIONS"}
    some = "--xla_backend_optimization_level=1 --xla_llvm_disable_expensive_passes=true"
    return own | {"XLA_FLAGS": f"{own.get('XLA_FLAGS', '')} {some}".strip()}


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_it_runs_and_does_what_it_says(block: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block],
        cwd=tmp_path,
        env=_optimized(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    if "ax.store(" in block:
        assert done.stdout.splitlines()[0] == "stored 20 of 20 are attractors"
        # A cue can go astray, and the comment says how many did. Rounding differs between machines.
        rate, status, nearest = done.stdout.splitlines()[2].split()
        told = re.search(r"# ([.\d]+) (\w+) (\d+): cue 1 ends at face \3$", block, re.MULTILINE)
        assert told is not None
        assert float(rate) == pytest.approx(float(told[1]), abs=0.1)
        assert (status, nearest) == (told[2], told[3]) == ("other_attractor", "3")
    # The file it leaves is the memory it told of.
    for path in re.findall(r'ax\.save\("([^"]+)"', block):
        memory = ax.load(tmp_path / path)
        assert (memory.status, len(memory.patterns)) == ("stored", 20)
