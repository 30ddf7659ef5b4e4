"""The page, and the command that writes it."""

import base64
import hashlib
import re
import webbrowser
from pathlib import Path

import pytest
from helpers.commands import record, run

import attrax as ax
from attrax.files import MemoryFileError
from attrax.play import play_page, write_play_page


@pytest.fixture
def file(digits: ax.Memory, tmp_path: Path) -> Path:
    return ax.save(tmp_path / 'a"b.attrax', digits)


def test_one_page_without_requests() -> None:
    page = play_page()
    assert len(page.encode()) <= 300_000
    assert not re.search(r"https?://|src=|@[A-Z]+@", page)
    script = page.rpartition("<script>")[2].partition("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in page
    assert "default-src 'none'" in page


def test_memories_stand_in_it_byte_by_byte(file: Path) -> None:
    page = play_page([file])
    found = re.findall(r'class="memory" data-name="([^"]*)">([^<]*)</script>', page)
    assert [(name, base64.b64decode(content)) for name, content in found] == [("a&quot;b.attrax", file.read_bytes())]


def test_damaged_files_are_refused(file: Path, tmp_path: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(MemoryFileError, match="checksum"):
        write_play_page(tmp_path / "page.html", [file])
    assert not (tmp_path / "page.html").exists()


def test_patterns_are_needed(digits: ax.Memory, tmp_path: Path) -> None:
    bare = ax.save(tmp_path / "bare.attrax", digits, patterns=False)
    with pytest.raises(ValueError, match="saved without its patterns"):
        play_page([bare])


def test_a_memory_is_not_overwritten_by_its_page(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = file.read_bytes()
    assert "--output" in record(capsys, "play", file, "-o", file, status=2)["error"]
    assert file.read_bytes() == content


def test_command_writes_without_opening(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _: pytest.fail("a browser was opened"))
    page = tmp_path / "page.html"
    told = record(capsys, "play", file, "-o", page)
    assert told == {"page": str(page), "memories": [str(file)], "opened": False}
    assert page.read_text() == play_page([file])


def test_command_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    opened: list[str] = []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(webbrowser, "open", lambda address: bool(opened.append(address)) or True)
    told = record(capsys, "play")
    assert opened == [Path(told["page"]).as_uri()]
    assert Path(told["page"]).read_text() == play_page()


def test_command_without_a_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    status, out, _ = run(capsys, "play")
    assert status == 0
    assert "no browser could be started" in out


def test_command_refuses_what_is_no_memory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "no.attrax").write_bytes(b"nothing")
    status, _, err = run(capsys, "play", tmp_path / "no.attrax", "-o", tmp_path / "page.html")
    assert status == 2
    assert "is not an attrax memory file" in err
    assert not (tmp_path / "page.html").exists()
