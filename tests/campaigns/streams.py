"""Outputs that are full, closed or left, sessions that end, environments of any kind: nothing cut is called whole."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pexpect

from .escrow import Escrow, escrow
from .kill import NOTHING_TO_RESUME, RECOVER, finish, resume
from .product import HUNG, PROGRAM, Ended, Product, journal_lines
from .scale import drawn
from .stand import Stand
from .streams_cases import (
    DONE,
    FIRST,
    INTERRUPTED,
    SEATS,
    SIGNALS,
    STOPPED,
    STREAMS,
    SURROUNDINGS,
    Printing,
    Seat,
    Session,
    printing,
)
from .tally import Tally

_DAMAGE = "drop-table"
_LIMIT = 240.0  # seconds
_LOOK = 0.01
_SHOW_CURSOR, _HIDE_CURSOR = b"\x1b[?25h", b"\x1b[?25l"


def run(stand: Stand, tally: Tally, *, count: int, seed: int) -> None:
    """Cases that are drawn; the wanted texts are what the same commands print to a healthy file."""
    safe = escrow(stand, "streams-safe")
    stand.errand("--target", "sandbox", "recover", "db", "--backup", "b001", "--dry-run")  # a run to tell of
    cases = (*printing(), *STREAMS, *SURROUNDINGS, *SIGNALS, *SEATS)
    for case in drawn(cases, count, seed):
        if not tally.goes_on():
            break
        match case:
            case Printing():
                _printed(stand, tally, safe, case)
            case Session():
                _recovered(stand, tally, case)
            case Seat():
                _seated(stand, tally, case)


@dataclass(frozen=True)
class _Shell:
    """A line of bash with the program in it, in a session of its own."""

    product: Product
    file: Path

    def start(self, line: str, arguments: list[str], env: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Its streams go to files, so that a slow harness holds nobody up."""
        self.product.state.mkdir(exist_ok=True)
        out, err = (self.file.with_suffix(name) for name in (".out", ".err"))
        with out.open("wb") as out_file, err.open("wb") as err_file:
            return subprocess.Popen(
                ["/bin/bash", "-c", line, "bash", PROGRAM, *arguments], stdin=subprocess.DEVNULL,
                stdout=out_file, stderr=err_file, env={**env, "file": str(self.file)}, cwd=self.file.parent,
                start_new_session=True,
            )  # fmt: skip

    def wait(self, process: subprocess.Popen[bytes]) -> Ended:
        """Its end, and what arrived."""
        try:
            code = process.wait(_LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            code = HUNG
        out, err = (self.file.with_suffix(name) for name in (".out", ".err"))
        texts = [path.read_text(errors="backslashreplace") for path in (out, err)]
        for path in (out, err):
            path.unlink()
        return Ended(code, *texts)


def _shell(product: Product) -> _Shell:
    return _Shell(product, product.state.with_name(f"{product.state.name}-file"))


def _environment(product: Product, env: Mapping[str, str], without: tuple[str, ...]) -> dict[str, str]:
    kept = {name: value for name, value in product.env.items() if name not in without}
    return {**kept, "USCDR_STATE_DIR": str(product.state), **env}


def _printed(stand: Stand, tally: Tally, safe: Escrow, case: Printing) -> None:
    product = stand.case("print")
    (product.state / "runs").symlink_to(stand.home / "runs")
    shell, mark = _shell(product), stand.mark()
    words = [word.replace("$KITS", str(safe.place)) for word in case.arguments.split()]
    arguments = [word.replace("$file", str(shell.file)) for word in words]
    wanted = subprocess.run(
        [PROGRAM, *arguments], env=_environment(product, {}, ()), cwd=stand.root, capture_output=True, check=False,
        stdin=subprocess.DEVNULL, text=True,
    ).stdout  # fmt: skip
    shell.file.unlink(missing_ok=True)
    ended = shell.wait(shell.start(case.line, arguments, _environment(product, case.env, case.without)))
    wrong = ended.complaints(*case.codes)
    if ended.code == DONE and '> "$file"' in case.line:
        wrong += _whole(shell.file, wanted, plain=case.plain)
    if ended.code not in (DONE, 1) and "$file" in case.arguments and shell.file.exists():
        wrong.append("a part of the file was left in its place")
    if stand.writes(mark):
        wrong.append(f"{len(stand.writes(mark))} writes in the audit")
    shell.file.unlink(missing_ok=True)
    tally.case(case.name, wrong=wrong)
    tally.leak(case.name, stand.done_with(product))


def _whole(file: Path, wanted: str, *, plain: bool) -> list[str]:
    """Whether the file has all of it; ages in it go on, so digits are not compared."""
    found = file.read_text(encoding="latin-1" if plain else "utf-8", errors="replace")
    if plain:
        encoding = "ascii" if found.isascii() else "latin-1"
        wanted = wanted.encode(encoding, "backslashreplace").decode(encoding)
    same = re.sub(r"\d+", "0", found) == re.sub(r"\d+", "0", wanted)
    return [] if same else [f"exit 0 and another text: {len(found)} characters for {len(wanted)}"]


def _recovered(stand: Stand, tally: Tally, case: Session) -> None:
    wrong = stand.damage(_DAMAGE) if case.confirmed else []
    phrase, mark, product = stand.phrase(_DAMAGE if case.confirmed else "none"), stand.mark(), stand.case("session")
    shell = _shell(product)
    arguments = [*case.more, *RECOVER, *(("--confirm", phrase) if case.confirmed else ())]
    process = shell.start(case.line, arguments, _environment(product, case.env, case.without))
    for number, records in case.signals:
        _send_at(process, product, number, records)
    ended = shell.wait(process)
    wrong += [*ended.complaints(*case.codes), *_journalled(product, ended)]
    if not case.confirmed:
        _nothing_done(stand, tally, product, mark, case.name, wrong)
        return
    wrong += _taken_up(product, ended, phrase)
    finish(stand, tally, product, mark, case.name, wrong)


def _send_at(process: subprocess.Popen[bytes], product: Product, number: int, records: int) -> None:
    before, until = journal_lines(product.state), time.monotonic() + _LIMIT
    while process.poll() is None and journal_lines(product.state) - before < records and time.monotonic() < until:
        time.sleep(_LOOK)
    for pid in _programs(process.pid):
        os.kill(pid, number)


def _programs(session: int) -> list[int]:
    """The program's own process in a session that the harness began: not its shell, not its children."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            after = path.read_text().rpartition(")")[2].split()
            line = (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(after[3]) == session and PROGRAM.encode() in line and not line.startswith(b"/bin/bash"):
            found.append(int(path.parent.name))
    return sorted(found)[:1]


def _journalled(product: Product, ended: Ended) -> list[str]:
    """The journal says how it ended, unless there was no room, or it was left at once, or nothing was begun."""
    if ended.code not in (DONE, INTERRUPTED) or "uscdr stopped at once" in ended.err:
        return []
    lines = [path.read_bytes().splitlines() for path in product.journals()]
    last = b"".join(found[-1] for found in lines if found)
    outcome = b"done" if ended.code == DONE else b"interrupted"
    if not lines or (b"run.finished" in last and outcome in last):
        return []
    said = f"the journal ends with {last[-300:].decode(errors='replace')}"
    return [said] if not _left_silently(ended) else []


def _left_silently(ended: Ended) -> bool:
    return ended.code == INTERRUPTED and not ended.err.strip()


def _taken_up(product: Product, ended: Ended, phrase: str) -> list[str]:
    """What was interrupted ends at 0; what is done says so."""
    return resume(product, phrase) if ended.code != DONE else []


def _nothing_done(stand: Stand, tally: Tally, product: Product, mark: int, name: str, wrong: list[str]) -> None:
    writes = [f"{len(stand.writes(mark))} writes without a confirmation"] if stand.writes(mark) else []
    tally.case(name, wrong=[*wrong, *writes])
    tally.leak(name, stand.done_with(product))


@dataclass
class _Chair:
    """Who sits at the terminal: reads all that comes, types, leaves."""

    child: Any
    seen: bytes = b""
    gone: bool = False

    def watch(self, due: Callable[[], bool]) -> None:
        """Read until it is due, or until the end."""
        until = time.monotonic() + _LIMIT
        while not due() and self.child.isalive() and time.monotonic() < until:
            self._read()

    def act(self, what: str) -> list[str]:
        """Do it; complaints about what the terminal looked like."""
        match what:
            case "hang up":
                self.gone = True
                os.close(self.child.child_fd)  # `close` would end the process, too
                self.child.child_fd = self.child.ptyproc.fd = -1
                self.child.closed = self.child.ptyproc.closed = True
            case "term" | "quit":
                self.child.kill(signal.SIGTERM if what == "term" else signal.SIGQUIT)
            case "end of input":
                self.child.send(b"\x04")
            case "interrupt":
                self.child.send(b"\x03")
            case "suspend":
                return self._suspend()
        return []

    def end(self) -> int:
        """Its exit code."""
        self.watch(lambda: False)
        if not self.gone:
            self._read()
            self.child.close(force=True)
        self.child.isalive()
        return self.child.exitstatus if self.child.exitstatus is not None else -int(self.child.signalstatus or HUNG)

    def _suspend(self) -> list[str]:
        self.child.send(b"\x1a")
        self.watch(lambda: STOPPED.encode() in self.seen)
        before = self.seen.partition(STOPPED.encode())[0]
        if before == self.seen:
            return ["Ctrl-Z stopped nothing"]
        hidden = before.rfind(_SHOW_CURSOR) < before.rfind(_HIDE_CURSOR)
        return ["a shell gets the terminal without a cursor"] if hidden or _HIDE_CURSOR not in before else []

    def _read(self) -> None:
        if self.gone:
            time.sleep(_LOOK)
            return
        with suppress(pexpect.TIMEOUT, pexpect.EOF):
            self.seen += self.child.read_nonblocking(65536, timeout=_LOOK)


def _seated(stand: Stand, tally: Tally, case: Seat) -> None:
    wrong = stand.damage(_DAMAGE)
    phrase, mark, product = stand.phrase(_DAMAGE), stand.mark(), stand.case("seat")
    confirmed = ("--confirm", phrase) if case.records else ()
    env = _environment(product, {"TERM": "xterm", "LANG": "C.UTF-8", "PYTHONUTF8": "1"}, ("NO_COLOR",))
    chair = _Chair(
        pexpect.spawn(
            "/bin/bash", ["-c", case.shell, PROGRAM, *RECOVER, *confirmed], env=env, cwd=str(stand.root),
            dimensions=case.size, timeout=_LIMIT, preexec_fn=_as_a_login_does,
        )
    )  # fmt: skip
    if case.records:
        chair.watch(lambda: journal_lines(product.state) >= case.records)
    else:
        _answer(chair, case.question)
    before = len(stand.writes(mark))
    wrong += chair.act(case.act)
    code = chair.end()
    ended = Ended(code, "", chair.seen.decode(errors="replace"))
    wrong += [*ended.complaints(*case.codes), *_journalled(product, ended)]
    if case.act != "hang up" and chair.seen.rfind(_SHOW_CURSOR) < chair.seen.rfind(_HIDE_CURSOR):
        wrong.append("the terminal is left without a cursor")
    if not case.records and len(stand.writes(mark)) > before:
        wrong.append("something was sent although nobody confirmed it")
    wrong += _after_seat(product, code, phrase)
    finish(stand, tally, product, mark, case.name, wrong)


def _as_a_login_does() -> None:
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP):
        signal.signal(number, signal.SIG_DFL)


def _answer(chair: _Chair, question: str) -> None:
    chair.watch(lambda: FIRST.encode() in chair.seen)
    if question != FIRST:
        chair.child.send(b"begin\r")
        chair.watch(lambda: question.encode() in chair.seen)


def _after_seat(product: Product, code: int, phrase: str) -> list[str]:
    if code == DONE:
        return []
    again = product.run("runs", "resume", "--confirm", phrase)
    if again.code == NOTHING_TO_RESUME:  # it ended before it changed anything
        again = product.run(*RECOVER, "--confirm", phrase)
    return again.complaints(DONE)
