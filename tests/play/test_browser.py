"""The page in a browser: every control, files dropped on it, keyboard, links; no error and no request."""

import base64
import re
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jax.random as jr
import numpy as np
import pytest
from helpers import wait_until
from helpers.javascript import browser

import attrax as ax
from attrax.maps import MLP
from attrax.play import write_play_page

SMALL = "#plane?depth=2&width=12&epochs=30&points=-800_-600~100_-900~900_-400~-600_500~200_200~700_900"
"""The examples that the page begins with, and a network whose basins are there in a moment."""


class Opened:
    """A page, and what it said and asked for."""

    def __init__(self, started: Any, path: Path, scene: str = "", **context: Any) -> None:
        self.context = started.new_context(**context)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on(
            "console", lambda said: self.errors.append(said.text) if said.type in ("error", "warning") else None
        )
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri() + scene)
        self.page.wait_for_selector("html[data-ready]", state="attached")

    def until(self, expression: str) -> Any:
        """What the expression gives as soon as it holds. The page's policy forbids to wait for it inside the page."""
        found = wait_until(lambda: self.page.evaluate(expression))
        assert found, f"{expression} does not hold; the page says: {self.said()}"
        return found

    def said(self) -> str:
        return self.page.text_content("#status")

    def changes(self, act: Callable[[], Any], not_at_all: bool = False) -> None:
        """The plane looks different after this, or (`not_at_all`) the same."""
        looks = "document.querySelector('canvas.plane').toDataURL()"
        self.page.wait_for_timeout(100)  # what was asked for before is drawn
        self.page.evaluate(f"() => {{ window.before = {looks}; }}")
        act()
        if not_at_all:
            self.page.wait_for_timeout(100)
            assert self.page.evaluate(f"{looks} === window.before")
        else:
            self.until(f"{looks} !== window.before")

    def drop(self, files: dict[str, bytes], kind: str = "") -> None:
        self.page.evaluate(
            """([files, type]) => {
              const transfer = new DataTransfer();
              for (const [name, content] of files) {
                const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
                transfer.items.add(new File([bytes], name, { type }));
              }
              const how = { dataTransfer: transfer, bubbles: true, cancelable: true };
              document.body.dispatchEvent(new DragEvent("drop", how));
            }""",
            [[[name, base64.b64encode(content).decode()] for name, content in files.items()], kind],
        )

    def close(self) -> None:
        self.context.close()
        assert self.errors == []
        assert {url.partition(":")[0] for url in self.requests} <= {"file", "blob", "data"}


