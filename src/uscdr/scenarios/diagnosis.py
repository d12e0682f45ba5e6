"""Which remedy an application failure needs, and what its log says. Pure judgements on what was seen."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from uscdr.checks.uptime import LogLine
from uscdr.errors import BadInput
from uscdr.scenarios.results.app import AppSeen, ReleaseLine, Remedy
from uscdr.words import plural, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

ROLLBACK = re.compile(r"^Rollback to v(\d+)")
CONFIG = re.compile(r"^(Set|Remove|Update|Add) .*config var", re.IGNORECASE)
REMOVED = re.compile(r"^Remove (.+) config var")
CLOSED = "nothing looks wrong, but the pages cannot be checked while maintenance mode is on (heroku maintenance:off)"


def remedy(seen: AppSeen, *, wanted: str | None = None, ref: str | None = None) -> Remedy:
    """The remedy. `wanted` is the release to roll back to and `ref` the ref to deploy, if the operator named one.

    Raises BadInput for a release that cannot be rolled back to.
    """
    if wanted is not None:
        return _return_to(seen, _named(seen, wanted), "the operator named the release")
    if ref is not None:
        return Remedy(what="redeploy", why="the operator named the ref to deploy")
    if seen.healthy:
        why = f"all {seen.asked} checks passed, no dyno is crashed, no variable is missing{_but(seen)}"
        return Remedy(what="impossible", why=seen.unreadable) if seen.unreadable else Remedy(what="none", why=why)
    if not (seen.crashed or seen.missing_config):
        remedied = _of_migrations(seen)
        if remedied is not None:
            return remedied
    if not (seen.asked or seen.crashed or seen.missing_config):
        return Remedy(what="impossible", why=CLOSED + _but(seen))
    return _go_back(seen)


def _but(seen: AppSeen) -> str:
    """What no release changes and a person must fix."""
    return f"; but {seen.stopped}" if seen.stopped else ""


def _of_migrations(seen: AppSeen) -> Remedy | None:
    """The remedy for a mismatch of database and code; None when there is no mismatch, or no remedy."""
    found, later = seen.code, seen.ref_code
    if found.ahead or found.unfillable:
        if later.known and not (later.ahead or later.unfillable) and seen.ref_commit != seen.commit:
            return Remedy(what="redeploy", why=f"{found.problems[0]}; {seen.ref} has it")
    elif found.pending:
        return Remedy(what="migrate", why="the deployed code needs migrations that the database lacks")
    if found.problems and not seen.failing:
        return Remedy(what="impossible", why=found.problems[0])
    return None


def _go_back(seen: AppSeen) -> Remedy:
    target = _last_good(seen)
    if target is not None:
        return _return_to(seen, target, _symptom(seen))
    if seen.ref_commit:
        return Remedy(what="redeploy", why=f"{_symptom(seen)}; there is no earlier release to roll back to")
    return Remedy(what="impossible", why=f"{_symptom(seen)}; no earlier release, and no source to deploy from")


def _last_good(seen: AppSeen) -> ReleaseLine | None:
    """The newest release before the running code that succeeded and can be rolled back to.

    A rollback counts as the release that it went back to: the releases between the two were found bad before.
    """
    if seen.current is None:
        return None
    before = min([_origin(seen, seen.current), *_removals(seen)])
    return next((r for r in seen.releases if r.version < before and r.can_return and r.status == "succeeded"), None)


def _removals(seen: AppSeen) -> list[int]:
    """The newest release that removed each missing variable: that release lacks it too."""
    removed = [
        (r.version, m[1].replace(",", " ").split()) for r in seen.releases if (m := REMOVED.match(r.description))
    ]
    newest = (next((version for version, names in removed if one in names), None) for one in seen.missing_config)
    return [version for version in newest if version is not None]


def _origin(seen: AppSeen, version: int) -> int:
    """The version whose code and config `version` runs, after any number of rollbacks."""
    release = next((r for r in seen.releases if r.version == version), None)
    earlier = returned_to(release.description) if release else None
    return _origin(seen, earlier) if earlier is not None and earlier < version else version


def returned_to(description: str) -> int | None:
    """The version that a rollback went back to; None when the release is not a rollback."""
    match = ROLLBACK.match(description)
    return whole(match[1]) if match else None


def _named(seen: AppSeen, wanted: str) -> ReleaseLine:
    known = ", ".join(f"v{r.version}" for r in seen.releases if r.can_return and r.version != seen.current) or "none"
    found = next((r for r in seen.releases if f"v{r.version}" == wanted or str(r.version) == wanted), None)
    if found is None or not found.can_return or found.status != "succeeded":
        what = "is not listed" if found is None else f"{found.status} and cannot be rolled back to"
        raise BadInput(
            f"Release {wanted} {what}.",
            why=f"Releases that you can roll back to: {known}.",
            next_action="heroku releases",
        )
    if found.version == seen.current:
        raise BadInput(f"Release {wanted} is already running.", why=f"Others: {known}.")
    return found


def _return_to(seen: AppSeen, target: ReleaseLine, why: str) -> Remedy:
    undone = tuple(f"v{r.version} {r.description}" for r in seen.releases if r.version > target.version)
    return Remedy(what="rollback", why=why, to=target, undone=undone)


def _symptom(seen: AppSeen) -> str:
    words: list[str] = []
    if seen.crashed:
        words.append(f"{', '.join(seen.crashed)} crashed")
    if seen.missing_config:
        words.append(f"missing config: {', '.join(seen.missing_config)}")
    if seen.failing:
        words.append(
            f"{len(seen.failing):,} of {plural(seen.asked, 'check')} {'fails' if len(seen.failing) == 1 else 'fail'}"
        )
    return "; ".join(words)


def config_changes(undone: Sequence[str]) -> tuple[str, ...]:
    """Those of the undone releases that changed config variables, which a rollback changes back."""
    return tuple(line for line in undone if CONFIG.match(line.partition(" ")[2]))


# Meanings and hints of platform codes and Python errors in a log. Source: Heroku Dev Center, "Error Codes".


class _Words(NamedTuple):
    """What a code means, and where to look next."""

    meaning: str
    hint: str


_CRASH_WORDS = "Find the error that ended it; if it began with a release, roll that back."
_SLOW = "Look for slow queries, locks and dead services; more dynos help only when the database keeps up."
_MEMORY = "Restart the dyno; then use fewer workers for each dyno, or a larger dyno."
_DATABASE = "Check the database: is it reachable and migrated, and has it free connections?"

CODES: Mapping[str, _Words] = {
    "H10": _Words("The web dyno has crashed; every request fails.", _CRASH_WORDS),
    "H11": _Words("Requests queue up faster than they are answered.", _SLOW),
    "H12": _Words("A request took longer than 30 seconds.", _SLOW),
    "H13": _Words("The dyno closed the connection without an answer.", "Often a worker that was killed: look for R14."),
    "H14": _Words("No web dyno is running.", "Scale web up, unless it was scaled down on purpose."),
    "H15": _Words("A connection was idle for 55 seconds.", "Look for requests that wait for another service."),
    "H16": _Words(
        "The web dyno redirected the visitor to a host that is not allowed.", "Look at the domains of the app."
    ),
    "H17": _Words("The dyno's answer was not valid HTTP.", _CRASH_WORDS),
    "H18": _Words("The connection was closed in the middle of an answer.", "Look for killed workers and R14."),
    "H19": _Words("The dyno took too long to accept the connection.", _SLOW),
    "H20": _Words("A dyno did not boot within 75 seconds.", _CRASH_WORDS),
    "H21": _Words("The dyno refused the connection.", _CRASH_WORDS),
    "H22": _Words("The web dyno has too many connections.", _SLOW),
    "H27": _Words("A visitor closed the connection before the answer was ready.", "A sign of slowness, not a fault."),
    "H28": _Words("A visitor was idle in the middle of a request.", "Not a fault of the app."),
    "H31": _Words("The platform closed the dyno's misbehaving connection.", _CRASH_WORDS),
    "H80": _Words("The app is in maintenance mode.", "End it with `heroku maintenance:off` when the app is well."),
    "H81": _Words("The app has no code.", "Deploy it: nothing was built or released here yet."),
    "H82": _Words("The account's free hours are used up.", "Look at the plan of the dynos."),
    "H83": _Words("Planned work of the platform blocks the app.", "See status.heroku.com and wait."),
    "H99": _Words("The platform itself failed.", "See status.heroku.com; nothing in the app fixes this."),
    "R10": _Words("The web process did not listen on $PORT within 60 seconds of its start.", _CRASH_WORDS),
    "R11": _Words("The dyno was too slow to stop and was killed.", "Look for work that does not heed SIGTERM."),
    "R12": _Words("A process did not stop within 30 seconds.", "Look for work that does not heed SIGTERM."),
    "R13": _Words(
        "A one-off dyno could not be attached to.", "Run it again; check that TLS to port 5000 is allowed out."
    ),
    "R14": _Words("A dyno uses more memory than it has; it swaps and slows down.", _MEMORY),
    "R15": _Words("A dyno used far more memory than it has and was killed.", _MEMORY),
    "R16": _Words("A one-off dyno lost its terminal.", "Run it detached, or over a better connection."),
    "R17": _Words("The slug has a wrong checksum.", "Deploy again."),
    "R99": _Words("The platform could not run the dyno.", "See status.heroku.com."),
    "L10": _Words("Log lines were dropped: the app logs faster than they are taken.", "This log has gaps."),
    "L11": _Words("Log lines were dropped before `heroku logs --tail`.", "This log has gaps."),
    "L12": _Words("Log lines were dropped in the dyno.", "This log has gaps."),
    "L13": _Words("Log lines could not be delivered to a drain.", "Look at the log drain."),
    "L14": _Words("A drain's certificate was not accepted.", "Look at the log drain."),
    "L15": _Words("A drain's buffer overflowed.", "Look at the log drain."),
    "crashed": _Words("A dyno crashed.", _CRASH_WORDS),
    "worker timeout": _Words("A web worker did not finish in time and was killed.", _SLOW),
    "error": _Words("An error of Python of unknown type.", "Read the log itself."),
}
"""By the platform's code, or by our own word where it has none."""

