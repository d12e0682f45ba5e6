"""What uscdr keeps on this machine, and its removal. It changes nothing unless it is asked to, and asks for a phrase.

Journals are evidence: they stay unless the operator says otherwise. What only the operator has always stays: kits and
copies of backups, the configuration, and every private key.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from typing_extensions import TypedDict

from uscdr.commands.housekeeping import clear_up, state
from uscdr.engine.gate import Gate
from uscdr.engine.step import BlastRadius
from uscdr.errors import BadInput, Declined, LockHeld
from uscdr.files import below, disk_errors, try_lock
from uscdr.installation import removal
from uscdr.journal import runs
from uscdr.models.runs import ANY_RECOVERY
from uscdr.phrase import short_phrase
from uscdr.settings import Directories, Operator
from uscdr.ui.prompts import Prompter
from uscdr.ui.schemas import Schema
from uscdr.ui.tables import draw_table
from uscdr.wiring.stores import IDENTITY, PASSPHRASE_FILE
from uscdr.words import plural, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from uscdr.ui.console import Output

Journals = Literal["keep", "remove"]
_EVIDENCE = {
    "runs": "journals of runs",
    "incidents": "journals of incidents",
    "outbox": "notices that were sent",
    "exercises": "records of drills and reviews",
}
_STATE = {
    "locks": "locks",
    "shared": "copies of the team's journals",
    "source": "clones of the application's code",
    "attempts": "counts of logins that failed",
    "baselines": "baselines of checks",
    "scratch": "files of commands that run",
    "sandbox-audience": "invented people of sandboxes",
}
_ALWAYS = {"vault": "kits and copies of backups", "sandbox": "the sandbox"}
_MARKS = (b"AGE-SECRET-KEY-", b"PRIVATE KEY-----")
_NOTHING = "uscdr removed nothing."
_BEGINNING = 4096
"""Bytes of a file in which a private key begins, behind its comments."""


@dataclass(frozen=True)
class UninstallOptions:
    """The command-line options. `journals`: None asks at a terminal, and keeps them without one."""

    state: bool = False
    journals: Journals | None = None
    confirm: str | None = None

    def __post_init__(self) -> None:
        """Raises BadInput for options that do nothing without --state."""
        if not self.state and (self.journals is not None or self.confirm is not None):
            raise BadInput(
                "--journals and --confirm are for --state.", next_action="See what is here: uscdr self uninstall"
            )


@dataclass(frozen=True)
class _Item:
    """One thing of uscdr on this machine; `fate`: what happens to it with --state."""

    path: Path
    what: str
    fate: Literal["removed", "journals", "kept"]
    files: int
    bytes: int

    @classmethod
    def of(cls, path: Path, what: str, fate: Literal["removed", "journals", "kept"]) -> _Item:
        """Measured; a link is not followed, and stays."""
        if path.is_symlink():
            return cls(path, f"{what} (a link)", "kept", 1, 0)
        sizes = [one.lstat().st_size for one in ([path] if path.is_file() else below(path))]
        return cls(path, what, fate, len(sizes), sum(sizes))


def uninstall(output: Output, wanted: UninstallOptions) -> None:
    """List what is here; with `state`, remove it after the confirmation. Then say how the program is removed.

    Raises BadInput while a run is unfinished, a sandbox exists, or a private key lies where it would be removed;
    LockHeld while a command runs; Declined; MachineError.
    """
    place = state()
    if not wanted.state:
        _show(_items(place), output)
    elif not place.is_dir():
        output.say(f"There is no state: {place}")
    else:
        clear_up(output)
        _remove(place, wanted, output)
    _tell_program(output)


def _items(place: Path) -> tuple[_Item, ...]:
    """What is in the state directory, and the configuration. Raises MachineError for what cannot be read."""
    with disk_errors(f"uscdr cannot read everything in {place}.", "Fix its permissions, then: uscdr self uninstall"):
        found = [_in_state(path) for path in sorted(place.iterdir())] if place.is_dir() else []
        config = Directories(os.environ).config
        mine = [_Item.of(path, "configuration and keys: yours", "kept") for path in [config] if path.exists()]
        return (*found, *mine)


def _in_state(path: Path) -> _Item:
    name = path.name
    if name in _STATE:
        return _Item.of(path, _STATE[name], "removed")
    if name in _EVIDENCE:
        return _Item.of(path, _EVIDENCE[name], "journals")
    return _Item.of(path, _ALWAYS.get(name, "not of uscdr"), "kept")


class _KeptObject(TypedDict):
    path: str
    what: str
    files: int
    bytes: int
    with_state: Literal["removed", "journals", "kept"]


class _RemovalObject(TypedDict):
    program: str


class _RemovedObject(TypedDict):
    removed: str
    files: int
    bytes: int


_FATES = {"removed": "removed", "journals": "kept, unless --journals remove", "kept": "kept"}


def _row(one: _Item) -> dict[str, object]:
    fate = _FATES[one.fate]
    return {"path": str(one.path), "what": one.what, "files": one.files, "size": size(one.bytes), "with_state": fate}


def _show(items: Sequence[_Item], output: Output) -> None:
    for one in items if output.json_lines else ():
        kept = _KeptObject(path=str(one.path), what=one.what, files=one.files, bytes=one.bytes, with_state=one.fate)
        output.record(Schema.KEPT, kept)
    if not output.json_lines:
        draw_table([_row(one) for one in items], output, empty="uscdr keeps nothing on this machine.")
    if any(one.fate == "removed" for one in items):
        output.say("uscdr changed nothing. To remove the state: uscdr self uninstall --state")
    if os.environ.get("USCDR_SHARED"):
        output.say("The team's shared state (USCDR_SHARED) stays as it is.")


def _tell_program(output: Output) -> None:
    if output.json_lines:
        output.record(Schema.REMOVAL, _RemovalObject(program=removal()))
    else:
        output.result(f"To remove the program itself: {removal()}")


def _remove(place: Path, wanted: UninstallOptions, output: Output) -> None:
    with _alone(place):
        items = _items(place)
        _refuse_unfinished(place, items)
        asker = Prompter(output, unanswered=lambda: _NOTHING)
        journals = wanted.journals or _journals(items, asker, wanted)
        fates = ("removed", "journals") if journals == "remove" else ("removed",)
        going = [one for one in items if one.fate in fates]
        _refuse_keys(going)
        if journals == "remove":
            _refuse_open_incidents(place)
        if not going:
            output.say("There is nothing to remove.")
            return
        _confirm(Gate(asker, wanted.confirm), _blast(place, items, going), journals)
        with disk_errors(f"uscdr could not remove everything in {place}.", "See what is left: uscdr self uninstall"):
            for one in going:
                if one.path.is_dir():
                    shutil.rmtree(one.path)
                else:
                    one.path.unlink()
            if not any(place.iterdir()):
                place.rmdir()
    _tell(going, output)


def _confirm(gate: Gate, blast: BlastRadius, journals: Journals) -> None:
    try:
        gate.confirm(blast)
    except Declined as error:
        command = f"uscdr self uninstall --state{' --journals remove' if journals == 'remove' else ''}"
        way = error.next_action.replace(ANY_RECOVERY, command)
        raise Declined(error.message, why=error.why, next_action=f"{_NOTHING} {way}") from error


def _journals(items: Sequence[_Item], asker: Prompter, wanted: UninstallOptions) -> Journals:
    """Asked where somebody can answer and did not say it with the phrase."""
    if wanted.confirm is not None or not asker.interactive or not any(one.fate == "journals" for one in items):
        return "keep"
    answer = asker.choose("The journals of runs and incidents are evidence. Keep or remove them?", ("keep", "remove"))
    return "remove" if answer == "remove" else "keep"


def _blast(place: Path, items: Sequence[_Item], going: Sequence[_Item]) -> BlastRadius:
    files, host = sum(one.files for one in going), Operator.of(os.environ).host
    staying = [one for one in items if one not in going]
    journals = ", journals too" if any(one.fate == "journals" for one in going) else ""
    facts = {
        "Directory": str(place),
        "Removed": ", ".join(one.what for one in going),
        "Size": size(sum(one.bytes for one in going)),
        "Kept": ", ".join(one.what for one in staying) or "nothing",
    }
    return BlastRadius(facts, short_phrase(host, f"remove {files} files{journals}"))


def _tell(gone: Sequence[_Item], output: Output) -> None:
    for one in gone:
        if output.json_lines:
            output.record(Schema.REMOVED, _RemovedObject(removed=str(one.path), files=one.files, bytes=one.bytes))
        else:
            output.result(f"Removed: {one.path} ({plural(one.files, 'file')}, {size(one.bytes)})")


# What keeps the state from being removed.


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """No run works in the state directory, and none begins. Raises LockHeld."""
    with disk_errors(f"uscdr cannot use {place}."):
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not try_lock(descriptor):
            raise LockHeld(
                f"Another uscdr process works in {place}.",
                next_action="Wait until it ends. See: uscdr runs list. This command changed nothing.",
            )
        yield
    finally:
        os.close(descriptor)


def _refuse_unfinished(place: Path, items: Sequence[_Item]) -> None:
    waiting = _unfinished(place)
    if waiting is not None:
        raise BadInput(
            f"The run {waiting} is not finished.",
            why="Its journal says what was changed and what was not. uscdr removes no state meanwhile.",
            next_action=f"Finish it: uscdr runs resume {waiting}. Or see where it stands: uscdr runs show {waiting}",
        )
    names = {one.path.name for one in items if one.path.parent == place}
    if "sandbox" in names:
        raise BadInput("There is a sandbox on this machine.", next_action="Remove it first: uscdr sandbox down")
    if "scratch" in names:
        raise BadInput(
            f"Commands of uscdr run, or left something that cannot be removed yet: {place / 'scratch'}",
            next_action="Wait until they end, then run the command again.",
        )


def _unfinished(place: Path) -> str | None:
    try:
        return runs.LocalRuns(place).find(None).parent.name
    except BadInput:
        return None


def _refuse_open_incidents(place: Path) -> None:
    from uscdr.incident.open_incidents import open_incidents

    for one in open_incidents(place):
        raise BadInput(
            f"The incident {one.id} is not closed.",
            next_action=f"Close it: uscdr incident close --incident {one.id}. Or keep the journals: --journals keep",
        )


def _refuse_keys(going: Sequence[_Item]) -> None:
    """Refuse to remove a private key or a passphrase, wherever it lies."""
    named = {Path(os.environ[name]).resolve() for name in (IDENTITY, PASSPHRASE_FILE) if os.environ.get(name)}
    for one in going:
        for path in below(one.path):
            if path.resolve() in named or _holds_key(path):
                raise BadInput(
                    f"{path} holds a private key or a passphrase.",
                    why="uscdr never removes one: what it opens would be lost.",
                    next_action="Move the file out of the state directory, then run the command again.",
                )


def _holds_key(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with path.open("rb") as file:
        beginning = file.read(_BEGINNING)
    return any(mark in beginning for mark in _MARKS)
