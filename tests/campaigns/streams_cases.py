"""What a shell, a terminal, a scheduler and a machine may do to a command's streams and session."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field

DONE, FAILED, DECLINED, INTERRUPTED = 0, 3, 4, 130
FIRST, STOPPED = "begin / stop", "a shell again"
LOCALE_BOUND = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@dataclass(frozen=True)
class Printing:
    """A command that only prints: what arrived is whole, or it did not end with 0."""

    name: str
    arguments: str
    line: str
    """Of a shell; `"$@"` is the command, `$file` what it may write."""
    codes: tuple[int, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    plain: bool = False
    """Whether the wanted text is compared as ASCII with escapes."""


@dataclass(frozen=True)
class Session:
    """A recovery of the database in surroundings that a person did not choose."""

    name: str
    line: str = '"$@"'
    codes: tuple[int, ...] = (DONE,)
    env: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    """Options before the command."""
    signals: tuple[tuple[int, int], ...] = ()
    """Each is sent to the program alone when the journal has so many records more."""
    confirmed: bool = True


@dataclass(frozen=True)
class Seat:
    """A recovery at a terminal, and what happens to that."""

    name: str
    act: str
    codes: tuple[int, ...]
    records: int = 0
    """When it happens: so many records in the journal; 0: at the question."""
    question: str = "ype exactly"
    """What it shows; the one before it is answered. Confirmed by option when it happens at a record."""
    shell: str = 'exec "$0" "$@"'
    size: tuple[int, int] = (24, 80)


FULL = (
    ("the runbook", "runbook"),
    ("the runbook, JSON", "--json runbook"),
    ("help", "recover --help"),
    ("the version", "--version"),
    ("the checks, JSON", "verify --list --json"),
    ("runs", "runs list"),
    ("a report", "runs report"),
    ("a report, JSON", "runs report --json"),
    ("a card", "kit card --html --to $KITS"),
    ("a card, JSON", "kit card --json --to $KITS"),
    ("kinds of faults", "sandbox fault kinds"),
)


def printing() -> list[Printing]:
    """Every command that prints on a full device, most on a full disk; closed outputs; encodings."""
    cases = [Printing(f"{name} > /dev/full", command, '"$@" > /dev/full', (FAILED,)) for name, command in FULL]
    cases += [
        Printing(f"{name} on a full disk", command, 'ulimit -f 1; "$@" > "$file"', (DONE, FAILED))
        for name, command in FULL
        if name not in ("the version", "runs", "kinds of faults")
    ]
    cases += [
        Printing(
            "a result file on a full disk",
            "--target sandbox verify --check tls --junit $file",
            'ulimit -f 1; "$@"',
            (1, 2, FAILED),
        ),
        Printing("the runbook >&-", "runbook", '"$@" >&-', (FAILED,)),
        Printing("the runbook 2>&- <&-", "runbook", '"$@" 2>&- <&- > "$file"', (DONE,)),
        Printing(
            "the runbook | head", "runbook", '"$@" | head -n 1 > /dev/null; exit ${PIPESTATUS[0]}', (DONE, FAILED)
        ),
        Printing("help | true", "--help", '"$@" | true; exit ${PIPESTATUS[0]}', (DONE, FAILED)),
    ]
    spelled = (
        ("ascii", {"PYTHONIOENCODING": "ascii"}),
        ("latin-1", {"PYTHONIOENCODING": "latin-1"}),
        ("C, no UTF-8 mode", {"LC_ALL": "C", **LOCALE_BOUND}),
    )
    cases += [
        Printing(f"the runbook in {name}", "runbook", '"$@" > "$file"', (DONE,), env, plain=True)
        for name, env in spelled
    ]
    homes: tuple[tuple[str, dict[str, str]], ...] = (
        ("no HOME", {}),
        ("HOME empty", {"HOME": ""}),
        ("HOME relative", {"HOME": "a/home"}),
    )
    cases += [
        Printing(f"the runbook, {name}", "runbook", '"$@" > "$file"', (DONE,), env, ("HOME",)) for name, env in homes
    ]
    return cases


STREAMS = (
    Session("stdout closed", '"$@" >&-'),
    Session("stderr closed", '"$@" 2>&-'),
    Session("all closed", '"$@" >&- 2>&- <&-'),
    Session("all closed, JSON", '"$@" >&- 2>&- <&-', more=("--json",), codes=(DONE, FAILED)),
    Session("stdout full", '"$@" > /dev/full', (FAILED,)),
    Session("stderr full", '"$@" 2> /dev/full', (FAILED,)),
    Session("both full", '"$@" > /dev/full 2>&1', (FAILED,)),
    Session("stdout full, JSON", '"$@" > /dev/full', (FAILED,), more=("--json",)),
    Session("| head, JSON", '"$@" | head -n 1 > /dev/null; exit ${PIPESTATUS[0]}', more=("--json",)),
    Session("2>&1 | head", '"$@" 2>&1 | head -n 3 > /dev/null; exit ${PIPESTATUS[0]}'),
    Session("nohup", 'nohup "$@" > /dev/null 2>&1', signals=((signal.SIGHUP, 8), (signal.SIGHUP, 16))),
    Session("no answer: stdin closed", '"$@" <&-', (DECLINED,), confirmed=False),
    Session("no answer: all closed", '"$@" <&- >&- 2>&-', (DECLINED,), confirmed=False),
    Session("no answer: stdin full", '"$@" < /dev/full', (DECLINED,), confirmed=False),
    Session("no answer: stdin cannot be read", '"$@" 0> /dev/null', (DECLINED,), confirmed=False),
)
SURROUNDINGS = (
    Session("no HOME", without=("HOME",)),
    Session("HOME is no directory", env={"HOME": "/dev/null"}),
    Session("HOME relative", env={"HOME": "home"}),
    Session("an empty PATH", env={"PATH": ""}),
    Session("TZ is a password file", env={"TZ": ":/etc/passwd"}),
    Session("TZ far away", env={"TZ": "Pacific/Kiritimati"}),
    Session("TZ is nonsense", env={"TZ": "x/../../y\U0001f600"}),
    Session("C, no UTF-8 mode", env={"LC_ALL": "C", "LANG": "C", **LOCALE_BOUND}),
    Session("a locale that is missing", env={"LC_ALL": "xx_YY.KOI8-R", **LOCALE_BOUND}),
    Session("Turkish", env={"LC_ALL": "tr_TR.UTF-8", "LANGUAGE": "tr"}),
    Session("an ASCII terminal", env={"PYTHONIOENCODING": "ascii"}, more=("--verbose",)),
    Session("no TERM, COLUMNS=0", env={"COLUMNS": "0", "LINES": "-5"}, without=("TERM",)),
    Session("TMPDIR is missing", env={"TMPDIR": "/nowhere", "TEMP": "/nowhere", "TMP": "/nowhere"}),
    Session("umask 000", 'umask 000; "$@"'),
    Session("umask 777", 'umask 777; "$@"'),
    Session("few open files", 'ulimit -S -n 40; "$@"'),
    Session("hardly any open files", 'ulimit -n 24; "$@"', (DONE, FAILED, 5)),
    Session("the directory is gone", 'mkdir gone && cd gone && rmdir "$PWD"; "$@"'),
    Session("files of 8 kB at most", 'ulimit -f 8; "$@"', (FAILED,)),
    Session("files of 64 kB at most", 'ulimit -f 64; "$@"', (FAILED, DONE)),
)
SIGNALS = (
    Session("SIGHUP", codes=(INTERRUPTED,), signals=((signal.SIGHUP, 9),)),
    Session("SIGHUP early", codes=(INTERRUPTED,), signals=((signal.SIGHUP, 2),)),
    Session("SIGHUP late", codes=(INTERRUPTED, DONE), signals=((signal.SIGHUP, 30),)),
    Session(
        "SIGHUP, nobody listens", '"$@" | true; exit ${PIPESTATUS[0]}', (INTERRUPTED,), signals=((signal.SIGHUP, 12),)
    ),
    Session("SIGTERM", codes=(INTERRUPTED,), signals=((signal.SIGTERM, 10),)),
    Session("SIGTERM twice", codes=(INTERRUPTED,), signals=((signal.SIGTERM, 11), (signal.SIGTERM, 0))),
    Session("SIGQUIT", codes=(INTERRUPTED,), signals=((signal.SIGQUIT, 10),)),
    Session("SIGQUIT twice", codes=(INTERRUPTED,), signals=((signal.SIGQUIT, 12), (signal.SIGQUIT, 0))),
    Session("SIGINT twice", codes=(INTERRUPTED,), signals=((signal.SIGINT, 13), (signal.SIGINT, 0))),
    Session(
        "SIGINT twice, all closed",
        '"$@" >&- 2>&- <&-',
        (INTERRUPTED,),
        signals=((signal.SIGINT, 15), (signal.SIGINT, 0)),
    ),
    Session("SIGPIPE", signals=((signal.SIGPIPE, 8),)),
)
SEATS = (
    Seat("the terminal hangs up", "hang up", (INTERRUPTED,), 9),
    Seat("the terminal hangs up late", "hang up", (INTERRUPTED, DONE), 20),
    Seat("the terminal hangs up and is outlived", "hang up", (DONE,), 9, shell='trap \'\' HUP; exec "$0" "$@"'),
    Seat("the terminal hangs up at the phrase", "hang up", (INTERRUPTED, DECLINED)),
    Seat("the terminal hangs up at the first question", "hang up", (INTERRUPTED, DECLINED), question=FIRST),
    Seat("SIGTERM at the phrase", "term", (INTERRUPTED,)),
    Seat("SIGQUIT at the first question", "quit", (INTERRUPTED,), question=FIRST),
    Seat("the end of input at the phrase", "end of input", (DECLINED,)),
    Seat("the end of input at the first question", "end of input", (DECLINED,), question=FIRST),
    Seat("Ctrl-Z and fg", "suspend", (DONE,), 9, shell=f'set -m; "$0" "$@"; echo "{STOPPED}"; fg > /dev/null'),
    Seat("Ctrl-C", "interrupt", (INTERRUPTED,), 9),
    Seat("a terminal of one column", "nothing", (DONE,), 3, size=(1, 1)),
    Seat("a terminal without a size", "nothing", (DONE,), 3, size=(0, 0)),
)