@pytest.fixture(scope="module")
def started() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def folder(digits: ax.Memory, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page without memories, one with two, and the files of these."""
    folder = tmp_path_factory.mktemp("play")
    film = ax.Patterns.from_cycles([digits.examples().points])
    halving = MLP((np.eye(2), np.eye(2) / 2), (None, None), (2,), "identity")
    files = {
        "digits": digits,
        "film": ax.store(film, writer=ax.Constructed("margin"), key=jr.key(0)),
        "points": ax.Memory(halving, ax.Patterns.from_examples(np.array([[0.0, 0.0], [0.5, 0.5]]))),
    }
    paths = [ax.save(folder / f"{name}.attrax", memory) for name, memory in files.items()]
    write_play_page(folder / "empty.html")
    write_play_page(folder / "full.html", paths[:2])
    return folder


@pytest.fixture
def empty(started: Any, folder: Path) -> Iterator[Opened]:
    opened = Opened(started, folder / "empty.html", SMALL)
    yield opened
    opened.close()


@pytest.fixture
def full(started: Any, folder: Path) -> Iterator[Opened]:
    opened = Opened(started, folder / "full.html", viewport={"width": 390, "height": 800}, has_touch=True)
    yield opened
    opened.close()


def test_every_control_is_tried() -> None:
    page = (files("attrax.play") / "static" / "page.html").read_text("utf-8")
    tried = Path(__file__).read_text("utf-8")
    for name in re.findall(r'<(?:button|select|input)[^>]* id="([^"]+)"', page):
        tab, _, short = name.partition("-")
        in_loop = f'"#{tab}-{{' in tried and f'"{short}"' in tried
        assert f'"#{name}"' in tried or in_loop, name


SEEN = "attrax.plane().seen"


def test_plane_trains(empty: Opened) -> None:
    page = empty.page
    page.select_option("#plane-activation", "tanh")
    page.select_option("#plane-optimizer", "rmsprop")
    given = {"depth": 3, "width": 10, "epochs": 60, "rate": 0.01, "noise": 0.05, "seed": 4, "seeds": 2}
    for name, value in given.items():
        page.fill(f"#plane-{name}", str(value))
        page.press(f"#plane-{name}", "Tab")
    assert page.locator("canvas.plane").count() == 2
    first = empty.until(f"{SEEN}.every((one) => one.network) && {SEEN}.map((one) => one.network.layers[0].weight[0])")
    assert first[0] != first[1]
    page.click("#plane-train")
    empty.until(f"{SEEN}.every((one) => one.epoch === 60) && !attrax.plane().running")
    assert page.text_content("#plane-train") == "Train on"
    losses = page.evaluate(f"{SEEN}.map((one) => one.loss)")
    assert all(0 < loss < 1 for loss in losses)
    assert page.locator("#plane-table tr").count() == 6
    assert empty.said().startswith("Trained.")
    page.click("#plane-train")
    empty.until(f"{SEEN}.every((one) => one.epoch === 120) && !attrax.plane().running")
    page.click("#plane-reset")
    empty.until(f"{SEEN}.every((one) => one.network && one.epoch === 0)")
    page.fill("#plane-width", "999999")
    page.press("#plane-width", "Tab")
    assert page.input_value("#plane-width") == "256"


def test_plane_is_clicked(empty: Opened) -> None:
    page = empty.page
    page.click("#plane-clear")
    assert page.evaluate("attrax.plane().cycles") == []
    page.click("#plane-train")
    assert "click into the plane" in empty.said()
    box = page.locator("canvas.plane").bounding_box()

    def click(x: float, y: float) -> None:
        page.locator("canvas.plane").click(
            position={"x": (x + 1.5) / 3 * box["width"], "y": (1.5 - y) / 3 * box["height"]}
        )

    click(0.5, 0.5)
    np.testing.assert_allclose(page.evaluate("attrax.plane().cycles"), [[[0.5, 0.5]]], atol=0.02)
    click(0.5, 0.5)
    assert page.evaluate("attrax.plane().cycles") == []
    page.check("#plane-mode-cycle")
    for point in [(-0.5, -0.5), (-0.5, 0.5), (0.5, 0), (-0.5, -0.5)]:
        click(*point)
    assert page.evaluate("attrax.plane().cycles.map((cycle) => cycle.length)") == [3]
    page.check("#plane-mode-point")
    click(1.2, 1.2)
    page.check("#plane-mode-cycle")
    click(1, 1)
    click(1, -1)
    page.click("#plane-close")
    assert page.evaluate("attrax.plane().cycles.map((cycle) => cycle.length)") == [3, 1, 2]
    empty.until(f"{SEEN}[0].network && {SEEN}[0].basins")
    page.mouse.move(0, 0)
    for name in ("field", "basins"):
        empty.changes(lambda name=name: page.uncheck(f"#plane-{name}"))
        empty.changes(lambda name=name: page.check(f"#plane-{name}"))
    empty.changes(page.locator("canvas.plane").hover)  # the path from here
    page.mouse.move(0, 0)
    page.uncheck("#plane-path")
    empty.changes(page.locator("canvas.plane").hover, not_at_all=True)
    page.check("#plane-path")
    page.click("#plane-exact")
    empty.until(f"{SEEN}[0].exact")
    page.click("#plane-preset")
    assert page.evaluate("attrax.plane().cycles.length") == 6


def test_plane_by_keyboard(empty: Opened) -> None:
    page = empty.page
    page.click("#plane-clear")
    page.focus("canvas.plane")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    assert "0.05, 0.05" in empty.said()
    page.keyboard.press("Enter")
    assert page.evaluate("attrax.plane().cycles") == [[[0.05, 0.05]]]
    page.check("#plane-mode-cycle")
    page.focus("canvas.plane")
    for key in ["ArrowLeft"] * 6 + ["Enter"] + ["ArrowDown"] * 6 + [" ", "c"]:
        page.keyboard.press(key)
    assert page.evaluate("attrax.plane().cycles.map((cycle) => cycle.length)") == [1, 2]
    for key in ["ArrowRight"] * 4 + ["Enter", "Escape", "c"]:
        page.keyboard.press(key)
    assert "at least two states" in empty.said()
    page.focus("#tab-plane")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-pictures"
    assert page.is_visible("#pictures")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.is_visible("#sequences")


def test_links(empty: Opened, started: Any) -> None:
    page = empty.page
    page.select_option("#plane-activation", "selu")
    page.click("#plane-clear")
    page.locator("canvas.plane").click(position={"x": 40, "y": 50})
    page.click("#plane-share")
    address = page.input_value("#plane-link")
    assert page.url == address
    other = Opened(started, Path(re.sub("^file://|#.*", "", address)))
    other.page.evaluate("(hash) => { location.hash = hash; }", address.partition("#")[2])
    other.until("attrax.plane().cycles.length === 1")
    for opened in (empty, other):
        assert opened.page.input_value("#plane-activation") == "selu"
        assert opened.page.input_value("#plane-depth") == "2"
    assert other.page.evaluate("attrax.plane().cycles") == page.evaluate("attrax.plane().cycles")
    other.close()


def test_pictures_are_stored_and_recalled(empty: Opened) -> None:
    page = empty.page
    page.click("#tab-pictures")
    page.click("#pictures-sample")
    empty.until("attrax.pictures().memory")
    empty.until("attrax.pictures().radii.filter((one) => one.radius < 1).length === 12")
    assert "prove nothing" in page.text_content("#pictures-standing")
    assert "ertified" not in page.text_content("#pictures-radius")
    page.locator(".example").nth(3).click()
    for name in ("noise", "drop", "occlude", "right", "down", "lower"):
        page.click("#pictures-original")
        page.click(f"#pictures-{name}")
        assert page.evaluate(
            "attrax.pictures().cue.some((value, i) => value !== attrax.pictures().memory.points[3][i])"
        ), name
    page.click("#pictures-step")
    assert page.evaluate("attrax.pictures().course.steps") == 1
    page.click("#pictures-back")
    page.click("#pictures-run")
    empty.until("!attrax.pictures().running && attrax.pictures().course.period === 1")
    assert "D came back" in empty.said()
    page.click("#pictures-test")
    empty.until("document.querySelector('#pictures-outcome p')")
    assert re.search(r"Lower half black: \d+ of 12 came back", page.text_content("#pictures-outcome"))
    page.select_option("#pictures-tool", "paint")
    page.fill("#pictures-color", "#ffffff")
    page.fill("#pictures-size", "30")
    page.uncheck("#pictures-live")
    page.click("#pictures-original")
    page.locator("#pictures-cue").click()
    assert page.evaluate("attrax.pictures().cue[12 * 24 + 12]") > 0.999
    page.select_option("#pictures-tool", "erase")
    page.focus("#pictures-cue")
    page.keyboard.press("Enter")
    assert page.evaluate("attrax.pictures().cue[12 * 24 + 12]") == 0
    page.click("#pictures-original")
    page.select_option("#pictures-tool", "paint")
    page.focus("#pictures-cue")
    for key in ["ArrowLeft"] * 9 + ["ArrowDown"] * 9 + ["Enter"]:
        page.keyboard.press(key)
    assert page.evaluate("attrax.pictures().cue[22 * 24 + 1]") > 0.999
    page.check("#pictures-live")
    page.locator("#pictures-cue").click()
    empty.until("!attrax.pictures().running && attrax.pictures().course.period > 0")


def test_dropped_pictures(empty: Opened, tmp_path: Path) -> None:
    from PIL import Image

    files = {}
    for number in range(3):
        picture = np.random.default_rng(number).integers(0, 255, (40, 48, 3)).astype(np.uint8)
        Image.fromarray(picture).save(tmp_path / "it.png")
        files[f"{number}.png"] = (tmp_path / "it.png").read_bytes()
    empty.drop(files, "image/png")
    empty.until("attrax.pictures().memory && attrax.pictures().memory.points.length === 3")
    assert empty.page.evaluate("attrax.pictures().memory.shape") == [32, 32, 3]
    assert empty.page.is_visible("#pictures-stage")
    (tmp_path / "one.png").write_bytes(files["0.png"])
    empty.page.set_input_files("#pictures-files", [str(tmp_path / "one.png")])
    empty.until("attrax.pictures().memory.points.length === 1")
    empty.page.select_option("#pictures-memory", "0")
    assert empty.page.evaluate("attrax.pictures().memory.points.length") == 3


def test_dropped_memories(empty: Opened, folder: Path) -> None:
    page = empty.page
    content = (folder / "digits.attrax").read_bytes()
    empty.drop({"digits.attrax": content})
    empty.until("attrax.pictures().memory")
    assert page.is_visible("#pictures-stage")
    assert "5 of 5 examples certified" in page.text_content("#pictures-standing")
    empty.until(
        "document.querySelector('#pictures-radius').textContent.includes('Certified as an attractor by its file')"
    )
    empty.drop({"bad.attrax": content[:-9] + b"x" + content[-8:]})
    empty.until("document.querySelector('#status').textContent.includes('checksum')")
    page.set_input_files("#open", str(folder / "points.attrax"))
    empty.until("attrax.plane().memory")
    assert page.is_visible("#plane")
    assert page.locator("#plane-table tr").count() == 2
    assert page.locator("#plane-table tr").all_text_contents()[0].endswith("0.5000stored")
    page.click("#plane-preset")
    empty.until("!attrax.plane().memory && attrax.plane().seen[0].network?.layers.length === 11")


def test_memories_in_the_page(full: Opened) -> None:
    page = full.page
    assert page.is_visible("#pictures-stage")
    page.click("#tab-sequences")
    assert "1 of 1 cycle certified" in page.text_content("#sequences-standing")
    page.click("#sequences-noise")
    page.fill("#sequences-speed", "30")
    page.click("#sequences-play")
    full.until("attrax.sequences().transient !== null && attrax.sequences().steps > 6")
    page.click("#sequences-play")
    assert "On the stored sequence after" in full.said()
    begun = page.evaluate("attrax.sequences().steps")
    page.click("#sequences-step")
    assert page.evaluate("attrax.sequences().steps") == begun + 1
    page.locator("#sequences-strip button").nth(2).click()
    assert page.evaluate("attrax.sequences().steps") == 0


def test_on_a_phone(full: Opened) -> None:
    page = full.page
    for tab in ("sequences", "plane", "pictures"):
        page.locator(f"#tab-{tab}").tap()
        assert page.is_visible(f"#{tab}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, tab
    page.select_option("#pictures-tool", "paint")
    page.locator("#pictures-cue").tap()
    assert page.evaluate("attrax.pictures().cue[4 * 8 + 4]") > 0.999
    page.locator("#tab-plane").tap()
    page.locator("#plane-clear").tap()
    page.locator("canvas.plane").tap(position={"x": 60, "y": 60})
    assert page.evaluate("attrax.plane().cycles.length") == 1


def test_tune(empty: Opened) -> None:
    page = empty.page
    page.click("#tab-sequences")
    page.click("#sequences-film")
    assert not page.is_visible("#sequences-listen")
    page.click("#sequences-tune")
    page.click("#sequences-noise")
    page.click("#sequences-listen")
    empty.until("document.querySelector('#status').textContent.includes('s of sound')")
    assert page.evaluate("attrax.sequences().transient") <= 20
    assert page.evaluate("attrax.sequences().steps") == 63
    sound = page.evaluate("[...attrax.sound().slice(-16000)]")
    assert np.abs(sound[:8000]).max() > 0.3
    np.testing.assert_allclose(sound[:8000], sound[8000:], atol=1e-6)
    page.select_option("#sequences-memory", "0")
    assert page.is_visible("#sequences-picture")


VIOLATIONS = {"resultTypes": ["violations"]}
COLORS = {"runOnly": {"type": "tag", "values": ["cat.color"]}}
"""The rules of axe that are about colors."""


def test_accessible(started: Any, folder: Path) -> None:
    """Without a violation of the rules of axe, in light and in dark."""
    pytest.importorskip("axe_playwright_python", reason="no axe here: pip install 'attrax[tests]'")
    from axe_playwright_python.sync_playwright import Axe

    # Its rules are added to the page as a script, which the page's policy forbids.
    opened = Opened(started, folder / "full.html", SMALL, bypass_csp=True)
    for scheme in ("light", "dark"):
        opened.page.emulate_media(color_scheme=scheme)
        for tab in ("plane", "pictures", "sequences"):
            opened.page.click(f"#tab-{tab}")
            # What the scheme decides are colors.
            found = Axe().run(opened.page, options=VIOLATIONS if scheme == "light" else VIOLATIONS | COLORS)
            assert found.violations_count == 0, found.generate_report()
    opened.close()
