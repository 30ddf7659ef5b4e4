"""Points in the plane, clicked in a window."""

from typing import Any

from attrax.sources._records import SourceError

CLICKED = "points:click"
"""The source that is clicked."""
_DECIMALS = 3


def click_points(*, extent: tuple[float, float, float, float] = (-1.5, 1.5, -1.5, 1.5)) -> str:
    """Opens a window and gives what is clicked in it as the text of a source, `points:X,Y;X,Y;…`.

    A click adds a point, one with the right button takes the last one back, and Enter or closing the window ends it.
    The text is all there is to know: with it, the same points can be had again without a window.

    **Arguments:** `extent`, left, right, lower and upper end of the plane that is shown.

    **Returns:** the points in the order in which they were clicked, to three decimals.

    **Raises** `SourceError` where no window can be opened, and where none was clicked.

    ```python
    >>> from attrax import sources
    >>> text = sources.click_points()  # opens a window  # doctest: +SKIP
    >>> sources.load("points:-0.8,-0.6;0.1,-0.9").values.shape
    (2, 2)

    ```
    """
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 6), layout="constrained")
    try:
        if not _interactive(figure):
            raise SourceError(
                f"{CLICKED!r}: no window can be opened here. Write the points down: points:0.1,0.2;0.8,0.4"
            )
        axes.set(xlim=extent[:2], ylim=extent[2:], aspect="equal", xlabel="x₁", ylabel="x₂")
        axes.set_title("click: add    right click: take back    Enter: done")
        points: list[tuple[float, float]] = []
        (marks,) = axes.plot([], [], "o", color="#d55e00", markersize=9)

        def clicked(event: Any) -> None:
            # While a tool of the window is on, clicks are its own.
            if event.inaxes is not axes or getattr(figure.canvas.toolbar, "mode", ""):
                return
            if event.button == 3:
                del points[-1:]
            elif event.button == 1:
                points.append((round(float(event.xdata), _DECIMALS), round(float(event.ydata), _DECIMALS)))
            marks.set_data([x for x, _ in points], [y for _, y in points])
            figure.canvas.draw_idle()

        def pressed(event: Any) -> None:
            if event.key in ("enter", "return"):
                plt.close(figure)

        figure.canvas.mpl_connect("button_press_event", clicked)
        figure.canvas.mpl_connect("key_press_event", pressed)
        plt.show(block=True)
    finally:
        plt.close(figure)
    if not points:
        raise SourceError(f"{CLICKED!r}: no point was clicked; there must be at least one")
    return "points:" + ";".join(f"{x},{y}" for x, y in points)


def _interactive(figure: Any) -> bool:
    return figure.canvas.required_interactive_framework is not None
