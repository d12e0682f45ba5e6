"""Streams, closed pipes, the import budget, errors and tables as a reader meets them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from uscdr import errors
from uscdr.ui.console import NEXT, Output, OutputStream, _Outlet
from uscdr.ui.pasted import CARRIED
from uscdr.ui.schemas import Schema
from uscdr.ui.tables import draw_table, show_table
from uscdr.ui.text import cells


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Ascii(io.TextIOWrapper):
    pass


def outputs(**wishes: bool) -> tuple[Output, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    return Output(stdout=out, stderr=err, **wishes), out, err


def python(program: str, redirect: str = "") -> tuple[int, bytes, bytes]:
    """Exit code, stdout and stderr of a fresh interpreter, its streams redirected as a shell would."""
    command = ["sh", "-c", f'exec "$0" -c "$1" {redirect}', sys.executable, program]
    ended = subprocess.run(command, capture_output=True, timeout=30, check=False)
    return ended.returncode, ended.stdout, ended.stderr


def test_results_and_narration_do_not_mix() -> None:
    output, out, err = outputs()
    output.result("a result")
    output.say("a story")
    output.detail("a detail")
    output.warn("a warning")
    assert out.getvalue() == "a result\n"
    assert err.getvalue() == "a story\na warning\n"


def test_quiet_and_verbose() -> None:
    quiet, _, err = outputs(quiet=True)
    quiet.say("a story")
    quiet.warn("a warning")
    assert err.getvalue() == "a warning\n"
    verbose, _, err = outputs(verbose=True)
    verbose.detail("a detail")
    assert err.getvalue() == "a detail\n"


def test_foreign_text_is_escaped_on_its_way_out() -> None:
    output, out, _ = outputs()
    output.result("two\nlines \x1b[31m\u202e")
    assert out.getvalue() == "two\nlines \\x1b[31m\\u202e\n"


def test_color_follows_the_terminal_and_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Output(stdout=Terminal(), stderr=io.StringIO())
    assert terminal.color_on(terminal.out)
    assert not terminal.color_on(terminal.err)
    monkeypatch.setenv("NO_COLOR", "1")
    assert not terminal.color_on(terminal.out)
    monkeypatch.delenv("NO_COLOR")
    for poor in ("dumb", "unknown", ""):
        monkeypatch.setenv("TERM", poor)
        assert not terminal.color_on(terminal.out)
    monkeypatch.delenv("TERM")
    assert not terminal.color_on(terminal.out)
    assert not Output(color=False, stdout=Terminal()).color_on(terminal.out)


def test_a_stream_that_cannot_spell_a_character_says_so_in_ascii() -> None:
    raw = io.BytesIO()
    output = Output(stdout=Ascii(raw, encoding="ascii"), stderr=io.StringIO())
    output.result("81,234 → 81,213 …")
    assert raw.getvalue() == b"81,234 \\u2192 81,213 \\u2026\n"


INSTALLED = "import sys\nfrom uscdr.ui.console import STANDARD, Output\nSTANDARD.install()\n"
WRITER = """
import sys
from uscdr.ui.console import STANDARD, Output
STANDARD.install()
output = Output()
sys.stdin.readline()
for number in range(10000):
    output.result("x" * 100)
