"""The entry point: every error becomes a message and an exit code, never a traceback."""

from __future__ import annotations

import atexit
import os
import re
import resource
import signal
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from uscdr.cli import FILES
from uscdr.cli.at_end import AT_END
from uscdr.errors import BadInput, Declined, ExitCode, MachineError, UscdrError
from uscdr.ui.console import STANDARD
from uscdr.ui.pasted import CARRIED

if TYPE_CHECKING:
    from uscdr.ui.console import Output

# Makes harmless what this process inherited from its shell, terminal or scheduler.


PRIVATE = 0o077
"""The umask. Only the operator can read our files; an inherited umask might deny access even to the owner."""
DIRECTORIES = ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")
"""Directories of the user. A relative one depends on the working directory: we treat it as unset."""
OF_POSTGRES = re.compile("PG[A-Z]+|PGCONNECT_TIMEOUT")
"""Variables that PostgreSQL's client library reads: the database's address and the session's settings."""
KEPT = frozenset({"PGPASSWORD", "PGPASSFILE"})
"""Kept for the operator's own server, whose URL may have no password."""
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""Signals that by default end a process at once, without the removal of its scratch files."""

NEEDED = (signal.SIGCHLD, signal.SIGALRM)
"""If SIGCHLD is ignored, every child's exit code reads as 0; SIGALRM limits the time of a write."""


def prepare() -> None:
    """Set streams, signals, umask and limits. Signals that were ignored at the start (`nohup`) stay ignored."""
    STANDARD.install()
    os.umask(PRIVATE)
    for name in DIRECTORIES:
        if not os.path.isabs(os.environ.get(name, "/")):  # noqa: PTH117 - a text, perhaps empty
            del os.environ[name]
    _let_addresses_decide()
    _allow_files()
    for number in NEEDED:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (*NEEDED, *ENDING))
    for number in ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)  # as Ctrl-C: clean up and say so


def _let_addresses_decide() -> None:
    """Only URLs say where a database is: PGHOSTADDR would send our connections and passwords to another server."""
    for name in [one for one in os.environ if OF_POSTGRES.fullmatch(one) and one not in KEPT]:
        del os.environ[name]


def _allow_files() -> None:
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


LONGEST_ARGUMENT = 4096
"""Characters. No valid phrase, path or name is longer."""

TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that change the direction of the text after them; the parser's messages would print them."""
EMPTY_OPTION = re.compile(r"--[a-z-]+=")


COMPLETE = "_USCDR_COMPLETE"
"""Set by the shell's completion: then the arguments are an unfinished command line, and nothing is run."""


def main() -> None:
    """The console script. A success becomes a failure if its output could not be written."""
    prepare()
    _no_tracebacks()
    arguments = sys.argv[1:]
    if os.environ.get(COMPLETE):
        _complete(arguments)
    try:
        code = _delivered(run(arguments), arguments)
    except KeyboardInterrupt:  # do not wait for a reader that does not read
        STANDARD.drop()
        code = int(ExitCode.INTERRUPTED)
    _report(code, arguments)
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)  # only the interpreter's shutdown is left
    _leave(code)


def _leave(code: int) -> NoReturn:
    """End this process. Where no thread holds up its end, skip taking apart every module: that takes up to a second."""
    if any(not one.daemon for one in threading.enumerate() if one is not threading.main_thread()):
        sys.exit(code)
    atexit._run_exitfuncs()  # noqa: SLF001 - what `sys.exit` would call first
    os._exit(code)


def _complete(words: Sequence[str]) -> NoReturn:
    """Print what may stand at the end of the words, one a line with its description, and say nothing else."""
    try:
        from uscdr.cli.app import program
        from uscdr.cli.completing import completions

        found = completions(program(), words)
        sys.stdout.write("".join(f"{one}\t{said}\n" for one, said in found))
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt):  # noqa: BLE001 - the boundary: a shell is told nothing but words
        STANDARD.drop()
    _leave(int(ExitCode.DONE))


def _delivered(code: int, arguments: Sequence[str]) -> int:
    """The exit code, after both outputs are flushed."""
    lost = STANDARD.unwritten()
    if lost is None:
        return code
    return _tell(lost, arguments) if code == ExitCode.DONE else _add(lost, code, arguments)


def _report(code: int, arguments: Sequence[str]) -> None:
    """Tell monitoring the exit code, which no failure and no Ctrl-C changes any more."""
    for tell in AT_END:
        try:
            tell(code)
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the boundary: the command has ended
            _add(_in_words(error), code, arguments)


def _no_tracebacks() -> None:
    """A thread that failed, for example when Ctrl-C closed its connection, prints nothing.

    The code that waits for its result reports the failure. The text of an error may hold secrets.
    """
    threading.excepthook = lambda _: None
    sys.unraisablehook = lambda _: None


def run(arguments: Sequence[str]) -> int:
    """Run one command line; return its exit code."""
    with CARRIED.of(arguments):
        return _run(arguments)


