"""Access that a restore gives back: listed before the confirmation, and withdrawn again in the same run.

A restore undoes each block since the backup: accounts that were deactivated, tokens and sessions that were deleted,
rights that were removed, roles that were changed.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from pydantic import SecretStr
from typing_extensions import override

from uscdr.engine.step import Action, Effect, Reporter, View
from uscdr.errors import CheckFailed, ProviderError
from uscdr.models.access import AccessBack, AccessSeen, AccountSeen, KeyedAccess
from uscdr.scenarios.results.db import ChosenBackup, Compared, Proof, Withdrawn
from uscdr.scenarios.steps.base import ScenarioStep, sql
from uscdr.scenarios.steps.ledger import proven_database
from uscdr.words import plural

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from uscdr.providers.ports.database import Database
    from uscdr.scenarios.adapters import Adapters

# Access is read with a secret. Values that are never written down stay in memory until they are set again.


_FOR = "uscdr: digests of access\n"


def _keyed(deps: Adapters) -> KeyedAccess | None:
    """The tables that hold access; None if scenarios.yaml names none. Raises BadInput without a live database."""
    tables = deps.config.access
    if tables is None:
        return None
    url = deps.database_url(deps.app).get_secret_value()
    secret = sha256((_FOR + (urlsplit(url).password or url)).encode()).hexdigest()
    return KeyedAccess(**tables.model_dump(), secret=SecretStr(secret))


def _noted(deps: Adapters, back: AccessBack) -> KeyedAccess | None:
    """The same tables, to read `back`. Raises CheckFailed if the secret has changed."""
    tables = _keyed(deps)
    if tables is None:
        return None
    tables = tables.as_noted(back)
    if back.amount and tables.mark != back.mark:
        raise CheckFailed(
            f"uscdr cannot withdraw access again. The restore gives back: {back.words}.",
            why="It was recorded with the database password of that time, and the password has changed since.",
            next_action="Withdraw it by hand. Then start a new recovery, which keeps it withdrawn: "
            "uscdr recover db --new",
        )
    return tables


def keep(deps: Adapters, back: AccessBack) -> None:
    """Reads the values that this process does not know, for example after it took over a run; only unchanged ones.

    An account whose values cannot be read stays blocked; the step that withdraws access reports that.
    """
    if deps.config.access is None or deps.dry_run:
        return
    if not back.prints_of(deps.config.access).keys() - deps.unshown.keys():
        return
    with suppress(ProviderError):
        tables = _noted(deps, back)
        if tables is not None:
            deps.unshown.update(back.fitting(tables, deps.database().unshown(tables, back)))


NOT_SAID = "scenarios.yaml does not name the access tables (access:), so what the restore gives back is not known"


class AccessLook(ScenarioStep[AccessBack, AccessBack]):
    """Compares access in the backup with access now. Password hashes stay in memory."""

    name = "access.look"
    title = "Compare access with the backup"
    default_id = "access"
    effect = Effect.READ
    manual = ("heroku pg:psql --app {app}   # accounts that are inactive now and were active in the backup",)
    gives = AccessBack
    needs = (ChosenBackup, Proof)
    waits = "known after the backup is proven"
    slow: ClassVar[bool] = True

    @override
    def probe(self, view: View, tell: Reporter) -> AccessBack:
        tables = _keyed(self._deps)
        found = AccessBack(asked=False, doubts=(NOT_SAID,))
        if tables:
            found = self._compared(tables, proven_database(self._deps, view, tell))
        for doubt in found.doubts:
            tell.warn(f"Access: {doubt}.")
        return found

    def _compared(self, tables: KeyedAccess, backup: Database) -> AccessBack:
        try:
            from uscdr.threads import run_all

            sides = [partial(side.access, tables) for side in (self._deps.database(), backup)]
            now, then = run_all(sides, workers=len(sides), stop=self._deps.stop.event)
            found = AccessBack.between(tables, now, then)
        except ProviderError as error:
            words = (
                "uscdr cannot tell who was blocked since the backup; "
                f"they get access again ({error.message.rstrip('.')})"
            )
            return AccessBack(doubts=(words,))
        keep(self._deps, found)
        return found

    @override
    def plan(self, seen: AccessBack, view: View) -> Action:
        calls = (sql("keys of accounts, tokens, sessions and rights, in the live database and in the backup"),)
        if not seen.amount:
            return Action("read", "; ".join(seen.doubts) or "the restore gives nobody access back", calls)
        again = "stays, as requested" if self._deps.request.give_access_back else "is withdrawn again in this run"
        return Action("read", f"the restore gives access back, which {again}: {seen.words}", calls)


class WithdrawAccess(ScenarioStep[AccessBack, Withdrawn]):
    """Withdraws the restored access again, before anybody can sign in."""

    name = "access.withdraw"
    title = "Withdraw access again"
    default_id = "withdraw"
    effect = Effect.IDEMPOTENT
    manual = ("heroku pg:psql --app {app}   # set the accounts inactive again, delete their tokens and sessions",)
    gives = Withdrawn
    needs = (AccessBack, Compared)
    waits = "access is withdrawn again after the restore"

    @override
    def probe(self, view: View, tell: Reporter) -> AccessBack:
        return view.need(AccessBack)

    @override
    def plan(self, seen: AccessBack, view: View) -> Action:
        if not seen.amount:
            return Action("noop", "the restore gave nobody access back, as far as is known")
        if self._deps.request.give_access_back:
            return Action("noop", f"access stays as in the backup, as requested: {seen.words}")
        calls = (sql("UPDATE of accounts, DELETE of tokens, sessions and rights", changes=True),)
        return Action("change", f"withdraw access again: {seen.words}", calls)

    @override
    def apply(self, seen: AccessBack, view: View, tell: Reporter) -> Withdrawn:
        tables = _noted(self._deps, seen)
        if tables is None:
            raise CheckFailed("scenarios.yaml no longer names the access tables (access:).")
        again = self._deps.database().withdraw(tables, seen, self._deps.unshown)
        done = Withdrawn(changed=again.changed, words=seen.words, shut=again.shut, reset=again.reset)
        for task in done.tasks():
            tell.warn(f"{task}.")
        return done

    @override
    def current(self, seen: AccessBack, view: View) -> Withdrawn:
        return Withdrawn(changed=0, left=seen.amount, words=seen.words)

    @override
    def verify(self, result: Withdrawn, view: View, tell: Reporter) -> str:
        known = view.need(AccessBack)
        tables = _noted(self._deps, known)
        if tables is not None:
            self._look_again(tables, known, result.shut)
        return "; ".join((f"{plural(result.changed, 'row')} changed: {result.words}", *result.tasks()))

    def _look_again(self, tables: KeyedAccess, known: AccessBack, shut: Collection[str]) -> None:
        now = self._deps.database().access(tables)
        if now.missing and tables.accounts in now.missing:
            raise CheckFailed(
                "uscdr cannot tell whether access was withdrawn: it cannot read the accounts.",
                next_action="uscdr runs resume",
            )
        open_again = set(_open_again(known, now, shut))
        left = sum(len(now.rows.get(table, frozenset()) & {*rows}) for table, rows in known.rows.items())
        if open_again or left:
            words = f"{plural(len(open_again), 'account')} and {plural(left, 'row')} are back"
            raise CheckFailed(f"Access was withdrawn, but {words}.", next_action="uscdr runs resume")


def _open_again(known: AccessBack, now: AccessSeen, shut: Collection[str]) -> Iterator[str]:
    """Accounts that can sign in or do more again, as in the backup; accounts that do not exist are blocked."""
    nobody = AccountSeen()
    for flag, keys in known.flags.items():
        yield from (key for key in keys if flag in now.accounts.get(key, nobody).flags)
    yield from (key for key in (*known.deleted, *shut) if now.accounts.get(key, nobody).flags)
    for column, moves in known.moves.items():
        for key, move in moves.items():
            one = now.accounts.get(key)
            if one is not None and key not in shut and (column not in one.columns or one.value(column) != move.now):
                yield key
