"""Questions on a real terminal: nothing is ever answered by default."""

from __future__ import annotations

import errno
import io
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from uscdr.errors import Declined, ExitCode
from uscdr.ui.console import Output
from uscdr.ui.prompts import Prompter, _Interrupts, _own_interrupts

PHRASE = "destroy 81234 rows of curved for b118"
PYTHON = ("-c", 'exec "$0" "$@"', sys.executable)
"""This interpreter through the shell: pexpect misjudges what an unprivileged user may execute."""
ASKER = f"""
import signal, sys
from uscdr.errors import UscdrError
from uscdr.ui.console import Output
from uscdr.ui.prompts import Prompter
signal.signal(signal.SIGINT, lambda *_: None)  # as a run that drains
prompter = Prompter(Output())
try:
    match sys.argv[1]:
        case "confirm":
            print("ANSWER", prompter.confirm_phrase({{"rows": "81,234", "age": "2 h"}}, {PHRASE!r}))
        case "choose":
            print("ANSWER", prompter.choose("What became of it?", ("adopt", "redo", "abort")))
        case "ask":
            print("ANSWER", prompter.ask("What did you see?"))
except UscdrError as error:
    print("ERROR", type(error).__name__, int(error.exit_code))
"""


@pytest.fixture
def asked(request: pytest.FixtureRequest) -> Iterator[pexpect.spawn]:
    env = {"TERM": "xterm", "PYTHONUTF8": "1", "PATH": "/usr/bin:/bin"}
    child = pexpect.spawn("/bin/sh", [*PYTHON, "-c", ASKER, request.param], timeout=20, env=env)
    child.expect("> ")
    yield child
    child.close(force=True)


@pytest.mark.parametrize("asked", ["confirm"], indirect=True)
def test_the_phrase_confirms(asked: pexpect.spawn) -> None:
    assert b"81,234" in asked.before
    asked.sendline(PHRASE)
    asked.expect("ANSWER True")


@pytest.mark.parametrize("asked", ["confirm"], indirect=True)
def test_a_second_try_is_allowed(asked: pexpect.spawn) -> None:
    asked.sendline("yes")
    asked.expect("2 more tries")
    asked.expect("> ")
    asked.sendline(PHRASE)
    asked.expect("ANSWER True")


@pytest.mark.parametrize("asked", ["confirm"], indirect=True)
@pytest.mark.parametrize("wrong", ["y", PHRASE.upper(), PHRASE + ".", "\xff"])
def test_three_wrong_phrases_are_a_no(asked: pexpect.spawn, wrong: str) -> None:
    for _ in range(2):
        asked.sendline(wrong.encode("latin-1"))
        asked.expect("not the phrase")
        asked.expect("> ")
    asked.sendline(wrong.encode("latin-1"))
    asked.expect("Nothing was confirmed")
    asked.expect("ANSWER False")


@pytest.mark.parametrize("asked", ["confirm"], indirect=True)
@pytest.mark.parametrize("line", ["", "   "])
def test_an_empty_line_is_a_no(asked: pexpect.spawn, line: str) -> None:
    asked.sendline(line)
    asked.expect("ANSWER False")


@pytest.mark.parametrize("asked", ["confirm"], indirect=True)
def test_the_end_of_input_is_a_no(asked: pexpect.spawn) -> None:
    asked.sendeof()
    asked.expect("ANSWER False")


@pytest.mark.parametrize("asked", ["confirm", "choose", "ask"], indirect=True)
def test_ctrl_c_interrupts_even_a_process_that_drains(asked: pexpect.spawn) -> None:
    asked.sendintr()
    asked.expect("ERROR Interrupted 130")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
@pytest.mark.parametrize("asked", ["confirm"], indirect=True)
def test_what_ends_a_process_is_not_left_waiting_for_an_answer(asked: pexpect.spawn, number: int) -> None:
    asked.kill(number)
    asked.expect("ERROR Interrupted 130")


def hang_up(went_on: list[str]) -> None:
    try:
        signal.raise_signal(signal.SIGHUP)
    finally:
        signal.raise_signal(signal.SIGHUP)
        went_on.append("to the end")


def test_a_terminal_that_hangs_up_interrupts_a_question_once_though_it_tells_twice() -> None:
    before, went_on = signal.getsignal(signal.SIGHUP), list[str]()
    with pytest.raises(KeyboardInterrupt), _own_interrupts() as interrupts:
        interrupts.within(lambda: hang_up(went_on))
    assert went_on
    assert signal.getsignal(signal.SIGHUP) is before


def too_early(interrupts: _Interrupts, asked: list[str]) -> None:
    signal.raise_signal(signal.SIGHUP)
    interrupts.within(lambda: asked.append("asked"))


def test_a_signal_before_a_question_ends_it_and_one_after_it_goes_to_whom_it_went_before() -> None:
    told, asked = list[int](), list[str]()
    before = signal.signal(signal.SIGHUP, lambda number, _: told.append(number))
    try:
        with pytest.raises(KeyboardInterrupt), _own_interrupts() as interrupts:
            too_early(interrupts, asked)
        assert (told, asked) == ([], [])
        with _own_interrupts() as interrupts:
            interrupts.within(lambda: asked.append("asked"))
            signal.raise_signal(signal.SIGHUP)
            assert told == []
        assert (told, asked) == ([signal.SIGHUP], ["asked"])
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("asked", ["choose"], indirect=True)
def test_a_choice_is_typed_in_full(asked: pexpect.spawn) -> None:
    for answer in ("", "a"):
        asked.sendline(answer)
        asked.expect("Type one of: adopt, redo, abort")
        asked.expect("> ")
    asked.sendline("redo")
    asked.expect("ANSWER redo")