output.warn("the work went on" if output.out.broken else "nobody noticed")
"""


def test_a_reader_who_leaves_stops_nothing_and_causes_no_traceback() -> None:
    ours, theirs = os.pipe()
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER], stdin=subprocess.PIPE, stdout=theirs, stderr=subprocess.PIPE
    )
    os.close(theirs)
    os.close(ours)
    _, err = child.communicate(b"go\n", timeout=30)
    assert child.returncode == 0
    assert err == b"the work went on\n"


def test_stdout_closed_from_the_beginning() -> None:
    program = f"{INSTALLED}o = Output(); o.result('x'); o.warn('still here'); print(o.out.absent, file=sys.stderr)"
    assert python(program, ">&-") == (0, b"", b"still here\nTrue\n")


def test_no_file_that_is_opened_later_is_taken_for_a_closed_output(tmp_path: Path) -> None:
    program = INSTALLED + f"kept = open({str(tmp_path / 'journal')!r}, 'w'); print('a word'); Output().warn('another')"
    assert python(program, ">&- 2>&- <&-") == (0, b"", b"")
    assert (tmp_path / "journal").read_text() == ""


def test_both_streams_closed() -> None:
    program = INSTALLED + "o = Output(); o.result('x'); o.say('y')"
    assert python(program, ">&- 2>&-") == (0, b"", b"")


def test_a_full_device_is_not_a_traceback() -> None:
    program = INSTALLED + "o = Output(); o.result('x'); o.warn(f'broken: {o.out.broken}'); print('more', flush=True)"
    assert python(program, ">/dev/full") == (0, b"", b"broken: True\n")


def test_a_pipe_that_somebody_made_impatient_is_waited_for() -> None:
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    arrived: list[bytes] = []

    def read() -> None:
        while piece := os.read(ours, 4096):
            arrived.append(piece)

    reader, outlet = threading.Thread(target=read), _Outlet(theirs)
    with io.BufferedWriter(outlet) as writer:
        reader.start()
        writer.write(b"x" * 1_000_000)
    os.close(theirs)
    reader.join(30)
    os.close(ours)
    assert (len(b"".join(arrived)), outlet.error) == (1_000_000, None)


@pytest.mark.parametrize("module", ["console", "text", "tables"])
def test_the_start_up_path_stays_light(module: str) -> None:
    program = f"import sys, uscdr.ui.{module}\nprint(sorted({{'rich', 'pydantic', 'httpx'}} & set(sys.modules)))"
    assert python(program)[1] == b"[]\n"


def test_a_plain_table_on_a_terminal_leaves_rich_unloaded() -> None:
    program = (
        "import sys, io\nfrom uscdr.ui.console import Output\nfrom uscdr.ui.tables import draw_table\n"
        "class T(io.StringIO):\n    def isatty(self): return True\n"
        "draw_table([{'a': 1}], Output(stdout=T()), plain=True)\nprint('rich' in sys.modules)"
    )
    assert python(program)[1] == b"False\n"


KIT_FILES = ("part", "files", "bytes", "where", "nameless")
ROWS = [
    {"name": "b118", "age": "2 h", "bytes": 34_800_000, "fresh": True, "note": None},
    {"name": "患者\x1b[31m", "age": "26 h", "bytes": 7, "fresh": False, "note": "old [bold]x[/bold]"},
]


def test_table_in_a_pipe() -> None:
    output, out, _ = outputs()
    draw_table(ROWS, output)
    assert out.getvalue().splitlines() == [
        "name          age   bytes     fresh  note",
        "b118          2 h   34800000  yes    -",
        "患者\\x1b[31m  26 h  7         no     old [bold]x[/bold]",
    ]


def test_table_on_a_terminal_has_the_same_words() -> None:
    out = Terminal()
    draw_table(ROWS, Output(stdout=out, stderr=io.StringIO(), color=False))
    text = out.getvalue()
    assert "\x1b" not in text
    for word in ("bytes", "34800000", "患者\\x1b[31m", "old [bold]x[/bold]"):
        assert word in text


COPIES = [
    {"name": f"b00{number}", "kind": "manual backup", "taken": "2026-11-29 22:16 UTC", "age": "3 h 15 min",
     "where": "platform", "grade": "encrypted columns decrypt", "remarks": "no earlier backup to compare its size with"}
    for number in (1, 2)
]  # fmt: skip


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("columns", [40, 60, 80, 120])
def test_no_table_breaks_a_word_or_is_wider_than_the_terminal(
    columns: int, plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = Terminal()
    monkeypatch.setattr(OutputStream, "width", columns)
    draw_table(COPIES, Output(stdout=out, stderr=io.StringIO(), color=False), plain=plain)
    lines, words = out.getvalue().splitlines(), out.getvalue().split()
    assert max(map(cells, lines)) <= columns
    for row in COPIES:
        for name, value in row.items():
            assert set(f"{name} {value}".split()) <= set(words), out.getvalue()


def test_table_for_machines_keeps_types_and_prints_nothing_for_nothing() -> None:
    output, out, _ = outputs(json_lines=True)
    values = ("dump", 1, 34_800_000, "x", 0), ("患者", 2, 7, "", 1)
    rows = [dict(zip(KIT_FILES, each, strict=True)) for each in values]
    show_table(Schema.KIT_FILES, rows, output)
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert told == [{"schema": "uscdr.kit-files.v1", **row} for row in rows]
    assert [next(iter(one)) for one in told] == ["schema", "schema"]
    output, out, _ = outputs(json_lines=True)
    show_table(Schema.KIT_FILES, [], output)
    assert out.getvalue() == ""


def test_an_empty_table_says_so() -> None:
    output, out, _ = outputs()
    show_table(Schema.RUN, [], output, empty="no run yet")
    assert out.getvalue() == "no run yet\n"


def test_an_error_is_four_lines() -> None:
    output, out, err = outputs()
    error = errors.LockHeld("ada holds the lock\x1b[31m", why="since 02:10 on oncall-laptop", next_action="Call ada.")
    output.error(error)
    assert out.getvalue() == ""
    assert err.getvalue().splitlines() == [
        "Error: ada holds the lock\\x1b[31m",
        "Cause: since 02:10 on oncall-laptop",
        "Next:  Call ada.",
        "Exit:  6 (locked)",
    ]


def test_an_error_of_several_lines_is_indented() -> None:
    output, _, err = outputs(quiet=True)
    output.error(errors.ConfigError("scenarios.yaml:3:7\nunknown key"))
    assert err.getvalue().splitlines()[:3] == [
        "Error: scenarios.yaml:3:7",
        "       unknown key",
        "Next:  Correct the input and run the command again. uscdr sent no request.",
    ]


@pytest.mark.parametrize("code", list(errors.ExitCode))
def test_every_exit_code_has_a_next_action(code: errors.ExitCode) -> None:
    assert NEXT[code]


def test_an_error_for_machines() -> None:
    output, out, err = outputs(json_lines=True)
    output.error(errors.OutcomeUnknown("The restore's answer was lost."))
    assert err.getvalue() == ""
    assert json.loads(out.getvalue())["error"] == {
        "kind": "OutcomeUnknown",
        "message": "The restore's answer was lost.",
        "why": "",
        "next_action": NEXT[errors.ExitCode.UNKNOWN],
        "exit_code": 5,
    }


def test_only_what_is_advised_carries_the_options_of_the_command_line() -> None:
    output, out, _ = outputs(json_lines=True)
    with CARRIED.of(["--target", "sandbox", "verify"]):
        output.error(errors.BadInput("Ann noted: uscdr verify all", next_action="Run: uscdr runs resume"))
    said = json.loads(out.getvalue())["error"]
    assert said["message"] == "Ann noted: uscdr verify all"
    assert said["next_action"] == "Run: uscdr --target sandbox runs resume"