def _run(arguments: Sequence[str]) -> int:
    try:
        _refuse_unreadable(arguments)
        match list(arguments):
            case ["--version" | "-V" | "version"]:
                return _print_version()
            case ["runs", "list"]:
                return _list_runs()
            case _:
                return _dispatch(arguments)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the boundary: every failure becomes a message
        return _tell(_in_words(error), arguments)


def _list_runs() -> int:
    """List the runs without the parser: for a machine that struggles."""
    from uscdr.commands.runs import show_runs
    from uscdr.ui.console import Output

    show_runs(Output())
    return int(ExitCode.DONE)


def _in_words(error: BaseException) -> UscdrError:
    match error:
        case UscdrError():
            return error
        case KeyboardInterrupt():
            return _interrupted()
        case OSError():
            return _machine(error)
        case EOFError():
            return Declined("The input ended before the answer.", next_action="Repeat the command at a terminal.")
        case MemoryError():
            return MachineError(
                "This machine ran out of memory.", next_action="Stop other programs, then: uscdr runs list"
            )
        case _:
            return _defect(error)


def _refuse_unreadable(arguments: Sequence[str]) -> None:
    """Refuse empty, very long and unprintable arguments before they get into journals. Raises BadInput."""
    for number, text in enumerate(arguments, start=1):
        if not text or EMPTY_OPTION.fullmatch(text):
            before = text or (arguments[number - 2] if number > 1 else "")
            raise BadInput(
                f"Argument {number} is empty" + (f", at {before.rstrip('=')}." if before.startswith("--") else "."),
                why="An empty path would mean this directory, and an empty name the default.",
                next_action="Check that every shell variable on the command line is set, then repeat the command.",
            )
        if len(text) > LONGEST_ARGUMENT:
            raise BadInput(f"Argument {number} has {len(text):,} characters; the limit is {LONGEST_ARGUMENT:,}.")
        if not text.isprintable() and any("\ud800" <= character <= "\udfff" for character in text):
            raise BadInput(f"Argument {number} is not valid UTF-8.")
        if any(character in TURNING for character in text):
            raise BadInput(f"Argument {number} contains characters that change the direction of text.")


def _dispatch(arguments: Sequence[str]) -> int:
    import typer

    from uscdr.cli.app import program

    root = program()
    try:
        with root.make_context("uscdr", list(arguments)) as context:
            root.invoke(context)
    except (typer.Exit, typer.Abort, SystemExit) as leaving:
        return _code_of(leaving)
    return int(ExitCode.DONE)


def _code_of(leaving: BaseException) -> int:
    code = getattr(leaving, "exit_code", getattr(leaving, "code", ExitCode.CHECK_FAILED))
    return int(code) if isinstance(code, int) else int(ExitCode.DONE)


def _print_version() -> int:
    from uscdr import __version__

    sys.stdout.write(f"uscdr {__version__}\n")
    return int(ExitCode.DONE)


def _tell(error: UscdrError, arguments: Sequence[str]) -> int:
    _output(arguments).error(error)
    return int(error.exit_code)


def _add(error: UscdrError, code: int, arguments: Sequence[str]) -> int:
    """Warn of the second error; the exit code stays."""
    _output(arguments).warn(f"{error.message} {error.why}")
    return code


def _output(arguments: Sequence[str]) -> Output:
    """The output for an error: the command line may be one that the parser refused."""
    from uscdr.ui.console import Output

    if not {"--json", "--no-color"} & set(arguments):
        return Output()
    from uscdr.cli.app import program
    from uscdr.cli.global_options import gives

    root = program()
    return Output(
        json_lines=gives(arguments, "--json", root), color=False if gives(arguments, "--no-color", root) else None
    )


def _interrupted() -> UscdrError:
    from uscdr.errors import Interrupted

    return Interrupted("Interrupted.", next_action="If a recovery was running: uscdr runs resume")


def _machine(error: OSError) -> UscdrError:
    if not error.filename and _is_nowhere():
        return MachineError(
            "The working directory no longer exists.",
            next_action="Run cd ~, then repeat the command with absolute paths.",
        )
    where = f" ({error.filename})" if error.filename else ""
    return MachineError(
        f"This machine failed: {error.strerror or type(error).__name__}{where}.",
        next_action="Fix that (disk space, permissions), then repeat the command. To continue a run: uscdr runs resume",
    )


def _is_nowhere() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - only whether it exists
    except OSError:
        return True
    return False


def _defect(error: BaseException) -> UscdrError:
    """Type, file and line only: the text of an unexpected error may hold secrets."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}" if trace else "?"
    return UscdrError(
        f"uscdr failed with an internal error: {type(error).__name__} at {where}.",
        why="This is a bug in uscdr; what the command changed is not known.",
        next_action="See the state of the run: uscdr runs show. For the manual steps: uscdr runbook db",
    )
