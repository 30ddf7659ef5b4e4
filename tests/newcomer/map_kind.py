"""A new kind of map with its codec is one file and one line; every verb, files and commands then take it."""

from typing import Any

TITLE = "A kind of map"
REPORTS = """
found |= {
    "kind": ax.maps.kind_of(memory.map),
    "verdicts": [str(verdict) for verdict in ax.certify(memory).verdict],
    "recovered": answer.recovered.tolist(),
    "index": answer.index.tolist(),
    "same": bool(np.array_equal(again.map.rows, memory.map.rows)),
    "trained": bool(np.abs(np.asarray(memory.map.rows) - begin.rows).max() > 0),
    "loss": memory.written["loss"],
}
"""


def check(found: dict[str, Any]) -> None:
    assert found["kind"] == "hopfield"
    assert found["verdicts"] == 3 * ["attractor"]
    assert found["recovered"] == 3 * [True]
    assert found["index"] == [0, 1, 2]
    assert found["same"]
    assert found["trained"]
    assert found["loss"] < 1e-4
    info, certified, recalled = found["printed"]
    assert "Hopfield network of 3 rows, sharpness 4, 24 parameters, 8 states" in info
    assert "3/3 certified" in certified
    assert "3/3 recovered" in recalled