@pytest.mark.parametrize("asked", ["choose", "ask"], indirect=True)
def test_no_answer_declines(asked: pexpect.spawn) -> None:
    asked.sendeof()
    asked.expect("ERROR Declined 4")


@pytest.mark.parametrize("asked", ["ask"], indirect=True)
def test_a_line_of_text(asked: pexpect.spawn) -> None:
    asked.sendline("")
    asked.expect("> ")
    asked.sendline("  the login page  ")
    asked.expect("ANSWER the login page\r")


def test_keys_struck_before_the_question_do_not_answer_it() -> None:
    waits = "import select; print('READY', flush=True); select.select([0], [], [])\ntry:\n"
    program = ASKER.replace("try:\n", waits, 1)
    env = {"TERM": "xterm", "PYTHONUTF8": "1"}
    child = pexpect.spawn("/bin/sh", [*PYTHON, "-c", program, "confirm"], timeout=20, env=env)
    try:
        child.expect("READY")
        child.sendline("")
        child.expect("type exactly")
        child.expect("> ")
        child.sendline(PHRASE)
        child.expect("ANSWER True")
    finally:
        child.close(force=True)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_that_hangs_up_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    def hung_up() -> str:
        raise OSError(errno.EIO, "hung up")

    stdin = Terminal()
    monkeypatch.setattr(stdin, "readline", hung_up)
    prompter = Prompter(Output(stdout=io.StringIO(), stderr=Terminal()), stdin=stdin)
    assert prompter.interactive
    assert prompter.confirm_phrase({"rows": "1"}, PHRASE) is False
    with pytest.raises(Declined):
        prompter.choose("What became of it?", ("adopt", "redo", "abort"))


def test_without_a_terminal_the_phrase_and_the_way_to_pass_it_are_told() -> None:
    prompter = Prompter(Output(stdout=io.StringIO(), stderr=io.StringIO()), stdin=io.StringIO(f"{PHRASE}\n"))
    assert not prompter.interactive
    with pytest.raises(Declined) as caught:
        prompter.confirm_phrase({"rows": "1"}, PHRASE)
    assert caught.value.exit_code is ExitCode.DECLINED
    assert f"--confirm '{PHRASE}'" in caught.value.next_action
    with pytest.raises(Declined):
        prompter.choose("What became of it?", ("adopt", "redo", "abort"))
    with pytest.raises(Declined):
        prompter.ask("What did you see?")


LEFT, UP, HOME = "\x1b[D", "\x1b[A", "\x01"


@pytest.mark.parametrize("asked", ["confirm"], indirect=True)
def test_arrow_keys_edit_the_line(asked: pexpect.spawn) -> None:
    asked.send(f"{PHRASE[:-2]}8{LEFT}{PHRASE[-2]}{HOME}")
    asked.send("\r")
    asked.expect("ANSWER True")


@pytest.mark.parametrize("asked", ["confirm"], indirect=True)
def test_an_arrow_key_offers_no_earlier_answer(asked: pexpect.spawn) -> None:
    asked.sendline(PHRASE + " now")
    asked.expect("must be the last word")
    asked.expect("> ")
    asked.send(f"{UP}\r")
    asked.expect("ANSWER False")


@pytest.mark.parametrize("asked", ["confirm"], indirect=True)
def test_a_paste_with_a_line_break_is_text_until_enter(asked: pexpect.spawn) -> None:
    before, after = PHRASE.split(" for ")
    asked.send(f"\x1b[200~{before}\nfor {after}\x1b[201~")
    asked.send("\r")
    asked.expect("ANSWER True")


ENV = {"TERM": "xterm", "PYTHONUTF8": "1", "PATH": "/usr/bin:/bin"}


def test_ctrl_z_gives_the_terminal_back_and_the_line_is_there_again() -> None:
    script = 'set -m; "$0" "$@"; stty -a; echo STOPPED; fg; echo END'
    shell = pexpect.spawn("/bin/bash", ["-c", script, sys.executable, "-c", ASKER, "confirm"], timeout=60, env=ENV)
    shell.expect("> ")
    shell.send(PHRASE[:-1])
    shell.expect_exact(PHRASE[:-1])
    shell.send("\x1a")
    shell.expect("STOPPED")
    modes = shell.before.decode().split()
    assert {"icanon", "echo"} <= {one.rstrip(";") for one in modes}
    shell.expect_exact(f"> {PHRASE[:-1]}")
    shell.send(f"{PHRASE[-1]}\r")
    shell.expect("ANSWER True")
    shell.expect("END")
    shell.close()


@pytest.mark.parametrize("question", ["confirm", "choose", "ask"])
@pytest.mark.parametrize("ends", [b"\x03", b"\x04", b"\x1c"])
def test_the_terminal_has_its_modes_again_after_a_question(question: str, ends: bytes) -> None:
    script = 'trap : INT QUIT; stty -g; "$0" "$@"; stty -g; echo END'
    shell = pexpect.spawn("/bin/sh", ["-c", script, sys.executable, "-c", ASKER, question], timeout=60, env=ENV)
    shell.expect("> ")
    before = shell.before.split()[0]
    shell.send(ends)
    shell.expect("END")
    assert shell.before.split()[-1] == before
    shell.close()


def test_with_stdout_elsewhere_a_question_is_read_as_it_is_typed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["-c", f'"$0" "$@" >{out}', sys.executable, "-c", ASKER, "confirm"]
    child = pexpect.spawn("/bin/sh", words, timeout=20, env=ENV)
    child.expect("> ")
    child.sendline(PHRASE)
    child.expect(pexpect.EOF)
    assert out.read_text() == "ANSWER True\n"
