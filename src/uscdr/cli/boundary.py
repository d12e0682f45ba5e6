"""The edge of the program: every error becomes a message and an exit code, never a traceback."""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections.abc import Sequence

from uscdr.cli.process import ENDING, prepare
from uscdr.errors import BadInput, ExitCode, MachineError, UscdrError
from uscdr.ui import outlets

LONGEST_ARGUMENT = 4096
"""Characters; no phrase, path or name that means anything here is longer."""

TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""What follows one of these is not read as it stands; the parser's own messages would show it."""
EMPTY_OPTION = re.compile(r"--[a-z-]+=")


def main() -> None:
    """The console script. What was to be written and was not makes a success a failure."""
    prepare()
    _no_tracebacks()
    arguments = sys.argv[1:]
    try:
        code = _delivered(run(arguments), arguments)
    except KeyboardInterrupt:  # a reader who does not read is waited for no longer
        outlets.drop()
        code = int(ExitCode.INTERRUPTED)
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)  # what is left is the interpreter's own end
    sys.exit(code)


def _delivered(code: int, arguments: Sequence[str]) -> int:
    """The exit code, once both outputs took what they take."""
    lost = outlets.unwritten()
    if lost is None:
        return code
    return _tell(lost, arguments) if code == ExitCode.DONE else _add(lost, code, arguments)


def _no_tracebacks() -> None:
    """A thread that fell, as when Ctrl-C took its connection away, writes nothing into the screen.

    Whoever waits for its result misses it, and says so. The text of an error may hold anything.
    """
    threading.excepthook = lambda _: None
    sys.unraisablehook = lambda _: None


def run(arguments: Sequence[str]) -> int:
    """One call; its exit code."""
    try:
        _refuse_unreadable(arguments)
        match list(arguments):
            case ["--version"]:
                return _print_version()
            case ["runs", "list"]:
                return _list_runs()
            case _:
                return _dispatch(arguments)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the boundary: a person gets words, whatever happened
        return _tell(_in_words(error), arguments)


def _list_runs() -> int:
    """The list of runs without options: the parser alone would take most of the time."""
    from uscdr.cli.listing import show_runs
    from uscdr.ui.console import Output

    output = Output()
    if os.environ.get("USCDR_SHARED"):
        from uscdr.cli.conduct import look_around

        look_around(output)
    show_runs(output)
    return int(ExitCode.DONE)


def _in_words(error: BaseException) -> UscdrError:
    match error:
        case UscdrError():
            return error
        case KeyboardInterrupt():
            return _interrupted()
        case OSError():
            return _machine(error)
        case MemoryError():
            return MachineError(
                "This machine has no memory left.", next_action="End other programs, then: uscdr runs list"
            )
        case _:
            return _defect(error)


def _refuse_unreadable(arguments: Sequence[str]) -> None:
    """What no person can have meant is not repeated in journals and messages either. Raises BadInput."""
    for number, text in enumerate(arguments, start=1):
        if not text or EMPTY_OPTION.fullmatch(text):
            before = text or (arguments[number - 2] if number > 1 else "")
            raise BadInput(
                f"Argument {number} is empty" + (f", at {before.rstrip('=')}." if before.startswith("--") else "."),
                why="an empty path would mean this directory, an empty name the default",
                next_action="Is a variable of the shell not set?",
            )
        if len(text) > LONGEST_ARGUMENT:
            raise BadInput(f"Argument {number} is {len(text):,} characters long; {LONGEST_ARGUMENT:,} is the most.")
        if not text.isprintable() and any("\ud800" <= character <= "\udfff" for character in text):
            raise BadInput(f"Argument {number} is not text in UTF-8.")
        if any(character in TURNING for character in text):
            raise BadInput(f"Argument {number} holds characters that turn the direction of text around.")


def _dispatch(arguments: Sequence[str]) -> int:
    from uscdr.cli.app import load

    try:
        code = load(arguments)(args=list(arguments), prog_name="uscdr", standalone_mode=True)
    except SystemExit as leaving:
        _uncover(leaving)
        code = leaving.code
    return code if isinstance(code, int) else 0


def _uncover(leaving: SystemExit) -> None:
    """Raise what Typer made an exit of its own, without a word or with a code that means something else here."""
    error = leaving.__context__
    while error is not None:
        if isinstance(error, KeyboardInterrupt | BrokenPipeError):
            raise error
        error = error.__cause__ or error.__context__


def _print_version() -> int:
    from uscdr import __version__

    sys.stdout.write(f"uscdr {__version__}\n")
    return int(ExitCode.DONE)


def _tell(error: UscdrError, arguments: Sequence[str]) -> int:
    from uscdr.ui.console import Output
    from uscdr.ui.errors import render_error

    render_error(error, Output(json_lines="--json" in arguments, color=False if "--no-color" in arguments else None))
    return int(error.exit_code)


def _add(error: UscdrError, code: int, arguments: Sequence[str]) -> int:
    """The exit code stays what it is; that something beside it went wrong is said."""
    from uscdr.ui.console import Output

    Output(json_lines="--json" in arguments).warn(f"{error.message} {error.why}")
    return code


def _interrupted() -> UscdrError:
    from uscdr.errors import Interrupted

    return Interrupted("Interrupted.", next_action="If a recovery was under way: uscdr runs resume")


def _machine(error: OSError) -> UscdrError:
    if not error.filename and _is_nowhere():
        return MachineError(
            "The directory that this command was given in is gone.",
            next_action="cd ~, then give the command again, with paths that begin with /",
        )
    where = f" ({error.filename})" if error.filename else ""
    return MachineError(
        f"This machine failed: {error.strerror or type(error).__name__}{where}.",
        next_action="Mend that (room, permissions), then give the command again; a run goes on with: uscdr runs resume",
    )


def _is_nowhere() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - nothing but whether there is one
    except OSError:
        return True
    return False


def _defect(error: BaseException) -> UscdrError:
    """Type and place only: the text of an unforeseen error may hold anything."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}" if trace else "?"
    return UscdrError(
        f"A defect in uscdr: {type(error).__name__} at {place}.",
        why="This should not happen; nothing is claimed about what was done.",
        next_action="See where the run stands: uscdr runs show. The runbook by hand: uscdr runbook db",
    )