OTHER_CODE = _Words("An unknown code of the platform.", "See Dev Center, Error Codes.")

ERRORS: Mapping[str, _Words] = {
    "OperationalError": _Words("The database could not be used.", _DATABASE),
    "InterfaceError": _Words("The connection to the database was lost.", _DATABASE),
    "ProgrammingError": _Words(
        "A query does not fit the schema.", "Compare the migrations of the code with those applied."
    ),
    "UndefinedTable": _Words("A table is missing.", "Compare the migrations of the code with those applied."),
    "UndefinedColumn": _Words("A column is missing.", "Compare the migrations of the code with those applied."),
    "IntegrityError": _Words("A row breaks a rule of the database.", "Look at constraints and sequences."),
    "InternalError": _Words("The database failed inside a transaction.", "Look for a wrong encryption key."),
    "ImproperlyConfigured": _Words("A setting is missing or wrong.", "Compare the config variables with the kit."),
    "KeyError": _Words("A key is missing; at boot often a config variable.", "Compare the config variables."),
    "DisallowedHost": _Words("A request came for a hostname that the app does not allow.", "Look at ALLOWED_HOSTS."),
    "ModuleNotFoundError": _Words("A library is not in the slug.", "A rebuild installed other versions: roll back."),
    "ImportError": _Words(
        "A library in the slug does not fit the code.", "A rebuild installed other versions: roll back."
    ),
    "SyntaxError": _Words("The code cannot be read.", "Roll back."),
    "ConnectionError": _Words("Another service could not be reached.", "Look at Redis and the media service."),
    "ConnectionRefusedError": _Words("Another service refuses connections.", "Look at Redis and the media service."),
    "MemoryError": _Words("A process had no memory left.", _MEMORY),
    "SystemExit": _Words("A process ended itself, a web worker after a time-out.", _SLOW),
}
"""By the last part of the type's name."""

