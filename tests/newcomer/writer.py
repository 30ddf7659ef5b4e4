"""A new writer is one file and one line; `store`, `add`, `forget` and the commands then know its name."""

from typing import Any

TITLE = "A writer"
REPORTS = """
found |= {
    "writer": memory.written["writer"],
    "counts": [one.certificate.num_attractors for one in (memory, larger.memory, smaller.memory)],
    "widths": ax.maps.describe(smaller.memory.map).facts["widths"],
    "record": ax.load("random.attrax").written,
}
with contextlib.redirect_stderr(io.StringIO()) as told:
    command("attrax store points:0,1 --writer random-features --epochs 3 -o x.attrax", status=2)
    command("attrax store points:0,1 --writer random-feature -o x.attrax", status=2)
found["refused"] = told.getvalue()
"""


def check(found: dict[str, Any]) -> None:
    assert found["writer"] == "random_features"
    assert found["counts"] == [3, 4, 3]
    assert found["widths"] == [48]
    record = found["record"]
    assert (record["writer"], record["width"], record["noise"]) == ("random_features", 48, 0.15)
    assert "--epochs does not apply to --writer random-features" in found["refused"]
    assert "'random-feature' is not one of 'auto', 'random-features'," in found["refused"]
    stored, added, forgotten, about = found["printed"]
    assert "2/2 certified" in stored
    assert "3/3 certified" in added
    assert "2/2 certified" in forgotten
    assert "random-features: a random layer, a solved one." in " ".join(about.split())
