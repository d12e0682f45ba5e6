"""The edge of the program: every error becomes a message and an exit code, never a traceback."""

from __future__ import annotations

import gc
import os
import re
import resource
import signal
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from uscdr.cli.options import GlobalOptions
from uscdr.errors import BadInput, ExitCode, MachineError, UscdrError
from uscdr.ui.console import STANDARD

# This process before it does anything: what it inherited from a shell, a terminal or a scheduler is made harmless.


PRIVATE = 0o077
"""All that we make is the operator's alone; a mask that takes the owner's own rights away would lock us out too."""
FILES = 1024
"""Open files and connections that a recovery may need at once."""
PLACES = ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")
"""Directories of the user. One that is not absolute would be another in each directory: as if it were not set."""
OF_POSTGRES = re.compile("PG[A-Z]+|PGCONNECT_TIMEOUT")
"""What PostgreSQL's client library takes from the environment: where a database is, and how a session begins."""
KEPT = frozenset({"PGPASSWORD", "PGPASSFILE"})
"""For the server of an operator's own whose URL names no password."""
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""What ends a process at once, with its scratch files left behind, unless somebody sees to it."""

SELDOM = (100_000, 20, 20)
"""What is imported stays: to look through it for garbage as often as usual takes a tenth of a short command's time."""

NEEDED = (signal.SIGCHLD, signal.SIGALRM)
"""Where the first is ignored, the exit code of every child is lost and reads as 0; the second guards what is sent."""


def prepare() -> None:
    """Streams, signals, mask and limits. What was to be ignored from the beginning (`nohup`) stays ignored."""
    STANDARD.install()
    gc.set_threshold(*SELDOM)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")  # looked for in all that is installed; none is ours
    os.umask(PRIVATE)
    for name in PLACES:
        if not os.path.isabs(os.environ.get(name, "/")):  # noqa: PTH117 - a text, perhaps empty
            del os.environ[name]
    _let_addresses_decide()
    _allow_files()
    for number in NEEDED:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (*NEEDED, *ENDING))
    for number in ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)  # as Ctrl-C: tidy up, and say so


def _let_addresses_decide() -> None:
    """A database is where its URL says: a PGHOSTADDR for another would lead ours, with their passwords, there."""
    for name in [one for one in os.environ if OF_POSTGRES.fullmatch(one) and one not in KEPT]:
        del os.environ[name]


def _allow_files() -> None:
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


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
        STANDARD.drop()
        code = int(ExitCode.INTERRUPTED)
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)  # what is left is the interpreter's own end
    sys.exit(code)


def _delivered(code: int, arguments: Sequence[str]) -> int:
    """The exit code, once both outputs took what they take."""
    lost = STANDARD.unwritten()
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
    from uscdr.commands.runs import show_runs
    from uscdr.ui.console import Output

    output = Output()
    if os.environ.get("USCDR_SHARED"):
        from uscdr.commands.recover import look_around

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

    Output(json_lines="--json" in arguments, color=False if "--no-color" in arguments else None).error(error)
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


# The top-level command. Sub-commands import what they need when they run.


EXITS = """\b
EXIT STATUS
  0 done and verified            1 a check failed or an objective is missed
  2 bad input: nothing called    3 a provider or this machine failed; resume goes on
  4 not confirmed                5 outcome unknown: says what to look at
  6 another operator's lock      130 interrupted; the journal says where"""

GROUPS = ("recover", "backup", "runs", "drill", "kit", "dns", "sandbox")
"""Each is a module beside this one with a Typer application `app`."""
COMMANDS = {"runbook": "runbook", "verify": "verify", "watch": "verify"}
"""By name: the module beside this one that has a function of that name."""


def load(arguments: Sequence[str]) -> typer.Typer:
    """The application with those commands that the arguments name, or with all: each costs start-up time."""
    app = typer.Typer(
        name="uscdr",
        help="Bring USC-PIS back: database, application, media, infrastructure.",
        epilog=EXITS,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    app.callback()(root)
    named = set(arguments) & {*GROUPS, *COMMANDS} or {*GROUPS, *COMMANDS}
    for group in GROUPS:
        if group in named:
            app.add_typer(import_module(f"uscdr.cli.{group}").app, name=group)
    for command, module in COMMANDS.items():
        if command in named:
            app.command(command)(getattr(import_module(f"uscdr.cli.{module}"), command))
    return app


def _version(wanted: bool) -> None:  # noqa: FBT001 - Typer calls it so
    if wanted:
        from uscdr import __version__

        typer.echo(f"uscdr {__version__}")
        raise typer.Exit


def root(
    context: typer.Context,
    *,
    config: Annotated[Path | None, typer.Option(help="scenarios.yaml to use.")] = None,
    target: Annotated[str | None, typer.Option(help="A target of scenarios.yaml, or `sandbox`.")] = None,
    json_lines: Annotated[bool, typer.Option("--json", help="Results or events as JSON lines on stdout.")] = False,
    quiet: Annotated[bool, typer.Option(help="Only results and what must be seen.")] = False,
    verbose: Annotated[bool, typer.Option(help="More words.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="Without colour.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """Options that stand before every command."""
    del version
    context.obj = GlobalOptions(config, target, json_lines, quiet, verbose, False if no_color else None)