OTHER_ERROR = _Words("An error of Python.", "Read the log itself around that time; it may hold personal data.")


# Problems in an app's log: known platform codes and the types of Python errors. Pure.


_CRASH = re.compile(r"^State changed from [\w-]+ to crashed\b")
_TRACEBACK = "Traceback (most recent call last):"
_NAME = re.compile(
    r"(?P<name>(?:[A-Za-z_]\w*\.){0,8}[A-Za-z_]\w{0,60}"
    r"(?:Error|Exception|Exit|Interrupt|Warning|DoesNotExist|Refused|Timeout|DisallowedHost|ImproperlyConfigured"
    r"|SuspiciousOperation|PermissionDenied|NotFound))(?::|$)"
)
_MOST = 200
"""How many different codes are reported; a log of 1,500 lines has fewer."""


@dataclass(frozen=True)
class LogCode:
    """One kind of problem in a log: how often and when last it was seen, what it means, what to look at.

    `last_seen` is aware UTC, None when no line of it had a readable time.
    """

    code: str
    count: int
    last_seen: datetime | None
    meaning: str
    hint: str

    @classmethod
    def in_lines(cls, lines: Iterable[str]) -> tuple[LogCode, ...]:
        """The known codes in `lines` (oldest first, as the platform writes them), the most frequent first."""
        tally = _Tally()
        for line in LogLine.read(lines):
            if line.of_platform:
                _platform(tally, line)
            else:
                _application(tally, line.process, line.text, line.at)
        found = (_code(code, count, last) for code, (count, last) in tally.seen.items())
        return tuple(sorted(found, key=lambda one: (-one.count, one.code)))


@dataclass
class _Tally:
    seen: dict[str, tuple[int, datetime | None]] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    """Processes in the middle of a traceback: their lines come mixed with those of others."""

    def add(self, code: str, at: datetime | None) -> None:
        if code not in self.seen and len(self.seen) >= _MOST:
            return
        count, last = self.seen.get(code, (0, None))
        self.seen[code] = count + 1, max((one for one in (at, last) if one is not None), default=None)


def _platform(tally: _Tally, line: LogLine) -> None:
    if line.code:
        tally.add(line.code, line.at)
    elif _CRASH.match(line.text):
        tally.add("crashed", line.at)


def _application(tally: _Tally, process: str, text: str, at: datetime | None) -> None:
    """Follow a process's traceback to its last line, which names the error; its message is not read."""
    if text.strip() == _TRACEBACK:
        tally.open.add(process)
    elif process in tally.open and text.strip() and not text.startswith(" "):
        tally.open.discard(process)
        named = _NAME.match(text)
        tally.add(named["name"] if named else "error", at)
    elif "[CRITICAL] WORKER TIMEOUT" in text:
        tally.add("worker timeout", at)


def _code(code: str, count: int, last: datetime | None) -> LogCode:
    words = _words(code)
    return LogCode(code, count, last, words.meaning, words.hint)


def _words(code: str) -> _Words:
    if re.fullmatch(r"[HRL]\d\d", code):
        return CODES.get(code, OTHER_CODE)
    return CODES.get(code) or ERRORS.get(code.rpartition(".")[2], OTHER_ERROR)
