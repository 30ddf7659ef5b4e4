"""Points clicked in a window: real events on a canvas without one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.backend_bases import KeyEvent, MouseEvent

from attrax.cli import main
from attrax.sources import SourceError, _clicked, click_points, load  # nobody clicks


def hand(*acts: tuple[Any, ...]) -> Callable[..., None]:
    """Stands for the person before the window: clicks `(button, x, y)` and keys `(key,)`."""

    def show(*, block: bool) -> None:
        assert block
        figure = plt.gcf()
        figure.canvas.draw()
        axes = figure.axes[0]
        for act in acts:
            if len(act) == 1:
                figure.canvas.callbacks.process("key_press_event", KeyEvent("key_press_event", figure.canvas, *act))
                continue
            button, *place = act
            at = axes.transData.transform(place)
            event = MouseEvent("button_press_event", figure.canvas, *at, button)
            figure.canvas.callbacks.process("button_press_event", event)

    return show


@pytest.fixture
def window(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    plt.switch_backend("agg")
    monkeypatch.setattr(_clicked, "_interactive", lambda figure: True)
    return monkeypatch


def test_clicks_are_points_and_the_right_button_takes_one_back(window: pytest.MonkeyPatch) -> None:
    before = plt.get_fignums()
    window.setattr(plt, "show", hand((1, -0.8, -0.6), (1, 0.5, 0.5), (3, 0.0, 0.0), (1, 0.25, 1.0), (1, 9.0, 9.0)))
    text = click_points()
    points = load(text).values
    # What lies outside of the plane is no point.
    np.testing.assert_allclose(points, [[-0.8, -0.6], [0.25, 1.0]], atol=2e-3)
    assert plt.get_fignums() == before
    assert load(text).kind == "vectors"


def test_enter_closes_the_window(window: pytest.MonkeyPatch) -> None:
    window.setattr(plt, "show", hand((1, 0.5, 0.5), ("a",), ("enter",)))
    assert load("points:click").values.shape == (1, 2)


def test_no_point_and_no_window(window: pytest.MonkeyPatch) -> None:
    window.setattr(plt, "show", hand((3, 0.0, 0.0)))
    with pytest.raises(SourceError, match="no point was clicked"):
        click_points()
    window.undo()
    plt.switch_backend("agg")
    with pytest.raises(SourceError, match=r"no window can be opened here\. Write the points down"):
        click_points()
    assert not plt.get_fignums()


def test_a_memory_of_clicked_points_says_which_they_were(
    window: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    window.setattr(plt, "show", hand((1, -0.5, 0.0), (1, 0.5, 0.5)))
    file = tmp_path / "plane.attrax"
    with pytest.raises(SystemExit) as ended:
        main(["store", "points:click", "--writer", "margin", "-o", str(file), "--json"])
    assert not ended.value.code
    out, err = capsys.readouterr()
    assert json.loads(out)["attractors"] == 2
    with pytest.raises(SystemExit):
        main(["info", str(file), "--json"])
    (source,) = json.loads(capsys.readouterr().out)["written"]["sources"]
    assert f"attrax: clicked {source}" in err
    np.testing.assert_allclose(load(source).values, [[-0.5, 0.0], [0.5, 0.5]], atol=2e-3)
