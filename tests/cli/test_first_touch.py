"""What a newcomer meets first: help, wrong usage, completion; without waiting for JAX."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from attrax.cli import _app  # the tables of commands
from tests.helpers.commands import run, strict

COMMANDS = [
    *([name] for name in _app.COMMANDS),
    *(["theory", name] for name in _app.THEORY),
    *(["analyze", name] for name in _app.ANALYSES),
]
HEAVY = ("jax", "numpy", "scipy", "matplotlib", "rich")
TITLES = ("What to store:", "How to store it:", "Network:", "Training:", "Output:")


def plain(*arguments: str, code: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, in which nothing is loaded yet."""
    command = [sys.executable, "-m", "attrax"] if code is None else [sys.executable, "-c", code]
    return subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env=os.environ | environment,
    )


def test_help_and_wrong_usage_wait_for_nothing() -> None:
    """One process for all of them: nothing that is loaded is unloaded, so each is told what it loaded first."""
    wanted: list[tuple[list[str], int]] = [
        (["--help"], 0),
        (["-h"], 0),
        (["--version"], 0),
        ([], 2),
        (["--bogus"], 2),
        (["stroe"], 2),
        (["theory"], 2),
        (["analyze", "radios"], 2),
        (["store"], 2),
        (["store", "digits"], 2),
        (["store", "digits", "-o", "x", "--writer", "magic"], 2),
        (["store", "digits", "-o", "x", "--optimizer", "sgd"], 2),
        (["store", "digits", "-o", "x", "--end", "stop"], 2),
        (["store", "digits", "-o", "x", "--n", "0"], 2),
        (["store", "digits", "-o", "/nowhere/x"], 2),
        (["store", "digits", "-o", "x", "--size", "32"], 2),
        (["store", "digits", "-o", "x", "--range", "1"], 2),
        (["store", "digits", "-o", "x", "--indices", "a"], 2),
        (["store", "digits", "-o", "x", "--context", "0"], 2),
        (["store", "digits", "-o", "x", "--activation", "rleu"], 2),
        (["store", "digits", "-o", "x", "--train-corruption", "smear:1"], 2),
        (["store", "digits", "-o", "x", "--set", "training.epoch=3"], 2),
        (["certify", "nowhere.attrax"], 2),
        (["recall", "nowhere.attrax", "--corrupt", "drop:0.5"], 2),
        (["theory", "lambda", "--activation", "rleu"], 2),
        *(([*command, "--help"], 0) for command in COMMANDS),
        *(([*command, "--bogus"], 2) for command in COMMANDS),
    ]
    code = (
        "import contextlib, io, json, sys\n"
        "from attrax.cli import main\n"
        "found = []\n"
        "for arguments in json.loads(sys.argv[1]):\n"
        "    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):\n"
        "        try: main(arguments)\n"
        "        except SystemExit as ended: status = ended.code or 0\n"
        "    found.append([status, [name for name in sys.modules if '.' not in name]])\n"
        "print(json.dumps(found))\n"
    )
    done = plain(json.dumps([arguments for arguments, _ in wanted]), code=code)
    assert (done.returncode, done.stderr) == (0, "")
    for (arguments, status), (ended, loaded) in zip(wanted, json.loads(done.stdout), strict=True):
        assert ended == status, arguments
        assert "attrax" in loaded
        assert not set(HEAVY) & set(loaded), arguments


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_fits_80_columns_and_cuts_no_name(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    status, out, err = run(capsys, *command, "--help")
    assert (status, err) == (0, "")
    assert out.startswith(f"Usage: attrax {' '.join(command)} ")
    assert f"Example: attrax {' '.join(command)}" in out
    assert max(map(len, out.splitlines())) <= 80
    assert not re.search(
        r"<\w|\bx[<>]|<=?x\b", out.replace("<=", "")
    )  # types of Python, ranges of an x that is nowhere
    assert not re.search(r"\w-$", out, re.MULTILINE)
    shown = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", out))
    assert {name for name in names_of(command) if name.startswith("--")} <= shown


def names_of(command: list[str]) -> list[str]:
    """Every name of every option that the help shows."""
    found: Any = _app.app
    for name in command:
        found = found.commands[name]
    shown = [option for option in found.load().params if not getattr(option, "hidden", False)]
    return [name for option in shown for name in (*option.opts, *option.secondary_opts)]


def test_the_options_of_store_stand_in_panels(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = run(capsys, "store", "--help")[1]
    assert [line for line in out.splitlines() if line in TITLES] == list(TITLES)
    options = re.findall(r"^  (--[a-z-]+|-[a-z], --[a-z-]+)", out, re.MULTILINE)
    assert 30 < len(options) <= 40
    assert {"--set", "--config", "--skip-unreadable"} <= set(options)
    assert "With auto, any of these options has a network of this kind trained by gradient" in " ".join(out.split())
    sources = out.partition(TITLES[0])[2].partition(TITLES[1])[0]
    assert "--skip-unreadable" in sources


def test_every_command_of_the_tables_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    for group, table in (([], _app.COMMANDS), (["theory"], _app.THEORY), (["analyze"], _app.ANALYSES)):
        out = run(capsys, *group, "--help")[1]
        for name, (_, line) in table.items():
            assert re.search(rf"^  {name} +{re.escape(line)}$", out, re.MULTILINE), name


def test_without_a_command_help_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    for group in ([], ["theory"], ["analyze"]):
        status, out, err = run(capsys, *group)
        assert (status, out) == (2, "")
        assert "Commands:" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["stroe"], ["Did you mean 'store'?", "(try attrax --help)"]),
        (["store", "--widht", "3"], ["--width", "(try attrax store --help)"]),
        (["store", "digits"], ["--output", "(try attrax store --help)"]),
        (["store", "digits", "-o", "x", "--writer", "magic"], ["'magic'", "'gradient'", "(try attrax store --help)"]),
        (["store", "digits", "-o", "x", "--size", "32"], ["--size", "(try attrax store --help)"]),
        (["analyze", "radius"], ["FILE", "(try attrax analyze radius --help)"]),
        (["theory", "plot"], ["KIND", "(try attrax theory plot --help)"]),
    ],
)
def test_wrong_usage_names_the_help_of_its_command(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    for word in words:
        assert word in err


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_with_json_wrong_usage_is_an_object_too(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, *command, "--bogus", "--json")
    assert status == 2
    record = strict(out)
    assert record.keys() == {"error", "exit_status"}
    assert record["exit_status"] == 2
    assert f"(try attrax {' '.join(command)} --help)" in record["error"]
    assert err == f"attrax: {record['error']}\n"


def test_with_json_wrong_input_is_an_object_too(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, out, err = run(capsys, "info", tmp_path / "missing", "--json")
    assert (status, strict(out)["exit_status"]) == (2, 2)
    assert "missing" in strict(out)["error"]
    assert err.startswith("attrax: ")
    # What stands behind -- is no option.
    assert run(capsys, "info", "--", tmp_path / "missing", "--json")[1] == ""


def test_completion() -> None:
    script = plain("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert "_ATTRAX_COMPLETE=complete_bash" in script.stdout
    words = {"COMP_WORDS": "attrax sto", "COMP_CWORD": "1", "_ATTRAX_COMPLETE": "complete_bash"}
    assert plain(**words).stdout.split() == ["store"]
    words |= {"COMP_WORDS": "attrax store digits --writer g", "COMP_CWORD": "4"}
    assert plain(**words).stdout.split() == ["gradient"]
    words |= {"COMP_WORDS": "attrax analyze sp", "COMP_CWORD": "2"}
    assert plain(**words).stdout.split() == ["spectrum", "spurious"]


@pytest.mark.parametrize("encoding", ["ascii", "latin1"])
def test_characters_that_the_terminal_lacks_are_replaced(encoding: str) -> None:
    help = plain("theory", "lambda", "--help", PYTHONIOENCODING=encoding)  # has ‖x‖ and …
    assert (help.returncode, help.stderr) == (0, "")
    assert "--norm" in help.stdout
    wrong = plain("theory", "5×5–λ", PYTHONIOENCODING=encoding)
    assert wrong.returncode == 2
    assert "Traceback" not in wrong.stderr
    assert wrong.stderr.startswith("attrax: No such command '5")


def test_a_formula_needs_no_part_of_training() -> None:
    code = (
        "import sys\n"
        "from attrax.cli import main\n"
        "try: main(['theory', 'lambda', '--k', '3', '--json'])\n"
        "finally: print(*sys.modules, file=sys.stderr)\n"
    )
    done = plain(code=code)
    assert json.loads(done.stdout)["status"] == "solved"
    loaded = done.stderr.split()
    assert "attrax.theory" in loaded
    assert not {"attrax.training", "attrax.writing", "optax", "sklearn", "matplotlib"} & set(loaded)


TERMINAL = """
import os, pty, subprocess, sys
master, slave = pty.openpty()
command = [sys.executable, "-c", sys.argv[1]]
with subprocess.Popen(command, stdout=slave, stderr=slave, env=os.environ | {"TERM": "xterm", "COLUMNS": "100"}):
    os.close(slave)
    while True:
        try:
            read = os.read(master, 4096)
        except OSError:  # how Linux says that nobody writes any more
            break
        if not read:
            break
        sys.stdout.buffer.write(read)
"""

BARS = """
import sys, time
from attrax.cli._progress import progress_bar, waiting
with waiting("short"): pass
with waiting("reading"):
    with waiting("within"): time.sleep(1)
with progress_bar() as report:
    time.sleep(1)
    report("training", 1, 4, {"loss": 0.25, "seconds": 3.0})
    time.sleep(0.5)
    report("training", 4, 4, {"loss": 0.125})
    time.sleep(0.5)
print("done", file=sys.stderr)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudoterminal")
def test_what_is_done_is_shown_on_a_terminal_only() -> None:
    shown = plain(BARS, code=TERMINAL).stdout
    for words in ("reading", "compiling", "training", "1/4", "loss 0.25", "working", "done"):
        assert words in shown
    for words in ("short", "within", "seconds"):  # over at once; within another one; no number for people
        assert words not in shown
    piped = plain(code=BARS)
    assert (piped.stdout, piped.stderr) == ("", "done\n")


def test_a_line_appears_within_the_first_second() -> None:
    from attrax.cli import _progress  # the display without a command

    assert 0 < _progress._PATIENCE < 1


def test_what_is_wrong_is_told_without_jax() -> None:
    wrong = [
        (["lost.png"], "'lost.png': no such file or folder"),
        (["digits", "--writer", "margin", "--lr", "0.1"], "--lr does not apply to --writer margin"),
        (["digits", "--context", "2"], "--context is for sequences"),
        (["digits", "--set", "source.fps=2"], "--set source.fps is for films"),
    ]
    code = (
        "import json, sys\n"
        "from attrax.cli import main\n"
        "for options in json.loads(sys.argv[1]):\n"
        "    try: main(['store', *options, '-o', 'x.attrax'])\n"
        "    except SystemExit as ended: print(ended.code, 'jax' in sys.modules)\n"
    )
    told = plain(json.dumps([options for options, _ in wrong]), code=code)
    assert (told.returncode, told.stdout) == (0, 4 * "2 False\n")
    for line, (_, said) in zip(told.stderr.splitlines(), wrong, strict=True):
        assert said in line
